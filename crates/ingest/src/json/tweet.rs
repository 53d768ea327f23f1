//! Turns a record in the schemas of the API, v1.1 or v2, into a tweet.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use super::lenient::{Coordinates, List, Text};
use super::mend::mend;
use super::note::ArchivedNote;
use super::schema::{self, Lists, Record, Tweets};
use crate::identity::{Claims, Date, identify};
use crate::language::language_tag;
use crate::text::unescape_entities;
use crate::{
    BoundingBox, Counts, Entities, Field, Kind, Options, Place, Point, Tweet, Unread, User,
};

/// What a page's tweets refer to, by id.
#[derive(Default)]
pub(super) struct Includes<'i, 'a> {
    users: HashMap<&'i str, &'i schema::User<'a>>,
    places: HashMap<&'i str, &'i schema::Place<'a>>,
    tweets: RefCell<HashMap<Cow<'i, str>, Included<'a>>>,
}

/// A tweet that others of a page refer to. It is parsed when it is first referred to, and then only what retweets take
/// from it is kept: most of a page's tweets are referred to by none.
enum Included<'a> {
    Text(&'a str),
    Read(Option<Box<Original<'a>>>),
}

/// What a retweet takes from its original.
#[derive(Clone)]
struct Original<'a> {
    id: Option<Cow<'a, str>>,
    text: Option<Cow<'a, str>>,
    entities: Option<Entities<'a>>,
}

impl<'a> Original<'a> {
    fn of(record: &Record<'a>) -> Original<'a> {
        let (text, entities) = full_text(record).unzip();
        Original { id: record.id(), text, entities: entities.flatten().map(read_entities) }
    }

    fn parse(text: &'a str) -> Option<Box<Original<'a>>> {
        if let Ok(record) = serde_json::from_str::<Record<'_>>(text) {
            return Some(Box::new(Original::of(&record)));
        }
        let mended = mend(text)?;
        let record = serde_json::from_str::<Record<'_>>(&mended).ok()?;
        Some(Box::new(Original::of(&record).into_owned()))
    }

    fn into_owned(self) -> Original<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let all = |list: Option<Vec<Cow<'_, str>>>| {
            list.map(|list| list.into_iter().map(owned).collect::<Vec<_>>())
        };
        Original {
            id: self.id.map(owned),
            text: self.text.map(owned),
            entities: self.entities.map(|entities| Entities {
                hashtags: all(entities.hashtags),
                mentions: all(entities.mentions),
                cashtags: all(entities.cashtags),
                urls: all(entities.urls),
            }),
        }
    }
}

impl<'i, 'a> Includes<'i, 'a> {
    pub(super) fn new(lists: &'i Lists<'a>) -> Includes<'i, 'a> {
        let tweets = match &lists.tweets {
            Tweets::None => HashMap::new(),
            Tweets::One(tweet) => {
                let read = Included::Read(Some(Box::new(Original::of(tweet))));
                tweet.id().map(|id| (id, read)).into_iter().collect()
            }
            Tweets::Many(texts) => {
                texts.iter().filter_map(|text| Some((id_of(text)?, Included::Text(text)))).collect()
            }
        };
        Includes {
            users: by_id(&lists.users, |user| user.id.0.as_deref()),
            places: by_id(&lists.places, |place| place.id.0.as_deref()),
            tweets: RefCell::new(tweets),
        }
    }

    fn tweet(&self, id: &str) -> Option<Original<'a>> {
        let mut tweets = self.tweets.borrow_mut();
        let included = tweets.get_mut(id)?;
        if let Included::Text(text) = *included {
            *included = Included::Read(Original::parse(text));
        }
        match included {
            Included::Read(original) => original.as_deref().cloned(),
            Included::Text(_) => None,
        }
    }
}

