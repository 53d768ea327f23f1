//! A record as fields and values, be it the row of a table or a JSON object, and the tweet that it is.
//!
//! Of each field, the first value that can be read counts. Values that are there and cannot be read are noted in
//! [`Tweet::unread`], so that nothing vanishes without a word.

use std::borrow::Cow;

use crate::identity::{Claims, Date, identify};
use crate::language::language_tag;
use crate::python::looks_like_object;
use crate::text::{repair, unescape_html};
use crate::time::DayOrder;
use crate::value::{self, Order, is_missing};
use crate::{Counts, Field, Kind, Options, Place, Point, Timestamp, Tweet, Unread, User};

/// A record, whatever its format.
pub(crate) trait Record<'r> {
    /// Whether there can be values of a field. Most records have values of few.
    fn has(&self, field: Field) -> bool;

    /// The value under the `nth` best of the names of a field, from 0, as it stands in the source, and whether that name
    /// may mean something else.
    fn value(&self, field: Field, nth: usize) -> Option<(Cow<'r, str>, bool)>;
}

/// The key by which an object is known that was the row of a table, so that it is read by its names alone. Its value is
/// `true`, or which of two numbers in its dates is the day.
pub(crate) const TABLE_ROW: &str = "table_row";

/// The day of the first tweet of all, 21 March 2006, in milliseconds since 1970. No tweet is older.
const FIRST_TWEET_MS: i64 = 1_142_899_200_000;

/// Makes a tweet of a record. The error says why it is none.
pub(crate) fn read<'r>(
    record: &impl Record<'r>,
    day_order: Option<DayOrder>,
    options: &Options,
) -> Result<Tweet<'r>, String> {
    let mut values = Values { record, unread: Vec::new() };
    let (text, is_vague) = values.text().ok_or("its text is empty")?;
    let date = values.date(day_order, options);
    let ids = values.ids();
    let id = best_id(&ids, date.as_ref());
    let user = values.user(id.as_deref());
    let author = values.raw(Field::ScreenName).or_else(|| values.raw(Field::UserId));
    // Logs have messages too.
    let is_of_a_tweet = author.is_some() || id.as_deref().is_some_and(is_tweet_id);
    if is_vague && !is_of_a_tweet {
        return Err("it has a message, and neither an author nor the id of a tweet".to_owned());
    }
    let claims = Claims { id, date, text: unescape_html(repair(text)), author: author.as_deref() };
    let mut tweet = identify(claims, options)?;

    tweet.user = user;
    tweet.lang = values.read(Field::Lang, language_tag);
    tweet.coordinates = values.coordinates();
    let place = Place {
        name: values.read(Field::Place, name),
        country: values.read(Field::Country, name),
        country_code: values.read(Field::CountryCode, country_code),
        bounding_box: values.read(Field::PlaceBox, |text| value::bounding_box(&text)),
    };
    tweet.place = (place != Place::default()).then_some(place);
    tweet.marketplaces.extend(values.read(Field::Marketplace, Some));
    tweet.counts = Counts {
        retweets: values.count(Field::Retweets),
        likes: values.count(Field::Likes),
        replies: values.count(Field::Replies),
        quotes: values.count(Field::Quotes),
    };
    tweet.entities.urls = values.read(Field::Urls, |text| links(&text));
    values.references(&mut tweet);
    if tweet.kind == Kind::Retweet
        && let Some(original) = values.read(Field::OriginalText, Some)
    {
        tweet.text = unescape_html(repair(original));
    }
    tweet.unread = values.unread;
    Ok(tweet)
}

