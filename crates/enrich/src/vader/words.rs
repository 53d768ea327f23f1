//! Splits a text into the words that VADER's rules see, with the same results as Python's `str.split`, `str.strip` and
//! `str.isupper`.

use super::tables::{self, MAX_WORD_BYTES, Word};

/// A word, or an emoticon, with all that the rules ask of it.
pub(super) struct Token {
    pub(super) word: &'static Word,
    /// Has letters with case, and all of them are capitals.
    pub(super) is_upper: bool,
    /// Is a negation, or holds `n't`.
    pub(super) negates: bool,
}

const SPACE: u8 = 1;
const UPPER: u8 = 2;
const LOWER: u8 = 4;
const PUNCTUATION: u8 = 8;
const APOSTROPHE: u8 = 16;
const NON_ASCII: u8 = 32;
/// The first byte of a character that may be white space beyond ASCII.
const SPACE_LEAD: u8 = 64;

/// What each byte is. Python's white space includes the four information separators.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | 9..=13 | 28..=31 => SPACE,
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'\'' => PUNCTUATION | APOSTROPHE,
            b'!'..=b'/' | b':'..=b'@' | b'['..=b'`' | b'{'..=b'~' => PUNCTUATION,
            0xC2 | 0xE1 | 0xE2 | 0xE3 => NON_ASCII | SPACE_LEAD,
            0x80..=0xFF => NON_ASCII,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// The length of the white space character beyond ASCII that `bytes` begins with, or 0.
fn wide_space(bytes: &[u8]) -> usize {
    match bytes {
        [0xC2, 0x85 | 0xA0, ..] => 2,
        [0xE1, 0x9A, 0x80, ..] | [0xE2, 0x81, 0x9F, ..] | [0xE3, 0x80, 0x80, ..] => 3,
        [0xE2, 0x80, 0x80..=0x8A | 0xA8 | 0xA9 | 0xAF, ..] => 3,
        _ => 0,
    }
}

/// Splits `text` at white space into `tokens`.
pub(super) fn split(text: &str, tokens: &mut Vec<Token>) {
    tokens.clear();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let (mut seen, mut space) = (0, 0);
        while at < bytes.len() {
            let class = CLASSES[usize::from(bytes[at])];
            if class & SPACE != 0 {
                space = 1;
                break;
            }
            // This byte may begin white space beyond ASCII, or another character.
            if class & SPACE_LEAD != 0 {
                space = wide_space(&bytes[at..]);
                if space > 0 {
                    break;
                }
            }
            seen |= class;
            at += 1;
        }
        if at > start {
            tokens.push(token(&text[start..at], seen));
        }
        at += space;
    }
}

/// The token of a word. `seen` is the union of the classes of its bytes.
fn token(text: &str, seen: u8) -> Token {
    let text = if seen & PUNCTUATION != 0 { strip_punctuation(text) } else { text };
    if seen & NON_ASCII != 0 {
        return wide_token(text);
    }
    // On the stack, and no longer than the longest word in the tables: longer ones need no look-up.
    let mut lower = [0; MAX_WORD_BYTES];
    let word = match lower.get_mut(..text.len()) {
        Some(lower) => {
            lower.copy_from_slice(text.as_bytes());
            if seen & UPPER != 0 {
                lower.make_ascii_lowercase();
            }
            tables::word(lower)
        }
        None => tables::UNKNOWN,
    };
    Token {
        word,
        is_upper: seen & (UPPER | LOWER) == UPPER,
        negates: word.negates || seen & APOSTROPHE != 0 && holds_nt(text),
    }
}

/// The token of a word with characters beyond ASCII. The tables have no such words, so there is nothing to look up,
/// unless the word contains the Kelvin sign (U+212A), whose lower case is an ASCII `k`.
#[cold]
fn wide_token(text: &str) -> Token {
    let word = match text.contains('\u{212A}') {
        true => tables::word(text.to_lowercase().as_bytes()),
        false => tables::UNKNOWN,
    };
    Token { word, is_upper: is_upper(text), negates: word.negates || holds_nt(text) }
}

/// Strips punctuation off both ends, unless two characters or fewer would be left: then it was
/// likely an emoticon.
fn strip_punctuation(text: &str) -> &str {
    let is_punctuation = |c: char| c.is_ascii_punctuation();
    let stripped = text.trim_matches(is_punctuation);
    let is_short = stripped.len() <= 8 && stripped.chars().count() <= 2;
    if is_short { text } else { stripped }
}

fn holds_nt(text: &str) -> bool {
    text.as_bytes().windows(3).any(|window| window.eq_ignore_ascii_case(b"n't"))
}

/// Python's `str.isupper`.
fn is_upper(text: &str) -> bool {
    let mut any = false;
    for character in text.chars() {
        if character.is_lowercase() || is_titlecase(character) {
            return false;
        }
        any |= character.is_uppercase();
    }
    any
}

/// Unicode's general category Lt, digraphs of which only the first letter is a capital.
fn is_titlecase(character: char) -> bool {
    matches!(
        character,
        '\u{01C5}' | '\u{01C8}' | '\u{01CB}' | '\u{01F2}'
        | '\u{1F88}'..='\u{1F8F}' | '\u{1F98}'..='\u{1F9F}' | '\u{1FA8}'..='\u{1FAF}'
        | '\u{1FBC}' | '\u{1FCC}' | '\u{1FFC}'
    )
}
