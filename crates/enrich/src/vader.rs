//! VADER, the lexicon and rules for sentiment in short texts, as vaderSentiment 3.3.2 computes it.
//!
//! Hutto, C.J. & Gilbert, E.E. (2014): VADER: A Parsimonious Rule-based Model for Sentiment Analysis of
//! Social Media Text, <https://doi.org/10.1609/icwsm.v8i1.14550>. The reference is the Python package,
//! quirks included: [`score`] gives its four numbers to the last printed digit, on any text.
//!
//! The reference takes quadratic time on long runs of emoji or repeated words; this implementation takes linear
//! time. One pass splits the text into words and classifies their letters, a single look-up finds everything that the
//! rules need to know about a word, and each thread reuses its buffers.
//!
//! Not covered: letters that Unicode assigned after version 14 (Python 3.11's) may differ in case.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

mod but;
mod tables;
mod words;

use tables::{EMOJI, Role, Word, booster_pair, idiom_pair, idiom_triple};
use words::{Token, split};

/// The four numbers that VADER computes for a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Share of the text that is positive, 0 to 1, three decimals.
    pub pos: f64,
    /// Share of the text that is neutral, 0 to 1, three decimals.
    pub neu: f64,
    /// Share of the text that is negative, 0 to 1, three decimals.
    pub neg: f64,
    /// Everything in one number, -1 to 1, four decimals.
    pub compound: f64,
}

/// What capitals add to the valence of a word, if not all words of the text are in capitals.
const CAPITALS: f64 = 0.733;
/// What a negation multiplies a valence by.
const NEGATION: f64 = -0.74;

#[derive(Default)]
struct Buffers {
    text: String,
    tokens: Vec<Token>,
    valences: Vec<f64>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// Scores `text` as it stands, unlike [`judge`](crate::judge), which first decodes and straightens it.
///
/// ```
/// let scores = enrich::vader::score("VADER is smart, handsome, and funny!");
/// assert_eq!((scores.pos, scores.neu, scores.neg, scores.compound), (0.752, 0.248, 0.0, 0.8439));
/// ```
pub fn score(text: &str) -> Scores {
    BUFFERS.with_borrow_mut(|Buffers { text: spelled, tokens, valences }| {
        let text = if spell_out_emoji(text, spelled) { spelled.as_str() } else { text };
        split(text, tokens);
        valences.clear();
        let n_capitals = tokens.iter().filter(|token| token.is_upper).count();
        let words = Words { tokens, some_capitals: 0 < n_capitals && n_capitals < tokens.len() };
        valences.extend((0..tokens.len()).map(|i| words.valence(i)));
        if let Some(but) = tokens.iter().position(|token| token.word.role == Role::But) {
            but::weigh(valences, but);
        }
        sum_up(valences, text)
    })
}

/// Replaces each emoji by its English name, as the reference does before anything else. Returns
/// whether there was one; if not, `spelled` is left alone.
fn spell_out_emoji(text: &str, spelled: &mut String) -> bool {
    if text.is_ascii() {
        return false;
    }
    let mut copied = 0;
    let mut found = false;
    for (at, character) in text.char_indices() {
        let Some(name) = EMOJI.name(character) else { continue };
        if !found {
            spelled.clear();
            found = true;
        }
        spelled.push_str(&text[copied..at]);
        // As in the reference, the name gets a blank before it unless there is one already, but none after it:
        // `😀hi` becomes `grinning facehi`.
        if !spelled.is_empty() && (copied == at || !spelled.ends_with(' ')) {
            spelled.push(' ');
        }
        spelled.push_str(name);
        copied = at + character.len_utf8();
    }
    if found {
        spelled.push_str(&text[copied..]);
    }
    found
}

struct Words<'t> {
    tokens: &'t [Token],
    /// Whether some words, but not all, are in capitals.
    some_capitals: bool,
}