fn trim(cell: Cow<'_, str>) -> Cow<'_, str> {
    match cell {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// The name of something. An object that was put into a cell is none, nor is a link.
fn name(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let is_other = text.starts_with(['{', '[', '<'])
        || text.starts_with("http")
        || text.starts_with("list(")
        || matches!(&*text, "-" | "False" | "FALSE" | "false")
        || looks_like_object(&text);
    (!is_other).then(|| repair(text))
}

/// The code of a country: two letters, sometimes three.
fn country_code(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let is_code = matches!(text.len(), 2 | 3) && text.bytes().all(|b| b.is_ascii_alphabetic());
    is_code.then_some(text)
}

/// Whether an id has the length of a tweet's, as those of log events and rows do not.
fn is_tweet_id(id: &str) -> bool {
    (8..=20).contains(&id.len()) && Timestamp::from_id(id).is_some()
}

/// The links in a list of addresses, or of objects with addresses. `None` if it is none, or empty.
fn links<'r>(json: &str) -> Option<Vec<Cow<'r, str>>> {
    let items: Vec<serde_json::Value> = serde_json::from_str(json).ok()?;
    let link = |item: &serde_json::Value| {
        let keys = ["expanded_url", "expandedUrl", "expanded", "url"];
        let inner = keys.iter().find_map(|key| item.get(key)?.as_str());
        item.as_str().or(inner).filter(|link| link.starts_with("http")).map(str::to_owned)
    };
    let links: Vec<Cow<'r, str>> = items.iter().filter_map(link).map(Cow::Owned).collect();
    (!links.is_empty()).then_some(links)
}

/// Of several ids, the first whose time agrees with the date; else the first. Rows of tables are numbered too.
fn best_id<'r>(ids: &[Cow<'r, str>], date: Option<&Date<'_>>) -> Option<Cow<'r, str>> {
    let is_plausible = |id: &Cow<'_, str>| {
        Timestamp::from_id(id)
            .is_some_and(|time| date.is_none_or(|date| date.is_within_a_day_of(time)))
    };
    let best = if ids.len() > 1 { ids.iter().find(|id| is_plausible(id)) } else { None };
    let best = best.or(ids.first())?;
    let exact = ids.iter().find(|exact| is_rounded_of(best, exact));
    Some(exact.unwrap_or(best).clone())
}

/// Whether an id is what a spreadsheet, which keeps 15 digits, or JavaScript, which keeps 53 bits, has made of the exact one.
fn is_rounded_of(id: &str, exact: &str) -> bool {
    if !(17..=19).contains(&id.len()) {
        return false;
    }
    let (Ok(rounded), Ok(exact)) = (id.parse::<u64>(), exact.parse::<u64>()) else { return false };
    let unit = [100, 1_000, 10_000][id.len() - 17];
    let is_to_15_digits = rounded % unit == 0 && rounded.abs_diff(exact) < unit;
    rounded != exact && (is_to_15_digits || (exact as f64) as u64 == rounded)
}

/// The values of a record, and what could not be read of them so far.
struct Values<'v, R> {
    record: &'v R,
    unread: Vec<Unread>,
}

