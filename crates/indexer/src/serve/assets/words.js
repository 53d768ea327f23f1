// Numbers, times and names in the form that people read.

export const LABELS = ['positive', 'neutral', 'mixed', 'negative'];

/// Percentages of fewer tweets than this would mean little, so counts are shown instead.
export const FEW = 10;

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 2 });
const signed = new Intl.NumberFormat('en', { signDisplay: 'exceptZero', minimumFractionDigits: 2, maximumFractionDigits: 2 });

export const number = (n) => whole.format(n);
/// A number and what it counts: "1 like", "2 likes".
export const counted = (n, one, many = `${one}s`) => `${whole.format(n)} ${n === 1 ? one : many}`;
export const compact = (n) => (n < 1000 ? whole : short).format(n);
export const tweets = (n) => counted(n, 'tweet');
export const mean = (m) => (m === null || m === undefined ? '–' : signed.format(m));

export function percent(part, all) {
  if (!all) return '–';
  const share = (100 * part) / all;
  return `${share > 0 && share < 1 ? '<1' : Math.round(share)}\u202f%`;
}

/// The word for a mean, judged by the two decimals that are shown.
export function feeling(exact) {
  const m = Math.round(exact * 100) / 100;
  if (m >= 0.05) return 'positive';
  return m <= -0.05 ? 'negative' : 'neutral';
}

const formats = new Map();
function format(date, options) {
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options }));
  return formats.get(key).format(date);
}

export const day = (time) => format(new Date(time), { day: 'numeric', month: 'short', year: 'numeric' });
export const clock = (time) => format(new Date(time), { hour: '2-digit', minute: '2-digit' });
export const moment = (time) => `${day(time)}, ${clock(time)}`;
export const shortDay = (time) => format(new Date(time), { day: 'numeric', month: 'short' });
export const month = (time) => format(new Date(time), { month: 'short', year: 'numeric' });

/// A range of times, both ends included where they are whole days.
export function range(from, to) {
  const last = new Date(new Date(to).getTime() - 1);
  const [start, end] = [day(from), day(last)];
  if (isMidnight(from) && isMidnight(to)) return start === end ? start : `${start} – ${end}`;
  return start === day(to) ? `${start}, ${clock(from)}–${clock(to)}` : `${moment(from)} – ${moment(to)}`;
}

const isMidnight = (time) => new Date(time).getTime() % 86400000 === 0;

function names(type) {
  const display = new Intl.DisplayNames(['en'], { type, fallback: 'code' });
  return (code) => {
    try {
      return display.of(code);
    } catch {
      return code;
    }
  };
}

export const country = names('region');
const known = names('language');
// Twitter's own codes for tweets that are not in a language.
const NONE = { und: 'Unknown', qht: 'Hashtags only', qme: 'Media only', qst: 'Very short', qam: 'Mentions only', qct: 'Cashtags only', zxx: 'No words', art: 'Emoji only' };
export const language = (code) => NONE[code] ?? known(code);

export const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