impl Words<'_> {
    /// The word `back` places before the one at `i`.
    fn before(&self, i: usize, back: usize) -> &'static Word {
        self.tokens[i - back].word
    }

    fn role_before(&self, i: usize, back: usize) -> Role {
        if i < back { Role::None } else { self.before(i, back).role }
    }

    fn role_after(&self, i: usize, ahead: usize) -> Role {
        self.tokens.get(i + ahead).map_or(Role::None, |token| token.word.role)
    }

    fn valence(&self, i: usize) -> f64 {
        let token = &self.tokens[i];
        let Word { valence: Some(lexicon), booster: None, role, .. } = *token.word else {
            return 0.0;
        };
        if role == Role::Kind && self.role_after(i, 1) == Role::Of {
            return 0.0;
        }
        let mut valence = lexicon;
        // `no` negates the word of the lexicon after it, and then has no valence of its own.
        if role == Role::No
            && self.tokens.get(i + 1).is_some_and(|next| next.word.valence.is_some())
        {
            valence = 0.0;
        }
        let no_or = self.role_before(i, 3) == Role::No
            && matches!(self.role_before(i, 1), Role::Or | Role::Nor);
        if self.role_before(i, 1) == Role::No || self.role_before(i, 2) == Role::No || no_or {
            valence = lexicon * NEGATION;
        }
        if token.is_upper && self.some_capitals {
            valence += if valence > 0.0 { CAPITALS } else { -CAPITALS };
        }
        for (back, damping) in [(1, 1.0), (2, 0.95), (3, 0.9)] {
            if i < back || self.before(i, back).valence.is_some() {
                continue;
            }
            let boost = self.boost(i - back, valence);
            valence += if back == 1 { boost } else { boost * damping };
            valence = self.negated(i, back, valence);
            if back == 3 {
                valence = self.idioms(i, valence);
            }
        }
        self.least(i, valence)
    }

    /// How far the booster or dampener at `i` moves a valence.
    fn boost(&self, i: usize, valence: f64) -> f64 {
        let Some(mut boost) = self.tokens[i].word.booster else { return 0.0 };
        if valence < 0.0 {
            boost *= -1.0;
        }
        if self.tokens[i].is_upper && self.some_capitals {
            boost += if valence > 0.0 { CAPITALS } else { -CAPITALS };
        }
        boost
    }

    /// What a negation `back` words before `i` makes of the valence.
    fn negated(&self, i: usize, back: usize, valence: f64) -> f64 {
        let is_so = |role| matches!(role, Role::So | Role::This);
        let role = |back| self.before(i, back).role;
        // `never so` and `never this` emphasize. With three words, the reference means to ask for `never` before `so`
        // or `this`, but its `and` binds more tightly than its `or`, which is reproduced here.
        let emphatic = match back {
            2 => role(2) == Role::Never && is_so(role(1)),
            3 => role(3) == Role::Never && is_so(role(2)) || is_so(role(1)),
            _ => false,
        };
        if emphatic {
            return valence * 1.25;
        }
        let no_doubt = match back {
            2 => role(2) == Role::Without && role(1) == Role::Doubt,
            3 => role(3) == Role::Without && (role(2) == Role::Doubt || role(1) == Role::Doubt),
            _ => false,
        };
        if !no_doubt && self.tokens[i - back].negates { valence * NEGATION } else { valence }
    }

    /// Handles phrases whose meaning differs from that of their words. Like the reference, it is used only if there
    /// are at least three words before `i`.
    fn idioms(&self, i: usize, mut valence: f64) -> f64 {
        let [three, two, one, zero] = [3, 2, 1, 0].map(|back| self.before(i, back).role);
        let special = idiom_pair([one, zero])
            .or_else(|| idiom_triple([two, one, zero]))
            .or_else(|| idiom_pair([two, one]))
            .or_else(|| idiom_triple([three, two, one]))
            .or_else(|| idiom_pair([three, two]));
        valence = special.unwrap_or(valence);
        let (next, after) = (self.role_after(i, 1), self.role_after(i, 2));
        valence = idiom_pair([zero, next]).unwrap_or(valence);
        valence = idiom_triple([zero, next, after]).unwrap_or(valence);
        for pair in [[three, two], [two, one]] {
            valence += booster_pair(pair).unwrap_or(0.0);
        }
        valence
    }

    /// `least` negates, unless it is `at least` or `very least`.
    fn least(&self, i: usize, valence: f64) -> f64 {
        let follows_least = self.role_before(i, 1) == Role::Least;
        let at_least = matches!(self.role_before(i, 2), Role::At | Role::Very);
        if follows_least && !at_least { valence * NEGATION } else { valence }
    }
}

