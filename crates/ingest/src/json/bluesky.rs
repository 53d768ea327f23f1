//! Posts of Bluesky, and the other messages of a Jetstream, of either version
//! (<https://github.com/bluesky-social/jetstream>; the records are described by the lexicon `app.bsky.feed.post`).
//!
//! A post is known by its at-uri. It has no counts, and its author is known only by a DID.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::find::{find_all, occurs};
use super::lenient::{List, Number, Object, Text, Texts};
use crate::identity::{Claims, Date, identify};
use crate::language::language_tag;
use crate::{Counts, Entities, Kind, Network, Options, Tweet};

const POSTS: &str = "app.bsky.feed.post";

/// What a message of a Jetstream is.
pub(super) enum Message<'a> {
    /// A post was written or changed: its at-uri, and the tweet, or why it is none.
    Post(String, Result<Box<Tweet<'a>>, String>),
    /// Something else: its kind.
    Notice(&'static str),
}

/// Reads a message. `None` if the object is none.
pub(super) fn read<'a>(json: &'a str, options: &Options) -> Option<Message<'a>> {
    let frame = serde_json::from_str::<Frame<'_>>(json).ok()?;
    let is = |text: &Text<'_>, expected: &str| text.0.as_deref() == Some(expected);
    if let Some(payload) = frame.payload.0 {
        if !is(&frame.type_, "message") {
            return None;
        }
        let type_ = payload.type_.0.as_deref()?;
        let (_, kind) = type_.strip_prefix("network.bsky.jetstream.")?.split_once('#')?;
        return Some(match kind {
            "commit" => commit(payload.did.0.as_deref()?, &payload, options),
            "account" => Message::Notice("account"),
            "identity" => Message::Notice("identity"),
            "sync" => Message::Notice("sync"),
            _ => Message::Notice("message"),
        });
    }
    let did = frame.did.0.as_deref().filter(|did| did.starts_with("did:"))?;
    match (frame.kind.0.as_deref()?, &frame.commit.0) {
        ("commit", Some(found)) => Some(commit(did, found, options)),
        ("account", _) => Some(Message::Notice("account")),
        ("identity", _) => Some(Message::Notice("identity")),
        _ => None,
    }
}

/// A post as the API gives it (`getPostThread`, `searchPosts`), or as an export of a repository has it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct View<'a> {
    #[serde(borrow)]
    uri: Text<'a>,
    #[serde(borrow)]
    author: Object<Author<'a>>,
    #[serde(borrow, alias = "value")]
    record: Object<Post<'a>>,
    #[serde(rename = "replyCount")]
    replies: Number,
    #[serde(rename = "repostCount")]
    reposts: Number,
    #[serde(rename = "likeCount")]
    likes: Number,
    #[serde(rename = "quoteCount")]
    quotes: Number,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Author<'a> {
    #[serde(borrow)]
    handle: Text<'a>,
    #[serde(borrow, rename = "displayName")]
    name: Text<'a>,
}

/// Whether an object may hold posts as the API gives them.
pub(super) fn may_hold_views(json: &str) -> bool {
    occurs(POSTS, json)
}

/// How a repost in a feed is known.
const REPOST: &str = "app.bsky.feed.defs#reasonRepost";

/// Whether an object is what [`views`] makes of a repost.
pub(super) fn is_repost(json: &str) -> bool {
    json.len() < 256 && occurs(REPOST, json)
}

/// The posts in an answer of the API. Those that they quote are not among them, nor are those that they answer in a feed.
pub(super) fn views(json: &str) -> Option<Vec<String>> {
    let uri = |post: &Value| Some(post.get("uri")?.as_str()?.starts_with("at://"));
    find_all(json, &|map| {
        // An item of a feed: the post, what it answers, and who reposted it.
        if let Some(post) = map.get("post").filter(|post| uri(post) == Some(true))
            && (map.contains_key("reason") || map.contains_key("reply"))
        {
            let reason = map.get("reason").and_then(|reason| reason.get("$type")?.as_str());
            return Some(match reason {
                Some(REPOST) => serde_json::json!({ "$type": REPOST, "of": POSTS }),
                _ => post.clone(),
            });
        }
        let uri = map.get("uri")?.as_str().filter(|uri| uri.starts_with("at://"))?;
        let post = map.get("record").or(map.get("value"))?;
        (uri.contains(POSTS) && post.get("text").is_some()).then(|| map.clone().into())
    })
}

