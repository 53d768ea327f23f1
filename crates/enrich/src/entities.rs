//! Hashtags, mentions, cashtags and links in a text that came without a list of them, by the rules of
//! Twitter's own `twitter-text` (`regexp`, version 3).
//!
//! Not covered: links without a scheme (`example.com`, which needs a list of all top-level domains) and
//! lists (`@user/list` gives `user`).

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// What a text holds, without the marks before them; each in order of appearance.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Found<'t> {
    pub(crate) hashtags: Vec<&'t str>,
    pub(crate) mentions: Vec<&'t str>,
    pub(crate) cashtags: Vec<&'t str>,
    pub(crate) urls: Vec<&'t str>,
}

/// Finds them all in one pass.
pub(crate) fn find(text: &str) -> Found<'_> {
    let mut found = Found::default();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let length = match bytes[at] {
            b'#' => tag(text, at, 1, &mut found.hashtags),
            b'@' => mention(text, at, 1, &mut found.mentions),
            b'$' => cashtag(text, at, &mut found.cashtags),
            b'h' | b'H' => url(text, at, &mut found.urls),
            // Full-width forms of both marks count as well.
            0xEF if rest.starts_with('＃') => tag(text, at, 3, &mut found.hashtags),
            0xEF if rest.starts_with('＠') => mention(text, at, 3, &mut found.mentions),
            _ => 0,
        };
        at += if length > 0 { length } else { rest.chars().next().map_or(1, char::len_utf8) };
    }
    found
}

fn is_letter(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphabetic();
    }
    use GeneralCategoryGroup::{Letter, Mark};
    matches!(character.general_category_group(), Letter | Mark)
}

/// What may stand in a hashtag besides letters (`hashtagSpecialChars`).
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
            ) || character.general_category()
                == unicode_properties::GeneralCategory::DecimalNumber)
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
    if !name.chars().any(is_letter) || after.starts_with(['#', '＃']) || after.starts_with("://") {
        return 0;
    }
    hashtags.push(name);
    mark + length
}

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
    let is_latin_accent = |c: char| matches!(c, '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}');
    if name.is_empty()
        || after.starts_with(['@', '＠'])
        || after.starts_with(is_latin_accent)
        || after.starts_with("://")
    {
        return 0;
    }
    mentions.push(name);
    mark + length
}

/// `RT@user` is a mention though a letter stands before it.
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
    let mut length = letters(0);
    if !free || !(1..=6).contains(&length) {
        return 0;
    }
    if rest[length..].starts_with(['.', '_']) {
        let suffix = letters(length + 1);
        if (1..=2).contains(&suffix) {
            length += 1 + suffix;
        }
    }
    let ends =
        rest[length..].chars().next().is_none_or(|c| c.is_whitespace() || c.is_ascii_punctuation());
    if !ends {
        return 0;
    }
    cashtags.push(&rest[..length]);
    1 + length
}

/// A link with a scheme, up to white space, without the punctuation that ends its sentence.
fn url<'t>(text: &'t str, at: usize, urls: &mut Vec<&'t str>) -> usize {
    let rest = &text[at..];
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let free = text[..at]
        .chars()
        .next_back()
        .is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '@' | '＠' | '$' | '#' | '＃'));
    let Some(scheme) = scheme.filter(|_| free) else { return 0 };
    // A host begins at once; looked for first, so that a flood of schemes is not searched for ends.
    if !rest[scheme.len()..].starts_with(char::is_alphanumeric) {
        return 0;
    }
    let ends = |c: char| {
        c.is_whitespace()
            || matches!(c, '<' | '>' | '"' | '“' | '”' | '…' | '「' | '」' | '、' | '。')
    };
    let length = rest.find(ends).unwrap_or(rest.len());
    let mut link =
        rest[..length].trim_end_matches(['.', ',', ':', ';', '!', '?', '\'', '’', ']', '}', '*']);
    if link.ends_with(')') && !link.contains('(') {
        link = link.trim_end_matches(')');
    }
    urls.push(link);
    link.len()
}

/// The host of a link, in lower case and without `www.`; none of a `t.co` link, which hides it.
pub(crate) fn domain(url: &str) -> Option<String> {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let authority = after.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?.to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    (host.contains('.') && host != "t.co").then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, hashtags: &[&str], mentions: &[&str], cashtags: &[&str], urls: &[&str]) {
        let found = find(text);
        assert_eq!(found.hashtags, hashtags, "{text}");
        assert_eq!(found.mentions, mentions, "{text}");
        assert_eq!(found.cashtags, cashtags, "{text}");
        assert_eq!(found.urls, urls, "{text}");
    }

    #[test]
    fn hashtags_follow_twitter_text() {
        check(
            "#AWS,#Azure #1 #2nd #été #日本語 ＃full",
            &["AWS", "Azure", "2nd", "été", "日本語", "full"],
            &[],
            &[],
            &[],
        );
        check("a#b &#39; #a#b #c://x #️⃣", &[], &[], &[], &[]);
        check(
            "#snake_case #don't #üñ #हिन्दी",
            &["snake_case", "don", "üñ", "हिन्दी"],
            &[],
            &[],
            &[],
        );
    }

    #[test]
    fn mentions_follow_twitter_text() {
        check("@jack, (@biz) RT@ev .@a x@mail.com @@b", &[], &["jack", "biz", "ev", "a"], &[], &[]);
        check("＠wide @é @aé RT: @c @d@e", &[], &["wide", "c"], &[], &[]);
    }

    #[test]
    fn cashtags_follow_twitter_text() {
        check("$AMZN $brk.a $5 US$ $TOOLONGER x$A $A,", &[], &[], &["AMZN", "brk.a", "A"], &[]);
    }

    #[test]
    fn links_end_where_their_sentence_does_and_hold_no_tags() {
        check(
            "see https://t.co/abc. (http://x.org/a#b)",
            &[],
            &[],
            &[],
            &["https://t.co/abc", "http://x.org/a#b"],
        );
        check("https://t.co/a…", &[], &[], &[], &["https://t.co/a"]);
        check("http:// nohttps://x.y", &[], &[], &[], &[]);
    }

    #[test]
    fn a_domain_is_a_link_s_host() {
        for (url, expected) in [
            ("https://www.Example.com:8080/a?b", Some("example.com")),
            ("http://user@x.org", Some("x.org")),
            ("https://t.co/abc", None),
            ("http://localhost/", None),
        ] {
            assert_eq!(domain(url).as_deref(), expected, "{url}");
        }
    }
}
