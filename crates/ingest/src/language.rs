//! Language tags (BCP 47), and the names that tables have in their place.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use icu_locale_core::LanguageIdentifier;

/// The tags by the names of their languages, in lower case.
static NAMES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("../data/languages.txt").lines().filter(|line| !line.starts_with('#'));
    let languages = lines.filter_map(|line| line.split_once(": "));
    languages.flat_map(|(tag, names)| names.split(", ").map(move |name| (name, tag))).collect()
});

/// The language tag that a record gives, or the tag of the language that it names. `None` if it gives neither.
///
/// Tags are written as BCP 47 recommends (`pt-BR`, `zh-Hant`), so that `pt-br` and `pt_BR` are one language. Whether
/// the language exists is not checked: `qme` and `zxx` are Twitter's for texts without words.
pub fn language_tag(given: Cow<'_, str>) -> Option<Cow<'_, str>> {
    if given.len() == 2 && given.bytes().all(|b| b.is_ascii_lowercase()) {
        return Some(given);
    }
    // pandas writes this for a missing value; in lower case, it is the tag of Min Nan Chinese.
    if given == "NaN" {
        return None;
    }
    let name = given.trim().to_lowercase();
    named(&name).map(Cow::Borrowed).or_else(|| normalize(&name).map(Cow::Owned))
}

/// The tag of the language with this name. A region after it (`english (us)`) is left out, except where the name with
/// its region is known.
fn named(name: &str) -> Option<&'static str> {
    let without_region = || Some(name.split_once('(')?.0.trim_end());
    NAMES.get(name).or_else(|| NAMES.get(without_region()?)).copied()
}

/// A tag in its usual case; `None` for anything else. `null` is no tag: the codes of languages have two or three letters.
fn normalize(tag: &str) -> Option<String> {
    let mut tag = tag.replace('_', "-");
    if let Some((language, rest)) = tag.split_once('-')
        && let Some(short) = named(language)
    {
        tag = format!("{short}-{rest}");
    }
    let mut subtags = tag.split('-');
    let is_language = subtags.next().is_some_and(|language| {
        matches!(language.len(), 2 | 3) && language.bytes().all(|b| b.is_ascii_lowercase())
    });
    let is_subtag =
        |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
    if !is_language || !subtags.all(is_subtag) {
        return None;
    }
    // Extensions and variants of Chinese (`zh-yue`) are beyond the library, and stay as they are.
    Some(tag.parse::<LanguageIdentifier>().map_or(tag, |tag| tag.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_stay_and_names_become_tags() {
        for (given, tag) in [
            ("en", Some("en")),
            ("pt-BR", Some("pt-BR")),
            ("zh-Hant-TW", Some("zh-Hant-TW")),
            ("qme", Some("qme")),
            ("und", Some("und")),
            ("EN", Some("en")),
            ("pt-br", Some("pt-BR")),
            ("pt_BR", Some("pt-BR")),
            ("zh-cn", Some("zh-CN")),
            ("zh-yue", Some("zh-yue")),
            ("en-x-twitter", Some("en-x-twitter")),
            ("eng", Some("en")),
            ("English", Some("en")),
            (" Deutsch ", Some("de")),
            ("日本語", Some("ja")),
            ("Francais", Some("fr")),
            ("English (US)", Some("en")),
            ("Português (Brasil)", Some("pt-BR")),
            ("Português (Portugal)", Some("pt")),
            ("eng-US", Some("en-US")),
            ("NaN", None),
            ("Chinese (Simplified)", Some("zh-CN")),
            ("Simplified Chinese", Some("zh-CN")),
            ("null", None),
            ("", None),
            ("Klingon", None),
            ("-", None),
            ("http://example.com", None),
        ] {
            assert_eq!(language_tag(given.into()).as_deref(), tag, "{given}");
        }
    }
}
