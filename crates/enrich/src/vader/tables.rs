//! All that VADER knows of a word, in one table.
//!
//! The lexicon and the emoji names are the `vader_sentiment` crate's copies of the reference's data
//! files, mended where they differ; the lists of boosters, negations and idioms are the reference's.

use std::sync::LazyLock;

use hashbrown::HashMap;
use vader_sentiment::{EMOJI_LEXICON, LEXICON};

/// What the rules ask of a word.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    /// Mean rating, -4 to 4, if it is in the lexicon.
    pub(super) valence: Option<f64>,
    /// How far it moves the valence of a word after it, if it is a booster or a dampener.
    pub(super) booster: Option<f64>,
    pub(super) negates: bool,
    pub(super) role: Role,
}

/// Words that individual rules look for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Role {
    #[default]
    None,
    Ass,
    At,
    Bad,
    Beating,
    Bomb,
    Bus,
    But,
    Death,
    Die,
    Doubt,
    Enough,
    For,
    Heart,
    Just,
    Kind,
    Kiss,
    Least,
    Never,
    No,
    Nor,
    Of,
    Or,
    Right,
    Shit,
    So,
    Sort,
    Stop,
    The,
    This,
    To,
    Very,
    Without,
    Yeah,
}

const ROLES: &[(&str, Role)] = &[
    ("ass", Role::Ass),
    ("at", Role::At),
    ("bad", Role::Bad),
    ("beating", Role::Beating),
    ("bomb", Role::Bomb),
    ("bus", Role::Bus),
    ("but", Role::But),
    ("death", Role::Death),
    ("die", Role::Die),
    ("doubt", Role::Doubt),
    ("enough", Role::Enough),
    ("for", Role::For),
    ("heart", Role::Heart),
    ("just", Role::Just),
    ("kind", Role::Kind),
    ("kiss", Role::Kiss),
    ("least", Role::Least),
    ("never", Role::Never),
    ("no", Role::No),
    ("nor", Role::Nor),
    ("of", Role::Of),
    ("or", Role::Or),
    ("right", Role::Right),
    ("shit", Role::Shit),
    ("so", Role::So),
    ("sort", Role::Sort),
    ("stop", Role::Stop),
    ("the", Role::The),
    ("this", Role::This),
    ("to", Role::To),
    ("very", Role::Very),
    ("without", Role::Without),
    ("yeah", Role::Yeah),
];

/// The valence of a phrase of two words.
pub(super) fn idiom_pair(words: [Role; 2]) -> Option<f64> {
    match words {
        [Role::The, Role::Shit | Role::Bomb] => Some(3.0),
        [Role::Bad, Role::Ass] => Some(1.5),
        [Role::Bus, Role::Stop] => Some(0.0),
        [Role::Yeah, Role::Right] => Some(-2.0),
        [Role::Beating, Role::Heart] => Some(3.5),
        _ => None,
    }
}

/// The valence of a phrase of three words.
pub(super) fn idiom_triple(words: [Role; 3]) -> Option<f64> {
    match words {
        [Role::Kiss, Role::Of, Role::Death] => Some(-1.5),
        [Role::To, Role::Die, Role::For] => Some(3.0),
        _ => None,
    }
}

/// Dampeners of two words.
pub(super) fn booster_pair(words: [Role; 2]) -> Option<f64> {
    matches!(words, [Role::Just, Role::Enough] | [Role::Kind | Role::Sort, Role::Of])
        .then_some(DAMPEN)
}

const BOOST: f64 = 0.293;
const DAMPEN: f64 = -0.293;

const BOOSTERS: &str = "absolutely amazingly awfully completely considerable considerably decidedly deeply effing \
    enormous enormously entirely especially exceptional exceptionally extreme extremely fabulously flipping flippin \
    frackin fracking fricking frickin frigging friggin fully fuckin fucking fuggin fugging greatly hella highly \
    hugely incredible incredibly intensely major majorly more most particularly purely quite really remarkably so \
    substantially thoroughly total totally tremendous tremendously uber unbelievably unusually utter utterly very";
const DAMPENERS: &str = "almost barely hardly kinda kindof kind-of less little marginal marginally occasional \
    occasionally partly scarce scarcely slight slightly somewhat sorta sortof sort-of";
