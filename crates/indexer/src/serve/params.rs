//! The query string: the filters, which are the same for all endpoints, and what some endpoints take besides.
//!
//! What cannot be parsed is an error that names the parameter: silently ignoring a filter would give wrong numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use enrich::{Label, canonical_marketplace};
use ingest::{Timestamp, language_tag};
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use super::problem::Problem;
use crate::store::{BoundingBox, Filter, Keyword, TextQuery};

/// The longest search and the longest other value, in characters.
const LONGEST_QUERY: usize = 500;
const LONGEST_VALUE: usize = 1_000;
/// How many values one filter may have.
const MOST_VALUES: usize = 10;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// How many entries a list in an answer may have.
const LONGEST_LIST: usize = 1_000;

/// The parameters of a request that have not been read yet. Reading one removes it, so that [`Params::finish`] finds
/// those that the endpoint does not know.
pub(super) struct Params {
    values: BTreeMap<String, Vec<String>>,
    has_times: bool,
}

impl Params {
    /// Parses a query string.
    pub(super) fn parse(query: &str) -> Result<Params, Problem> {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        // `form_urlencoded` decodes leniently: what is not UTF-8 becomes U+FFFD. Such values are refused here.
        let is_utf8 = percent_decode_str(query).decode_utf8().is_ok();
        let is_damaged = |text: &str| !is_utf8 && text.contains(char::REPLACEMENT_CHARACTER);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let problem = |detail: &str| Err(Problem::parameter(&shown(&name), detail));
            if is_damaged(&name) {
                return problem("its name is not UTF-8");
            }
            if is_damaged(&value) {
                return problem("it is not UTF-8");
            }
            let longest = if name == "q" { LONGEST_QUERY } else { LONGEST_VALUE };
            if value.chars().count() > longest {
                return problem(&format!("it may have at most {longest} characters"));
            }
            values.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        let has_times = ["last", "from", "to"].iter().any(|name| values.contains_key(*name));
        Ok(Params { values, has_times })
    }

    /// Whether the request has `last`, `from` or `to`.
    pub(super) fn has_times(&self) -> bool {
        self.has_times
    }

    /// How many entries a list in the answer is to have: the parameter `n`, or `default`.
    pub(super) fn list_length(&mut self, default: usize) -> Result<usize, Problem> {
        Ok(self.number("n", 1..=LONGEST_LIST)?.unwrap_or(default))
    }

