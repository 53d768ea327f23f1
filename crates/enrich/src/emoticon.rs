//! Emoticons and emoji in a text, and which of them tell a mood.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use hashbrown::HashMap;
use icu_properties::props::{Emoji, EmojiPresentation};
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed};

/// What an emoticon says of its writer's mood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Positive,
    Negative,
    Mixed,
    Neutral,
    /// It says nothing, or people use it for opposite moods.
    None,
}

/// The emoticons by their first character, the longest first.
static TABLE: LazyLock<HashMap<char, Vec<(&'static str, Mood)>>> = LazyLock::new(|| {
    let mut table: HashMap<char, Vec<(&'static str, Mood)>> = HashMap::new();
    let lines = include_str!("../data/emoticons.txt").lines().filter(|line| !line.starts_with('#'));
    for line in lines {
        let mut words = line.split_whitespace();
        let mood = match words.next() {
            Some("positive") => Mood::Positive,
            Some("negative") => Mood::Negative,
            Some("mixed") => Mood::Mixed,
            Some("neutral") => Mood::Neutral,
            _ => Mood::None,
        };
        for emoticon in words {
            if let Some(first) = emoticon.chars().next() {
                table.entry(first).or_default().push((emoticon, mood));
            }
        }
    }
    for same_first in table.values_mut() {
        same_first.sort_by_key(|(emoticon, _)| std::cmp::Reverse(emoticon.len()));
    }
    table
});

/// Which bytes may come second in an emoticon that begins with an ASCII character: one bit each, and the last bit for
/// DEL and all that are not ASCII. Most punctuation can begin an emoticon, but few pairs can. No emoticon is a single
/// ASCII character.
static SECOND_BYTES: LazyLock<[u128; 128]> = LazyLock::new(|| {
    let mut second = [0; 128];
    for (emoticon, _) in TABLE.values().flatten() {
        if let [first @ ..=127, next, ..] = emoticon.as_bytes() {
            second[usize::from(*first)] |= bit(*next);
        }
    }
    second
});

fn bit(byte: u8) -> u128 {
    1 << byte.min(127)
}

/// Calls `visit` with each emoticon and emoji of a text from which skin tones and variation
/// selectors were removed. Those inside of links, handles and words do not count.
pub(crate) fn each_emoticon<'t>(text: &'t str, mut visit: impl FnMut(&'t str, Mood)) {
    let second_bytes = &*SECOND_BYTES;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte.is_ascii() {
            if byte == b'h' && is_link(&text[at..]) {
                // `http://` would be a sad face, and paths hold all kinds of them.
                at += text[at..].find(char::is_whitespace).unwrap_or(text.len() - at);
            } else if second_bytes[usize::from(byte)] != 0
                && let Some(next) = bytes.get(at + 1)
                && second_bytes[usize::from(byte)] & bit(*next) != 0
                && let Some((length, mood)) = emoticon_at(text, at)
            {
                visit(&text[at..at + length], mood);
                // `:)))` is one smile.
                at += repeated(&bytes[at + length - 1..]) + length;
            } else {
                at += 1;
            }
            continue;
        }
        let length = match emoticon_at(text, at) {
            Some((length, mood)) => {
                visit(&text[at..at + length], mood);
                length
            }
            None => match emoji_length(&text[at..]) {
                Some(length) => {
                    visit(&text[at..at + length], Mood::None);
                    length
                }
                None => text[at..].chars().next().map_or(1, char::len_utf8),
            },
        };
        at += length;
    }
}

