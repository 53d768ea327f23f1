// The bar: search, time range, filters by choice, and a chip for each that is set.

import { byId, el, put } from './elements.js';
import { change, clear, filters } from './state.js';
import { WEEKDAYS, country, language, moment, number, range } from './words.js';

let typing = null;
let isFirst = true;

const RANGES = [['24h', '24 h'], ['3d', '3 d'], ['7d', '7 d'], ['30d', '30 d'], [null, 'All']];

/// Shows what is set; `answer` says what there is to choose from.
export function bar(answer) {
  const set = filters();
  const search = byId('q');
  // What is still being typed is not yet set.
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
  // What had the focus is gone.
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
// Before whatever was clicked instead.
byId('q').addEventListener('change', search);
byId('search').addEventListener('submit', (event) => {
  event.preventDefault();
  search();
});

/// Looks for what was typed. A word that becomes longer is one step, that "back" undoes.
function search() {
  clearTimeout(typing);
  typing = null;
  change({ q: byId('q').value.trim() }, { quietly: !isFirst });
  isFirst = false;
}
