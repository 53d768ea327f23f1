//! Splits text into searchable words as Elasticsearch's `standard` analyzer does (Lucene's `StandardTokenizer`,
//! followed by lowercasing), so that both stores find the same tweets.
//!
//! Words are found by Unicode's word boundaries (UAX #29): each ideograph and each Hiragana letter is a word, each
//! emoji is a word, and so is a whole run of a script that is written without spaces (Thai, Khmer).

use std::iter::Peekable;

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};
use tantivy::Index;
use tantivy::tokenizer::{RawTokenizer, TextAnalyzer, Token, TokenFilter, TokenStream, Tokenizer};
use unicode_segmentation::{UWordBoundIndices, UnicodeSegmentation};

/// The tokenizer of running text.
pub(super) const WORDS: &str = "standard";
/// The tokenizer for exact values that ignore case.
pub(super) const FOLDED: &str = "folded";

/// Longer words are cut into pieces of this many UTF-16 code units.
const MAX_WORD: usize = 255;

pub(super) fn register(index: &Index) {
    let folded = || TextAnalyzer::builder(RawTokenizer::default()).filter(Fold).build();
    index.tokenizers().register(WORDS, TextAnalyzer::builder(Words).filter(Fold).build());
    index.tokenizers().register(FOLDED, folded());
    index.fast_field_tokenizer().register(FOLDED, folded());
}

/// The words of a text, as they are indexed.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut analyzer = TextAnalyzer::builder(Words).filter(Fold).build();
    let mut stream = analyzer.token_stream(text);
    let mut words = Vec::new();
    while stream.advance() {
        words.push(stream.token().text.clone());
    }
    words
}

/// Lowercases a text character by character, as Java does. `İ` is the only character that Rust lowercases to two; the
/// first of them is kept.
pub(super) fn fold(text: &str) -> String {
    text.chars().filter_map(|c| c.to_lowercase().next()).collect()
}

#[derive(Clone)]
struct Fold;

#[derive(Clone)]
struct FoldTokenizer<T>(T);

struct FoldStream<S>(S);

impl TokenFilter for Fold {
    type Tokenizer<T: Tokenizer> = FoldTokenizer<T>;

    fn transform<T: Tokenizer>(self, tokenizer: T) -> FoldTokenizer<T> {
        FoldTokenizer(tokenizer)
    }
}

impl<T: Tokenizer> Tokenizer for FoldTokenizer<T> {
    type TokenStream<'t> = FoldStream<T::TokenStream<'t>>;

    fn token_stream<'t>(&'t mut self, text: &'t str) -> Self::TokenStream<'t> {
        FoldStream(self.0.token_stream(text))
    }
}

impl<S: TokenStream> TokenStream for FoldStream<S> {
    fn advance(&mut self) -> bool {
        if !self.0.advance() {
            return false;
        }
        let text = &mut self.0.token_mut().text;
        if text.is_ascii() {
            text.make_ascii_lowercase();
        } else {
            *text = fold(text);
        }
        true
    }

    fn token(&self) -> &Token {
        self.0.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.0.token_mut()
    }
}

#[derive(Clone)]
struct Words;

struct WordStream<'t> {
    text: &'t str,
    segments: Peekable<UWordBoundIndices<'t>>,
    /// The rest of a word that is longer than [`MAX_WORD`]: its start and end in `text`.
    rest: Option<(usize, usize)>,
    token: Token,
}

impl Tokenizer for Words {
    type TokenStream<'t> = WordStream<'t>;

    fn token_stream<'t>(&'t mut self, text: &'t str) -> WordStream<'t> {
        let segments = text.split_word_bound_indices().peekable();
        WordStream { text, segments, rest: None, token: Token::default() }
    }
}

