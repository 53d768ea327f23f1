// Cells of the map as circles that do not hide each other: those that would are one.

/// Where a longitude is drawn: the map ends where few people live, in the Pacific east of the antimeridian.
export const drawnAt = (lon) => (lon < -170 ? lon + 360 : lon);

/// A drawn longitude as the API has it.
export const realLon = (lon) => ((((lon + 180) % 360) + 360) % 360) - 180;

const LEAST = 24;
const GROWTH = 28;
/// Fewer tweets than these are small, even where there are no more anywhere.
const MANY = 30;

/// What is at a cell.
export const ofCell = ({ tile, count, mean, lat, lon }) => ({ count, mean, lat, lon: drawnAt(lon), bounds: tileBounds(tile, drawnAt(lon) - lon), tweets: [] });

/// What is at a tweet.
export function ofTweet(tweet) {
  const [lat, lon] = [tweet.location.lat, drawnAt(tweet.location.lon)];
  return { count: 1, mean: tweet.sentiment.compound, lat, lon, bounds: [[lat, lon], [lat, lon]], tweets: [tweet] };
}

/// Circles, the largest first; `project` tells where on the screen a position is.
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

/// What can be pointed at is a square.
const hides = (a, b) => Math.max(Math.abs(a.spot.x - b.spot.x), Math.abs(a.spot.y - b.spot.y)) < (a.size + b.size) / 2;

function together(a, b) {
  const count = a.count + b.count;
  const weighed = (name) => (a[name] * a.count + b[name] * b.count) / count;
  const outer = (pick, corner, axis) => pick(a.bounds[corner][axis], b.bounds[corner][axis]);
  const bounds = [[outer(Math.min, 0, 0), outer(Math.min, 0, 1)], [outer(Math.max, 1, 0), outer(Math.max, 1, 1)]];
  return { count, mean: weighed('mean'), lat: weighed('lat'), lon: weighed('lon'), bounds, tweets: [...a.tweets, ...b.tweets] };
}

/// South-west and north-east of a web mercator tile, moved by so many degrees.
function tileBounds(tile, shift) {
  const [zoom, x, y] = tile.split('/').map(Number);
  const lon = (column) => (column / 2 ** zoom) * 360 - 180 + shift;
  // What lies beyond the projection's edge is in the outermost tiles.
  const edge = { 0: 90, [2 ** zoom]: -90 };
  const lat = (row) => edge[row] ?? (Math.atan(Math.sinh(Math.PI * (1 - (2 * row) / 2 ** zoom))) * 180) / Math.PI;
  return [[lat(y + 1), lon(x)], [lat(y), lon(x + 1)]];
}

/// From orange over grey to green: fixed at -0.5 to +0.5, whatever the data.
export function colour(mean) {
  const ends = mean < 0 ? [0xd9, 0x5f, 0x02] : [0x1b, 0x9e, 0x77];
  const share = Math.min(1, Math.abs(mean) / 0.5);
  return `rgb(${ends.map((end) => Math.round(0xe8 + (end - 0xe8) * share)).join(' ')})`;
}
