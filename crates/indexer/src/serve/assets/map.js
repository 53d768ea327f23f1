// The world: clusters sized by count and coloured by mean sentiment; single tweets when zoomed in. The countries are a
// file on this server, so that no tile server learns who looks at what.

import { ask } from './api.js';
import { circles, colour, drawnAt, ofCell, ofTweet, realLon } from './clusters.js';
import { byId, el, put } from './elements.js';
import { change, filters, query } from './state.js';
import { tweet } from './tweets.js';
import { FEW, compact, feeling, mean, number, tweets } from './words.js';

/// The most cells that are drawn: more would hide each other.
const MOST = 400;
/// The most tweets in a popup. If a circle has more, the map zooms in instead, unless all are at the very same spot.
const MOST_IN_POPUP = 20;
const WORLD_ZOOM = 4;
/// The view of the whole world: the part of it where people live.
const WORLD = [[-44, -140], [66, 192]];

let map = null;
let layer = null;
let world = [];
let drawn = '';
let shownBox = null;

/// Shows the cells of the page's answer or, if the map has been zoomed in, those of what is in view.
export function show({ cells, summary }) {
  const nowhere = summary.located === 0;
  byId('panels').classList.toggle('unlocated', nowhere);
  const note = byId('map-note');
  note.hidden = !nowhere;
  note.textContent = `No tweets with a location in this range (${number(summary.count)} without). Locations come with tweets that are tagged with a place or coordinates.`;
  world = cells;
  if (nowhere) return;
  if (!map) start();
  foot(summary);
  // If `follow` moves the map, that refreshes it already.
  if (!follow()) refresh();
}

/// Moves the map to the area of the filter, if that has changed. Returns whether it has.
function follow() {
  const bbox = filters().get('bbox') ?? null;
  if (bbox === shownBox) return false;
  shownBox = bbox;
  const [west, south, east, north] = (bbox ?? '').split(',').map(Number);
  if (bbox && [west, south, east, north].every(Number.isFinite)) map.fitBounds([[south, drawnAt(west)], [north, drawnAt(east) < drawnAt(west) ? east + 360 : drawnAt(east)]], { maxZoom: 11 });
  else map.fitBounds(WORLD);
  return true;
}

function start() {
  map = L.map('map', { zoomSnap: 0.25, minZoom: 0.5, maxZoom: 13, attributionControl: false, worldCopyJump: false, maxBounds: [[-85, -180], [85, 200]], maxBoundsViscosity: 0.8, scrollWheelZoom: false });
  map.fitBounds(WORLD);
  // The wheel scrolls the page; it zooms the map only while the map has the focus.
  map.on('focus', () => map.scrollWheelZoom.enable());
  map.on('blur', () => map.scrollWheelZoom.disable());
  map.on('popupclose', () => setTimeout(refresh));
  layer = L.layerGroup().addTo(map);
  map.on('moveend', refresh);
  new ResizeObserver(() => map.invalidateSize({ pan: false })).observe(byId('map'));
  countries();
}

async function countries() {
  const response = await fetch('/assets/vendor/world.json').catch(() => null);
  // The map can be used without the countries; try again later.
  if (!response?.ok) return setTimeout(countries, 5000);
  const renderer = L.canvas({ padding: 0.5 });
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const style = () => ({ renderer, interactive: false, weight: 0.7, color: colour('--border'), fillColor: colour('--land'), fillOpacity: 1 });
  const world = await response.json();
  // What lies just east of the antimeridian is drawn a second time, where the map goes on.
  const again = { ...world, features: world.features.filter(({ geometry }) => geometry.coordinates.flat(2).some(([lon]) => lon < -160)) };
  const shapes = L.layerGroup([L.geoJSON(world, { style }), L.geoJSON(again, { style, coordsToLatLng: ([lon, lat]) => L.latLng(lat, lon + 360) })]).addTo(map);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => shapes.eachLayer((layer) => layer.setStyle(style())));
}

/// The area in view as the API's `bbox`; null if that is the whole world.
function inView() {
  const bounds = map.getBounds();
  return bounds.getEast() - bounds.getWest() >= 360 ? null : box([[bounds.getSouth(), bounds.getWest()], [bounds.getNorth(), bounds.getEast()]]);
}

