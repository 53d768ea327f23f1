//! What tweets of the API have inside: accounts, places, entities, counts.

use serde::Deserialize;

use super::Tweets;
use crate::json::lenient::{Coordinates, List, Number, Object, Text};

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::json) struct User<'a> {
    #[serde(borrow)]
    pub(in crate::json) id_str: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) id: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) screen_name: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) username: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) name: Text<'a>,
    pub(in crate::json) followers_count: Number,
    pub(in crate::json) public_metrics: Object<PublicMetrics>,
}

/// A v1.1 place, a v2 place, or what v1.1 or v2 calls `geo`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::json) struct Place<'a> {
    #[serde(borrow)]
    pub(in crate::json) id: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) place_id: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) full_name: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) name: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) country: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) country_code: Text<'a>,
    /// v1.1: a polygon of `[lon, lat]`.
    pub(in crate::json) bounding_box: Coordinates,
    /// v1.1 `geo`: `[lat, lon]`; v2 `geo`: a Point of `[lon, lat]`.
    pub(in crate::json) coordinates: Coordinates,
    /// v2: a feature with `bbox` `[west, south, east, north]`.
    pub(in crate::json) geo: Object<Feature>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::json) struct Feature {
    pub(in crate::json) bbox: Coordinates,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::json) struct Entities<'a> {
    #[serde(borrow)]
    pub(in crate::json) hashtags: List<Tag<'a>>,
    #[serde(borrow)]
    pub(in crate::json) user_mentions: List<Mention<'a>>,
    #[serde(borrow)]
    pub(in crate::json) mentions: List<Mention<'a>>,
    #[serde(borrow)]
    pub(in crate::json) symbols: List<Tag<'a>>,
    #[serde(borrow)]
    pub(in crate::json) cashtags: List<Tag<'a>>,
    #[serde(borrow)]
    pub(in crate::json) urls: List<Url<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::json) struct Tag<'a> {
    #[serde(borrow)]
    pub(in crate::json) text: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) tag: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::json) struct Mention<'a> {
    #[serde(borrow)]
    pub(in crate::json) screen_name: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) username: Text<'a>,
    #[serde(borrow, rename = "screenName")]
    pub(in crate::json) archived_name: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::json) struct Url<'a> {
    #[serde(borrow)]
    pub(in crate::json) url: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) expanded_url: Text<'a>,
    #[serde(borrow, rename = "expandedUrl")]
    pub(in crate::json) archived_url: Text<'a>,
}

/// `extended_tweet`, `note_tweet` and the core of an archived note.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::json) struct LongText<'a> {
    #[serde(borrow)]
    pub(in crate::json) full_text: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) text: Text<'a>,
    #[serde(borrow)]
    pub(in crate::json) entities: Object<Entities<'a>>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(default)]
pub(in crate::json) struct PublicMetrics {
    pub(in crate::json) retweet_count: Number,
    pub(in crate::json) like_count: Number,
    pub(in crate::json) reply_count: Number,
    pub(in crate::json) quote_count: Number,
    pub(in crate::json) followers_count: Number,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::json) struct Lists<'a> {
    #[serde(borrow)]
    pub(in crate::json) tweets: Tweets<'a>,
    #[serde(borrow)]
    pub(in crate::json) users: List<User<'a>>,
    #[serde(borrow)]
    pub(in crate::json) places: List<Place<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::json) struct Rule<'a> {
    #[serde(borrow)]
    pub(in crate::json) tag: Text<'a>,
}
