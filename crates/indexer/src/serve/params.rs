//! The query string: the filters, which are the same for all endpoints, and what some endpoints take besides.
//!
//! Whatever is not understood is a problem that names the parameter: a filter that is silently left out
//! would give wrong numbers.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use enrich::{Label, canonical_marketplace};
use ingest::Timestamp;
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use super::problem::Problem;
use crate::store::{BoundingBox, Filter, Keyword, TextQuery};

/// The longest search and the longest other value, in characters.
const LONGEST_QUERY: usize = 500;
const LONGEST_VALUE: usize = 1_000;
/// The most values of one filter.
const MOST_VALUES: usize = 10;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// How many values a list may have.
const LONGEST_LIST: usize = 1_000;

/// The parameters of a request, each until it is taken.
pub(super) struct Params {
    values: BTreeMap<String, Vec<String>>,
    has_times: bool,
}

impl Params {
    /// Takes a query string apart.
    pub(super) fn parse(query: &str) -> Result<Params, Problem> {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        // A form's fields are decoded leniently: what is not UTF-8 becomes U+FFFD.
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
                return problem(&format!("it may have {longest} characters"));
            }
            values.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        let has_times = ["last", "from", "to"].iter().any(|name| values.contains_key(*name));
        Ok(Params { values, has_times })
    }

    /// Whether a time is given.
    pub(super) fn has_times(&self) -> bool {
        self.has_times
    }

    /// How many values a list is to have: `n`, or `default`.
    pub(super) fn list_length(&mut self, default: usize) -> Result<usize, Problem> {
        Ok(self.number("n", 1..=LONGEST_LIST)?.unwrap_or(default))
    }

    /// Makes sure that nothing was left.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.values.into_keys().next() {
            Some(name) => {
                let detail = "there is no such parameter here; see /api/openapi.json";
                Err(Problem::parameter(&shown(&name), detail))
            }
            None => Ok(()),
        }
    }

    /// A value that may be given once.
    pub(super) fn one(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.values.remove(name).unwrap_or_default();
        if values.len() > 1 {
            return Err(Problem::parameter(name, "it is given more than once"));
        }
        Ok(values.pop())
    }

    /// A number within a range.
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

    /// One of a few words.
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

    /// Values that may be repeated, or stand side by side with commas.
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
            return Err(problem("these are too many values"));
        }
        values.sort_unstable();
        values.dedup();
        Ok(Some(values))
    }

    /// Which tweets. `now` is the clock's, in milliseconds; relative times begin on whole minutes, so that
    /// answers can be used again for a while.
    pub(super) fn filter(&mut self, now: i64) -> Result<Filter, Problem> {
        let typed = self.one("q")?.unwrap_or_default();
        let mut filter = Filter { text: TextQuery::parse(&typed), ..Filter::default() };
        (filter.from, filter.to) = self.times(now)?;
        let label =
            |word: &str| Some(Label::ALL.iter().find(|l| l.as_str() == word)?.as_str().to_owned());
        let marketplace = |name: &str| {
            (!name.is_empty()).then(|| canonical_marketplace(name).unwrap_or(name).to_owned())
        };
        let lang = |tag: &str| {
            let is_tag =
                !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            is_tag.then(|| tag.to_owned())
        };
        let country = |code: &str| {
            let is_code = code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic());
            is_code.then(|| code.to_ascii_uppercase())
        };
        let all = [
            (
                Keyword::Marketplace,
                self.many("marketplace", marketplace, "name one: AWS, Azure, GCP")?,
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
        // Both hold, like all filters.
        let from = from.max(since);
        // Nothing lies between a time and an earlier one.
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
                // There is only one box between two latitudes.
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

/// What `last` may say, and how many hours that is.
const LASTS: [(&str, Option<i64>); 5] =
    [("24h", Some(24)), ("3d", Some(72)), ("7d", Some(168)), ("30d", Some(720)), ("all", None)];

/// A time or the beginning of a day, in milliseconds (RFC 3339). Before 1970 and after 2100 there are no
/// tweets: what is further away is taken for that.
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

/// A name as it is shown to whoever sent it.
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
