// One sentence of numbers.

import { byId, el, put } from './elements.js';
import { FEW, feeling, mean, number, percent, range } from './words.js';

export function headline({ count, labels, mean: m, located, countries, from, to }) {
  const few = count < FEW;
  put(
    byId('headline'),
    el('strong', {}, `${number(count)} ${count === 1 ? 'tweet' : 'tweets'}`),
    part(few ? number(labels.positive) : percent(labels.positive, count), 'positive', 'positive'),
    part(few ? number(labels.negative) : percent(labels.negative, count), 'negative', 'negative'),
    el('span', { title: 'The mean of VADER’s compound, from −1 to +1' }, 'mean ', el('b', {}, mean(m)), ` ${feeling(m)}`),
    located > 0 && countries.length > 0 && part(number(countries.length), countries.length === 1 ? 'country' : 'countries'),
    from && el('span', {}, range(from, to)),
  );
}

const part = (value, word, label) =>
  el('span', {}, label && el('i', { class: `dot ${label}`, 'aria-hidden': 'true' }), el('b', {}, value), ` ${word}`);
