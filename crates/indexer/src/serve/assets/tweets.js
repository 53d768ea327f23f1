// The tweets themselves, in tabs.

import { ask } from './api.js';
import { byId, el, put } from './elements.js';
import { change, query, toggleWord, view } from './state.js';
import { counted, language, mean, moment, range } from './words.js';

const TABS = [
  ['top', 'Most important of the day'],
  ['newest', 'Newest'],
  ['positive', 'Most positive'],
  ['negative', 'Most negative'],
];

let shown = {};
/// Whether the list shows more tweets than the page's own answer has.
let isLonger = false;

/// Shows the chosen tab; the tweets of the first two come with the page's own answer. Unless the filters have changed
/// (`isNew`), a longer list stays as it is, since somebody may be reading it.
export function tweets(answer, isNew) {
  shown = answer;
  if (!isNew && isLonger) return;
  isLonger = false;
  const chosen = current();
  put(
    byId('tabs'),
    TABS.map(([name, title]) =>
      el(
        'button',
        { role: 'tab', type: 'button', id: `tab-${name}`, 'data-key': name, 'aria-selected': String(name === chosen), 'aria-controls': 'tweets', tabindex: name === chosen ? 0 : -1, onclick: () => choose(name), onkeydown: (event) => move(event, name) },
        title,
      ),
    ),
  );
  byId('tweets').setAttribute('aria-labelledby', `tab-${chosen}`);
  if (chosen === 'top') return list(answer.top.tweets, ofTheDay(answer.top), null);
  if (chosen === 'newest') return list(answer.newest, null, answer.newest.length < 10 ? null : () => more('newest', answer.newest));
  isLonger = true;
  page(chosen, []);
}

const current = () => (TABS.some(([name]) => name === view('tab')) ? view('tab') : 'top');
const choose = (name) => {
  change({ tab: name === 'top' ? null : name }, { quietly: true, silently: true });
  tweets(shown, true);
};

function move(event, name) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const at = TABS.findIndex(([other]) => other === name);
  const next = TABS[(at + by + TABS.length) % TABS.length][0];
  choose(next);
  byId(`tab-${next}`).focus();
}

function ofTheDay({ from, to, tweets: all }) {
  if (!from || !to) return null;
  if (all.length === 0) return `None of these was written on the last day, ${range(from, to)}.`;
  const counted = all.some(({ engagement }) => engagement > 0);
  return counted
    ? `By retweets, likes, replies and quotes together, ${range(from, to)}.`
    : `There are no counts of retweets or likes for these: the newest, ${range(from, to)}.`;
}

/// Loads the page of a list at `cursor`, and shows it after the tweets `before` it.
async function page(sort, before, cursor) {
  const more = cursor ? { sort, limit: 20, cursor } : { sort, limit: 20 };
  try {
    const answer = await ask('tweets', query(more), 'tweets');
    if (current() !== sort) return;
    const all = [...before, ...answer.tweets];
    list(all, null, answer.next && (() => page(sort, all, answer.next)));
  } catch (error) {
    if (error.name !== 'AbortError') list(before, null, () => page(sort, before, cursor), error.message);
  }
}

/// Shows more of a list than the page's own answer has: loads that part again for its cursor, and then the next page.
async function more(sort, before) {
  isLonger = true;
  try {
    const answer = await ask('tweets', query({ sort, limit: before.length }), 'tweets');
    if (answer.next) await page(sort, answer.tweets, answer.next);
    else list(answer.tweets, null);
  } catch (error) {
    if (error.name !== 'AbortError') list(before, null, () => more(sort, before), error.message);
  }
}

function list(all, note, next, trouble) {
  put(
    byId('tweets'),
    note && el('p', { class: 'note list-note' }, note),
    all.length > 0 ? el('ul', { class: 'tweets' }, all.map((one) => el('li', {}, tweet(one)))) : !note && el('p', { class: 'note' }, trouble ?? 'No tweets in this time.'),
    trouble && all.length > 0 && el('p', { class: 'note trouble', role: 'status' }, trouble),
    next && el('button', { class: 'button more', type: 'button', 'data-key': 'more', onclick: next }, trouble ? 'Try again' : 'Show more'),
  );
}

const NETWORKS = { twitter: 'X', bluesky: 'Bluesky' };

/// A tweet as a card.
export function tweet(one) {
  const { user, sentiment, place } = one;
  const label = sentiment.label;
  const counts = [['retweets', 'retweet'], ['likes', 'like'], ['replies', 'reply', 'replies']].filter(([name]) => one[name] > 0);
  const where = [place?.name, place?.country].filter(Boolean);
  return el(
    'article',
    { class: 'tweet' },
    el('header', {}, author(one), el('time', { datetime: one.created_at }, moment(one.created_at))),
    el('p', { class: 'text', dir: 'auto', lang: language(one.lang ?? '') === one.lang ? null : one.lang }, text(one)),
    el(
      'footer',
      {},
      el('span', { class: 'badge', title: `by ${sentiment.method}` }, el('i', { class: `dot ${label}`, 'aria-hidden': 'true' }), `${label} ${mean(sentiment.compound)}`),
      one.marketplace?.length > 0 && el('span', {}, one.marketplace.join(', ')),
      where.length > 0 && el('bdi', {}, where[0].includes(where[1] ?? where[0]) ? where[0] : where.join(', ')),
      counts.map(([name, ...words]) => el('span', {}, counted(one[name], ...words))),
      one.url && el('a', { href: one.url, 'data-key': `${one.id} X`, target: '_blank', rel: 'noopener noreferrer' }, `Open on ${NETWORKS[one.network] ?? 'X'}`),
    ),
  );
}

function author({ id, user, network }) {
  if (network === 'bluesky' && user?.id) return el('b', { class: 'name' }, el('a', { href: `https://bsky.app/profile/${user.id}`, 'data-key': `${id} @`, target: '_blank', rel: 'noopener noreferrer' }, el('bdi', {}, user.id)));
  if (!user?.screen_name) return el('b', { class: 'name' }, el('bdi', {}, user?.name ?? 'Unknown author'));
  const handle = `@${user.screen_name}`;
  return el('b', { class: 'name' }, el('bdi', {}, user.name ?? ''), ' ', el('button', { class: 'link', type: 'button', 'data-key': `${id} @`, onclick: () => toggleWord(handle) }, el('bdi', {}, handle)));
}

/// The text of a tweet, in which only http and https addresses become links.
function text({ id, text: words }) {
  return words.replace(/\n{3,}/g, '\n\n').split(/(https?:\/\/[^\s<>"'“”]+)/u).map((part, at) => {
    if (at % 2 === 0) return part;
    try {
      const link = new URL(part);
      return el('a', { href: link.href, 'data-key': `${id} ${at}`, target: '_blank', rel: 'noopener noreferrer' }, part.replace(/^https?:\/\//, ''));
    } catch {
      return part;
    }
  });
}
