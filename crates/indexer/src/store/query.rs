//! The syntax of the search box: words, "phrases", #tags, @users, $symbols, emoji and field:value, each of which is
//! excluded if it has a - before it.

use std::borrow::Cow;

use enrich::canonical_marketplace;
use ingest::language_tag;

use super::Keyword;

/// A parsed search text. Documents must meet all of its clauses; without clauses, every document matches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextQuery {
    /// The parts, in order.
    pub clauses: Vec<Clause>,
}

/// A part of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Whether documents that meet the criterion are excluded.
    pub negated: bool,
    /// What is looked for.
    pub criterion: Criterion,
}

/// What a part of a query looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Criterion {
    /// Words next to each other in the text, in this order.
    Phrase(String),
    /// A field has the value.
    Term(Keyword, String),
    /// The user with this handle wrote the tweet or is mentioned in it.
    Account(String),
}

impl TextQuery {
    /// Parses what a user typed. This never fails: anything that has no special meaning is searched for as words.
    pub fn parse(typed: &str) -> TextQuery {
        let mut clauses = Vec::new();
        let mut rest = typed.trim_start();
        while !rest.is_empty() {
            let negated =
                rest.starts_with('-') && rest[1..].starts_with(|c: char| !c.is_whitespace());
            rest = &rest[usize::from(negated)..];
            let (part, quoted, length) = part(rest);
            rest = rest[length..].trim_start();
            if let Some(criterion) = criterion(part, quoted) {
                clauses.push(Clause { negated, criterion });
            }
        }
        TextQuery { clauses }
    }
}

/// Reads the next part. Returns its text, whether it is quoted as a whole, and its length in bytes, quotes included.
fn part(text: &str) -> (&str, bool, usize) {
    if let Some(quoted) = text.strip_prefix('"') {
        let end = quoted.find('"').unwrap_or(quoted.len());
        return (&quoted[..end], true, (end + 2).min(text.len()));
    }
    // `place:"San Francisco"` is one part.
    let mut in_quotes = false;
    let end = text.find(|c: char| {
        in_quotes ^= c == '"';
        c.is_whitespace() && !in_quotes
    });
    let end = end.unwrap_or(text.len());
    (&text[..end], false, end)
}

fn criterion(part: &str, quoted: bool) -> Option<Criterion> {
    if part.trim().is_empty() {
        return None;
    }
    let phrase = || Some(Criterion::Phrase(part.to_owned()));
    if quoted {
        return phrase();
    }
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if let Some(tag) = part.strip_prefix('#').filter(|tag| is_name(tag)) {
        return Some(Criterion::Term(Keyword::Hashtags, tag.to_owned()));
    }
    if let Some(user) = part.strip_prefix('@').filter(|user| is_name(user)) {
        return Some(Criterion::Account(user.to_owned()));
    }
    if let Some(symbol) = part
        .strip_prefix('$')
        .filter(|symbol| symbol.starts_with(|c: char| c.is_ascii_alphabetic()))
    {
        return Some(Criterion::Term(Keyword::Cashtags, symbol.to_owned()));
    }
    if let Some((name, value)) = part.split_once(':')
        && let Some(field) = Keyword::from_name(name)
        && !value.is_empty()
    {
        let value = value.trim_matches('"').trim_start_matches('@');
        // These fields have a fixed set of values, so the user's spelling can be normalized to the one that is indexed.
        let value = match field {
            Keyword::CountryCode => value.to_uppercase(),
            Keyword::Lang => {
                language_tag(value.into()).map_or_else(|| value.to_owned(), Cow::into_owned)
            }
            Keyword::Label | Keyword::Kind | Keyword::Method => value.to_lowercase(),
            Keyword::Marketplace => canonical_marketplace(value).unwrap_or(value).to_owned(),
            _ => value.to_owned(),
        };
        return Some(Criterion::Term(field, value));
    }
    // Emoji are searched for in the field of emoticons, where they are indexed without skin tones.
    if !part.contains(char::is_alphanumeric) && !part.is_ascii() {
        let mut emoji = None;
        enrich::judge(part, |found| emoji = Some(found.to_owned()));
        return emoji.map(|emoji| Criterion::Term(Keyword::Emoticons, emoji)).or_else(phrase);
    }
    phrase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_what_a_search_box_takes() {
        let query = TextQuery::parse(
            r##"cloud "data lake" -price #AWS -@jack lang:en place:"New York" re:Invent $AMZN 👍🏽 - " "##,
        );
        let term = |field, value: &str| Criterion::Term(field, value.into());
        let expected = [
            (false, Criterion::Phrase("cloud".into())),
            (false, Criterion::Phrase("data lake".into())),
            (true, Criterion::Phrase("price".into())),
            (false, term(Keyword::Hashtags, "AWS")),
            (true, Criterion::Account("jack".into())),
            (false, term(Keyword::Lang, "en")),
            (false, term(Keyword::PlaceName, "New York")),
            (false, Criterion::Phrase("re:Invent".into())),
            (false, term(Keyword::Cashtags, "AMZN")),
            (false, term(Keyword::Emoticons, "👍")),
            (false, Criterion::Phrase("-".into())),
        ];
        let clauses: Vec<_> =
            query.clauses.into_iter().map(|clause| (clause.negated, clause.criterion)).collect();
        assert_eq!(clauses, expected);
        assert_eq!(TextQuery::parse("  "), TextQuery::default());
    }
}
