// Counts over time by label. People select a stretch of time with the pointer, or with the arrow keys and Enter.

import { byId, el, put, svg } from './elements.js';
import { change, filters, toggle } from './state.js';
import { LABELS, clock, day, month, moment, number, shortDay, tweets } from './words.js';

const LENGTHS = { minute: 60000, hour: 3600000, day: 86400000, week: 604800000 };
const TOP = 16;
const FOOT = 24;

let shown = null;
let width = 0;
let height = 0;
/// Where the stretch begins that is being selected (null if none is), and the time of the bucket that the keys are at.
let start = null;
let hereTime = null;

export function timeline(answer) {
  shown = answer;
  // The chart does not change while a stretch is being selected.
  if (start === null) draw();
}

new ResizeObserver(([{ contentRect }]) => {
  if (Math.abs(contentRect.width - width) > 1 && shown) draw();
}).observe(byId('timeline'));

function draw() {
  const { interval, buckets } = shown;
  const home = byId('timeline');
  width = home.clientWidth;
  if (buckets.length === 0 || width === 0) return put(home);
  height = Number.parseInt(getComputedStyle(home).getPropertyValue('--height'), 10);
  const base = height - FOOT;
  const length = LENGTHS[interval];
  const times = buckets.map(({ start }) => new Date(start).getTime());
  const first = times[0];
  const n = Math.round((times.at(-1) - first) / length) + 1;
  const most = Math.max(...buckets.map(({ count }) => count));
  const step = width / n;
  const x = (time) => ((time - first) / length) * step;
  const y = (count) => base - (count / most) * (base - TOP);

  const bars = buckets.flatMap((bucket, at) => {
    let below = 0;
    return LABELS.filter((label) => bucket.labels[label] > 0).map((label) => {
      const from = y(below);
      below += bucket.labels[label];
      return svg('rect', {
        class: `segment ${label}`,
        x: x(times[at]),
        y: y(below),
        width: Math.max(1, Math.min(step - (step > 4 ? 1 : 0), 80)),
        height: Math.max(0.5, from - y(below)),
      });
    });
  });
  const mark = svg('rect', { class: 'here', y: TOP - 2, height: base - TOP + 4, width: Math.max(step, 2), visibility: 'hidden' });
  const brush = svg('rect', { class: 'brush', y: 0, height: base, width: 0 });
  const note = el('span', {}, hint(interval));

  let here = hereTime === null ? buckets.length - 1 : times.reduce((best, time, at) => (Math.abs(time - hereTime) < Math.abs(times[best] - hereTime) ? at : best), 0);
  const tell = (at) => {
    here = at;
    hereTime = times[at];
    mark.setAttribute('x', x(times[at]));
    mark.setAttribute('visibility', 'visible');
    note.textContent = describe(buckets[at], interval);
    chart.setAttribute('aria-valuenow', at + 1);
    chart.setAttribute('aria-valuetext', describe(buckets[at], interval));
  };
  const choose = (from, to) => change({ from: iso(from), to: iso(to), last: null });
  const timeAt = (event) => {
    const share = (event.clientX - chart.getBoundingClientRect().left) / width;
    return first + Math.min(n - 1, Math.max(0, Math.floor(share * n))) * length;
  };
  const nearest = (time) => times.reduce((best, other, at) => (Math.abs(other - time) < Math.abs(times[best] - time) ? at : best), 0);

  const cancel = () => {
    start = null;
    brush.setAttribute('width', 0);
  };
  const span = (event) => [Math.min(start, timeAt(event)), Math.max(start, timeAt(event)) + length];
  const chart = svg(
    'svg',
    {
      class: 'timeline',
      width,
      height,
      role: 'slider',
      tabindex: 0,
      'data-key': 'timeline',
      'aria-label': `Tweets by ${interval}; arrow keys move, Enter shows only that ${interval}`,
      'aria-valuemin': 1,
      'aria-valuemax': buckets.length,
      'aria-valuenow': here + 1,
      'aria-valuetext': describe(buckets[here], interval),
      onfocus: () => chart.matches(':focus-visible') && tell(here),
      onblur: () => mark.setAttribute('visibility', 'hidden'),
      onkeydown: (event) => {
        const moves = { ArrowLeft: here - 1, ArrowRight: here + 1, ArrowDown: here - 1, ArrowUp: here + 1, Home: 0, End: buckets.length - 1, PageDown: here - 10, PageUp: here + 10 };
        if (event.key in moves) tell(Math.min(buckets.length - 1, Math.max(0, moves[event.key])));
        else if (event.key === 'Enter') choose(times[here], times[here] + length);
        else if (event.key === 'Escape') cancel();
        else return;
        event.preventDefault();
      },
      onpointerdown: (event) => {
        if (event.button !== 0 || !event.isPrimary) return;
        start = timeAt(event);
        chart.setPointerCapture(event.pointerId);
      },
      onpointermove: (event) => {
        if (start === null) return tell(nearest(timeAt(event)));
        const [from, to] = span(event);
        brush.setAttribute('x', x(from));
        brush.setAttribute('width', x(to) - x(from));
        note.textContent = `${moment(from)} – ${moment(to)}`;
      },
      onpointerup: (event) => {
        if (start === null) return;
        const [from, to] = span(event);
        start = null;
        choose(from, to);
      },
      onpointercancel: cancel,
      onpointerleave: () => {
        if (start !== null) return;
        mark.setAttribute('visibility', 'hidden');
        note.textContent = hint(interval);
      },
    },
    svg('line', { x1: 0, x2: width, y1: base + 0.5, y2: base + 0.5 }),
    svg('line', { x1: 0, x2: width, y1: TOP + 0.5, y2: TOP + 0.5, 'stroke-dasharray': '2 4' }),
    bars,
    svg('text', { x: 0, y: TOP - 4 }, `${number(most)} in ${article(interval)}`),
    ticks(first, n, length, interval, x),
    mark,
    brush,
  );
  put(
    home,
    chart,
    el('div', { class: 'timeline-note' }, note, el('span', { class: 'legend' }, LABELS.map(legend))),
  );
}

