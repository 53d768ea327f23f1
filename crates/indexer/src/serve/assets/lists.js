// A list of the most frequent terms, each with a bar as long as its count.

import { byId, el, put } from './elements.js';
import { filters, toggleWord } from './state.js';
import { number } from './words.js';

export function list(id, sign, terms, none) {
  const most = terms[0]?.count ?? 0;
  const words = (filters().get('q') ?? '').toLowerCase().split(/\s+/);
  const row = ({ term, count }) =>
    el(
      'li',
      {},
      el(
        'button',
        { class: 'row', type: 'button', 'data-key': term, 'aria-pressed': String(words.includes(sign + term)), onclick: () => toggleWord(sign + term) },
        el('i', { 'aria-hidden': 'true', style: { width: `${(100 * count) / most}%` } }),
        el('span', { title: sign + term }, sign + term),
        el('span', {}, number(count)),
      ),
    );
  put(byId(id), terms.length > 0 ? el('ol', { class: 'list' }, terms.map(row)) : el('p', { class: 'note' }, none));
}