fn is_link(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// The most repetitions of an emoticon's last character (`:)))`) that are counted as a part of it. Without a limit,
/// looking for the end of a very long run again and again would take too much time.
const MAX_REPEATED: usize = 100;

/// How many times the first byte is repeated directly after itself. Letters and digits are not counted.
fn repeated(bytes: &[u8]) -> usize {
    if bytes[0].is_ascii_alphanumeric() {
        0
    } else {
        bytes[1..].iter().take(MAX_REPEATED).take_while(|&&b| b == bytes[0]).count()
    }
}

/// The emoticon that begins at `at`, if it stands free: not within a word, a time (`10:30`) or a
/// path, and not a colon after a bracket (`AWS (Amazon): …`).
fn emoticon_at(text: &str, at: usize) -> Option<(usize, Mood)> {
    let rest = &text[at..];
    let first = rest.chars().next()?;
    let candidates = TABLE.get(&first)?;
    let before = text[..at].chars().next_back();
    let found = candidates.iter().find(|(emoticon, _)| {
        rest.starts_with(emoticon) && {
            // Emoji need no space around them. Hearts count as emoji, although they are old text symbols.
            if is_emoji(first) {
                let next = rest[emoticon.len()..].chars().next();
                ends_before(next)
            } else {
                let free_before = match before {
                    None => true,
                    Some(before) if before.is_whitespace() => true,
                    Some(_)
                        if matches!(first, ')' | ']' | '(' | '[' | '\\') && first.is_ascii() =>
                    {
                        false
                    }
                    Some(before) if before.is_alphabetic() => match emoticon.chars().next_back() {
                        // `great:D`, but not `a:b`, `ID:D` or `re:P`.
                        Some('D' | 'P') => {
                            before.is_lowercase() && emoticon.len() == 2 && first == ':'
                        }
                        Some(last) if last.is_ascii_alphanumeric() => emoticon.starts_with("<3"),
                        _ => matches!(first, ':' | ';' | '<') || !first.is_ascii(),
                    },
                    Some(before) => !before.is_numeric() && before != '/',
                };
                let last = emoticon.as_bytes()[emoticon.len() - 1];
                let after = emoticon.len() + repeated(&rest.as_bytes()[emoticon.len() - 1..]);
                let free_after = match rest[after..].chars().next() {
                    None => true,
                    Some(next) if next.is_alphanumeric() => false,
                    Some('/' | '\\' | '_') => {
                        !last.is_ascii_alphanumeric() && !matches!(last, b'/' | b'\\')
                    }
                    Some('-' | '\'') => !last.is_ascii_alphanumeric(),
                    Some(_) => true,
                };
                free_before && free_after
            }
        }
    })?;
    Some((found.0.len(), found.1))
}

/// Whether an emoji ends before this character. If it is followed by a joiner, it is a part of a longer emoji.
fn ends_before(next: Option<char>) -> bool {
    next != Some('\u{200D}')
}

/// The length of the emoji that `text` begins with, with all that is joined to it. None if it begins with anything
/// else.
fn emoji_length(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    let (_, first) = characters.next().filter(|(_, first)| is_emoji(*first))?;
    let mut end = first.len_utf8();
    if is_regional(first) {
        return characters
            .next()
            .filter(|(_, second)| is_regional(*second))
            .map(|(at, second)| at + second.len_utf8());
    }
    // England's, Scotland's and Wales's flags are a black flag and letters out of the tags block.
    while let Some((at, tag)) =
        characters.next_if(|(_, tag)| matches!(tag, '\u{E0020}'..='\u{E007F}'))
    {
        end = at + tag.len_utf8();
    }
    while characters.next_if(|(_, joiner)| *joiner == '\u{200D}').is_some() {
        match characters.next_if(|(_, joined)| {
            is_emoji(*joined) || matches!(joined, '♀' | '♂' | '⚕' | '⚖' | '✈')
        }) {
            Some((at, joined)) => end = at + joined.len_utf8(),
            None => break,
        }
    }
    Some(end)
}

fn is_regional(character: char) -> bool {
    matches!(character, '\u{1F1E6}'..='\u{1F1FF}')
}

/// Whether Unicode calls a character an emoji, except for old signs that are mostly used as text (digits, ©, ™, arrows,
/// geometric shapes). The white heart (♡) is added: Unicode does not list it, but people use it as an emoji.
fn is_emoji(character: char) -> bool {
    const EMOJI: CodePointSetDataBorrowed<'_> = CodePointSetData::new::<Emoji>();
    const PRESENTATION: CodePointSetDataBorrowed<'_> = CodePointSetData::new::<EmojiPresentation>();
    match character {
        // The letters of most scripts, and old signs such as © and ™. Deciding these first spares a look-up.
        '\0'..='\u{2319}' | '\u{3300}'..='\u{1F003}' => false,
        '\u{23E9}'..='\u{23FA}' => EMOJI.contains(character),
        '\u{231A}'..='\u{25FF}' => PRESENTATION.contains(character),
        '\u{2661}' => true,
        // Arrows, squares, and the Japanese marks for a wave, a song, congratulations and a secret.
        '\u{27A1}'
        | '\u{2934}'..='\u{2935}'
        | '\u{2B05}'..='\u{2B07}'
        | '\u{2B1B}'..='\u{2B1C}' => false,
        '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}' => false,
        _ => EMOJI.contains(character),
    }
}

/// Collects the moods of a text's emoticons, to reach a verdict on all of them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    positive: bool,
    negative: bool,
    mixed: bool,
    neutral: bool,
}