/// The id of a record, without reading the rest of it.
fn id_of(text: &str) -> Option<Cow<'_, str>> {
    #[derive(serde::Deserialize)]
    struct Identified<'t> {
        #[serde(borrow)]
        id: Text<'t>,
    }
    if let Ok(identified) = serde_json::from_str::<Identified<'_>>(text) {
        return identified.id.0;
    }
    let mended = mend(text)?;
    let id = serde_json::from_str::<Identified<'_>>(&mended).ok()?.id.0?;
    Some(Cow::Owned(id.into_owned()))
}

fn by_id<'i, T>(
    list: &'i List<T>,
    id: impl Fn(&'i T) -> Option<&'i str>,
) -> HashMap<&'i str, &'i T> {
    list.0.iter().flatten().filter_map(|item| Some((id(item)?, item))).collect()
}

/// Reads one tweet. The error says why the record is not one.
pub(super) fn read<'a, 'p: 'a>(
    record: &Record<'a>,
    includes: &Includes<'_, 'p>,
    options: &Options,
) -> Result<Tweet<'a>, String> {
    let reference = |kind: &str| {
        record
            .referenced_tweets
            .0
            .iter()
            .flatten()
            .find(|tweet| tweet.type_.0.as_deref() == Some(kind))
    };
    let retweeted = reference("retweeted");
    // A retweet's own text may be cut; only the original has all of it. In v1.1 and flattened v2, the original is
    // nested in the record. On a v2 page, it is one of the includes.
    let nested = record.retweeted_status.0.as_deref().filter(|tweet| full_text(tweet).is_some());
    let original = nested.map(Original::of).or_else(|| {
        let reference = retweeted?;
        let included = reference.id.0.as_deref().and_then(|id| includes.tweet(id));
        let flattened = Some(reference).filter(|tweet| tweet.text.0.is_some());
        included.or_else(|| flattened.map(Original::of))
    });
    let is_retweet = original.is_some();
    let (original_id, text, entities) = match original {
        Some(Original { id, text, entities }) => (id, text, entities),
        None => {
            let (text, entities) = full_text(record).unzip();
            (None, text, entities.flatten().map(read_entities))
        }
    };
    let text = text.ok_or("it has no text")?;
    let user = record
        .user
        .0
        .as_deref()
        .or(record.author.0.as_deref())
        .or_else(|| includes.users.get(record.author_id.0.as_deref()?).copied());
    let mut unread = unread_counts(record);
    let date = date(record);
    if let Some(text) = date.as_ref().and_then(Date::unread_text) {
        unread.push(Unread::new(Field::CreatedAt, text));
    }
    let claims = Claims {
        id: record.id(),
        date,
        text: unescape_entities(text),
        author: user.and_then(|user| user.screen_name.0.as_deref().or(user.username.0.as_deref())),
    };
    let mut tweet = identify(claims, options)?;

    tweet.unread = unread;
    tweet.lang = given(&record.lang.0).and_then(language_tag);
    tweet.user = User {
        id: user
            .and_then(|user| given(&user.id_str.0).or_else(|| given(&user.id.0)))
            .or_else(|| given(&record.author_id.0)),
        screen_name: user
            .and_then(|user| given(&user.screen_name.0).or_else(|| given(&user.username.0))),
        name: user.and_then(|user| given(&user.name.0)),
        followers: user.and_then(|user| {
            user.followers_count.0.or_else(|| user.public_metrics.0.as_ref()?.followers_count.0)
        }),
    };
    if let Some(entities) = entities {
        tweet.entities = entities;
    }
    tweet.coordinates = coordinates(record);
    tweet.place = place(record, includes);
    tweet.counts = counts(record);
    tweet.retweet_of = original_id.or_else(|| retweeted?.id());
    tweet.quote_of = given(&record.quoted_status_id_str.0)
        .or_else(|| record.quoted_status.0.as_ref()?.id())
        .or_else(|| given(&record.quoted_status_id.0))
        .or_else(|| reference("quoted")?.id());
    tweet.in_reply_to = given(&record.in_reply_to_status_id_str.0)
        .or_else(|| given(&record.in_reply_to_status_id.0))
        .or_else(|| reference("replied_to")?.id());
    tweet.kind = if tweet.retweet_of.is_some() || is_retweet {
        Kind::Retweet
    } else if tweet.quote_of.is_some() || record.is_quote_status.0 {
        Kind::Quote
    } else if tweet.in_reply_to.is_some() || record.in_reply_to_user_id.0 {
        Kind::Reply
    } else {
        Kind::Tweet
    };
    Ok(tweet)
}

