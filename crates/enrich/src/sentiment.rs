//! The sentiment of a tweet, judged as a person would: by the emoticons first, then by the words.

use std::borrow::Cow;
use std::ops::ControlFlow;

use ingest::unescape_entities;
use memchr::memchr2;
use serde::{Deserialize, Serialize};

use crate::emoticon::{Mood, Tally, each_emoticon};
use crate::vader;

/// The sentiment of a text, and how it was determined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sentiment {
    /// Which way the text leans.
    pub label: Label,
    /// What the label is based on.
    pub method: Method,
    /// VADER's compound score, -1 (negative) to 1 (positive). It is given even if emoticons decided the label.
    pub compound: f64,
    /// VADER's positive share, 0 to 1.
    pub positive: f64,
    /// VADER's neutral share, 0 to 1.
    pub neutral: f64,
    /// VADER's negative share, 0 to 1.
    pub negative: f64,
}

/// How a text feels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// The writer is glad, fond or content.
    Positive,
    /// The writer is sad, angry or disappointed.
    Negative,
    /// The text shows neither.
    Neutral,
    /// Both at once, or confused.
    Mixed,
}

impl Label {
    /// All labels, in the order that dashboards show them in.
    pub const ALL: [Label; 4] = [Label::Positive, Label::Negative, Label::Neutral, Label::Mixed];

    /// The name that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Label::Positive => "positive",
            Label::Negative => "negative",
            Label::Neutral => "neutral",
            Label::Mixed => "mixed",
        }
    }
}

/// What a label is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Emoticons or emoji that express a mood unambiguously.
    Emoticon,
    /// VADER's compound, cut at ±0.05 as its authors do.
    Lexicon,
}

impl Method {
    /// The name that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Emoticon => "emoticon",
            Method::Lexicon => "lexicon",
        }
    }
}

/// A compound score is positive from this value up, and negative from its negative down (Hutto & Gilbert 2014).
const CUT: f64 = 0.05;

/// Judges a text as a person would read it: HTML entities decoded, curly apostrophes and quotation
/// marks straightened (phones write them), skin tones and variation selectors ignored. Hands each
/// emoticon and emoji to `found`.
pub fn judge(text: &str, mut found: impl FnMut(&str)) -> Sentiment {
    let text = straighten(text);
    let mut tally = Tally::default();
    each_emoticon(&text, |emoticon, mood| {
        tally.add(mood);
        found(emoticon);
    });
    let vader::Scores { pos, neu, neg, compound } = vader::score(&text);
    let (label, method) = match tally.verdict() {
        ControlFlow::Break(Mood::Positive) => (Label::Positive, Method::Emoticon),
        ControlFlow::Break(Mood::Negative) => (Label::Negative, Method::Emoticon),
        ControlFlow::Break(Mood::Mixed) => (Label::Mixed, Method::Emoticon),
        ControlFlow::Break(_) => (Label::Neutral, Method::Emoticon),
        ControlFlow::Continue(()) => (label_of(compound), Method::Lexicon),
    };
    Sentiment { label, method, compound, positive: pos, neutral: neu, negative: neg }
}

/// The label of a VADER compound.
pub fn label_of(compound: f64) -> Label {
    if compound >= CUT {
        Label::Positive
    } else if compound <= -CUT {
        Label::Negative
    } else {
        Label::Neutral
    }
}

/// The text as it was meant to look; borrowed if nothing has to be changed.
fn straighten(text: &str) -> Cow<'_, str> {
    let text = unescape_more(unescape_entities(Cow::Borrowed(text)));
    if text.is_ascii() || !text.chars().any(|c| straight(c) != Some(c)) {
        return text;
    }
    Cow::Owned(text.chars().filter_map(straight).collect())
}

/// The character to read in place of this one; `None` if it only changes the appearance of the one before it.
fn straight(character: char) -> Option<char> {
    match character {
        '\u{2018}' | '\u{2019}' | '\u{201B}' | '\u{02BC}' | '\u{FF07}' => Some('\''),
        '\u{201C}' | '\u{201D}' | '\u{201F}' => Some('"'),
        '\u{FE0E}' | '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}' => None,
        other => Some(other),
    }
}

/// Decodes what careless exports leave behind: `&quot;`, `&#39;`, and the `\u2019` of a text that was
/// escaped twice.
fn unescape_more(text: Cow<'_, str>) -> Cow<'_, str> {
    let has_escape = memchr2(b'\\', b'&', text.as_bytes()).is_some()
        && ["\\u", "&quot;", "&#39;", "&apos;"].iter().any(|escape| text.contains(escape));
    if !has_escape {
        return text;
    }
    let text = text.replace("&quot;", "\"").replace("&#39;", "'").replace("&apos;", "'");
    // What precedes the first escape stays as it is.
    let mut parts = text.split("\\u");
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let escaped = part
            .get(..4)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .and_then(char::from_u32);
        match escaped {
            Some(character) => {
                decoded.push(character);
                decoded.push_str(&part[4..]);
            }
            None => {
                decoded.push_str("\\u");
                decoded.push_str(part);
            }
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, label: Label, method: Method) {
        let sentiment = judge(text, |_| {});
        assert_eq!((sentiment.label, sentiment.method), (label, method), "{text}: {sentiment:?}");
    }

    #[test]
    fn plain_emoticons_decide() {
        check("nothing works today :)", Label::Positive, Method::Emoticon);
        check("nothing for redheads :(", Label::Negative, Method::Emoticon);
        check("love it 👍🏽", Label::Positive, Method::Emoticon);
        check("I love it ❤️", Label::Positive, Method::Emoticon);
        check("great :) but late :(", Label::Mixed, Method::Emoticon);
        check("hm 😕", Label::Mixed, Method::Emoticon);
        check("what o_O", Label::Mixed, Method::Emoticon);
        check("horrible :|", Label::Neutral, Method::Emoticon);
    }

    #[test]
    fn what_people_use_both_ways_leaves_it_to_the_words() {
        check("I love this 😂😭🔥", Label::Positive, Method::Lexicon);
        check("horrible 🙏", Label::Negative, Method::Lexicon);
        check("worst day ever 🏆 :/", Label::Negative, Method::Lexicon);
        check("the sky 🚀", Label::Neutral, Method::Lexicon);
    }

    #[test]
    fn texts_are_read_as_they_were_meant_to_look() {
        check("I don’t love it", Label::Negative, Method::Lexicon);
        check("I don\\u2019t love it", Label::Negative, Method::Lexicon);
        check("isn&#39;t good", Label::Negative, Method::Lexicon);
        check("AWS &lt;3", Label::Positive, Method::Emoticon);
        check("“great”", Label::Positive, Method::Lexicon);
    }

    #[test]
    fn the_labels_are_cut_where_vader_cuts_them() {
        for (compound, label) in [("ok", Label::Positive), ("the", Label::Neutral)] {
            check(compound, label, Method::Lexicon);
        }
    }
}
