// One sentence of numbers.

import { byId, el, put } from './elements.js';
import { FEW, feeling, mean, number, percent, range, tweets } from './words.js';

/// Shows the headline. `isNew`: the user has changed the filters, so screen readers announce it.
export function headline({ count, labels, mean: m, located, countries, from, to }, isNew) {
  byId('headline').setAttribute('aria-live', isNew ? 'polite' : 'off');
  const few = count < FEW;
  put(
    byId('headline'),
    el('strong', {}, tweets(count)),
    part(few ? number(labels.positive) : percent(labels.positive, count), 'positive', 'positive'),
    part(few ? number(labels.negative) : percent(labels.negative, count), 'negative', 'negative'),
    el('span', { title: 'The mean of VADER’s compound, from −1 to +1' }, 'mean ', el('b', {}, mean(m)), ` ${feeling(m)}`),
    located > 0 && countries.length > 0 && part(number(countries.length), countries.length === 1 ? 'country' : 'countries'),
    from && el('span', { class: 'range' }, range(from, to)),
  );
}

const part = (value, word, label) =>
  el('span', {}, label && el('i', { class: `dot ${label}`, 'aria-hidden': 'true' }), el('b', {}, value), ` ${word}`);
