// The bar: search, time range, filters by choice, and a chip for each that is set.

import { byId, el, put } from './elements.js';
import { change, clear, filters } from './state.js';
import { WEEKDAYS, country, language, number, range } from './words.js';

const RANGES = [['24h', '24 h'], ['3d', '3 d'], ['7d', '7 d'], ['30d', '30 d'], [null, 'All']];
const SENTIMENTS = ['positive', 'neutral', 'mixed', 'negative'];

/// Shows what is set; `answer` says what there is to choose from.
export function bar(answer) {
  const set = filters();
  const search = byId('q');
  if (document.activeElement !== search) search.value = set.get('q') ?? '';
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
  const chips = [...set].filter(([name]) => name !== 'last' && name !== 'to').map(([name, value]) => chip(name, value, set));
  const few = chips.length < 2;
  put(byId('chips'), chips, !few && el('button', { type: 'button', class: 'chip all', onclick: clear }, 'Remove all'));
  if (answer) choices(answer, set);
}

function chip(name, value, set) {
  const [words, off] = {
    q: () => [`“${value}”`, { q: null }],
    from: () => [set.has('to') ? range(value, set.get('to')) : `since ${value}`, { from: null, to: null }],
    bbox: () => ['An area of the map', { bbox: null }],
    country: () => [value.split(',').map(country).join(', '), { country: null }],
    lang: () => [value.split(',').map(language).join(', '), { lang: null }],
    weekday: () => [WEEKDAYS[value - 1] ?? value, { weekday: null }],
    hour: () => [`${value}:00–${Number(value) + 1}:00`, { hour: null }],
  }[name]?.() ?? [value, { [name]: null }];
  return el('button', { type: 'button', class: 'chip', 'data-key': name, 'aria-label': `Remove the filter ${words}`, onclick: () => change(off) }, words);
}

function choices({ marketplaces, languages, summary }, set) {
  const counted = (terms, name) => terms.map(({ term, count }) => [term, `${name(term)} (${number(count)})`]);
  const all = [
    ['marketplace', 'Marketplace', counted(marketplaces, (term) => term)],
    ['sentiment', 'Sentiment', SENTIMENTS.map((label) => [label, `${label} (${number(summary.labels[label])})`])],
    ['lang', 'Language', counted(languages, language)],
    ['country', 'Country', counted(summary.countries, country)],
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

let typing;
byId('q').addEventListener('input', (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => change({ q: event.target.value.trim() }, { quietly: true }), 350);
});
byId('search').addEventListener('submit', (event) => {
  event.preventDefault();
  clearTimeout(typing);
  change({ q: byId('q').value.trim() });
});
