//! How text becomes words to search: by Unicode's word boundaries (UAX #29) and in lower case, as
//! Elasticsearch's `standard` analyzer does it, but that emoji are no words here.

use tantivy::Index;
use tantivy::tokenizer::{LowerCaser, RawTokenizer, TextAnalyzer, Token, TokenStream, Tokenizer};
use unicode_segmentation::{UnicodeSegmentation, UnicodeWordIndices};

/// The tokenizer of running text.
pub(super) const WORDS: &str = "words";
/// The tokenizer of exact values whose capitals do not matter.
pub(super) const FOLDED: &str = "folded";

/// Longer words are cut, in characters.
const MAX_WORD: usize = 255;

pub(super) fn register(index: &Index) {
    let folded = || TextAnalyzer::builder(RawTokenizer::default()).filter(LowerCaser).build();
    index.tokenizers().register(WORDS, TextAnalyzer::builder(Words).filter(LowerCaser).build());
    index.tokenizers().register(FOLDED, folded());
    index.fast_field_tokenizer().register(FOLDED, folded());
}

/// The words of a text, as they are indexed.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut analyzer = TextAnalyzer::builder(Words).filter(LowerCaser).build();
    let mut stream = analyzer.token_stream(text);
    let mut words = Vec::new();
    while stream.advance() {
        words.push(stream.token().text.clone());
    }
    words
}

#[derive(Clone)]
struct Words;

struct WordStream<'t> {
    words: UnicodeWordIndices<'t>,
    token: Token,
}

impl Tokenizer for Words {
    type TokenStream<'t> = WordStream<'t>;

    fn token_stream<'t>(&'t mut self, text: &'t str) -> WordStream<'t> {
        WordStream { words: text.unicode_word_indices(), token: Token::default() }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((start, word)) = self.words.next() else { return false };
        let word = match word.char_indices().nth(MAX_WORD) {
            Some((end, _)) => &word[..end],
            None => word,
        };
        self.token.text.clear();
        self.token.text.push_str(word);
        self.token.offset_from = start;
        self.token.offset_to = start + word.len();
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