/// Reads a post without what is around it, as repositories are exported. It has no uri, and its author is not known.
pub(super) fn read_record<'a>(
    json: &'a str,
    options: &Options,
) -> Option<Result<Tweet<'a>, String>> {
    #[derive(Deserialize)]
    struct Typed<'t> {
        #[serde(borrow, rename = "$type")]
        type_: Text<'t>,
    }
    let Typed { type_ } = serde_json::from_str(json).ok()?;
    if type_.0.as_deref() != Some(POSTS) {
        return None;
    }
    let post: Post<'a> = serde_json::from_str(json).ok()?;
    Some(tweet(None, &post, options))
}

/// Reads a post as the API gives it. `None` if the object is none.
pub(super) fn read_view<'a>(json: &'a str, options: &Options) -> Option<Message<'a>> {
    let View { uri, author, record, replies, reposts, likes, quotes } =
        serde_json::from_str(json).ok()?;
    let uri = uri.0.filter(|uri| uri.starts_with("at://") && uri.contains(POSTS))?.into_owned();
    let post = record.0?;
    let did = uri.strip_prefix("at://")?.split('/').next()?.to_owned();
    let read = tweet(Some((&did, &uri)), &post, options).map(|mut tweet| {
        if let Some(author) = author.0 {
            tweet.user.screen_name = author.handle.0;
            tweet.user.name = author.name.0.filter(|name| !name.is_empty());
        }
        tweet.counts =
            Counts { retweets: reposts.0, likes: likes.0, replies: replies.0, quotes: quotes.0 };
        Box::new(tweet)
    });
    Some(Message::Post(uri, read))
}

fn commit<'a>(did: &str, commit: &Commit<'a>, options: &Options) -> Message<'a> {
    match (commit.collection.0.as_deref(), commit.operation.0.as_deref()) {
        (Some(POSTS), Some("delete")) => Message::Notice("delete"),
        (Some(POSTS), _) => {
            let key = commit.rkey.0.as_deref().unwrap_or_default();
            let uri = format!("at://{did}/{POSTS}/{key}");
            let tweet = match &commit.record.0 {
                Some(post) if !key.is_empty() => {
                    tweet(Some((did, &uri)), post, options).map(Box::new)
                }
                _ => Err("it has no record".to_owned()),
            };
            Message::Post(uri, tweet)
        }
        // Likes, reposts, follows and what other applications keep.
        _ => Message::Notice("commit"),
    }
}

/// Makes a tweet of a post. `origin` is its author's DID and its uri.
fn tweet<'a>(
    origin: Option<(&str, &str)>,
    post: &Post<'a>,
    options: &Options,
) -> Result<Tweet<'a>, String> {
    // Posts consisting of pictures alone have an empty text.
    let text = post.text.0.clone().ok_or("it has no text")?;
    let claims = Claims {
        id: origin.map(|(_, uri)| Cow::Owned(uri.to_owned())),
        date: post.created_at.0.clone().map(Date::new),
        text: text.clone(),
        author: origin.map(|(did, _)| did),
    };
    let mut tweet = identify(claims, options)?;
    tweet.network = Network::Bluesky;
    tweet.lang = post.langs.0.iter().find_map(|lang| language_tag(lang.clone()));
    tweet.user.id = origin.map(|(did, _)| Cow::Owned(did.to_owned()));
    tweet.entities = entities(&text, post);
    tweet.in_reply_to =
        post.reply.0.as_ref().and_then(|reply| reply.parent.0.as_ref()?.uri.0.clone());
    tweet.quote_of = post.embed.0.as_deref().and_then(Embed::quoted);
    tweet.kind = match (&tweet.quote_of, &tweet.in_reply_to) {
        (Some(_), _) => Kind::Quote,
        (None, Some(_)) => Kind::Reply,
        (None, None) => Kind::Tweet,
    };
    Ok(tweet)
}

