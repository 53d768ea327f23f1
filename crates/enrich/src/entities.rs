//! Hashtags, mentions, cashtags and links in a text that came without a list of them, by the rules of Twitter's own
//! `twitter-text`, version 3 (<https://github.com/twitter/twitter-text>).
//!
//! A list (`@user/list`) counts as a mention of its user, because documents have no field for lists.

use std::ops::Range;

use icu_properties::CodePointMapData;
use icu_properties::CodePointMapDataBorrowed;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};

mod characters;
mod path;
mod url;

use characters::{is_latin_accent, is_punctuation};
use url::find_urls;

/// The general category of each character.
const CATEGORIES: CodePointMapDataBorrowed<'_, GeneralCategory> = CodePointMapData::new();

/// The tags, mentions and links of a text, in order of appearance, without the `#`, `@` or `$` before them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Found<'t> {
    pub(crate) hashtags: Vec<&'t str>,
    pub(crate) mentions: Vec<&'t str>,
    pub(crate) cashtags: Vec<&'t str>,
    pub(crate) urls: Vec<&'t str>,
}

/// Finds all tags, mentions and links. Nothing inside a link counts as a tag or a mention.
pub(crate) fn find(text: &str) -> Found<'_> {
    let urls = find_urls(text);
    let mut found =
        Found { urls: urls.iter().map(|url| &text[url.clone()]).collect(), ..Found::default() };
    let mut urls = urls.into_iter().peekable();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if let Some(Range { end, .. }) = urls.next_if(|url| url.start <= at) {
            at = end.max(at);
            continue;
        }
        let end = urls.peek().map_or(bytes.len(), |url| url.start);
        // The first byte of each mark. None of them is a later byte of another character.
        let is_mark = |byte: &u8| matches!(byte, b'#' | b'@' | b'$' | 0xEF);
        let Some(skipped) = bytes[at..end].iter().position(is_mark) else {
            at = end;
            continue;
        };
        at += skipped;
        let length = match bytes[at] {
            b'#' => tag(text, at, 1, &mut found.hashtags),
            b'@' => mention(text, at, 1, &mut found.mentions),
            b'$' => cashtag(text, at, &mut found.cashtags),
            // Full-width forms of both marks count as well.
            0xEF if text[at..].starts_with('＃') => tag(text, at, 3, &mut found.hashtags),
            0xEF if text[at..].starts_with('＠') => mention(text, at, 3, &mut found.mentions),
            _ => 0,
        };
        at += length.max(1);
    }
    found
}

fn is_letter(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphabetic();
    }
    let category = CATEGORIES.get(character);
    GeneralCategoryGroup::Letter.contains(category) || GeneralCategoryGroup::Mark.contains(category)
}

/// What a hashtag may have besides letters (`hashtagSpecialChars`).
fn is_digit_or_special(character: char) -> bool {
    character.is_ascii_digit()
        || character == '_'
        || !character.is_ascii()
            && (matches!(
                character,
                '\u{200C}'
                    | '\u{200D}'
                    | '\u{A67E}'
                    | '\u{05BE}'
                    | '\u{05F3}'
                    | '\u{05F4}'
                    | '\u{FF5E}'
                    | '\u{301C}'
                    | '\u{309B}'
                    | '\u{309C}'
                    | '\u{30A0}'
                    | '\u{30FB}'
                    | '\u{3003}'
                    | '\u{0F0B}'
                    | '\u{0F0C}'
                    | '\u{00B7}'
            ) || CATEGORIES.get(character) == GeneralCategory::DecimalNumber)
}

/// Reads a hashtag whose mark of `mark` bytes stands at `at`; returns how long it is, or 0.
fn tag<'t>(text: &'t str, at: usize, mark: usize, hashtags: &mut Vec<&'t str>) -> usize {
    let free = text[..at].chars().next_back().is_none_or(|before| {
        matches!(before, '\u{FE0E}' | '\u{FE0F}')
            || before != '&' && !is_letter(before) && !is_digit_or_special(before)
    });
    let rest = &text[at + mark..];
    // `#️⃣` is an emoji.
    if !free || rest.starts_with(['\u{FE0F}', '\u{20E3}']) {
        return 0;
    }
    let length = rest.find(|c| !is_letter(c) && !is_digit_or_special(c)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(length);
    // `#1` is a number, and what is followed by `#` or `://` is part of something else.
    if !name.chars().any(is_letter) || after.starts_with(['#', '＃']) || after.starts_with("://") {
        return 0;
    }
    hashtags.push(name);
    mark + length
}

