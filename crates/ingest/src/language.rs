//! Language tags (BCP 47), and the names that tables have in their place.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The tags by the names of their languages, in lower case.
static NAMES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("../data/languages.txt").lines().filter(|line| !line.starts_with('#'));
    let languages = lines.filter_map(|line| line.split_once(": "));
    languages.flat_map(|(tag, names)| names.split(", ").map(move |name| (name, tag))).collect()
});

/// The language tag that a record gives: either a tag as it is, or the tag of the language that it names. `None` if it
/// gives neither.
pub(crate) fn language_tag(given: Cow<'_, str>) -> Option<Cow<'_, str>> {
    if is_tag(&given) {
        return Some(given);
    }
    let name = given.trim().to_lowercase().replace('_', "-");
    if is_tag(&name) {
        return Some(Cow::Owned(name));
    }
    NAMES.get(name.as_str()).map(|tag| Cow::Borrowed(*tag))
}

/// Whether a text has the form of a tag as Twitter writes it, with the language in lower case: `en`, `pt-BR`,
/// `zh-Hant`, `qme`. Whether the language exists is not checked. (`null` is no tag: language codes are shorter.)
fn is_tag(text: &str) -> bool {
    let (language, rest) = text.split_once('-').unwrap_or((text, "x"));
    let is_language =
        matches!(language.len(), 2 | 3) && language.bytes().all(|b| b.is_ascii_lowercase());
    let is_subtag =
        |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
    is_language && rest.split('-').all(is_subtag)
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
            ("pt_BR", Some("pt-br")),
            ("English", Some("en")),
            (" Deutsch ", Some("de")),
            ("日本語", Some("ja")),
            ("Simplified Chinese", Some("zh-cn")),
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