    /// Makes sure that all parameters were read: one that is left is unknown to this endpoint.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.values.into_keys().next() {
            Some(name) => {
                let detail = "there is no such parameter here; see /api/openapi.json";
                Err(Problem::parameter(&shown(&name), detail))
            }
            None => Ok(()),
        }
    }

    /// Reads a parameter that may be given at most once; `None` if it is not given.
    pub(super) fn one(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.values.remove(name).unwrap_or_default();
        if values.len() > 1 {
            return Err(Problem::parameter(name, "it is given more than once"));
        }
        Ok(values.pop())
    }

    /// Reads a parameter that is a number within a range.
    pub(super) fn number(
        &mut self,
        name: &str,
        range: RangeInclusive<usize>,
    ) -> Result<Option<usize>, Problem> {
        let Some(value) = self.one(name)? else { return Ok(None) };
        let is_digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        let number = value.parse().ok().filter(|n| is_digits && range.contains(n));
        let detail = || format!("write a number from {} to {}", range.start(), range.end());
        number.map(Some).ok_or_else(|| Problem::parameter(name, detail()))
    }

    /// Reads a parameter whose value is one of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.one(name)? else { return Ok(None) };
        let choice = choices.iter().find(|(word, _)| *word == value);
        choice.map(|(_, choice)| Some(*choice)).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            Problem::parameter(name, format!("write one of {}", words.join(", ")))
        })
    }

    /// Reads a parameter that may be repeated, or have several values separated by commas. `read` normalizes a value,
    /// and returns `None` if it is not valid.
    fn many(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Option<String>,
        hint: &str,
    ) -> Result<Option<Vec<String>>, Problem> {
        let Some(values) = self.values.remove(name) else { return Ok(None) };
        let problem = |detail: &str| Problem::parameter(name, detail);
        let values: Option<Vec<String>> =
            values.iter().flat_map(|value| value.split(',')).map(&read).collect();
        let mut values = values.ok_or_else(|| problem(hint))?;
        if values.len() > MOST_VALUES {
            return Err(problem("it has too many values"));
        }
        values.sort_unstable();
        values.dedup();
        Ok(Some(values))
    }

    /// Which tweets the request is about. `now` is the current time in milliseconds since 1970; relative times are
    /// rounded down to the minute, so that all requests within a minute can share an answer.
    pub(super) fn filter(&mut self, now: i64) -> Result<Filter, Problem> {
        let typed = self.one("q")?.unwrap_or_default();
        let mut filter = Filter { text: TextQuery::parse(&typed), ..Filter::default() };
        (filter.from, filter.to) = self.times(now)?;
        let label =
            |word: &str| Some(Label::ALL.iter().find(|l| l.as_str() == word)?.as_str().to_owned());
        let marketplace = |name: &str| {
            // A source may name marketplaces that are not known here, so any name will do.
            (!name.is_empty()).then(|| canonical_marketplace(name).unwrap_or(name).to_owned())
        };
        let lang = |tag: &str| {
            let may_be_tag =
                !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            // A tag that is none finds nothing, which is what it asks for.
            let known = || language_tag(tag.into()).map_or_else(|| tag.to_owned(), Cow::into_owned);
            may_be_tag.then(known)
        };
        let country = |code: &str| {
            let is_code = code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic());
            is_code.then(|| code.to_ascii_uppercase())
        };
        let all = [
            (
                Keyword::Marketplace,
                self.many("marketplace", marketplace, "name a marketplace: AWS, Azure, GCP")?,
            ),
            (
                Keyword::Label,
                self.many("sentiment", label, "write positive, negative, neutral or mixed")?,
            ),
            (Keyword::Lang, self.many("lang", lang, "write a language tag (BCP 47), such as en")?),
            (
                Keyword::CountryCode,
                self.many(
                    "country",
                    country,
                    "write a country's two letters (ISO 3166-1), such as PT",
                )?,
            ),
        ];
        filter.terms =
            all.into_iter().filter_map(|(field, values)| Some((field, values?))).collect();
        filter.bounding_box = self.bounding_box()?;
        filter.weekday = self.number("weekday", 1..=7)?.map(|n| n as u8);
        filter.hour = self.number("hour", 0..=23)?.map(|n| n as u8);
        Ok(filter)
    }

    fn times(&mut self, now: i64) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
        let hours = self.choice("last", &LASTS)?.flatten();
        let mut time = |name: &str| {
            let Some(value) = self.one(name)? else { return Ok(None) };
            let hint = "write it as 2022-12-10 or 2022-12-10T18:00:00Z";
            read_time(&value).map(Some).ok_or_else(|| Problem::parameter(name, hint))
        };
        let (from, to) = (time("from")?, time("to")?);
        let since = hours.map(|hours| (now - hours * HOUR).div_euclid(MINUTE) * MINUTE);
        // If both `from` and `last` are given, both apply, as all filters do.
        let from = from.max(since);
        // A `to` before `from` makes an empty range.
        let to = to.map(|to| to.max(from.unwrap_or(to)));
        Ok((from.map(Timestamp::from_millis), to.map(Timestamp::from_millis)))
    }

    fn bounding_box(&mut self) -> Result<Option<BoundingBox>, Problem> {
        let Some(value) = self.one("bbox")? else { return Ok(None) };
        let numbers: Option<Vec<f64>> = value.split(',').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[west, south, east, north])
                if [west, east].iter().all(|lon| (-180.0..=180.0).contains(lon))
                    && [south, north].iter().all(|lat| (-90.0..=90.0).contains(lat)) =>
            {
                // South and north may come in either order: unlike west and east, they cannot wrap around.
                let (south, north) = (south.min(north), south.max(north));
                Ok(Some(BoundingBox { west, south, east, north }))
            }
            _ => Err(Problem::parameter(
                "bbox",
                "write west,south,east,north in degrees, such as -10,36,4,44 for Spain; west > east crosses the antimeridian",
            )),
        }
    }
}

/// The values of `last`, and the hours that each stands for; `all` sets no limit.
const LASTS: [(&str, Option<i64>); 5] =
    [("24h", Some(24)), ("3d", Some(72)), ("7d", Some(168)), ("30d", Some(720)), ("all", None)];

