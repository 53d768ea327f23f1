//! Times as people, spreadsheets and web pages spell them: `Dec 12, 2022 · 6:08 PM UTC`, `16-03-2020`, `10/1/2017 19:58`.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// Which of two numbers before a year is the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayOrder {
    /// `16/3/2020`
    DayFirst,
    /// `3/16/2020`
    MonthFirst,
}

impl DayOrder {
    /// Its name, as options have it.
    pub fn name(self) -> &'static str {
        match self {
            DayOrder::DayFirst => "day-first",
            DayOrder::MonthFirst => "month-first",
        }
    }

    /// The order with this name.
    pub fn from_name(name: &str) -> Option<DayOrder> {
        [DayOrder::DayFirst, DayOrder::MonthFirst].into_iter().find(|order| order.name() == name)
    }
}

/// The months, by their first three letters.
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// The months in French, German, Spanish, Portuguese and Italian, where they differ from ours.
const FOREIGN_MONTHS: [&[&str]; 12] = [
    &["janvier", "janv", "januar", "enero", "ene", "janeiro", "gennaio", "gen"],
    &[
        "février",
        "fevrier",
        "févr",
        "fevr",
        "fév",
        "februar",
        "febrero",
        "fevereiro",
        "fev",
        "febbraio",
    ],
    &["mars", "märz", "mär", "mrz", "marzo", "março", "marco"],
    &["avril", "avr", "abril", "abr", "aprile"],
    &["mai", "mayo", "maio", "maggio", "mag"],
    &["juin", "juni", "junio", "junho", "giugno", "giu"],
    &["juillet", "juil", "juli", "julio", "julho", "luglio", "lug"],
    &["août", "aout", "agosto", "ago"],
    &["septembre", "septiembre", "setiembre", "setembro", "set", "settembre"],
    &["octobre", "oktober", "okt", "octubre", "outubro", "out", "ottobre", "ott"],
    &["novembre", "noviembre", "novembro"],
    &["décembre", "decembre", "déc", "dezember", "dez", "diciembre", "dic", "dezembro", "dicembre"],
];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Words that say nothing.
const FILLERS: [&str; 13] =
    ["at", "on", "of", "the", "st", "nd", "rd", "th", "t", "de", "del", "le", "um"];
/// Abbreviations of time zones, with their offsets from UTC in minutes.
const ZONES: [(&str, i32); 22] = [
    ("z", 0),
    ("utc", 0),
    ("gmt", 0),
    ("wet", 0),
    ("west", 60),
    ("bst", 60),
    ("cet", 60),
    ("cest", 120),
    ("eet", 120),
    ("eest", 180),
    ("msk", 180),
    ("jst", 540),
    ("kst", 540),
    ("aest", 600),
    ("aedt", 660),
    ("est", -300),
    ("edt", -240),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
];

/// What was found in a text.
#[derive(Default)]
struct Found {
    year: Option<i16>,
    month: Option<i8>,
    /// Numbers that are a day or a month, or a year of two digits, in their order; whether a point follows the first.
    numbers: Vec<i8>,
    /// How many of them come before the year.
    before_year: usize,
    has_points: bool,
    time: Option<Time>,
    is_pm: Option<bool>,
    /// Minutes east of UTC.
    offset: Option<i32>,
}

/// Reads a time. If day and month can be mistaken for each other, `order` decides; without one, there is no time.
pub(super) fn parse(text: &str, order: Option<DayOrder>) -> Option<jiff::Timestamp> {
    // Longer ones are texts.
    if text.len() > 64 {
        return None;
    }
    let found = Found::scan(text)?;
    let date = found.date(order)?;
    let time = found.time_of_day()?;
    let local = DateTime::from_parts(date, time).to_zoned(TimeZone::UTC).ok()?.timestamp();
    let offset = jiff::SignedDuration::from_mins(found.offset.unwrap_or(0).into());
    local.checked_sub(offset).ok()
}

/// The order of day and month that a text shows, if it shows one: `16/3/2020` does, `3/4/2020` does not.
pub(crate) fn order_of(text: &str) -> Option<DayOrder> {
    let found = Found::scan(text)?;
    let [first, second] = found.undecided()?;
    match (first > 12, second > 12) {
        (true, false) => Some(DayOrder::DayFirst),
        (false, true) => Some(DayOrder::MonthFirst),
        _ => None,
    }
}