impl Tally {
    pub(crate) fn add(&mut self, mood: Mood) {
        match mood {
            Mood::Positive => self.positive = true,
            Mood::Negative => self.negative = true,
            Mood::Mixed => self.mixed = true,
            Mood::Neutral => self.neutral = true,
            Mood::None => {}
        }
    }

    /// `Break` with the mood that the emoticons express together, or `Continue` if they express none.
    pub(crate) fn verdict(&self) -> ControlFlow<Mood> {
        match (self.positive, self.negative, self.mixed, self.neutral) {
            (_, _, true, _) | (true, true, ..) => ControlFlow::Break(Mood::Mixed),
            (true, ..) => ControlFlow::Break(Mood::Positive),
            (_, true, ..) => ControlFlow::Break(Mood::Negative),
            (.., true) => ControlFlow::Break(Mood::Neutral),
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        each_emoticon(text, |emoticon, _| found.push(emoticon));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn emoticons_are_found_where_people_put_them() {
        check("great :) thanks!", &[":)"]);
        check("great:)", &[":)"]);
        check(":-( so sad :'(", &[":-(", ":'("]);
        check("yes :)))) <3 lol:D", &[":)", "<3", ":D"]);
        check("(^_^) T_T ಠ_ಠ", &["(^_^)", "T_T", "ಠ_ಠ"]);
        check("¯\\_(ツ)_/¯", &["¯\\_(ツ)_/¯"]);
    }

    #[test]
    fn punctuation_is_no_emoticon() {
        for text in [
            "AWS (Amazon): new",
            "at 10:30",
            "2:0",
            "https://t.co/x:)",
            "C:\\path",
            "a:b",
            "ID:Dx",
            "foxDen",
            "(see :)x",
            "1:3",
            "Vitamin D: good",
            "on QQ",
            "Windows XP",
            "the DX of it",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn emoji_are_found_whole() {
        check("🚀AWS ❤‍🔥 👍👍", &["🚀", "❤‍🔥", "👍", "👍"]);
        check("🇩🇪🇫🇷 👩‍💻 🏴󠁧󠁢󠁳󠁣󠁴󠁿 😮‍💨", &["🇩🇪", "🇫🇷", "👩‍💻", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "😮‍💨"]);
        check("日本語 © ™ →", &[]);
    }

    #[test]
    fn the_table_names_each_emoticon_once() {
        for same_first in TABLE.values() {
            for (i, (emoticon, mood)) in same_first.iter().enumerate() {
                let again =
                    same_first[i + 1..].iter().find(|(other, m)| other == emoticon && m != mood);
                assert_eq!(again, None, "{emoticon}");
            }
        }
    }
}