fn sum_up(valences: &[f64], text: &str) -> Scores {
    if valences.is_empty() {
        return Scores::default();
    }
    let emphasis = punctuation_emphasis(text);
    let mut sum: f64 = valences.iter().sum();
    if sum > 0.0 {
        sum += emphasis;
    } else if sum < 0.0 {
        sum -= emphasis;
    }
    // 15 is the reference's `alpha`, with which it maps the sum into the range from -1 to 1.
    let compound = (sum / (sum * sum + 15.0).sqrt()).clamp(-1.0, 1.0);

    let (mut positive, mut negative, mut neutral) = (0.0, 0.0, 0.0);
    for &valence in valences {
        // The one compensates for neutral words, which count one.
        if valence > 0.0 {
            positive += valence + 1.0;
        } else if valence < 0.0 {
            negative += valence - 1.0;
        } else {
            neutral += 1.0;
        }
    }
    if positive > f64::abs(negative) {
        positive += emphasis;
    } else if positive < f64::abs(negative) {
        negative -= emphasis;
    }
    let total = positive + f64::abs(negative) + neutral;
    Scores {
        pos: round(f64::abs(positive / total), 3),
        neu: round(f64::abs(neutral / total), 3),
        neg: round(f64::abs(negative / total), 3),
        compound: round(compound, 4),
    }
}

fn punctuation_emphasis(text: &str) -> f64 {
    let count = |mark| memchr::memchr_iter(mark, text.as_bytes()).count();
    let exclamation = count(b'!').min(4) as f64 * 0.292;
    let question = match count(b'?') {
        0 | 1 => 0.0,
        n @ 2..=3 => n as f64 * 0.18,
        _ => 0.96,
    };
    exclamation + question
}

/// Rounds to `digits` decimals as Python does: the decimal nearest to the exact value, ties to even.
fn round(value: f64, digits: usize) -> f64 {
    let scale = [1.0, 10.0, 100.0, 1e3, 1e4][digits];
    let scaled = value * scale;
    let from_tie = f64::abs(f64::abs(scaled.fract()) - 0.5);
    if from_tie > 1e-6 {
        return scaled.round() / scale;
    }
    // So close to a tie that the rounding error of the product could decide it. Formatting works on the exact value.
    format!("{value:.digits$}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values are the output of Python's vaderSentiment 3.3.2.
    #[track_caller]
    fn check(text: &str, pos: f64, neu: f64, neg: f64, compound: f64) {
        assert_eq!(score(text), Scores { pos, neu, neg, compound }, "{text}");
    }

    #[test]
    fn the_reference_s_own_examples() {
        check("VADER is smart, handsome, and funny.", 0.746, 0.254, 0.0, 0.8316);
        check(
            "VADER is VERY SMART, uber handsome, and FRIGGIN FUNNY!!!",
            0.706,
            0.294,
            0.0,
            0.9469,
        );
        check("VADER is not smart, handsome, nor funny.", 0.0, 0.354, 0.646, -0.7424);
        check("At least it isn't a horrible book.", 0.322, 0.678, 0.0, 0.431);
        check("Today only kinda sux! But I'll get by, lol", 0.317, 0.556, 0.127, 0.5249);
        check("Catch utf-8 emoji such as 💘 and 💋 and 😁", 0.417, 0.583, 0.0, 0.875);
    }

    #[test]
    fn nothing_scores_nothing() {
        check("", 0.0, 0.0, 0.0, 0.0);
        check(" \u{1c}\u{3000} ", 0.0, 0.0, 0.0, 0.0);
    }

    #[test]
    fn rounding_is_to_the_nearest_decimal_and_ties_go_to_even() {
        for (value, expected) in
            [(0.0625, 0.062), (0.1875, 0.188), (0.0005, 0.001), (0.2675, 0.268), (-0.0625, -0.062)]
        {
            assert_eq!(round(value, 3), expected);
        }
    }
}