/// South-west and north-east as west,south,east,north.
function box([[south, west], [north, east]]) {
  // The west and the east of the whole world would become the same longitude.
  const [from, to] = east - west >= 360 ? [-180, 180] : [realLon(west), realLon(east)];
  // The projection ends at about 85°; what is beyond belongs to the area, too.
  const lat = (degrees) => (Math.abs(degrees) >= 85 ? Math.sign(degrees) * 90 : degrees);
  return [from, lat(south), to, lat(north)].map((degrees) => degrees.toFixed(4)).join(',');
}

async function refresh() {
  const zoom = Math.min(14, Math.round(map.getZoom()) + 2);
  const bbox = filters().get('bbox') ?? inView();
  if (zoom <= WORLD_ZOOM || !bbox) return draw(world, []);
  try {
    const answer = await ask('map', query({ zoom, bbox }), 'map');
    draw(answer.cells, answer.tweets);
  } catch (error) {
    // The page says what is wrong; the map keeps what it has.
    if (error.name !== 'AbortError') console.debug(error.message);
  }
}

function draw(cells, single) {
  const key = JSON.stringify([map.getZoom(), cells, single.map(({ id }) => id)]);
  // Somebody may be reading an open popup, so it stays.
  if (key === drawn || byId('map').querySelector('.leaflet-popup')) return;
  drawn = key;
  const focused = document.activeElement.title;
  const hadFocus = byId('map').contains(document.activeElement) && document.activeElement.classList.contains('leaflet-marker-icon');
  layer.clearLayers();
  const places = single.length > 0 ? single.map(ofTweet) : cells.slice(0, MOST).map(ofCell);
  for (const circle of circles(places, (at) => map.latLngToLayerPoint(at))) marker(circle).addTo(layer);
  if (!hadFocus) return;
  const again = [...byId('map').querySelectorAll('.leaflet-marker-icon')].find(({ title }) => title === focused);
  (again ?? byId('map')).focus({ preventScroll: true });
}

/// A circle on the map. A click shows its tweets in a popup if they are few; otherwise it opens the area.
function marker({ lat, lon, count, mean: m, size, bounds, tweets: here }) {
  const summary = `${tweets(count)}, mean sentiment ${mean(m)} (${feeling(m)})`;
  const words = here.length === 1 ? here[0].text : summary;
  const html = el('div', { class: count < FEW ? 'cluster few' : 'cluster', style: { width: `${size}px`, height: `${size}px`, background: colour(m) } }, count > 1 ? compact(count) : '');
  const icon = L.divIcon({ html, className: '', iconSize: [size, size] });
  const spot = L.marker([lat, lon], { icon, title: words, alt: words, riseOnHover: true });
  const isOneSpot = here.length > 0 && `${bounds[0]}` === `${bounds[1]}`;
  if (isOneSpot || (here.length > 0 && here.length <= MOST_IN_POPUP)) {
    const more = here.length > MOST_IN_POPUP && el('p', { class: 'note' }, `The newest ${MOST_IN_POPUP} of ${number(here.length)}.`);
    return spot.bindPopup(() => el('div', { class: 'popup' }, more, here.slice(0, MOST_IN_POPUP).map(tweet)), { maxWidth: 320 });
  }
  const open = () => {
    if (here.length === 0) change({ bbox: box(bounds) });
    else map.fitBounds(bounds, { maxZoom: 13 });
  };
  return spot.on('click', open).on('keydown', enter(open));
}

const enter = (act) => ({ originalEvent }) => {
  if (originalEvent.key !== 'Enter' && originalEvent.key !== ' ') return;
  originalEvent.preventDefault();
  act();
};

function foot(summary) {
  const isFiltered = filters().has('bbox');
  put(
    byId('map-foot'),
    el('span', { class: 'scale' }, 'negative', el('i', { 'aria-hidden': 'true' }), 'positive'),
    el('span', {}, `${tweets(summary.located)} of ${number(summary.count)} with a location`),
    isFiltered
      ? el('button', { type: 'button', class: 'button', 'data-key': 'area', onclick: () => change({ bbox: null }) }, 'Show the whole world')
      : el('button', { type: 'button', class: 'button', 'data-key': 'area', disabled: byId('map').querySelectorAll('.leaflet-marker-icon').length === 0 && drawn !== '', onclick: () => change({ bbox: inView() }) }, 'Only what the map shows'),
  );
}
