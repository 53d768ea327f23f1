//! Posts of Mastodon, as its API gives them (statuses) and as its archives do (an outbox of ActivityPub). Their texts are
//! HTML.

use std::borrow::Cow;

use serde::Deserialize;

use super::find::occurs;
use super::lenient::{List, Number, Object, Text};
use crate::identity::{Claims, Date, identify};
use crate::language::language_tag;
use crate::text::text_of_html;
use crate::{Counts, Entities, Kind, Network, Options, Tweet, User};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    uri: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    content: Text<'a>,
    #[serde(borrow)]
    created_at: Text<'a>,
    #[serde(borrow)]
    language: Text<'a>,
    #[serde(borrow)]
    account: Object<Account<'a>>,
    #[serde(borrow)]
    tags: List<Tag<'a>>,
    #[serde(borrow)]
    mentions: List<Account<'a>>,
    #[serde(borrow)]
    in_reply_to_id: Text<'a>,
    #[serde(borrow)]
    reblog: Object<Status<'a>>,
    reblogs_count: Number,
    favourites_count: Number,
    replies_count: Number,
    quotes_count: Number,
    #[serde(borrow)]
    quote: Object<Quote<'a>>,
    // Of ActivityPub.
    #[serde(borrow, rename = "type")]
    type_: Text<'a>,
    #[serde(borrow)]
    published: Text<'a>,
    #[serde(borrow, rename = "attributedTo")]
    attributed_to: Text<'a>,
    #[serde(borrow, rename = "inReplyTo")]
    in_reply_to: Text<'a>,
    #[serde(borrow, rename = "tag")]
    activity_tags: List<Tag<'a>>,
    #[serde(borrow)]
    object: Object<Status<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Quote<'a> {
    #[serde(borrow)]
    quoted_status: Object<Status<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Account<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    acct: Text<'a>,
    #[serde(borrow)]
    display_name: Text<'a>,
    followers_count: Number,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tag<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, rename = "type")]
    type_: Text<'a>,
}

/// What an object is.
pub(super) enum Found<'a> {
    Post(Option<Cow<'a, str>>, Result<Box<Tweet<'a>>, String>),
    Notice(&'static str),
}

/// Reads a status, a note, or the activity that is about one. `None` if the object is none of these.
pub(super) fn read<'a>(json: &'a str, options: &Options) -> Option<Found<'a>> {
    // Posts have the one, boosts the other.
    if !occurs("\"content\"", json) && !occurs("\"Announce\"", json) {
        return None;
    }
    let status = serde_json::from_str::<Status<'_>>(json).ok()?;
    let is = |expected: &str| status.type_.0.as_deref() == Some(expected);
    if is("Create") || is("Update") {
        let note = status.object.0.filter(|note| note.content.0.is_some())?;
        return Some(found(*note, options));
    }
    if is("Announce") && status.published.0.is_some() {
        return Some(Found::Notice("boost"));
    }
    let is_status = status.account.0.is_some() && status.link().is_some();
    let is_note = (is("Note") || is("Article")) && status.published.0.is_some();
    (status.content.0.is_some() && (is_status || is_note)).then(|| found(status, options))
}

impl<'a> Status<'a> {
    /// What it is known by everywhere.
    fn link(&self) -> Option<&Cow<'a, str>> {
        self.uri.0.as_ref().or(self.url.0.as_ref())
    }
}

fn found<'a>(status: Status<'a>, options: &Options) -> Found<'a> {
    let id = status.link().cloned().or_else(|| status.id.0.clone());
    Found::Post(id, tweet(status, options).map(Box::new))
}

fn tweet<'a>(status: Status<'a>, options: &Options) -> Result<Tweet<'a>, String> {
    let link = status.link().cloned();
    let Status { id, account, reblog, .. } = status;
    let original = reblog.0.as_deref();
    let html = original.and_then(|original| original.content.0.as_deref());
    let text = text_of_html(html.or(status.content.0.as_deref()).unwrap_or_default());
    let account = account.0.map(|account| *account).unwrap_or_default();
    let claims = Claims {
        // Ids are those of a server; the uri is one and the same everywhere.
        id: link.or(id.0),
        date: [status.created_at.0, status.published.0].into_iter().flatten().next().map(Date::new),
        text: Cow::Owned(text),
        author: None,
    };
    let mut tweet = identify(claims, options)?;
    tweet.network = Network::Mastodon;
    tweet.lang = status.language.0.and_then(language_tag);
    let handle = account.acct.0.or_else(|| status.attributed_to.0.as_deref().and_then(handle));
    tweet.user = User {
        id: account.id.0,
        screen_name: handle,
        name: account.display_name.0.filter(|name| !name.is_empty()),
        followers: account.followers_count.0,
    };
    let tags = status.tags.0.into_iter().chain(status.activity_tags.0).flatten();
    let (mut hashtags, mut mentions) = (Vec::new(), Vec::new());
    for Tag { name, type_ } in tags {
        let Some(name) = name.0 else { continue };
        match type_.0.as_deref() {
            Some("Mention") => mentions.push(bare(name, '@')),
            Some("Hashtag") | None => hashtags.push(bare(name, '#')),
            Some(_) => {}
        }
    }
    mentions.extend(status.mentions.0.into_iter().flatten().filter_map(|account| account.acct.0));
    tweet.entities =
        Entities { hashtags: Some(hashtags), mentions: Some(mentions), cashtags: None, urls: None };
    tweet.counts = Counts {
        retweets: status.reblogs_count.0,
        likes: status.favourites_count.0,
        replies: status.replies_count.0,
        quotes: status.quotes_count.0,
    };
    let quoted = status.quote.0.and_then(|quote| quote.quoted_status.0);
    tweet.quote_of = quoted.and_then(|quoted| quoted.link().cloned());
    tweet.in_reply_to = status.in_reply_to.0.or(status.in_reply_to_id.0);
    tweet.retweet_of = reblog.0.and_then(|original| original.link().cloned().or(original.id.0));
    tweet.kind = match (&tweet.retweet_of, &tweet.quote_of, &tweet.in_reply_to) {
        (Some(_), ..) => Kind::Retweet,
        (None, Some(_), _) => Kind::Quote,
        (None, None, Some(_)) => Kind::Reply,
        (None, None, None) => Kind::Tweet,
    };
    Ok(tweet)
}

fn bare(name: Cow<'_, str>, mark: char) -> Cow<'_, str> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.trim_start_matches(mark)),
        Cow::Owned(name) => Cow::Owned(name.trim_start_matches(mark).to_owned()),
    }
}

/// `ann@example.social` for `https://example.social/users/ann`.
fn handle(actor: &str) -> Option<Cow<'static, str>> {
    let (host, path) = actor.strip_prefix("https://")?.split_once('/')?;
    let name = path.rsplit('/').next()?.trim_start_matches('@');
    Some(Cow::Owned(format!("{name}@{host}")))
}
