//! Synthetic tweets, before they are written in some format.

use ingest::Timestamp;

use super::places::{CITIES, City};
use super::random::Random;
use super::text::{self, Language, Marketplace};

/// A synthetic tweet.
pub struct Tweet {
    pub(super) id: u64,
    pub(super) created_at: Timestamp,
    pub(super) text: String,
    pub(super) lang: &'static str,
    pub(super) author: User,
    pub(super) marketplace: Option<&'static Marketplace>,
    pub(super) city: Option<&'static City>,
    /// Latitude and longitude, near the city's; `None` if the tweet has no exact position.
    pub(super) position: Option<(f64, f64)>,
    pub(super) retweets: u64,
    pub(super) likes: u64,
    pub(super) relation: Relation,
}

/// How a tweet relates to another one, which has the given id and author.
pub(super) enum Relation {
    None,
    /// It repeats the other tweet.
    Retweet(u64, User),
    Quote(u64),
    Reply(u64, User),
}

/// A synthetic account.
#[derive(Clone, Copy)]
pub(super) struct User {
    pub(super) number: u64,
}

impl User {
    pub(super) fn id(self) -> u64 {
        1_000_000 + self.number * 7_919
    }

    pub(super) fn screen_name(self) -> String {
        let (first, second) = self.words();
        format!("{first}_{second}{}", self.number % 1000)
    }

    pub(super) fn name(self) -> String {
        let (first, second) = self.words();
        let capital = |word: &str| format!("{}{}", word[..1].to_uppercase(), &word[1..]);
        format!("{} {}", capital(first), capital(second))
    }

    pub(super) fn followers(self) -> u64 {
        // Few accounts have many followers.
        20 + 4_000_000 / (1 + self.number.wrapping_mul(2_654_435_761) % 20_000)
    }

    fn words(self) -> (&'static str, &'static str) {
        let n = self.number as usize;
        (
            text::FIRST_NAMES[n % text::FIRST_NAMES.len()],
            text::LAST_NAMES[n / 31 % text::LAST_NAMES.len()],
        )
    }
}

/// Makes the tweets of four weeks, the earliest first. The weeks begin on 2 February 2026, unless [`Tweets::until`]
/// says when they end.
pub struct Tweets {
    random: Random,
    count: u64,
    made: u64,
    start_ms: i64,
    only_marketplaces: bool,
    previous: Option<(u64, User, String, &'static Marketplace)>,
}

const START_MS: i64 = 1_769_990_400_000;
const DAY_MS: i64 = 86_400_000;
const DAYS: i64 = 28;
/// How many tweets are written in each hour of the day (UTC), relative to the other hours.
const HOURS: [u32; 24] =
    [5, 4, 3, 3, 3, 4, 6, 9, 12, 14, 14, 14, 15, 17, 19, 20, 19, 18, 17, 15, 13, 11, 9, 7];

impl Tweets {
    /// `count` tweets. With `only_marketplaces`, all of them mention a marketplace, and some come twice with different
    /// marketplaces, as if two queries had found them.
    pub fn new(count: u64, seed: u64, only_marketplaces: bool) -> Tweets {
        let (random, start_ms) = (Random::new(seed), START_MS);
        Tweets { random, count, made: 0, start_ms, only_marketplaces, previous: None }
    }

    /// Moves the tweets to the four weeks that end at `end`.
    pub fn until(self, end: Timestamp) -> Tweets {
        Tweets { start_ms: end.as_millis() - DAYS * DAY_MS, ..self }
    }

    fn time(&mut self) -> i64 {
        let progress =
            (self.made as f64 + self.random.fraction()) / self.count as f64 * DAYS as f64;
        let first_hour = usize::from(Timestamp::from_millis(self.start_ms).hour());
        let weight = |hour: usize| f64::from(HOURS[(first_hour + hour) % 24]);
        let (day, mut rest) =
            (progress.floor(), progress.fract() * f64::from(HOURS.iter().sum::<u32>()));
        let mut hour = 0;
        while hour < 23 && rest >= weight(hour) {
            rest -= weight(hour);
            hour += 1;
        }
        let in_day = (hour as f64 + (rest / weight(hour)).min(0.999_999)) * 3_600_000.0;
        self.start_ms + (day * DAY_MS as f64 + in_day) as i64
    }
}

impl Iterator for Tweets {
    type Item = Tweet;

    fn next(&mut self) -> Option<Tweet> {
        if self.made == self.count {
            return None;
        }
        let millis = self.time();
        let id = Timestamp::from_millis(millis).to_first_id() | (self.made & 0x3F_FFFF);
        self.made += 1;
        let random = &mut self.random;
        let marketplace =
            (self.only_marketplaces || random.chance(45)).then(|| text::marketplace(random));
        // The same tweet found by a second query.
        if self.only_marketplaces
            && random.chance(2)
            && let Some((id, author, text, first)) = self.previous.take()
        {
            let other = text::MARKETPLACES.iter().find(|m| m.name != first.name);
            return Some(Tweet::plain(id, author, text, other));
        }
        let language: &'static Language = text::language(random);
        let author = User { number: random.next() % 50_000 };
        let city = random.chance(35).then(|| random.pick(CITIES));
        let text = text::write(random, language, marketplace, city);
        let exact = city.filter(|_| random.chance(40));
        let position = exact.map(|city| {
            let mut near =
                |degrees: f64| ((degrees + (random.fraction() - 0.5) / 5.0) * 1e6).round() / 1e6;
            (near(city.lat), near(city.lon))
        });
        let other = User { number: random.next() % 50_000 };
        let other_id = id - ((1 + random.next() % 86_400_000) << 22);
        let relation = match random.below(100) {
            0..18 => Relation::Retweet(other_id, other),
            18..26 => Relation::Quote(other_id),
            26..38 => Relation::Reply(other_id, other),
            _ => Relation::None,
        };
        // Most tweets get few retweets and likes.
        let popularity = 1.0 / (random.fraction() + 0.000_5);
        if let Some(marketplace) = marketplace {
            self.previous = Some((id, author, text.clone(), marketplace));
        }
        Some(Tweet {
            id,
            created_at: Timestamp::from_millis(millis),
            text,
            lang: language.tag,
            author,
            marketplace,
            city,
            position,
            retweets: (popularity / 3.0) as u64,
            likes: popularity as u64 + random.next() % 4,
            relation,
        })
    }
}

impl Tweet {
    fn plain(
        id: u64,
        author: User,
        text: String,
        marketplace: Option<&'static Marketplace>,
    ) -> Tweet {
        Tweet {
            id,
            created_at: Timestamp::from_id(&id.to_string())
                .unwrap_or(Timestamp::from_millis(START_MS)),
            text,
            lang: "en",
            author,
            marketplace,
            city: None,
            position: None,
            retweets: 0,
            likes: 0,
            relation: Relation::None,
        }
    }
}
