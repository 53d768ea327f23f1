// Which marketplace is mentioned most, and how people feel about each. Each has a bar as long as its number of
// mentions, divided by sentiment.

import { byId, el, put } from './elements.js';
import { filters, toggle } from './state.js';
import { FEW, LABELS, counted, feeling, mean, percent, tweets } from './words.js';

/// Shows all marketplaces, even if one is filtered by, so that they can be compared.
export function marketplaces({ count: total, marketplaces: all }) {
  if (all.length === 0) {
    put(byId('marketplaces'), el('p', { class: 'note' }, `None of these ${tweets(total)} names a marketplace.`));
    return;
  }
  const most = all[0].count;
  const firsts = all.filter(({ count }) => count === most);
  const lead =
    firsts.length > 1
      ? `${firsts.map(({ term }) => term).join(' and ')} are mentioned most, in ${tweets(most)} each.`
      : null;
  put(
    byId('marketplaces'),
    el('p', { class: 'answer' }, lead ?? [el('b', {}, all[0].term), ` is mentioned most, in ${tweets(most)} (${percent(most, total)})${rest(all)}`]),
    el('ul', {}, all.map((one) => el('li', {}, row(one, most)))),
    el('p', { class: 'legend' }, LABELS.map((label) => el('span', {}, el('i', { class: `dot ${label}`, 'aria-hidden': 'true' }), label))),
  );
}

/// The rest of the sentence: which marketplace people feel best about, if there are enough tweets to say.
function rest(all) {
  const enough = all.filter(({ count }) => count >= FEW);
  if (enough.length < 2) return '.';
  const [best, second] = [...enough].sort((a, b) => b.mean - a.mean);
  const worst = Math.min(...enough.map(({ mean: m }) => m));
  if (best.mean - second.mean >= 0.05) return `; people feel best about ${best.term} (mean ${mean(best.mean)}).`;
  if (best.mean - worst >= 0.05) return '.';
  const means = new Set([worst, best.mean].map(mean));
  return `; people feel much the same about each (mean ${[...means].join(' to ')}).`;
}

/// The marketplaces' colours, the same as in the Kibana dashboards.
const MARKS = { AWS: '#e88b00', Azure: '#0072c6', GCP: '#2e8b57' };

function row({ term, count, mean: m, labels }, most) {
  const few = count < FEW;
  const chosen = filters().get('marketplace');
  const dimmed = chosen && !chosen.split(',').includes(term);
  const segments = LABELS.filter((label) => labels[label] > 0).map((label) =>
    el('i', { class: `segment ${label}`, style: { flex: `${labels[label]} 0 0` } }),
  );
  const shares = few
    ? `${LABELS.filter((label) => labels[label] > 0).map((label) => `${labels[label]} ${label}`).join(', ')}: too few for shares`
    : `${percent(labels.positive, count)} positive · ${percent(labels.neutral, count)} neutral · ${percent(labels.negative, count)} negative`;
  return el(
    'button',
    {
      class: `market ${few ? 'few' : ''} ${dimmed ? 'dimmed' : ''}`,
      type: 'button',
      'data-key': term,
      'aria-pressed': String(chosen === term),
      onclick: () => toggle('marketplace', term),
    },
    el('span', { class: 'market-head' }, el('b', {}, el('i', { class: 'mark', 'aria-hidden': 'true', style: { background: MARKS[term] ?? '#8a8f98' } }), term), el('b', {}, counted(count, 'mention'))),
    el('span', { class: 'market-bar', 'aria-hidden': 'true' }, el('span', { class: 'bar-total', style: { width: `${(100 * count) / most}%` } }, segments)),
    el('span', { class: 'market-foot' }, el('span', {}, shares), el('span', {}, few ? '' : `mean ${mean(m)}, ${feeling(m)}`)),
  );
}
