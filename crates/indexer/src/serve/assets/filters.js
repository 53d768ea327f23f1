// The bar: search box, time range, menus of filters, and a chip for each filter that is set.

import { byId, el, put } from './elements.js';
import { change, clear, filters } from './state.js';
import { WEEKDAYS, country, language, moment, number, range } from './words.js';

let typing = null;
let isFirst = true;

const RANGES = [['24h', '24 h'], ['3d', '3 d'], ['7d', '7 d'], ['30d', '30 d'], [null, 'All']];

/// Shows the filters that are set; `answer`, if it is there, has the choices of the menus.
export function bar(answer) {
  const set = filters();
  const search = byId('q');
  // While somebody is typing, the search box is ahead of the filters and must not be changed.
  if (!typing && search.value.trim() !== (set.get('q') ?? '')) search.value = set.get('q') ?? '';
  const last = set.get('last') ?? null;
  const isAny = last === null && !set.has('from') && !set.has('to');
  put(
    byId('ranges'),
    RANGES.map(([value, words]) =>
      el(
        'button',
        { type: 'button', 'data-key': words, 'aria-pressed': String(value === null ? isAny : value === last), title: value ? `The last ${words}` : 'All the time there is', onclick: () => change({ last: value, from: null, to: null }) },
        words,
      ),
    ),
  );
  const isShown = ([name, value]) => (name === 'to' ? !set.has('from') : name !== 'last' || !RANGES.some(([known]) => known === value));
  const hadFocus = byId('chips').contains(document.activeElement);
  const chips = [...set].filter(isShown).map(([name, value]) => chip(name, value, set));
  const few = chips.length < 2;
  put(byId('chips'), chips, !few && el('button', { type: 'button', class: 'chip all', 'data-key': 'all', onclick: clear }, 'Remove all'));
  // The chip that had the focus is gone: focus another one or, if there is none, the search box.
  if (hadFocus && document.activeElement === document.body) (byId('chips').querySelector('button') ?? search).focus();
  if (answer && !byId('filters').contains(document.activeElement)) choices(answer, set);
}

function chip(name, value, set) {
  const [words, off] = {
    q: () => [`“${value}”`, { q: null }],
    from: () => [set.has('to') ? range(value, set.get('to')) : `Since ${moment(value)}`, { from: null, to: null }],
    to: () => [`Before ${moment(value)}`, { to: null }],
    last: () => [`The last ${value}`, { last: null }],
    bbox: () => ['An area of the map', { bbox: null }],
    country: () => [value.split(',').map(country).join(', '), { country: null }],
    lang: () => [value.split(',').map(language).join(', '), { lang: null }],
    weekday: () => [WEEKDAYS[value - 1] ?? value, { weekday: null }],
    hour: () => [`${value}:00–${Number(value) + 1}:00`, { hour: null }],
  }[name]?.() ?? [value, { [name]: null }];
  return el('button', { type: 'button', class: 'chip', 'data-key': name, 'aria-label': `Remove the filter ${words}`, onclick: () => change(off) }, words);
}

function choices({ marketplaces, choices: terms }, set) {
  const counted = (terms, name) => terms.map(({ term, count }) => [term, `${name(term)} (${number(count)})`]);
  const all = [
    ['marketplace', 'Marketplace', counted(marketplaces.marketplaces, (term) => term)],
    ['sentiment', 'Sentiment', counted(terms.sentiment, (term) => term)],
    ['lang', 'Language', counted(terms.lang, language)],
    ['country', 'Country', counted(terms.country, country)],
  ];
  put(
    byId('filters'),
    all.map(([name, title, options]) => {
      const value = set.get(name) ?? '';
      const known = options.some(([option]) => option === value);
      const given = value && !known ? [[value, value]] : [];
      const option = ([term, words]) => el('option', { value: term, selected: term === value }, words);
      return el(
        'label',
        {},
        title,
        el('select', { 'data-key': name, onchange: (event) => change({ [name]: event.target.value || null }) }, el('option', { value: '' }, 'Any'), [...given, ...options].map(option)),
      );
    }),
  );
}

byId('more').addEventListener('click', () => {
  const panel = byId('filters');
  panel.hidden = !panel.hidden;
  byId('more').setAttribute('aria-expanded', String(!panel.hidden));
});

byId('q').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(search, 350);
});
byId('q').addEventListener('focus', () => (isFirst = true));
// When the search box loses the focus, search at once: before a click elsewhere takes effect.
byId('q').addEventListener('change', search);
byId('search').addEventListener('submit', (event) => {
  event.preventDefault();
  search();
});

/// Searches for what was typed. All typing until the box loses the focus is one step that "back" undoes.
function search() {
  clearTimeout(typing);
  typing = null;
  change({ q: byId('q').value.trim() }, { quietly: !isFirst });
  isFirst = false;
}