impl WordStream<'_> {
    /// Returns the start and end of the next word, in bytes.
    fn next(&mut self) -> Option<(usize, usize)> {
        let (start, mut end) = match self.rest.take() {
            Some(rest) => rest,
            None => self.next_whole()?,
        };
        let mut units = 0;
        let too_long = self.text[start..end].char_indices().find(|(_, c)| {
            units += c.len_utf16();
            units > MAX_WORD
        });
        if let Some((length, _)) = too_long {
            self.rest = Some((start + length, end));
            end = start + length;
        }
        Some((start, end))
    }

    fn next_whole(&mut self) -> Option<(usize, usize)> {
        let (start, segment) = self.segments.find(|(_, segment)| is_word(segment))?;
        let mut end = start + segment.len();
        // Unicode leaves finding words in scripts without spaces to dictionaries; here, the whole run is one word.
        let is_part = |segment: &str| segment.chars().all(is_unspaced);
        if is_part(segment) {
            while let Some((next, more)) = self.segments.next_if(|(_, more)| is_part(more)) {
                end = next + more.len();
            }
        }
        Some((start, end))
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((start, end)) = self.next() else { return false };
        self.token.text.clear();
        self.token.text.push_str(&self.text[start..end]);
        self.token.offset_from = start;
        self.token.offset_to = end;
        self.token.position = self.token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// Whether a segment between two word boundaries is a word, and not whitespace or punctuation. Keycaps (`#️⃣`) and
/// flags, which are pairs of regional indicators, are words too.
fn is_word(segment: &str) -> bool {
    // Not `is_alphanumeric`: Lucene does not count ½ and ② as digits, nor a combining mark on its own as a letter.
    let is_letter = |c: char| {
        let category = CodePointMapData::<GeneralCategory>::new().get(c);
        let is_mark = GeneralCategoryGroup::Mark.contains(category);
        category == GeneralCategory::DecimalNumber || c.is_alphabetic() && !is_mark
    };
    segment.chars().any(|c| match c {
        '\0'..='\x7F' => c.is_ascii_alphanumeric(),
        _ => is_letter(c) || is_pictograph(c),
    }) || segment.ends_with('\u{20E3}') && segment.starts_with(['#', '*'])
        || segment.chars().filter(|c| matches!(c, '\u{1F1E6}'..='\u{1F1FF}')).count() > 1
}

/// Whether a character has the Unicode property `Extended_Pictographic` (emoji-data.txt) or is a skin tone modifier.
fn is_pictograph(c: char) -> bool {
    let after = PICTOGRAPHS.partition_point(|&(first, _)| first <= c);
    after > 0 && c <= PICTOGRAPHS[after - 1].1 || matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

#[rustfmt::skip]
const PICTOGRAPHS: [(char, char); 78] = [
    ('\u{A9}', '\u{A9}'), ('\u{AE}', '\u{AE}'), ('\u{203C}', '\u{203C}'), ('\u{2049}', '\u{2049}'),
    ('\u{2122}', '\u{2122}'), ('\u{2139}', '\u{2139}'), ('\u{2194}', '\u{2199}'), ('\u{21A9}', '\u{21AA}'),
    ('\u{231A}', '\u{231B}'), ('\u{2328}', '\u{2328}'), ('\u{2388}', '\u{2388}'), ('\u{23CF}', '\u{23CF}'),
    ('\u{23E9}', '\u{23F3}'), ('\u{23F8}', '\u{23FA}'), ('\u{24C2}', '\u{24C2}'), ('\u{25AA}', '\u{25AB}'),
    ('\u{25B6}', '\u{25B6}'), ('\u{25C0}', '\u{25C0}'), ('\u{25FB}', '\u{25FE}'), ('\u{2600}', '\u{2605}'),
    ('\u{2607}', '\u{2612}'), ('\u{2614}', '\u{2685}'), ('\u{2690}', '\u{2705}'), ('\u{2708}', '\u{2712}'),
    ('\u{2714}', '\u{2714}'), ('\u{2716}', '\u{2716}'), ('\u{271D}', '\u{271D}'), ('\u{2721}', '\u{2721}'),
    ('\u{2728}', '\u{2728}'), ('\u{2733}', '\u{2734}'), ('\u{2744}', '\u{2744}'), ('\u{2747}', '\u{2747}'),
    ('\u{274C}', '\u{274C}'), ('\u{274E}', '\u{274E}'), ('\u{2753}', '\u{2755}'), ('\u{2757}', '\u{2757}'),
    ('\u{2763}', '\u{2767}'), ('\u{2795}', '\u{2797}'), ('\u{27A1}', '\u{27A1}'), ('\u{27B0}', '\u{27B0}'),
    ('\u{27BF}', '\u{27BF}'), ('\u{2934}', '\u{2935}'), ('\u{2B05}', '\u{2B07}'), ('\u{2B1B}', '\u{2B1C}'),
    ('\u{2B50}', '\u{2B50}'), ('\u{2B55}', '\u{2B55}'), ('\u{3030}', '\u{3030}'), ('\u{303D}', '\u{303D}'),
    ('\u{3297}', '\u{3297}'), ('\u{3299}', '\u{3299}'), ('\u{1F000}', '\u{1F0FF}'), ('\u{1F10D}', '\u{1F10F}'),
    ('\u{1F12F}', '\u{1F12F}'), ('\u{1F16C}', '\u{1F171}'), ('\u{1F17E}', '\u{1F17F}'), ('\u{1F18E}', '\u{1F18E}'),
    ('\u{1F191}', '\u{1F19A}'), ('\u{1F1AD}', '\u{1F1E5}'), ('\u{1F201}', '\u{1F20F}'), ('\u{1F21A}', '\u{1F21A}'),
    ('\u{1F22F}', '\u{1F22F}'), ('\u{1F232}', '\u{1F23A}'), ('\u{1F23C}', '\u{1F23F}'), ('\u{1F249}', '\u{1F3FA}'),
    ('\u{1F400}', '\u{1F53D}'), ('\u{1F546}', '\u{1F64F}'), ('\u{1F680}', '\u{1F6FF}'), ('\u{1F774}', '\u{1F77F}'),
    ('\u{1F7D5}', '\u{1F7FF}'), ('\u{1F80C}', '\u{1F80F}'), ('\u{1F848}', '\u{1F84F}'), ('\u{1F85A}', '\u{1F85F}'),
    ('\u{1F888}', '\u{1F88F}'), ('\u{1F8AE}', '\u{1F8FF}'), ('\u{1F90C}', '\u{1F93A}'), ('\u{1F93C}', '\u{1F945}'),
    ('\u{1F947}', '\u{1FAFF}'), ('\u{1FC00}', '\u{1FFFD}'),
];

/// Whether a character has the Unicode line breaking class SA: Thai, Lao, Burmese, Khmer and others.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0E01}'..='\u{0E3A}' | '\u{0E40}'..='\u{0E4E}' | '\u{0E81}'..='\u{0EBD}'
        | '\u{0EC0}'..='\u{0ECE}' | '\u{0EDC}'..='\u{0EDF}' | '\u{1000}'..='\u{103F}'
        | '\u{1050}'..='\u{108F}' | '\u{109A}'..='\u{109F}' | '\u{1780}'..='\u{17D3}'
        | '\u{17D7}' | '\u{17DC}' | '\u{17DD}' | '\u{1950}'..='\u{1974}' | '\u{1980}'..='\u{19C9}'
        | '\u{1A20}'..='\u{1A7C}' | '\u{A9E0}'..='\u{A9EF}' | '\u{A9FA}'..='\u{A9FE}'
        | '\u{AA60}'..='\u{AADF}')
}
