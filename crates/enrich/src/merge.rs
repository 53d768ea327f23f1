//! How the deliveries of one tweet become one document, in whatever order they come.
//!
//! A tweet is delivered again by retries, replays and overlapping queries, each time with other counts and sometimes
//! with less in it. Merging is commutative, associative and idempotent, so neither the order of files nor a redelivery
//! from a queue decides what a document says:
//!
//! - **Facts that change** (counts, the author's names, language, place names, `source`) are those of the newest
//!   delivery that states them: the one with the latest `received_at`. A delivery without that time is older than any
//!   with it; of two deliveries that are equally new, the larger value counts.
//! - **Facts that do not change** (text, position, kind, referenced ids) are those of the richest delivery, whenever
//!   it was received: a whole text beats one that was cut, an exact position beats the center of a place, and expanded
//!   links beat `t.co` links.
//! - **Marketplaces** are the union.
//!
//! A delivery that does not state a fact does not erase it. Hashtags, mentions and cashtags belong to the text, so they
//! come from the delivery whose text is kept.

use std::collections::BTreeMap;

use ingest::{Kind, Timestamp};

use crate::document::{Author, Document, Place};
use crate::geo::{GeoSource, Location};
use crate::sentiment::judge;

impl Document {
    /// Takes in another delivery of the same tweet. See the rules at the head of this file.
    pub fn merge(&mut self, other: Document) {
        self.marketplace.extend(other.marketplace);
        self.marketplace.sort_unstable();
        self.marketplace.dedup();

        let mut newest = Newest::new(
            (self.received_at, std::mem::take(&mut self.as_of)),
            (other.received_at, other.as_of),
        );
        let Author { id, screen_name, name, followers } = other.user;
        newest.merge("user.id", &mut self.user.id, id);
        newest.merge("user.screen_name", &mut self.user.screen_name, screen_name);
        newest.merge("user.name", &mut self.user.name, name);
        newest.merge("user.followers", &mut self.user.followers, followers);
        newest.merge("lang", &mut self.lang, other.lang);
        let Place { name, country, country_code } = other.place;
        newest.merge("place.name", &mut self.place.name, name);
        newest.merge("place.country", &mut self.place.country, country);
        newest.merge("place.country_code", &mut self.place.country_code, country_code);
        newest.merge("retweets", &mut self.retweets, other.retweets);
        newest.merge("likes", &mut self.likes, other.likes);
        newest.merge("replies", &mut self.replies, other.replies);
        newest.merge("quotes", &mut self.quotes, other.quotes);
        let mut source = given(std::mem::take(&mut self.source));
        newest.merge("source", &mut source, given(other.source));
        self.source = source.unwrap_or_default();
        (self.received_at, self.as_of) = (newest.received_at, newest.as_of);

        // A time that was read from the id is the same in every delivery. Of two dates of one day, the one without a
        // time of day became midnight, so the later one is the more precise.
        self.timestamp = self.timestamp.max(other.timestamp);
        if position_rank(other.location, other.geo_source)
            > position_rank(self.location, self.geo_source)
        {
            (self.location, self.geo_source) = (other.location, other.geo_source);
        }
        if links_rank(&other.urls, &other.domains) > links_rank(&self.urls, &self.domains) {
            (self.urls, self.domains) = (other.urls, other.domains);
        }
        // The kind is certain only if the id of the other tweet is known. Otherwise it may be a guess from the text.
        let is_told = |ids: [&Option<String>; 3]| ids.into_iter().any(Option::is_some);
        let mine = is_told([&self.in_reply_to, &self.retweet_of, &self.quote_of]);
        let theirs = is_told([&other.in_reply_to, &other.retweet_of, &other.quote_of]);
        if (theirs, kind_rank(other.kind)) > (mine, kind_rank(self.kind)) {
            self.kind = other.kind;
        }
        // These ids are the same in every delivery that states them, so either will do; `max` prefers `Some`.
        self.in_reply_to = self.in_reply_to.take().max(other.in_reply_to);
        self.retweet_of = self.retweet_of.take().max(other.retweet_of);
        self.quote_of = self.quote_of.take().max(other.quote_of);

        if self.text == other.text {
            richer(&mut self.hashtags, other.hashtags);
            richer(&mut self.mentions, other.mentions);
            richer(&mut self.cashtags, other.cashtags);
            if self.sentiment != other.sentiment || self.emoticons != other.emoticons {
                // One of them was judged by another version of this program.
                self.judge_again();
            }
        } else if text_rank(&other.text) > text_rank(&self.text) {
            // What was found in a text goes with it: a tag at the end of a text that was cut may be cut too.
            self.text = other.text;
            self.sentiment = other.sentiment;
            self.emoticons = other.emoticons;
            self.hashtags = other.hashtags;
            self.mentions = other.mentions;
            self.cashtags = other.cashtags;
        }
        self.derive();
    }