/// The tags, mentions and links of a post. Where a post has no facets, Bluesky shows plain text, whatever is in it.
fn entities<'a>(text: &Cow<'a, str>, post: &Post<'a>) -> Entities<'a> {
    let (mut hashtags, mut mentions, mut urls) = (Vec::new(), Vec::new(), Vec::new());
    for facet in post.facets.0.iter().flatten() {
        for feature in facet.features.0.iter().flatten() {
            match feature.type_.0.as_deref() {
                Some("app.bsky.richtext.facet#tag") => hashtags.extend(feature.tag.0.clone()),
                Some("app.bsky.richtext.facet#link") => urls.extend(feature.uri.0.clone()),
                Some("app.bsky.richtext.facet#mention") => {
                    // The handle stands only in the text.
                    let handle = facet.index.0.as_ref().and_then(|index| index.slice(text));
                    let handle = handle.map(|handle| handle.trim_start_matches('@').to_owned());
                    mentions.extend(handle.map(Cow::Owned).or_else(|| feature.did.0.clone()));
                }
                _ => {}
            }
        }
    }
    hashtags.extend(post.tags.0.iter().cloned());
    urls.extend(post.embed.0.as_deref().and_then(Embed::link));
    Entities {
        hashtags: Some(hashtags),
        mentions: Some(mentions),
        cashtags: None,
        urls: Some(urls),
    }
}

/// A message: of version 1 with the author and the commit in it, of version 2 in a `payload`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Frame<'a> {
    #[serde(borrow)]
    did: Text<'a>,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    commit: Object<Commit<'a>>,
    #[serde(borrow, rename = "$type")]
    type_: Text<'a>,
    #[serde(borrow)]
    payload: Object<Commit<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Commit<'a> {
    // These two are in the payload of version 2 only.
    #[serde(borrow, rename = "$type")]
    type_: Text<'a>,
    #[serde(borrow)]
    did: Text<'a>,
    #[serde(borrow)]
    operation: Text<'a>,
    #[serde(borrow)]
    collection: Text<'a>,
    #[serde(borrow)]
    rkey: Text<'a>,
    #[serde(borrow)]
    record: Object<Post<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Post<'a> {
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow, rename = "createdAt")]
    created_at: Text<'a>,
    #[serde(borrow)]
    langs: Texts<'a>,
    #[serde(borrow)]
    facets: List<Facet<'a>>,
    /// Hashtags that are not in the text.
    #[serde(borrow)]
    tags: Texts<'a>,
    #[serde(borrow)]
    reply: Object<Reply<'a>>,
    #[serde(borrow)]
    embed: Object<Embed<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reply<'a> {
    #[serde(borrow)]
    parent: Object<Reference<'a>>,
}

/// What a post shows besides its text. A quote with pictures or a link has both, one level deeper.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Embed<'a> {
    #[serde(borrow)]
    record: Object<Reference<'a>>,
    #[serde(borrow)]
    external: Object<Reference<'a>>,
    #[serde(borrow)]
    media: Object<Embed<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reference<'a> {
    #[serde(borrow)]
    uri: Text<'a>,
    /// Of a quote with media, the reference itself.
    #[serde(borrow)]
    record: Object<Reference<'a>>,
}

impl<'a> Embed<'a> {
    /// The at-uri of the post that is quoted. Lists and feeds can be shown in the same way.
    fn quoted(&self) -> Option<Cow<'a, str>> {
        let record = self.record.0.as_ref()?;
        let inner = || record.record.0.as_ref()?.uri.0.clone();
        record.uri.0.clone().or_else(inner).filter(|uri| uri.contains("/app.bsky.feed.post/"))
    }

    /// The link that is shown as a card.
    fn link(&self) -> Option<Cow<'a, str>> {
        let beside_quote = || self.media.0.as_ref()?.link();
        let alone = self.external.0.as_ref().and_then(|link| link.uri.0.clone());
        alone.or_else(beside_quote)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Facet<'a> {
    index: Object<Slice>,
    #[serde(borrow)]
    features: List<Feature<'a>>,
}

/// A part of the text, in bytes of its UTF-8 form.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Slice {
    #[serde(rename = "byteStart")]
    byte_start: Number,
    #[serde(rename = "byteEnd")]
    byte_end: Number,
}

impl Slice {
    /// `None` if it is no part of the text.
    fn slice<'t>(&self, text: &'t str) -> Option<&'t str> {
        let at = |offset: &Number| usize::try_from(offset.0?).ok();
        text.get(at(&self.byte_start)?..at(&self.byte_end)?)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Feature<'a> {
    #[serde(borrow, rename = "$type")]
    type_: Text<'a>,
    #[serde(borrow)]
    tag: Text<'a>,
    #[serde(borrow)]
    did: Text<'a>,
    #[serde(borrow)]
    uri: Text<'a>,
}
