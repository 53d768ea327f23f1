//! Which cloud marketplaces a tweet is about.

use std::borrow::Cow;
use std::sync::LazyLock;

use hashbrown::HashMap;
use ingest::Tweet;
use memchr::memmem;

/// One way to write a marketplace: its name, and the words in lower case.
struct Spelling {
    marketplace: &'static str,
    words: Vec<&'static str>,
}

/// The spellings by their first word.
static SPELLINGS: LazyLock<HashMap<&'static str, Vec<Spelling>>> = LazyLock::new(|| {
    let lines =
        include_str!("../data/marketplaces.txt").lines().filter(|line| !line.starts_with('#'));
    let mut spellings: HashMap<_, Vec<_>> = HashMap::new();
    for (marketplace, words) in lines.filter_map(|line| line.split_once(": ")) {
        let words: Vec<_> = words.split(' ').collect();
        spellings.entry(words[0]).or_default().push(Spelling { marketplace, words });
    }
    spellings
});

/// The marketplaces of a tweet: those that its record and the rules it matched name; or else the one that the user says
/// to assume; or else those that its text mentions.
pub(crate) fn marketplaces(tweet: &Tweet<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |name: Cow<'_, str>| {
        if !name.is_empty() && !found.iter().any(|known| *known == name) {
            found.push(name.into_owned());
        }
    };
    for given in &tweet.marketplaces {
        add(canonical(given).map_or(Cow::Borrowed(given.trim()), Cow::Borrowed));
    }
    for tag in &tweet.rule_tags {
        canonical(tag).into_iter().for_each(|name| add(name.into()));
        // A rule may be named after its query: `"aws marketplace" -is:retweet`.
        in_text(tag, |name| add(name.into()));
    }
    if found.is_empty()
        && let Some(assumed) = &tweet.assumed_marketplace
    {
        found.push(canonical(assumed).map_or_else(|| assumed.trim().to_owned(), str::to_owned));
    }
    if found.is_empty() {
        in_text(&tweet.text, |name| {
            if !found.iter().any(|known| known == name) {
                found.push(name.to_owned());
            }
        });
    }
    found.sort_unstable();
    found
}

/// The name that documents have for a marketplace that a column, a rule or the user calls `AWS`, `amazon`, `Google
/// Cloud` and so on; `None` if the marketplace is not a known one.
pub fn canonical(name: &str) -> Option<&'static str> {
    let folded = name.trim().to_ascii_lowercase();
    match folded.trim_end_matches("marketplace").trim_end() {
        "aws" | "amazon" | "amazon web services" => Some("AWS"),
        "azure" | "microsoft" | "microsoft azure" => Some("Azure"),
        "gcp" | "google" | "google cloud" | "google cloud platform" => Some("GCP"),
        _ => None,
    }
}

/// Calls `found` for each spelling of a marketplace in `text`.
fn in_text(text: &str, mut found: impl FnMut(&'static str)) {
    // All spellings contain "market" and most tweets do not, so most tweets need no splitting into words.
    let lower = text.to_ascii_lowercase();
    if memmem::find(lower.as_bytes(), b"market").is_none() {
        return;
    }
    let words: Vec<&str> = words(&lower).collect();
    for (i, word) in words.iter().enumerate() {
        for spelling in SPELLINGS.get(word).into_iter().flatten() {
            if words[i..].starts_with(&spelling.words) {
                found(spelling.marketplace);
            }
        }
    }
}

/// The words of a text, without `'s` and without links.
fn words(lower: &str) -> impl Iterator<Item = &str> {
    let tokens = lower.split_whitespace().filter(|token| !token.contains("://"));
    let words = tokens
        .flat_map(|token| token.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’'));
    words
        .map(|word| {
            let owner = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s"));
            owner.unwrap_or(word).trim_matches(['\'', '’'])
        })
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::Timestamp;

    #[track_caller]
    fn check(given: &[&'static str], tags: &[&'static str], text: &'static str, expected: &[&str]) {
        let mut tweet = Tweet::new("1", Timestamp::from_millis(0), text);
        tweet.marketplaces = given.iter().map(|&name| name.into()).collect();
        tweet.rule_tags = tags.iter().map(|&tag| tag.into()).collect();
        assert_eq!(marketplaces(&tweet), expected, "{text}");
    }

    #[test]
    fn the_record_s_own_word_comes_first() {
        check(&["AWS"], &[], "Azure Marketplace", &["AWS"]);
        check(&["google cloud"], &[], "", &["GCP"]);
        check(&["Oracle"], &[], "", &["Oracle"]);
        check(&[], &["azure marketplace -is:retweet"], "AWS Marketplace", &["Azure"]);
        check(&[], &["cats"], "AWS Marketplace", &["AWS"]);
    }

    #[test]
    fn marketplaces_are_found_however_they_are_written() {
        check(&[], &[], "now on #AWS #Marketplace and Azure's Marketplace", &["AWS", "Azure"]);
        check(&[], &[], "#GCPMarketplace, AWS-Marketplace", &["AWS", "GCP"]);
        check(&[], &[], "Google Cloud Platform MARKETPLACE", &["GCP"]);
        check(&[], &[], "the Amazon Web Services marketplace", &["AWS"]);
        check(&[], &[], "AWS Market Place, #AWS #Market #Place", &["AWS"]);
        check(&[], &[], "an NFT marketplace", &[]);
        check(&[], &[], "https://aws.amazon.com/marketplace", &[]);
        check(&[], &[], "I sold it on Facebook Marketplace via AWS", &[]);
    }
}