    fn judge_again(&mut self) {
        let mut emoticons: Vec<String> = Vec::new();
        self.sentiment = judge(&self.text, |emoticon| {
            if !emoticons.iter().any(|known| known == emoticon) {
                emoticons.push(emoticon.to_owned());
            }
        });
        self.emoticons = emoticons;
    }
}

/// The time at which each fact that changes was received, of the two deliveries that are being merged.
struct Newest {
    mine: Times,
    theirs: Times,
    /// When the newer of the two was received.
    received_at: Option<Timestamp>,
    /// The times of the merged facts that are older than that.
    as_of: BTreeMap<String, Option<Timestamp>>,
}

/// `received_at`, and the times of the facts that come from older deliveries: see [`Document::as_of`].
type Times = (Option<Timestamp>, BTreeMap<String, Option<Timestamp>>);

impl Newest {
    fn new(mine: Times, theirs: Times) -> Newest {
        let received_at = mine.0.max(theirs.0);
        Newest { mine, theirs, received_at, as_of: BTreeMap::new() }
    }

    /// Keeps whichever of two values was received later.
    fn merge<T: Ord>(&mut self, field: &str, mine: &mut Option<T>, theirs: Option<T>) {
        let time = |(received_at, as_of): &Times| as_of.get(field).copied().unwrap_or(*received_at);
        let mut received_at = time(&self.mine);
        if theirs.is_some() {
            let their_time = time(&self.theirs);
            if mine.is_none() || (their_time, &theirs) > (received_at, mine) {
                (*mine, received_at) = (theirs, their_time);
            }
        }
        if mine.is_some() && received_at != self.received_at {
            self.as_of.insert(field.to_owned(), received_at);
        }
    }
}

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Ranks a text: whole texts above those that were cut, originals above retweets (whose text may be cut without an
/// ellipsis), then longer ones above shorter ones.
fn text_rank(text: &str) -> (bool, bool, usize, &str) {
    (!text.ends_with('…'), !text.starts_with("RT @"), text.len(), text)
}

/// Ranks a position: exact ones above the centers of places. Which of two equally good ones wins does not matter, as
/// long as it is always the same one, so they are ordered by their bits (floats themselves have no total order).
fn position_rank(at: Option<Location>, source: Option<GeoSource>) -> (bool, bool, [u64; 2]) {
    let bits = at.map_or([0; 2], |at| [at.lat.to_bits(), at.lon.to_bits()]);
    (at.is_some(), source == Some(GeoSource::Exact), bits)
}

/// Ranks a list of links: the more hosts are known, which takes expanded links, the better.
fn links_rank<'l>(
    urls: &'l [String],
    domains: &'l [String],
) -> (usize, usize, &'l [String], &'l [String]) {
    (domains.len(), urls.len(), urls, domains)
}

/// Keeps the longer of two lists.
fn richer(mine: &mut Vec<String>, theirs: Vec<String>) {
    if (theirs.len(), &theirs) > (mine.len(), mine) {
        *mine = theirs;
    }
}

