// The world: clusters by count, coloured by mean sentiment; single tweets when zoomed in. The countries are our
// own file, so that no tile server learns who looks at what.

import { ask } from './api.js';
import { byId, el, put } from './elements.js';
import { change, filters, query } from './state.js';
import { tweet } from './tweets.js';
import { compact, feeling, mean, number, tweets } from './words.js';

/// More markers than this hide each other.
const MOST = 400;
const WORLD_ZOOM = 4;

let map = null;
let layer = null;
let world = [];
let drawn = '';

/// Shows the cells of the page's answer, or of where the map has been moved to.
export function show({ cells, summary }) {
  const nowhere = summary.located === 0;
  byId('panels').classList.toggle('unlocated', nowhere);
  const note = byId('map-note');
  note.hidden = !nowhere;
  note.textContent = `No tweets with a location in this range (${number(summary.count)} without). Locations come with tweets that are tagged with a place or coordinates.`;
  world = cells;
  if (nowhere) return;
  if (!map) start();
  refresh();
  foot(summary);
}

function start() {
  map = L.map('map', { zoomSnap: 0.25, minZoom: 0.5, maxZoom: 13, attributionControl: false, worldCopyJump: false, maxBounds: [[-85, -260], [85, 260]], maxBoundsViscosity: 0.8 });
  map.fitBounds([[-42, -126], [64, 180]]);
  layer = L.layerGroup().addTo(map);
  map.on('moveend', refresh);
  new ResizeObserver(() => map.invalidateSize({ pan: false })).observe(byId('map'));
  countries();
}

async function countries() {
  const response = await fetch('/assets/vendor/world.json');
  const renderer = L.canvas({ padding: 0.5 });
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const style = () => ({ renderer, interactive: false, weight: 0.7, color: colour('--border'), fillColor: colour('--land'), fillOpacity: 1 });
  const shapes = L.geoJSON(await response.json(), { style, interactive: false }).addTo(map);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => shapes.setStyle(style()));
}

/// What is in view, as the API has it.
function inView() {
  const bounds = map.getBounds();
  if (bounds.getEast() - bounds.getWest() >= 360) return null;
  const lon = (degrees) => (((degrees + 180) % 360) + 360) % 360 - 180;
  const lat = (degrees) => Math.max(-90, Math.min(90, degrees));
  return [lon(bounds.getWest()), lat(bounds.getSouth()), lon(bounds.getEast()), lat(bounds.getNorth())].map((degrees) => degrees.toFixed(4)).join(',');
}

async function refresh() {
  const zoom = Math.min(14, Math.round(map.getZoom()) + 2);
  const box = filters().get('bbox') ?? inView();
  if (zoom <= WORLD_ZOOM || !box) return draw(world, []);
  try {
    const answer = await ask('map', query({ zoom, bbox: box }), 'map');
    draw(answer.cells, answer.tweets);
  } catch (error) {
    // The page says what is wrong; the map keeps what it has.
    if (error.name !== 'AbortError') console.debug(error.message);
  }
}

function draw(cells, single) {
  const key = JSON.stringify([cells, single.map(({ id }) => id)]);
  if (key === drawn) return;
  drawn = key;
  layer.clearLayers();
  const most = cells[0]?.count ?? 1;
  const spots = single.length > 0 ? spotsOf(single) : cells.slice(0, MOST).map((cell) => cluster(cell, most));
  // The smallest last, so that they lie above.
  for (const spot of spots) spot.addTo(layer);
}

function cluster(cell, most) {
  const size = Math.round(24 + 28 * Math.sqrt(cell.count / most));
  const words = `${tweets(cell.count)}, mean sentiment ${mean(cell.mean)} (${feeling(cell.mean)})`;
  const bounds = tileBounds(cell.tile);
  const open = () => {
    change({ bbox: [bounds[0][1], bounds[0][0], bounds[1][1], bounds[1][0]].map((degrees) => degrees.toFixed(4)).join(',') });
    map.fitBounds(bounds, { maxZoom: 11 });
  };
  return spot([cell.lat, cell.lon], size, cell.mean, size >= 28 || cell.count < 1000 ? compact(cell.count) : '', words).on('click', open).on('keydown', enter(open));
}

function spot(at, size, m, label, words) {
  const html = el('div', { class: 'cluster', style: { width: `${size}px`, height: `${size}px`, background: colour(m) } }, label);
  const icon = L.divIcon({ html, className: '', iconSize: [size, size] });
  return L.marker(at, { icon, title: words, alt: words, riseOnHover: true });
}

const enter = (act) => ({ originalEvent }) => {
  if (originalEvent.key === 'Enter') act();
};

/// Tweets at the same spot share a marker: places have one middle each.
function spotsOf(single) {
  const spots = new Map();
  for (const one of single) {
    const key = `${one.location.lat},${one.location.lon}`;
    spots.set(key, [...(spots.get(key) ?? []), one]);
  }
  return [...spots.values()].map((here) => {
    const m = here.reduce((sum, one) => sum + one.sentiment.compound, 0) / here.length;
    const words = here.length === 1 ? here[0].text : `${tweets(here.length)} here`;
    const popup = el('div', { class: 'popup' }, here.slice(0, 20).map(tweet));
    const { lat, lon } = here[0].location;
    return spot([lat, lon], here.length > 1 ? 28 : 16, m, here.length > 1 ? String(here.length) : '', words).bindPopup(popup, { maxWidth: 320 });
  });
}

/// From orange over grey to green: fixed at -0.5 to +0.5, whatever the data.
function colour(m) {
  const ends = m < 0 ? [0xd9, 0x5f, 0x02] : [0x1b, 0x9e, 0x77];
  const share = Math.min(1, Math.abs(m) / 0.5);
  return `rgb(${ends.map((end) => Math.round(0xe8 + (end - 0xe8) * share)).join(' ')})`;
}

/// South-west and north-east of a web mercator tile.
function tileBounds(tile) {
  const [zoom, x, y] = tile.split('/').map(Number);
  const lon = (column) => (column / 2 ** zoom) * 360 - 180;
  const lat = (row) => (Math.atan(Math.sinh(Math.PI * (1 - (2 * row) / 2 ** zoom))) * 180) / Math.PI;
  return [[lat(y + 1), lon(x)], [lat(y), lon(x + 1)]];
}

function foot(summary) {
  const box = filters().get('bbox');
  put(
    byId('map-foot'),
    el('span', { class: 'scale' }, 'negative', el('i', { 'aria-hidden': 'true' }), 'positive'),
    el('span', {}, `${tweets(summary.located)} of ${number(summary.count)} with a location`),
    box
      ? el('button', { type: 'button', class: 'button', 'data-key': 'area', onclick: () => change({ bbox: null }) }, 'Show the whole world')
      : el('button', { type: 'button', class: 'button', 'data-key': 'area', onclick: () => change({ bbox: inView() }) }, 'Only what the map shows'),
  );
}