/// Reads an entry of a Twitter archive's `note-tweet.js`.
pub(super) fn read_archived_note<'a>(
    note: &ArchivedNote<'a>,
    options: &Options,
) -> Result<Tweet<'a>, String> {
    let core = note.core.0.as_deref().ok_or("it has no text")?;
    let text = core.text.0.clone().ok_or("it has no text")?;
    let claims = Claims {
        id: note.id.0.clone(),
        date: note.created_at.0.clone().map(Date::new),
        text: unescape_entities(text),
        // Notes do not say whose they are; the archive belongs to one account.
        author: None,
    };
    let mut tweet = identify(claims, options)?;
    tweet.entities = Entities {
        hashtags: tags(&core.hashtags),
        mentions: mentions(&core.mentions),
        cashtags: tags(&core.cashtags),
        urls: links(&core.urls),
    };
    Ok(tweet)
}

/// The creation time: v1.1's `timestamp_ms` if it can be parsed, else `created_at`.
fn date<'a>(record: &Record<'a>) -> Option<Date<'a>> {
    let dates = [&record.timestamp_ms.0, &record.created_at.0].into_iter().flatten().cloned();
    Date::first_readable(dates)
}

fn given<'a>(text: &Option<Cow<'a, str>>) -> Option<Cow<'a, str>> {
    text.clone().filter(|text| !text.is_empty())
}

/// The text that is not cut, and the entities that belong to it.
fn full_text<'r, 'a>(
    record: &'r Record<'a>,
) -> Option<(Cow<'a, str>, Option<&'r schema::Entities<'a>>)> {
    let own = record.entities.0.as_deref();
    let long = record.note_tweet.0.as_deref().or(record.extended_tweet.0.as_deref());
    if let Some(long) = long
        && let Some(text) = long.full_text.0.as_ref().or(long.text.0.as_ref())
    {
        return Some((text.clone(), long.entities.0.as_deref().or(own)));
    }
    let text = record.full_text.0.clone().or_else(|| record.text.0.clone())?;
    Some((text, own))
}

fn read_entities<'a>(entities: &schema::Entities<'a>) -> Entities<'a> {
    Entities {
        hashtags: tags(&entities.hashtags),
        mentions: either(mentions(&entities.user_mentions), mentions(&entities.mentions)),
        cashtags: either(tags(&entities.symbols), tags(&entities.cashtags)),
        urls: links(&entities.urls),
    }
}

/// The first list that is not empty, for lists that v1.1 and v2 have under different names.
fn either<T>(one: Option<Vec<T>>, other: Option<Vec<T>>) -> Option<Vec<T>> {
    match one {
        Some(list) if list.is_empty() => other.or(Some(list)),
        one => one.or(other),
    }
}

fn tags<'a>(list: &List<schema::Tag<'a>>) -> Option<Vec<Cow<'a, str>>> {
    let tags = list.0.as_ref()?.iter();
    Some(tags.filter_map(|tag| given(&tag.text.0).or_else(|| given(&tag.tag.0))).collect())
}

fn mentions<'a>(list: &List<schema::Mention<'a>>) -> Option<Vec<Cow<'a, str>>> {
    let names = list.0.as_ref()?.iter().filter_map(|mention| {
        [&mention.screen_name, &mention.username, &mention.archived_name]
            .into_iter()
            .find_map(|name| given(&name.0))
    });
    Some(names.collect())
}

