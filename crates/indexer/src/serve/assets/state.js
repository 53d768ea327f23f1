// The filters. They are kept in the page's address, so that a link shows what its sender saw.

export const FILTERS = ['q', 'last', 'from', 'to', 'marketplace', 'sentiment', 'lang', 'country', 'weekday', 'hour', 'bbox'];

const listeners = [];

/// The filters that are set.
export function filters() {
  const all = new URLSearchParams(location.search);
  const set = new Map(FILTERS.filter((name) => all.get(name)).map((name) => [name, all.getAll(name).join(',')]));
  // `last=all` sets no limit, so it is not a filter.
  if (set.get('last') === 'all') set.delete('last');
  return set;
}

/// A parameter of the address that is not a filter, such as the chosen tab.
export const view = (name) => new URLSearchParams(location.search).get(name);

/// The filters as a query of the API; `more` are its other parameters.
export function query(more = {}) {
  const all = new URLSearchParams([...filters()]);
  for (const [name, value] of Object.entries(more)) all.set(name, value);
  return all.toString();
}

/// Sets filters, or removes them (null). `quietly`: without a new entry in the browser's history; `silently`: without
/// calling the listeners.
export function change(changes, { quietly = false, silently = false } = {}) {
  const all = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') all.delete(name);
    else all.set(name, value);
  }
  // Commas and colons need not be encoded in a query, and people can read it better.
  const text = all.toString().replaceAll('%2C', ',').replaceAll('%3A', ':');
  const address = text ? `?${text}` : location.pathname;
  if (address === (location.search || location.pathname)) return;
  history[quietly ? 'replaceState' : 'pushState'](null, '', address);
  if (!silently) tell();
}

/// Sets a filter, or removes it if it has this value already.
export function toggle(name, value) {
  change({ [name]: filters().get(name) === String(value) ? null : String(value) });
}

/// Adds a word to the search, or removes it if it is there already.
export function toggleWord(word) {
  const words = (filters().get('q') ?? '').split(/\s+/).filter(Boolean);
  const others = words.filter((other) => other.toLowerCase() !== word.toLowerCase());
  const q = others.length < words.length ? others : [...words, word];
  change({ q: q.join(' ') });
}

/// Takes all filters away.
export const clear = () => change(Object.fromEntries(FILTERS.map((name) => [name, null])));

export function onChange(listener) {
  listeners.push(listener);
}

function tell() {
  for (const listener of listeners) listener();
}

addEventListener('popstate', tell);