const legend = (label) =>
  el('button', { type: 'button', 'data-key': label, 'aria-pressed': String(filters().get('sentiment') === label), title: `Only ${label} tweets`, onclick: () => toggle('sentiment', label) }, el('i', { class: `dot ${label}`, 'aria-hidden': 'true' }), label);

const hint = (interval) => `Tweets by ${interval}. Drag to choose a time.`;
const article = (interval) => (interval === 'hour' ? 'an hour' : `a ${interval}`);
const iso = (time) => new Date(time).toISOString().replace('.000', '');

function describe({ start, count, labels }, interval) {
  const when = { minute: moment, hour: moment, day, week: (time) => `Week of ${day(time)}` }[interval](start);
  const parts = LABELS.filter((label) => labels[label] > 0).map((label) => `${number(labels[label])} ${label}`);
  return `${when}: ${tweets(count)}, ${parts.join(', ')}`;
}

/// The labels of the time axis: as many as there is room for, at whole days or hours where possible.
function ticks(first, n, length, interval, x) {
  const base = height - FOOT;
  const room = Math.max(2, Math.floor(width / 96));
  const steps = { minute: [5, 10, 15, 30, 60], hour: [1, 3, 6, 12, 24, 48, 72, 168], day: [1, 2, 7, 14, 28, 56, 91], week: [1, 2, 4, 13, 26, 52, 104] }[interval];
  const step = steps.find((candidate) => n / candidate <= room) ?? steps.at(-1) * Math.ceil(n / steps.at(-1) / room);
  const skip = ((step - (Math.floor(first / length) % step)) % step) * length;
  const labels = [];
  for (let time = first + skip; time < first + n * length; time += step * length) {
    const text = { minute: clock, hour: step < 24 ? (t) => (new Date(t).getUTCHours() ? clock(t) : shortDay(t)) : shortDay, day: n > 200 ? month : shortDay, week: month }[interval](time);
    const at = x(time);
    if (at > width - 40) break;
    labels.push(svg('line', { x1: at + 0.5, x2: at + 0.5, y1: base, y2: base + 4 }), svg('text', { x: at + 2, y: height - 6 }, text));
  }
  return labels;
}