/// Reads a mention whose mark of `mark` bytes stands at `at`; returns how much of the text it uses up, even if it turns
/// out to be none.
fn mention<'t>(text: &'t str, at: usize, mark: usize, mentions: &mut Vec<&'t str>) -> usize {
    let before = &text[..at];
    let free = before.chars().next_back().is_none_or(|c| {
        !c.is_ascii_alphanumeric()
            && !matches!(c, '_' | '!' | '#' | '$' | '%' | '&' | '*' | '@' | '＠')
    });
    if !free && !ends_with_rt(before) {
        return 0;
    }
    let rest = &text[at + mark..];
    let length =
        rest.bytes().take(20).take_while(|&b| b.is_ascii_alphanumeric() || b == b'_').count();
    let (name, after) = rest.split_at(length);
    if name.is_empty() {
        return 0;
    }
    let list = list_length(after);
    let end = mark + length + list;
    // What goes on like this is an e-mail address, a word or a link.
    match after[list..].chars().next() {
        Some(next @ ('@' | '＠')) => return end + next.len_utf8(),
        Some(c) if is_latin_accent(c) => return end,
        Some(':') if after[list..].starts_with("://") => return end,
        _ => {}
    }
    mentions.push(name);
    end
}

/// The length of the `/list` that a text begins with, at most 25 characters after the slash.
fn list_length(text: &str) -> usize {
    let Some(list) = text.strip_prefix('/') else { return 0 };
    if !list.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return 0;
    }
    let is_list_char = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    1 + list.bytes().take(25).take_while(is_list_char).count()
}

/// Whether a text ends with a free-standing `RT` or `RT:`. `RT@user` is a mention although there is a letter before it.
fn ends_with_rt(before: &str) -> bool {
    let before = before.strip_suffix(':').unwrap_or(before);
    let Some(start) = before.len().checked_sub(2) else { return false };
    let is_rt = before.get(start..).is_some_and(|rt| rt.eq_ignore_ascii_case("rt"));
    let free = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '+' | '~' | '.' | '-');
    is_rt && before[..start].chars().next_back().is_none_or(free)
}

/// `$AAPL`, `$BRK.A`: up to six letters, and up to two after a dot or an underscore.
fn cashtag<'t>(text: &'t str, at: usize, cashtags: &mut Vec<&'t str>) -> usize {
    let is_direction_mark = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2066}'..='\u{2069}');
    let free =
        text[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || is_direction_mark(c));
    let rest = &text[at + 1..];
    let letters = |from: usize| {
        rest.as_bytes()[from..].iter().take_while(|b| b.is_ascii_alphabetic()).count()
    };
    let symbol = letters(0);
    if !free || !(1..=6).contains(&symbol) {
        return 0;
    }
    let ends = |length: &usize| {
        rest[*length..].chars().next().is_none_or(|c| c.is_whitespace() || is_punctuation(c))
    };
    let suffix = match rest[symbol..].starts_with(['.', '_']) {
        true => letters(symbol + 1),
        false => 0,
    };
    let whole = (1..=2).contains(&suffix).then_some(symbol + 1 + suffix);
    // A suffix that goes on is none: the dot or the underscore before it is punctuation.
    let Some(length) = whole.into_iter().chain([symbol]).find(ends) else { return 0 };
    cashtags.push(&rest[..length]);
    1 + length
}

/// The host of a link, in lower case and without `www.`. `None` for a `t.co` link, which hides where it leads, and for
/// a host without a dot.
pub(crate) fn domain(url: &str) -> Option<String> {
    // Looking for the one byte is several times faster than looking for all three.
    let mut colons = url.match_indices(':').map(|(at, _)| &url[at + 1..]);
    let after = colons.find_map(|after| after.strip_prefix("//")).unwrap_or(url);
    let authority = after.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?.to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    (host.contains('.') && host != "t.co").then(|| host.to_owned())
}

#[cfg(test)]
mod tests;
