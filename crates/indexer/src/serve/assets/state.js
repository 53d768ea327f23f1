// What is filtered by: it lives in the page's address, so that a link shows what its sender saw.

export const FILTERS = ['q', 'last', 'from', 'to', 'marketplace', 'sentiment', 'lang', 'country', 'weekday', 'hour', 'bbox'];

const listeners = [];

/// The filters that are set.
export function filters() {
  const all = new URLSearchParams(location.search);
  const set = new Map(FILTERS.filter((name) => all.get(name)).map((name) => [name, all.getAll(name).join(',')]));
  // What the API calls all is no filter.
  if (set.get('last') === 'all') set.delete('last');
  return set;
}

/// A value of the address that is no filter.
export const view = (name) => new URLSearchParams(location.search).get(name);

/// The filters as a query of the API; `more` are its other parameters.
export function query(more = {}) {
  const all = new URLSearchParams([...filters()]);
  for (const [name, value] of Object.entries(more)) all.set(name, value);
  return all.toString();
}

/// Sets filters, or takes them away (null). `quietly`: without a step that "back" undoes; `silently`: without
/// telling anybody.
export function change(changes, { quietly = false, silently = false } = {}) {
  const all = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') all.delete(name);
    else all.set(name, value);
  }
  // Commas and colons can be read as they are.
  const text = all.toString().replaceAll('%2C', ',').replaceAll('%3A', ':');
  const address = text ? `?${text}` : location.pathname;
  if (address === (location.search || location.pathname)) return;
  history[quietly ? 'replaceState' : 'pushState'](null, '', address);
  if (!silently) tell();
}

/// Sets a filter, or takes it away if it is set so.
export function toggle(name, value) {
  change({ [name]: filters().get(name) === String(value) ? null : String(value) });
}

/// Adds a word to the search, or takes it away if it is there.
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