impl Found {
    fn scan(text: &str) -> Option<Found> {
        let mut found = Found::default();
        let mut rest = text.trim();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '0'..='9' => found.number(rest)?,
                '+' | '-' if found.time.is_some() && starts_with_digit(&rest[1..]) => {
                    found.offset_in_digits(rest)?
                }
                _ if first.is_alphabetic() => {
                    let length = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
                    found.word(&rest[..length])?;
                    length
                }
                ' ' | ',' | '-' | '/' | '.' | '@' | '·' | '(' | ')' | '|' | '\u{A0}'
                | '\u{202F}' => first.len_utf8(),
                _ => return None,
            };
            rest = &rest[length..];
        }
        Some(found)
    }

    /// Takes a number, or a time of day. Returns the length of what was taken.
    fn number(&mut self, rest: &str) -> Option<usize> {
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = &rest[..length];
        if rest[length..].starts_with(':') && self.time.is_none() {
            return self.clock(rest);
        }
        let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i8>().ok();
        match length {
            1 | 2 => {
                self.has_points |= self.numbers.is_empty() && rest[length..].starts_with('.');
                self.numbers.push(digits.parse().ok()?);
            }
            4 if self.year.is_none() => {
                self.year = Some(digits.parse().ok()?);
                self.before_year = self.numbers.len();
            }
            8 | 14 if self.year.is_none() && self.numbers.is_empty() => {
                self.year = digits[..4].parse().ok();
                self.numbers = vec![number(4..6)?, number(6..8)?];
                if length == 14 {
                    self.time = Time::new(number(8..10)?, number(10..12)?, number(12..14)?, 0).ok();
                    self.time?;
                }
            }
            _ => return None,
        }
        Some(length)
    }

    /// Takes `18:08`, `18:08:05` or `18:08:05.123`.
    fn clock(&mut self, rest: &str) -> Option<usize> {
        let mut parts = [0_i32; 4];
        let mut at = 0;
        for (number, part) in parts.iter_mut().enumerate() {
            let length = rest[at..].bytes().take_while(u8::is_ascii_digit).count();
            let digits = &rest[at..at + length];
            *part = match number {
                3 => format!("{:0<9}", &digits[..length.min(9)]).parse().ok()?,
                _ if (1..=2).contains(&length) => digits.parse().ok()?,
                _ => return None,
            };
            at += length;
            let goes_on = match number {
                0 | 1 => rest[at..].starts_with(':'),
                2 => rest[at..].starts_with('.') && starts_with_digit(&rest[at + 1..]),
                _ => false,
            };
            if !goes_on {
                break;
            }
            at += 1;
        }
        let [hour, minute, second, nanos] = parts;
        let small = |number: i32| i8::try_from(number).ok();
        // A leap second.
        let second = second.min(if second == 60 { 59 } else { second });
        self.time = Some(Time::new(small(hour)?, small(minute)?, small(second)?, nanos).ok()?);
        Some(at)
    }

    /// Takes `+02:00`, `-0500` or `+2`.
    fn offset_in_digits(&mut self, rest: &str) -> Option<usize> {
        let sign = if rest.starts_with('-') { -1 } else { 1 };
        let is_part = |b: &u8| b.is_ascii_digit() || *b == b':';
        let length = rest.bytes().skip(1).take_while(is_part).count();
        let digits: String = rest[1..=length].chars().filter(char::is_ascii_digit).collect();
        let (hours, minutes) = match digits.len() {
            1 | 2 => (digits.parse::<i32>().ok()?, 0),
            4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
            _ => return None,
        };
        self.offset = Some(sign * (hours * 60 + minutes)).filter(|_| hours <= 14 && minutes < 60);
        self.offset.map(|_| 1 + length)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let word = word.to_lowercase();
        // Months of other languages begin like ours, and are others: `marraskuuta` is November.
        const LONG: [&str; 21] = [
            "january",
            "february",
            "march",
            "april",
            "june",
            "july",
            "august",
            "september",
            "sept",
            "october",
            "november",
            "december",
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
            "tues",
            "thurs",
        ];
        let starts = |names: &[&str]| {
            let short = word.get(..3)?;
            let is_ours = word.len() == 3 || LONG.contains(&word.as_str());
            names.iter().position(|name| is_ours && *name == short)
        };
        if let Some((_, offset)) = ZONES.iter().find(|(zone, _)| *zone == word) {
            self.offset = Some(*offset);
        } else if matches!(&*word, "am" | "pm" | "a" | "p" | "m") {
            // `p.m.` comes letter by letter.
            if word != "m" {
                self.is_pm = Some(word.starts_with('p'));
            }
        } else if let Some(month) = starts(&MONTHS)
            .or_else(|| FOREIGN_MONTHS.iter().position(|names| names.contains(&&*word)))
            .filter(|_| self.month.is_none())
        {
            self.month = i8::try_from(month + 1).ok();
        } else if !FILLERS.contains(&&*word) && starts(&WEEKDAYS).is_none() {
            return None;
        }
        Some(())
    }

    /// Day and month in an order that is not known, if that is so.
    fn undecided(&self) -> Option<[i8; 2]> {
        let is_year_last = self.year.is_none() && self.numbers.len() == 3
            || self.year.is_some() && self.before_year == 2 && self.numbers.len() == 2;
        (self.month.is_none() && is_year_last).then(|| [self.numbers[0], self.numbers[1]])
    }

    fn date(&self, order: Option<DayOrder>) -> Option<Date> {
        let short_year = |at: usize| Some(2000 + i16::from(*self.numbers.get(at)?));
        if let Some(month) = self.month {
            let n_numbers = if self.year.is_some() { 1 } else { 2 };
            let year = self.year.or_else(|| short_year(1))?;
            let day = *self.numbers.first().filter(|_| self.numbers.len() == n_numbers)?;
            return Date::new(year, month, day).ok();
        }
        let Some([first, second]) = self.undecided() else {
            let [month, day] = self.numbers[..] else { return None };
            return Date::new(self.year.filter(|_| self.before_year == 0)?, month, day).ok();
        };
        let year = self.year.or_else(|| short_year(2))?;
        let order = match (first > 12, second > 12) {
            (true, _) => DayOrder::DayFirst,
            (_, true) => DayOrder::MonthFirst,
            // `3.4.2020` is written where the day comes first.
            _ if self.has_points || first == second => DayOrder::DayFirst,
            _ => order?,
        };
        match order {
            DayOrder::DayFirst => Date::new(year, second, first).ok(),
            DayOrder::MonthFirst => Date::new(year, first, second).ok(),
        }
    }

    fn time_of_day(&self) -> Option<Time> {
        let time = self.time.unwrap_or(Time::midnight());
        let hour = match self.is_pm {
            None => return Some(time),
            Some(_) if !(1..=12).contains(&time.hour()) => return None,
            Some(is_pm) => time.hour() % 12 + if is_pm { 12 } else { 0 },
        };
        Time::new(hour, time.minute(), time.second(), time.subsec_nanosecond()).ok()
    }
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, order: Option<DayOrder>, expected: Option<&str>) {
        let time = parse(text, order).map(|time| format!("{time:.3}"));
        assert_eq!(time.as_deref(), expected, "{text}");
    }

    #[test]
    fn times_are_read_as_people_and_spreadsheets_spell_them() {
        for (text, expected) in [
            ("Tue, Jul 14, 2026", "2026-07-14T00:00:00.000Z"),
            ("Mar 15, 2018 @ 19:41:25.576", "2018-03-15T19:41:25.576Z"),
            ("15 Mar 2018 19:41:25", "2018-03-15T19:41:25.000Z"),
            ("March 15, 2018 at 07:41PM", "2018-03-15T19:41:00.000Z"),
            ("March 15th, 2018 at 12:05 a.m.", "2018-03-15T00:05:00.000Z"),
            ("Dec 12, 2022 · 6:08 PM UTC", "2022-12-12T18:08:00.000Z"),
            ("6:08 PM · Dec 10, 2022", "2022-12-10T18:08:00.000Z"),
            ("Sat, 10 Dec 2022 18:28:40 +0100", "2022-12-10T17:28:40.000Z"),
            ("Sat Jan 01 00:00:00 GMT 2022", "2022-01-01T00:00:00.000Z"),
            ("12-Dec-22", "2022-12-12T00:00:00.000Z"),
            ("16-03-2020", "2020-03-16T00:00:00.000Z"),
            ("3/16/2020 1:05:00 PM", "2020-03-16T13:05:00.000Z"),
            ("10.12.2022 18:28", "2022-12-10T18:28:00.000Z"),
            ("20221210", "2022-12-10T00:00:00.000Z"),
            ("20221210182840", "2022-12-10T18:28:40.000Z"),
            ("2020-01-31 23:00 +0000", "2020-01-31T23:00:00.000Z"),
            ("2023-05-07 08:10:00 +08:00", "2023-05-07T00:10:00.000Z"),
            ("2022-01-01 13:45:11.0", "2022-01-01T13:45:11.000Z"),
            ("2020-05-01 12:00:00 CEST", "2020-05-01T10:00:00.000Z"),
            ("2021-04-01 15:52:31+00", "2021-04-01T15:52:31.000Z"),
        ] {
            check(text, None, Some(expected));
        }
    }

    #[test]
    fn a_day_that_could_be_a_month_is_read_only_in_a_known_order() {
        use DayOrder::{DayFirst, MonthFirst};
        check("10/1/2017 19:58", None, None);
        check("10/1/2017 19:58", Some(MonthFirst), Some("2017-10-01T19:58:00.000Z"));
        check("10/1/2017 19:58", Some(DayFirst), Some("2017-01-10T19:58:00.000Z"));
        check("4/5/09", Some(MonthFirst), Some("2009-04-05T00:00:00.000Z"));
        check("5/5/2009", None, Some("2009-05-05T00:00:00.000Z"));
        assert_eq!(order_of("16/3/2020"), Some(DayFirst));
        assert_eq!(order_of("3/16/20 10:00"), Some(MonthFirst));
        assert_eq!(
            [order_of("3/4/2020"), order_of("2020-03-16"), order_of("Mar 16, 2020")],
            [None; 3]
        );
    }

    #[test]
    fn what_is_no_time_is_not_guessed_at() {
        for text in [
            "",
            "hello",
            "17",
            "12:30",
            "2016",
            "32/13/2016",
            "2016-13-01",
            "Feb 30, 2020",
            "10 Downing Street 2",
            "2:99 PM Dec 10, 2022",
            "March 15, 2018 at 17:41PM",
            "1,2,3,4",
        ] {
            check(text, Some(DayOrder::DayFirst), None);
        }
    }
}