fn links<'a>(list: &List<schema::Url<'a>>) -> Option<Vec<Cow<'a, str>>> {
    let links = list.0.as_ref()?.iter().filter_map(|link| {
        let link = [&link.expanded_url, &link.archived_url, &link.url]
            .into_iter()
            .find_map(|link| given(&link.0));
        link.filter(|link| !is_own_media(link))
    });
    Some(links.collect())
}

/// Whether a link leads to a photo or video in a tweet. v2 lists a tweet's own ones among its links; v1.1 does not.
fn is_own_media(link: &str) -> bool {
    let is_status = link.starts_with("https://twitter.com/") || link.starts_with("https://x.com/");
    is_status && (link.contains("/photo/") || link.contains("/video/"))
}

/// The exact position, from wherever v1.1 or v2 has it. All give `[lon, lat]` but v1.1's deprecated `geo`, which gives
/// `[lat, lon]`.
fn coordinates(record: &Record<'_>) -> Option<Point> {
    let point = |coordinates: &Coordinates| match coordinates.numbers[..] {
        [lon, lat] => Some(Point { lat, lon }),
        _ => None,
    };
    point(&record.coordinates).or_else(|| {
        let geo = &record.geo.0.as_ref()?.coordinates;
        let as_lon_lat = point(geo)?;
        Some(match geo.is_object {
            true => as_lon_lat,
            false => Point { lat: as_lon_lat.lon, lon: as_lon_lat.lat },
        })
    })
}

fn place<'a, 'p: 'a>(record: &Record<'a>, includes: &Includes<'_, 'p>) -> Option<Place<'a>> {
    let v2 = || {
        let geo = record.geo.0.as_deref()?;
        let included = geo.place_id.0.as_deref().and_then(|id| includes.places.get(id).copied());
        included.or(Some(geo).filter(|geo| geo.full_name.0.is_some() || geo.country.0.is_some()))
    };
    let place = record.place.0.as_deref().or_else(v2)?;
    let place = Place {
        name: given(&place.full_name.0).or_else(|| given(&place.name.0)),
        country: given(&place.country.0),
        country_code: given(&place.country_code.0),
        bounding_box: bounding_box(place),
    };
    (place != Place::default()).then_some(place)
}

/// The box around a place. v2 gives `[west, south, east, north]`; v1.1 gives the corners of a ring, in no reliable
/// order.
fn bounding_box(place: &schema::Place<'_>) -> Option<BoundingBox> {
    if let Some(feature) = &place.geo.0
        && let [west, south, east, north] = feature.bbox.numbers[..]
    {
        return Some(BoundingBox { west, south, east, north });
    }
    let corners = place.bounding_box.numbers.chunks_exact(2);
    corners
        .map(|corner| BoundingBox {
            west: corner[0],
            south: corner[1],
            east: corner[0],
            north: corner[1],
        })
        .reduce(|all, corner| BoundingBox {
            west: all.west.min(corner.west),
            south: all.south.min(corner.south),
            east: all.east.max(corner.east),
            north: all.north.max(corner.north),
        })
}

/// The counts that are there and are none.
fn unread_counts(record: &Record<'_>) -> Vec<Unread> {
    let counts = [
        (Field::Retweets, record.retweet_count),
        (Field::Likes, record.favorite_count),
        (Field::Replies, record.reply_count),
        (Field::Quotes, record.quote_count),
    ];
    let unread = counts.into_iter().filter(|(_, number)| number.1);
    unread.map(|(field, _)| Unread::new(field, "what is no count")).collect()
}

fn counts(record: &Record<'_>) -> Counts {
    let metrics = record.public_metrics.0.as_deref().copied().unwrap_or_default();
    Counts {
        retweets: record.retweet_count.0.or(metrics.retweet_count.0),
        likes: record.favorite_count.0.or(metrics.like_count.0),
        replies: record.reply_count.0.or(metrics.reply_count.0),
        quotes: record.quote_count.0.or(metrics.quote_count.0),
    }
}
