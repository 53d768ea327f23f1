//! What only real servers can show: the same words, crashes survived, rights and mappings respected.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use indexer::cli::StoreArg;
use indexer::store::{Filter, Load, Store, TextQuery};
use serde_json::json;
use tests::{ELASTICSEARCH, Server, Workplace};

fn workplace() -> Workplace {
    Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"))
}

fn open(store: &str) -> Store {
    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        store: StoreArg,
    }
    let arguments: Arguments = clap::Parser::parse_from(["indexer", "--store", store]);
    Store::open(&arguments.store.address(Load::default()).unwrap()).unwrap()
}

fn count(store: &Store, query: &str) -> u64 {
    store.count(&Filter { text: TextQuery::parse(query), ..Filter::default() }).unwrap()
}

/// Texts whose words are hard to tell apart.
const HARD: [&str; 14] = [
    "don't panic: re:Invent, a.b, x_y, 3.5, 1,000 e.g. U.S.A. can’t foo·bar _under_ __",
    "🚀 launch 👨‍👩‍👧 🇵🇹 🇵 #️⃣ 1️⃣ ❤️ ❤ © ™ ★ ☞ 👍🏽x ♢",
    "東京の天気 カタカナ ｶﾀｶﾅ 한국어",
    "ภาษาไทย ភាសាខ្មែរ ພາສາລາວ မြန်မာ ไทยabc",
    "İstanbul ΣΊΣΥΦΟΣ straße ŒUVRE Ⓐ ½ ② ²",
    "اللـه ۖ ورسوله שָׁלוֹם صلى‌الله",
    "naïve cafe\u{301} co\u{AD}operate zero\u{200B}width joined\u{2060}word",
    "https://t.co/aB3?x=1 user@example.com C++ C# .NET AT&T 50% $9.99 #AWS @jack",
    "don’t ‘quoted’ “double” rock'n'roll O'Reilly's 'tis",
    "l'été aujourd’hui d'accord",
    "हिन्दी తెలుగు தமிழ் বাংলা",
    "ᏣᎳᎩ ⵜⴰⵎⴰⵣⵉⵖⵜ 𝒜𝓫 𝟙𝟚 𐐷",
    "a\u{0}b tab\tnew\nline\r\nreturn \u{FEFF}bom",
    "end…of…words—dashes–and-hyphens/slashes\\back|pipes",
];

#[test]
fn both_stores_find_the_same_words_and_phrases() {
    let Some(server) = Server::start(ELASTICSEARCH) else { return };
    let workplace = workplace();
    let long = format!("{} {}", "a".repeat(300), "é".repeat(600));
    let texts: Vec<&str> = HARD.into_iter().chain([long.as_str()]).collect();
    let tweets: String = (0_u64..)
        .zip(&texts)
        .map(|(i, text)| {
            let id = 1_601_645_088_790_257_667 + (i << 22);
            json!({ "id_str": id.to_string(), "text": text, "user": {} }).to_string() + "\n"
        })
        .collect();
    workplace.file("tweets.ndjson", tweets);
    for store in ["tweets-index", &server.url()] {
        let output = workplace.run(["backfill", "tweets.ndjson", "--store", store]);
        assert!(output.status.success(), "{output:?}");
    }
    let stores = [workplace.path("tweets-index").display().to_string(), server.url()];
    let [embedded, elasticsearch] = stores.map(|store| open(&store));
    for text in texts {
        let asked = json!({ "analyzer": "standard", "text": text }).to_string();
        let answer = server.ask("GET", "/_analyze", &asked);
        let words: Vec<&str> = answer["tokens"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|token| token["token"].as_str())
            .collect();
        let pairs = words.windows(2).map(|pair| pair.join(" "));
        for words in words.iter().map(|&word| word.to_owned()).chain(pairs) {
            let query = format!("\"{words}\"");
            let expected = count(&elasticsearch, &query);
            assert_eq!(count(&embedded, &query), expected, "{words:?} of {text:?}");
        }
    }
}
