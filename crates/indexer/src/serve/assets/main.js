// The page: it asks for all that it shows in one request, again whenever a filter changes, and every few seconds in
// case there is something new.

import { ask } from './api.js';
import { byId, el, put } from './elements.js';
import { bar } from './filters.js';
import { headline } from './headline.js';
import { hours } from './hours.js';
import { list } from './lists.js';
import { show } from './map.js';
import { marketplaces } from './marketplaces.js';
import { change, clear, filters, onChange, query } from './state.js';
import { timeline } from './timeline.js';
import { tweets } from './tweets.js';
import { day } from './words.js';

const EVERY = 4000;

let tag = null;
/// Whether the filters have changed since the page last showed an answer.
let isPending = true;
let timer = null;

async function load({ isNew }) {
  clearTimeout(timer);
  isPending ||= isNew;
  if (isPending) byId('progress').classList.add('on');
  try {
    const answer = await ask('dashboard', query(), 'dashboard');
    if (isPending || answer.tag !== tag) render(answer, isPending);
    isPending = false;
    tag = answer.tag;
    failed(null);
  } catch (error) {
    if (error.name === 'AbortError') return;
    failed(error);
  }
  byId('progress').classList.remove('on');
  byId('panels').setAttribute('aria-busy', 'false');
  timer = setTimeout(again, EVERY);
}

/// Loads again, unless nobody sees the page because it is in the background.
const again = () => (document.hidden ? (timer = setTimeout(again, EVERY)) : load({ isNew: false }));

function render(answer, isNew) {
  const { summary } = answer;
  document.title = filters().get('q') ? `${filters().get('q')} – tweets` : 'Tweets';
  bar(answer);
  const isEmpty = summary.count === 0;
  byId('panels').hidden = isEmpty;
  byId('headline').hidden = isEmpty;
  byId('empty').hidden = !isEmpty;
  if (isEmpty) return nothing(answer);
  headline(summary, isNew);
  // The map comes first: if it has nothing to show, the other panels take its room.
  show(answer);
  marketplaces(answer.marketplaces);
  timeline(answer.timeline);
  list('hashtags', '#', answer.hashtags, 'None of these tweets has a hashtag.');
  list('mentions', '@', answer.mentions, 'None of these tweets mentions anybody.');
  hours(answer.peak_hours);
  tweets(answer, isNew);
}

/// No tweet matches: says why that may be, and offers ways out.
function nothing({ available }) {
  const set = filters();
  const timed = set.has('last') || set.has('from') || set.has('to');
  const others = [...set.keys()].some((name) => !['last', 'from', 'to'].includes(name));
  const button = (words, act, primary) => el('button', { type: 'button', 'data-key': words, class: primary ? 'button primary' : 'button', onclick: act }, words);
  const actions = [];
  if (available && timed) {
    const end = new Date(available.to).getTime() + 1000;
    const iso = (time) => new Date(time).toISOString().replace(/\.\d+/, '');
    actions.push(button('Show the last day with tweets', () => change({ last: null, from: iso(end - 86400000), to: iso(end) }), true));
    actions.push(button('Show all the time there is', () => change({ last: null, from: null, to: null })));
  }
  if (set.has('bbox')) actions.push(button('Search the whole map', () => change({ bbox: null }), true));
  if (others) actions.push(button('Remove all filters', clear));
  put(
    byId('empty'),
    el('h2', {}, available ? 'No tweets match' : 'There are no tweets yet'),
    available
      ? el('p', {}, timed ? `The newest tweet of all is from ${day(available.to)}.` : 'Fewer filters, or other words, find more.')
      : el('p', {}, 'Fill the store, and they appear here: ', el('code', {}, 'indexer backfill tweets.csv')),
    el('div', { class: 'actions' }, actions),
  );
}

/// Says what went wrong, and keeps showing the last answer; null means that all is well again.
function failed(error) {
  const notice = byId('notice');
  notice.hidden = error === null || tag === null;
  for (const id of ['panels', 'headline']) byId(id).classList.toggle('stale', error !== null && tag !== null);
  if (error === null) return;
  if (error.status === 401) location.reload();
  if (tag !== null) {
    notice.textContent = error.status === 400 ? `This cannot be asked: ${error.message}` : error.message;
    return;
  }
  // There has been no answer yet, so the message takes its place.
  byId('panels').hidden = true;
  byId('empty').hidden = false;
  const reset = error.status === 400 && el('div', { class: 'actions' }, el('button', { type: 'button', class: 'button primary', onclick: clear }, 'Remove all filters'));
  put(byId('empty'), el('h2', {}, error.status === 400 ? 'This cannot be asked' : 'Nothing to show yet'), el('p', {}, error.message), reset);
}

onChange(() => {
  bar(null);
  load({ isNew: true });
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) load({ isNew: false });
});
for (const id of ['marketplaces', 'timeline', 'hashtags', 'mentions', 'hours', 'tweets']) put(byId(id), el('div', { class: 'loading' }));
bar(null);
load({ isNew: true });