const NEGATIONS: &str = "aint arent cannot cant couldnt darent didnt doesnt ain't aren't can't couldn't daren't \
    didn't doesn't dont hadnt hasnt havent isnt mightnt mustnt neither don't hadn't hasn't haven't isn't mightn't \
    mustn't neednt needn't never none nope nor not nothing nowhere oughtnt shant shouldnt uhuh wasnt werent oughtn't \
    shan't shouldn't uh-uh wasn't weren't without wont wouldnt won't wouldn't rarely seldom despite";

/// Entries of the reference's lexicon that `vader_sentiment` 0.1.1 lacks or spells differently.
const MISSING: [(&str, f64); 3] = [("heart", 3.2), ("hearts", 3.3), (":p", 1.0)];
/// Entries that the reference's file has in capitals only. It looks words up in lower case, so it never finds them.
const UNREACHABLE: [&str; 2] = [":-þ", ":þ"];

/// No word of the tables is longer, in bytes.
pub(super) const MAX_WORD_BYTES: usize = 24;

/// A word that no table holds.
pub(super) const UNKNOWN: &Word =
    &Word { valence: None, booster: None, negates: false, role: Role::None };

static WORDS: LazyLock<HashMap<&'static [u8], Word>> = LazyLock::new(|| {
    let mut words: HashMap<&'static [u8], Word> = HashMap::with_capacity(8192);
    for (word, valence) in LEXICON.iter() {
        let word: &'static str = word.into_inner();
        // The crate's keys ignore case, ours are in lower case. The new strings are leaked on purpose: the table is
        // built once and lives as long as the program.
        let lower: &'static str = match word.chars().any(char::is_uppercase) {
            true => Box::leak(word.to_lowercase().into_boxed_str()),
            false => word,
        };
        let is_reachable = !lower.contains(char::is_whitespace) && !UNREACHABLE.contains(&lower);
        if is_reachable {
            words.entry(lower.as_bytes()).or_default().valence = Some(*valence);
        }
    }
    for (word, valence) in MISSING {
        words.entry(word.as_bytes()).or_default().valence = Some(valence);
    }
    for word in BOOSTERS.split_whitespace() {
        words.entry(word.as_bytes()).or_default().booster = Some(BOOST);
    }
    for word in DAMPENERS.split_whitespace() {
        words.entry(word.as_bytes()).or_default().booster = Some(DAMPEN);
    }
    for word in NEGATIONS.split_whitespace() {
        words.entry(word.as_bytes()).or_default().negates = true;
    }
    for (word, role) in ROLES {
        words.entry(word.as_bytes()).or_default().role = *role;
    }
    words
});

/// Looks up a word in lower case.
pub(super) fn word(lower: &[u8]) -> &'static Word {
    WORDS.get(lower).unwrap_or(UNKNOWN)
}

/// The emoji that the reference finds. It knows some of several characters too, but looks up single characters only.
pub(super) struct Emoji {
    names: HashMap<char, &'static str>,
}

pub(super) static EMOJI: LazyLock<Emoji> = LazyLock::new(|| {
    let single = |emoji: &str| {
        let mut characters = emoji.chars();
        characters.next().filter(|_| characters.next().is_none())
    };
    let names =
        EMOJI_LEXICON.iter().filter_map(|(emoji, name)| Some((single(emoji)?, name.trim())));
    Emoji { names: names.collect() }
});

impl Emoji {
    /// The English name of an emoji.
    pub(super) fn name(&self, character: char) -> Option<&'static str> {
        // The ranges spare most letters of most scripts the look-up.
        matches!(character, '©' | '®' | '\u{2000}'..='\u{33FF}' | '\u{1F000}'..='\u{1FFFF}')
            .then(|| self.names.get(&character).copied())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_as_large_as_the_reference_s() {
        let n_scored = WORDS.values().filter(|word| word.valence.is_some()).count();
        // 7,492 that a look-up in lower case can find, less four that hold a blank.
        assert_eq!(n_scored, 7_488);
        assert_eq!(EMOJI.names.len(), 1_212);
        assert!(EMOJI.names.keys().all(|emoji| EMOJI.name(*emoji).is_some()));
        assert!(WORDS.keys().all(|word| word.len() <= MAX_WORD_BYTES && word.is_ascii()));
    }
}