impl<'r, R: Record<'r>> Values<'_, R> {
    /// All values of a field that are not missing, best name first.
    fn all(&self, field: Field) -> impl Iterator<Item = (Cow<'r, str>, bool)> {
        let has_any = self.record.has(field);
        let values =
            (0..).take_while(move |_| has_any).map_while(move |nth| self.record.value(field, nth));
        values
            .map(|(value, is_vague)| (trim(value), is_vague))
            .filter(|(value, _)| !is_missing(value))
    }

    /// The first value of a field that is not missing, as it stands there.
    fn raw(&self, field: Field) -> Option<Cow<'r, str>> {
        if !self.record.has(field) {
            return None;
        }
        let value = self.all(field).next()?.0;
        Some(match value {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_start_matches('\'')),
            Cow::Owned(text) => Cow::Owned(text.trim_start_matches('\'').to_owned()),
        })
    }

    /// The first value of a field that `read` understands.
    #[inline(always)]
    fn read<T>(&mut self, field: Field, read: impl Fn(Cow<'r, str>) -> Option<T>) -> Option<T> {
        // Most records have values of few fields.
        if self.record.has(field) { self.read_any(field, read) } else { None }
    }

    #[inline(never)]
    fn read_any<T>(&mut self, field: Field, read: impl Fn(Cow<'r, str>) -> Option<T>) -> Option<T> {
        let mut failed = None;
        for (value, is_vague) in self.all(field) {
            match read(value.clone()) {
                Some(value) => return Some(value),
                None if is_vague => {}
                None => drop(failed.get_or_insert(value)),
            }
        }
        self.unread.extend(failed.map(|value| Unread::new(field, &value)));
        None
    }

    fn count(&mut self, field: Field) -> Option<u64> {
        self.read(field, |text| value::count(&text))
    }

    /// The text, and whether its name may mean something else. If it is cut, and there is one that is not, that one.
    fn text(&self) -> Option<(Cow<'r, str>, bool)> {
        let values = (0..).map_while(|nth| self.record.value(Field::Text, nth));
        let is_error = |text: &str| {
            let error = text.trim().strip_prefix('#').unwrap_or_default();
            matches!(
                error,
                "NAME?" | "REF!" | "VALUE!" | "ERROR!" | "DIV/0!" | "N/A" | "NULL!" | "NUM!"
            )
        };
        let mut texts = values.filter(|(text, _)| !text.trim().is_empty() && !is_error(text));
        let first = texts.next()?;
        let is_cut = first.0.trim_end().ends_with('…');
        let mut whole = || texts.find(|(text, _)| text.chars().count() > first.0.chars().count());
        Some(if is_cut { whole() } else { None }.unwrap_or(first))
    }

    /// The author. A link names it only if it leads to the tweet itself.
    fn user(&mut self, id: Option<&str>) -> User<'r> {
        let in_link = |link: Cow<'r, str>| {
            value::handle_in_link(&link).map(|handle| Cow::Owned(handle.to_owned()))
        };
        let screen_name = self.read(Field::ScreenName, value::handle).or_else(|| {
            self.all(Field::Permalink).find_map(|(link, _)| {
                let own = value::status_in_link(&link).filter(|at| link.get(at.clone()) == id);
                own.and_then(|_| in_link(link))
            })
        });
        User {
            id: self.read(Field::UserId, value::id),
            screen_name,
            name: self.read(Field::UserName, name),
            followers: self.count(Field::Followers),
        }
    }

    /// The ids that the record has, best first. A rounded one is noted only if there is no other.
    fn ids(&mut self) -> Vec<Cow<'r, str>> {
        // A link to a tweet of somebody else is no link to this one.
        let author = self.all(Field::ScreenName).next().and_then(|(name, _)| value::handle(name));
        let links = self.all(Field::Permalink).filter(|(link, _)| {
            let is_by_author = |handle: &str| {
                author.as_deref().is_none_or(|author| author.eq_ignore_ascii_case(handle))
            };
            value::status_in_link(link).is_some()
                && value::handle_in_link(link).is_none_or(is_by_author)
        });
        let mut ids: Vec<Cow<'r, str>> =
            self.all(Field::Id).chain(links).filter_map(|(text, _)| value::id(text)).collect();
        if ids.is_empty() {
            ids.extend(self.read(Field::Id, value::id));
        }
        ids
    }

    /// When it was written, from one value or from a date and a time of day.
    fn date(&mut self, day_order: Option<DayOrder>, options: &Options) -> Option<Date<'r>> {
        let parse = |text: &str| {
            let time = Timestamp::parse_in_order(value::unguard(text), day_order)?;
            let latest = options.latest.map_or(i64::MAX, Timestamp::as_millis);
            (FIRST_TWEET_MS..=latest).contains(&time.as_millis()).then_some(time)
        };
        let (mut first, mut vague, mut read) = (None, None, None);
        for (text, is_vague) in self.all(Field::CreatedAt) {
            if let Some(time) = parse(&text) {
                read = Some((text, time));
                break;
            }
            (if is_vague { &mut vague } else { &mut first }).get_or_insert(text);
        }
        let Some((text, time)) = read else {
            if let Some(text) = first {
                self.unread.push(Unread::new(Field::CreatedAt, &text));
                return Some(Date::unread(text));
            }
            // It may be none of the tweet. If there is no other, a message should name it.
            return vague.map(Date::unread);
        };
        // A date alone may have its time of day elsewhere.
        let is_midnight = time.as_millis() % (24 * 3_600_000) == 0;
        let day = if is_midnight { text.split([' ', 'T']).next().unwrap_or(&text) } else { &text };
        let has_time = text.contains(':') && !is_midnight;
        let whole = match has_time || text.bytes().all(|b| b.is_ascii_digit()) {
            true => None,
            false => self.all(Field::TimeOfDay).find_map(|(time_of_day, _)| {
                let offset = self.raw(Field::UtcOffset).unwrap_or_default();
                let joined = format!("{day} {time_of_day} {offset}");
                time_of_day
                    .contains(':')
                    .then(|| parse(&joined).or_else(|| parse(&format!("{day} {time_of_day}"))))?
            }),
        };
        Some(match whole {
            Some(time) => Date::exact(text, time),
            None => Date::read(text, time),
        })
    }

    fn coordinates(&mut self) -> Option<Point> {
        let lat = self.read(Field::Lat, |text| value::degrees(&text));
        let lon = self.read(Field::Lon, |text| value::degrees(&text));
        match (lat, lon) {
            (Some(lat), Some(lon)) if lat.abs() <= 90.0 && lon.abs() <= 180.0 => {
                return Some(Point { lat, lon });
            }
            (Some(lat), Some(lon)) => {
                self.unread.push(Unread::new(Field::Lat, &lat.to_string()));
                self.unread.push(Unread::new(Field::Lon, &lon.to_string()));
            }
            _ => {}
        }
        let pair = |order| move |text: Cow<'_, str>| value::point(&text, order);
        self.read(Field::LatLon, pair(Order::LatLon))
            .or_else(|| self.read(Field::LonLat, pair(Order::LonLat)))
    }

    /// The id of another tweet. Where there is none, some write a zero, or what pandas makes of nothing.
    fn reference(&mut self, field: Field) -> Option<Cow<'r, str>> {
        let is_none = |text: &str| {
            matches!(text, "0" | "0.0" | "-1" | "-1.0") || text.eq_ignore_ascii_case("false")
        };
        let given = |values: &Self| values.all(field).any(|(text, _)| !is_none(&text));
        if !self.record.has(field) || !given(self) {
            return None;
        }
        self.read(field, |text| if is_none(&text) { None } else { value::id(text) })
    }

    /// What the tweet refers to, and what sort of tweet that makes it.
    fn references(&mut self, tweet: &mut Tweet<'r>) {
        let said = self.read(Field::Kind, |text| value::kind(&text));
        let flag = |values: &Self, field| {
            values.record.has(field) && values.all(field).any(|(text, _)| value::flag(&text))
        };
        tweet.in_reply_to = self.reference(Field::InReplyTo);
        tweet.retweet_of = self.reference(Field::RetweetOf);
        tweet.quote_of = self.reference(Field::QuoteOf);
        let other = said.zip(self.reference(Field::RefersTo));
        let others = self.read(Field::References, |text| value::references(&text));
        for (kind, id) in others.into_iter().flatten().chain(other) {
            match kind {
                Kind::Retweet => tweet.retweet_of = Some(id),
                Kind::Quote => tweet.quote_of = Some(id),
                Kind::Reply => tweet.in_reply_to = Some(id),
                Kind::Tweet => {}
            }
        }
        // An id that a spreadsheet has rounded still says that there is another tweet.
        let refers = |values: &Self, field| {
            let is_number = |text: &str| text.parse::<f64>().is_ok_and(|number| number > 1e9);
            values.record.has(field) && values.all(field).any(|(text, _)| is_number(&text))
        };
        let reference = |kind: Kind| match kind {
            Kind::Retweet => Field::RetweetOf,
            Kind::Quote => Field::QuoteOf,
            Kind::Reply | Kind::Tweet => Field::InReplyTo,
        };
        let is = |kind: Kind, field, other: &Option<_>| {
            other.is_some()
                || said == Some(kind)
                || flag(self, field)
                || refers(self, reference(kind))
        };
        // twint names whom a tweet answers, and the first tweet of a conversation.
        let conversation = self.raw(Field::Conversation);
        let answers_somebody =
            conversation.is_some_and(|first| first != tweet.id) && flag(self, Field::AnsweredUsers);
        tweet.kind = match () {
            () if tweet.text.starts_with("RT @")
                || is(Kind::Retweet, Field::IsRetweet, &tweet.retweet_of) =>
            {
                Kind::Retweet
            }
            () if is(Kind::Quote, Field::IsQuote, &tweet.quote_of) => Kind::Quote,
            () if is(Kind::Reply, Field::IsReply, &tweet.in_reply_to) || answers_somebody => {
                Kind::Reply
            }
            () => Kind::Tweet,
        };
    }
}