/// Parses a time (RFC 3339), or a date, which stands for the beginning of its day in UTC, to milliseconds since 1970.
/// Earlier times become 1970, and times after 2100 become 2100: there are no tweets before or after.
fn read_time(text: &str) -> Option<i64> {
    let time: Option<jiff::Timestamp> = text.parse().ok();
    let day = || {
        text.parse().ok().and_then(|day: jiff::civil::Date| {
            let midnight = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            (text.len() == "2022-12-10".len()).then(|| midnight.timestamp())
        })
    };
    let time = time.or_else(day)?;
    Some(time.as_millisecond().clamp(0, 4_102_444_800_000))
}

/// A parameter's name as an error message repeats it: without control characters, and of at most 40 characters.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_670_696_945_123;

    fn filter(query: &str) -> Result<Filter, Problem> {
        let mut params = Params::parse(query)?;
        let filter = params.filter(NOW)?;
        params.finish()?;
        Ok(filter)
    }

    #[test]
    fn filters_are_read() {
        let filter = filter(
            "q=%23aws+cloud&last=24h&marketplace=aws,Azure&sentiment=positive&sentiment=mixed\
             &country=pt&lang=pt-BR&bbox=170,-50,-170,-10&weekday=1&hour=0",
        )
        .unwrap();
        assert_eq!(filter.text, TextQuery::parse("#aws cloud"));
        assert_eq!(filter.from, Timestamp::parse("2022-12-09T18:29:00Z"));
        assert_eq!(filter.to, None);
        let terms =
            |field, values: &[&str]| (field, values.iter().map(|&v| v.to_owned()).collect());
        let expected = [
            terms(Keyword::Marketplace, &["AWS", "Azure"]),
            terms(Keyword::Label, &["mixed", "positive"]),
            terms(Keyword::Lang, &["pt-BR"]),
            terms(Keyword::CountryCode, &["PT"]),
        ];
        assert_eq!(filter.terms, expected);
        assert_eq!((filter.weekday, filter.hour), (Some(1), Some(0)));
        assert!(filter.bounding_box.is_some_and(|bounds| bounds.west > bounds.east));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let long = format!("q={}", "a".repeat(501));
        for (query, name) in [
            ("marketplaces=AWS", "marketplaces"),
            ("marketplace=", "marketplace"),
            ("sentiment=happy", "sentiment"),
            ("lang=e%20n", "lang"),
            ("country=Portugal", "country"),
            ("last=2h", "last"),
            ("from=yesterday", "from"),
            ("to=", "to"),
            ("bbox=1,2,3", "bbox"),
            ("bbox=1,2,3,x", "bbox"),
            ("bbox=NaN,2,3,4", "bbox"),
            ("bbox=-190,2,3,4", "bbox"),
            ("bbox=1,91,3,4", "bbox"),
            ("weekday=0", "weekday"),
            ("hour=24", "hour"),
            ("hour=%2B1", "hour"),
            ("hour=99999999999999999999", "hour"),
            ("q=a&q=b", "q"),
            ("q=%ff", "q"),
            (&long, "q"),
        ] {
            let problem = filter(query).unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some(name), "{query}");
        }
    }

    #[test]
    fn times_are_read_and_all_hold() {
        for (query, from, to) in [
            ("from=2022-12-10", Some("2022-12-10"), None),
            ("to=2022-12-10T02:00:00%2B02:00", None, Some("2022-12-10")),
            ("last=all", None, None),
            ("last=24h&from=2022-12-01", Some("2022-12-09T18:29:00Z"), None),
            ("last=24h&from=2022-12-10", Some("2022-12-10"), None),
            ("from=2022-12-10&to=2022-12-01", Some("2022-12-10"), Some("2022-12-10")),
        ] {
            let filter = filter(query).unwrap();
            let time = |text: Option<&str>| text.and_then(Timestamp::parse);
            assert_eq!((filter.from, filter.to), (time(from), time(to)), "{query}");
        }
        for wrong in ["yesterday", "2022", "20221210", "2022-13-01", "1670696945123", ""] {
            assert!(filter(&format!("from={wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn odd_searches_are_only_searches() {
        for q in ["((((", "*a*b*", "AND OR NOT", "\"", "-", "lang:", "%25%25", "\\", "<script>", ""]
        {
            assert!(filter(&format!("q={q}")).is_ok(), "{q}");
        }
    }
}
