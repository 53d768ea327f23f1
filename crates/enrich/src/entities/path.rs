//! The path and the query of a link, as far as they belong to it and not to the sentence around it, by the rules of
//! `twitter-text` (`validUrlPath`, `validUrlQueryChars`).

use super::characters::{alphanumeric_and, is_latin_accent};

/// The length of the path that a text begins with: it may hold balanced parentheses, and does not end with the
/// punctuation of the sentence around it.
pub(super) fn path_length(text: &str) -> usize {
    let mut length = 0;
    while text[length..].starts_with('/') {
        length += 1;
        length += segment_length(&text[length..]);
    }
    length
}

/// The length of what may follow a slash.
fn segment_length(text: &str) -> usize {
    let (mut at, mut end) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        if c == '(' {
            let Some(length) = parenthesis_length(&text[at..]) else { break };
            at += length;
            end = at;
        } else if is_path_char(c) {
            at += c.len_utf8();
            if is_path_end(c) {
                end = at;
            }
        } else {
            break;
        }
    }
    end
}

/// The length of the pair of parentheses that a text begins with. No pair may be empty, and they may be nested two deep
/// at most; otherwise it is `None`.
fn parenthesis_length(text: &str) -> Option<usize> {
    let (mut depth, mut is_empty) = (0, true);
    for (at, c) in text.char_indices() {
        match c {
            '(' if depth < 2 => (depth, is_empty) = (depth + 1, true),
            ')' if is_empty => return None,
            ')' if depth == 1 => return Some(at + 1),
            ')' => depth -= 1,
            c if is_path_char(c) => is_empty = false,
            _ => return None,
        }
    }
    None
}

/// The length of the query that a text begins with, without the punctuation after it.
pub(super) fn query_length(text: &str) -> usize {
    let Some(query) = text.strip_prefix('?') else { return 0 };
    const QUERY: [bool; 256] = alphanumeric_and(b"!?*'@();:&=+$/%#[]-_.,~|");
    const QUERY_END: [bool; 256] = alphanumeric_and(b"-_&=#/");
    let length = query.bytes().take_while(|b| QUERY[usize::from(*b)]).count();
    let end = query.as_bytes()[..length].iter().rposition(|b| QUERY_END[usize::from(*b)]);
    end.map_or(0, |end| end + 2)
}

fn is_path_char(c: char) -> bool {
    const PATH: [bool; 256] = alphanumeric_and(b"!*';:=+,.$/%#[]-_~@|&");
    match c {
        '\0'..='\x7F' => PATH[c as usize],
        '\u{2013}' => true,
        _ => is_latin_accent(c) || matches!(c, '\u{400}'..='\u{4FF}'),
    }
}

fn is_path_end(c: char) -> bool {
    const PATH_END: [bool; 256] = alphanumeric_and(b"+-=_#/");
    match c {
        '\0'..='\x7F' => PATH_END[c as usize],
        _ => is_latin_accent(c) || matches!(c, '\u{400}'..='\u{4FF}'),
    }
}