/// A retweet of a quote is a retweet, and a quote that answers is a quote.
fn kind_rank(kind: Kind) -> u8 {
    match kind {
        Kind::Tweet => 0,
        Kind::Reply => 1,
        Kind::Quote => 2,
        Kind::Retweet => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, enrich};
    use ingest::{Counts, Tweet, User};

    const TEXT: &str = "I love the #AWS Marketplace 👍🏽 https://t.co/a";

    fn delivery(received_at: Option<i64>, likes: Option<u64>) -> Document {
        let mut tweet = Tweet::new("1601645088790257667", Timestamp::from_millis(0), TEXT);
        tweet.counts = Counts { likes, ..Counts::default() };
        let received_at = received_at.map(Timestamp::from_millis);
        enrich(tweet, Origin { source: "a.json", received_at })
    }

    fn merged(deliveries: impl IntoIterator<Item = Document>) -> Document {
        deliveries
            .into_iter()
            .reduce(|mut merged, delivery| {
                merged.merge(delivery);
                merged
            })
            .unwrap()
    }

    #[test]
    fn the_newest_delivery_that_states_a_count_decides_it() {
        for (deliveries, likes) in [
            (vec![(Some(1), Some(5)), (Some(2), Some(100)), (Some(1), Some(5))], 100),
            (vec![(Some(2), Some(5)), (Some(1), Some(100))], 5),
            (vec![(None, Some(100)), (Some(1), Some(5))], 5),
            (vec![(Some(1), Some(5)), (Some(1), Some(7))], 7),
            (vec![(None, Some(5)), (None, Some(7))], 7),
            // The newest delivery does not state the value, so it must not decide which of two older values counts.
            (vec![(Some(1), Some(5)), (Some(3), None), (Some(2), Some(4))], 4),
            (vec![(None, Some(9)), (Some(3), None), (Some(2), Some(4))], 4),
        ] {
            let document = merged(deliveries.iter().map(|&(at, likes)| delivery(at, likes)));
            assert_eq!(document.likes, Some(likes), "{deliveries:?}");
        }
    }

    #[test]
    fn a_poorer_delivery_does_not_make_a_document_poorer() {
        let mut rich = delivery(Some(1), Some(7));
        rich.kind = Kind::Reply;
        rich.in_reply_to = Some("1".into());
        rich.location = Some(Location { lat: 48.85, lon: 2.35 });
        rich.geo_source = Some(GeoSource::Exact);
        rich.urls = vec!["https://aws.amazon.com/x".into()];
        rich.domains = vec!["aws.amazon.com".into()];
        let mut poor = delivery(Some(2), None);
        poor.kind = Kind::Retweet;
        poor.text = "RT @jack: I love…".into();
        poor.hashtags = Vec::new();
        poor.location = Some(Location { lat: 46.0, lon: 2.5 });
        poor.geo_source = Some(GeoSource::Place);
        let mut expected = Document { received_at: poor.received_at, ..rich.clone() };
        expected.as_of.insert("likes".to_owned(), rich.received_at);
        expected.derive();
        assert_eq!(merged([rich.clone(), poor.clone()]), expected);
        assert_eq!(merged([poor, rich]), expected);
    }

    #[test]
    fn a_text_that_an_earlier_version_has_judged_is_judged_again() {
        let mut earlier = delivery(Some(1), None);
        earlier.sentiment.compound = 0.1;
        earlier.emoticons.clear();
        let now = delivery(Some(1), None);
        assert_eq!(merged([earlier.clone(), now.clone()]), now);
        assert_eq!(merged([now.clone(), earlier]), now);
    }

    /// A delivery in which each part is as rich, as poor or as new as chance has it.
    fn by_chance(random: &mut fastrand::Rng) -> Document {
        const TEXTS: [&str; 4] = [TEXT, "I love the #AWS Market…", "RT @jack: I love", "I love it"];
        let mut maybe = |text: &'static str| random.bool().then(|| text.into());
        let mut tweet = Tweet::new("1", Timestamp::from_millis(0), "");
        tweet.user = User {
            id: maybe("1"),
            screen_name: maybe("jack"),
            name: maybe("Jack"),
            followers: None,
        };
        tweet.in_reply_to = maybe("2");
        tweet.quote_of = maybe("3");
        tweet.lang = maybe("en");
        tweet.marketplaces.extend(maybe("AWS"));
        tweet.marketplaces.extend(maybe("Azure"));
        tweet.text = TEXTS[random.usize(..TEXTS.len())].into();
        tweet.created_at = Timestamp::from_millis(random.i64(0..2));
        tweet.kind = [Kind::Tweet, Kind::Reply, Kind::Quote, Kind::Retweet][random.usize(..4)];
        let mut number = || random.bool().then(|| random.u64(..3));
        tweet.user.followers = number();
        tweet.counts =
            Counts { retweets: number(), likes: number(), replies: number(), quotes: number() };
        if random.bool() {
            tweet.entities.urls = Some(vec!["https://aws.amazon.com/x".into()]);
        }
        if random.bool() {
            tweet.entities.hashtags = Some(vec!["aws".into(); random.usize(..2)]);
        }
        if random.bool() {
            let lat = f64::from(random.i32(-9..9));
            tweet.coordinates = Some(ingest::Point { lat, lon: 1.0 });
        }
        let received_at = random.bool().then(|| Timestamp::from_millis(random.i64(0..3)));
        enrich(tweet, Origin { source: ["", "a", "b"][random.usize(..3)], received_at })
    }

    #[test]
    fn any_order_of_any_deliveries_gives_the_same_document() {
        let mut random = fastrand::Rng::with_seed(13);
        for round in 0..2_000 {
            let mut deliveries: Vec<Document> = (0..5).map(|_| by_chance(&mut random)).collect();
            let expected = merged(deliveries.clone());
            for _ in 0..20 {
                random.shuffle(&mut deliveries);
                assert_eq!(merged(deliveries.clone()), expected, "round {round}");
                // In two halves, as two stores or two bulks gather them, and one of them delivered again.
                let half = random.usize(1..deliveries.len());
                let (some, others) = deliveries.split_at(half);
                let halves = [merged(some.to_vec()), merged(others.to_vec()), some[0].clone()];
                assert_eq!(merged(halves), expected, "round {round}");
            }
        }
    }
}
