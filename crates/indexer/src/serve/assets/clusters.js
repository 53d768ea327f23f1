// Cells of the map as circles that do not hide each other: those that would overlap are merged into one.

/// The longitude at which a place is drawn. The map's edge is not the antimeridian but 170° W, where few people live.
export const drawnAt = (lon) => (lon < -170 ? lon + 360 : lon);

/// The real longitude, from -180 to 180, of one that `drawnAt` returned.
export const realLon = (lon) => ((((lon + 180) % 360) + 360) % 360) - 180;

/// A circle's smallest diameter, and by how much it can grow with the number of tweets, in pixels.
const LEAST = 24;
const GROWTH = 28;
/// Only from this many tweets on may a circle have full size, even if no other circle has more.
const MANY = 30;

/// A cell of the API as a place for `circles`.
export const ofCell = ({ tile, count, mean, lat, lon }) => ({ count, mean, lat, lon: drawnAt(lon), bounds: tileBounds(tile, drawnAt(lon) - lon), tweets: [] });

/// A tweet as a place for `circles`.
export function ofTweet(tweet) {
  const [lat, lon] = [tweet.location.lat, drawnAt(tweet.location.lon)];
  return { count: 1, mean: tweet.sentiment.compound, lat, lon, bounds: [[lat, lon], [lat, lon]], tweets: [tweet] };
}

/// The circles of places, which come largest first. `project` turns a position into a point on the screen.
export function circles(places, project) {
  const most = Math.max(MANY, ...places.map(({ count }) => count));
  const sized = (circle) => ({ ...circle, size: Math.round(LEAST + GROWTH * Math.sqrt(Math.min(1, circle.count / most))), spot: project([circle.lat, circle.lon]) });
  let all = places.map(sized);
  for (let before = -1; before !== all.length; ) {
    before = all.length;
    const apart = [];
    for (const circle of all) {
      const at = apart.findIndex((other) => hides(other, circle));
      if (at < 0) apart.push(circle);
      else apart[at] = sized(together(apart[at], circle));
    }
    all = apart;
  }
  return all;
}

/// Whether two circles overlap. They are compared as squares, since that is the area that can be clicked.
const hides = (a, b) => Math.max(Math.abs(a.spot.x - b.spot.x), Math.abs(a.spot.y - b.spot.y)) < (a.size + b.size) / 2;

function together(a, b) {
  const count = a.count + b.count;
  const weighed = (name) => (a[name] * a.count + b[name] * b.count) / count;
  const outer = (pick, corner, axis) => pick(a.bounds[corner][axis], b.bounds[corner][axis]);
  const bounds = [[outer(Math.min, 0, 0), outer(Math.min, 0, 1)], [outer(Math.max, 1, 0), outer(Math.max, 1, 1)]];
  return { count, mean: weighed('mean'), lat: weighed('lat'), lon: weighed('lon'), bounds, tweets: [...a.tweets, ...b.tweets] };
}

/// The south-west and the north-east corner of a web mercator tile, moved east by `shift` degrees.
function tileBounds(tile, shift) {
  const [zoom, x, y] = tile.split('/').map(Number);
  const lon = (column) => (column / 2 ** zoom) * 360 - 180 + shift;
  // The outermost tiles reach to the poles: they also count what lies beyond the projection's edge.
  const edge = { 0: 90, [2 ** zoom]: -90 };
  const lat = (row) => edge[row] ?? (Math.atan(Math.sinh(Math.PI * (1 - (2 * row) / 2 ** zoom))) * 180) / Math.PI;
  return [[lat(y + 1), lon(x)], [lat(y), lon(x + 1)]];
}

/// The colour of a mean: from orange through grey to green. The scale is fixed at -0.5 to +0.5, whatever the data.
export function colour(mean) {
  const ends = mean < 0 ? [0xd9, 0x5f, 0x02] : [0x1b, 0x9e, 0x77];
  const share = Math.min(1, Math.abs(mean) / 0.5);
  return `rgb(${ends.map((end) => Math.round(0xe8 + (end - 0xe8) * share)).join(' ')})`;
}
