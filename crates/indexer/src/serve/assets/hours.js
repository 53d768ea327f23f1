// When people tweet: weekdays by hours, darker where there are more tweets. Arrow keys move, Enter sets the filter.

import { byId, el, put } from './elements.js';
import { change, filters } from './state.js';
import { WEEKDAYS, tweets } from './words.js';

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);

export function hours(counts) {
  if (counts.length === 0) return put(byId('hours'), el('p', { class: 'note' }, 'No tweets.'));
  const of = new Map(counts.map(({ weekday, hour, count }) => [`${weekday}-${hour}`, count]));
  const most = Math.max(...of.values());
  const peak = counts.find(({ count }) => count === most);
  const focus = `${peak.weekday}-${peak.hour}`;
  const chosen = [filters().get('weekday'), filters().get('hour')].join('-');
  const cell = (weekday, hour) => {
    const key = `${weekday}-${hour}`;
    const count = of.get(key) ?? 0;
    const words = `${WEEKDAYS[weekday - 1]} ${hour}:00–${hour + 1}:00: ${tweets(count)}`;
    return el(
      'td',
      {},
      el('button', {
        type: 'button',
        title: words,
        'aria-label': words,
        'aria-pressed': String(chosen === key),
        'data-key': key,
        tabindex: key === focus ? 0 : -1,
        style: { '--share': count ? (0.08 + 0.92 * (count / most)).toFixed(3) : '0.03' },
        onclick: () => change(chosen === key ? { weekday: null, hour: null } : { weekday, hour }),
        onkeydown: (event) => move(event, weekday, hour),
      }),
    );
  };
  put(
    byId('hours'),
    el(
      'table',
      { class: 'hours' },
      el('caption', { class: 'hidden' }, `Tweets by weekday and hour; most on ${WEEKDAYS[peak.weekday - 1]} at ${peak.hour}:00`),
      el('thead', {}, el('tr', {}, el('td', {}), HOURS.map((hour) => el('th', { scope: 'col' }, hour % 6 === 0 ? String(hour) : el('span', { class: 'hidden' }, String(hour)))))),
      el('tbody', {}, WEEKDAYS.map((name, at) => el('tr', {}, el('th', { scope: 'row' }, name.slice(0, 3)), HOURS.map((hour) => cell(at + 1, hour))))),
    ),
    el('p', { class: 'note' }, `Most on ${WEEKDAYS[peak.weekday - 1]}s from ${peak.hour}:00 to ${peak.hour + 1}:00: ${tweets(most)}.`),
  );
}

function move(event, weekday, hour) {
  const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const by = moves[event.key];
  if (!by) return;
  event.preventDefault();
  const key = `${((weekday - 1 + by[0] + 7) % 7) + 1}-${(hour + by[1] + 24) % 24}`;
  const next = byId('hours').querySelector(`[data-key="${key}"]`);
  event.currentTarget.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
