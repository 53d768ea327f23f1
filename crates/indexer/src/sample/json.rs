//! Synthetic tweets as the two versions of the API write them.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::tweets::{Relation, Tweet, User};
use super::{escape, v1_time};

/// Texts of more characters are cut in `text`; the whole text is then in `extended_tweet`.
const CLASSIC_LENGTH: usize = 140;

/// Writes a v1.1 tweet.
pub(super) fn v1(tweet: &Tweet, out: &mut impl Write) -> io::Result<()> {
    let own = || v1_body(tweet, tweet.id, tweet.author, &tweet.text);
    let body = match &tweet.relation {
        Relation::None => own(),
        Relation::Retweet(id, author) => {
            let mut original = v1_body(tweet, *id, *author, &tweet.text);
            original["place"] = Value::Null;
            original["coordinates"] = Value::Null;
            let text = format!("RT @{}: {}", author.screen_name(), tweet.text);
            let mut retweet = v1_body(tweet, tweet.id, tweet.author, &text);
            // The API gives retweets only a `text`, which is cut; the whole text is that of the original.
            retweet["text"] = json!(escape(&cut(&text)));
            retweet["truncated"] = json!(false);
            if let Some(fields) = retweet.as_object_mut() {
                fields.remove("extended_tweet");
            }
            retweet["favorite_count"] = json!(0);
            retweet["retweeted_status"] = original;
            retweet
        }
        Relation::Quote(id) => {
            let mut quote = own();
            quote["is_quote_status"] = json!(true);
            quote["quoted_status_id"] = json!(id);
            quote["quoted_status_id_str"] = json!(id.to_string());
            quote
        }
        Relation::Reply(id, author) => {
            let mut reply = own();
            reply["in_reply_to_status_id"] = json!(id);
            reply["in_reply_to_status_id_str"] = json!(id.to_string());
            reply["in_reply_to_user_id"] = json!(author.id());
            reply["in_reply_to_screen_name"] = json!(author.screen_name());
            reply
        }
    };
    serde_json::to_writer(out, &body).map_err(io::Error::from)
}

fn v1_body(tweet: &Tweet, id: u64, author: User, text: &str) -> Value {
    let entities = json!({
        "hashtags": tags(text, '#').map(|(tag, at)| json!({ "text": tag, "indices": at })).collect::<Vec<_>>(),
        "symbols": [],
        "urls": links(text).map(|(url, at)| json!({ "url": url, "expanded_url": expanded(tweet), "indices": at })).collect::<Vec<_>>(),
        "user_mentions": tags(text, '@').map(|(name, at)| json!({ "screen_name": name, "indices": at })).collect::<Vec<_>>(),
    });
    let created_at = if id == tweet.id {
        tweet.created_at
    } else {
        ingest::Timestamp::from_id(&id.to_string()).unwrap_or(tweet.created_at)
    };
    let place = tweet.city.map(|city| {
        let (s, n) = (round(city.lat - city.reach), round(city.lat + city.reach));
        let (w, e) = (round(city.lon - city.reach), round(city.lon + city.reach));
        json!({
            "id": format!("{:016x}", city.name.len() as u64 * 0x9E37_79B9),
            "place_type": "city",
            "name": city.name.split(',').next(),
            "full_name": city.name,
            "country_code": city.country_code,
            "country": city.country,
            "bounding_box": { "type": "Polygon", "coordinates": [[[w, s], [w, n], [e, n], [e, s]]] },
        })
    });
    let is_long = text.chars().count() > CLASSIC_LENGTH;
    let mut body = json!({
        "created_at": v1_time(created_at),
        "id": id,
        "id_str": id.to_string(),
        "text": escape(&if is_long { cut(text) } else { text.to_owned() }),
        "source": "<a href=\"https://example.com\" rel=\"nofollow\">indexer sample</a>",
        "truncated": is_long,
        "in_reply_to_status_id": null,
        "in_reply_to_status_id_str": null,
        "user": {
            "id": author.id(),
            "id_str": author.id().to_string(),
            "name": author.name(),
            "screen_name": author.screen_name(),
            "followers_count": author.followers(),
        },
        "geo": tweet.position.map(|(lat, lon)| json!({ "type": "Point", "coordinates": [lat, lon] })),
        "coordinates": tweet.position.map(|(lat, lon)| json!({ "type": "Point", "coordinates": [lon, lat] })),
        "place": place,
        "is_quote_status": false,
        "quote_count": 0,
        "reply_count": 0,
        "retweet_count": tweet.retweets,
        "favorite_count": tweet.likes,
        "entities": entities,
        "lang": tweet.lang,
        "timestamp_ms": created_at.as_millis().to_string(),
    });
    if is_long {
        body["extended_tweet"] = json!({ "full_text": escape(text), "entities": body["entities"] });
    }
    body
}

/// Writes the notice that a tweet was deleted.
pub(super) fn delete_notice(tweet: &Tweet, out: &mut impl Write) -> io::Result<()> {
    let (id, user) = (tweet.id - (1 << 40), tweet.author.id());
    let status = json!({ "id": id, "id_str": id.to_string(), "user_id": user, "user_id_str": user.to_string() });
    let notice = json!({ "delete": { "status": status, "timestamp_ms": tweet.created_at.as_millis().to_string() } });
    serde_json::to_writer(out, &notice).map_err(io::Error::from)
}

/// Writes a line of a v2 filtered stream.
pub(super) fn v2(tweet: &Tweet, out: &mut impl Write) -> io::Result<()> {
    let user = |user: User| {
        json!({
            "id": user.id().to_string(),
            "name": user.name(),
            "username": user.screen_name(),
            "public_metrics": { "followers_count": user.followers(), "following_count": 0, "tweet_count": 1, "listed_count": 0 },
        })
    };
    let data = |id: u64, author: User, text: &str| {
        json!({
            "id": id.to_string(),
            "edit_history_tweet_ids": [id.to_string()],
            "author_id": author.id().to_string(),
            "created_at": ingest::Timestamp::from_id(&id.to_string()),
            "text": escape(text),
            "lang": tweet.lang,
            "public_metrics": { "retweet_count": tweet.retweets, "reply_count": 0, "like_count": tweet.likes, "quote_count": 0 },
            "entities": {
                "hashtags": tags(text, '#').map(|(tag, [start, end])| json!({ "start": start, "end": end, "tag": tag })).collect::<Vec<_>>(),
                "mentions": tags(text, '@').map(|(name, [start, end])| json!({ "start": start, "end": end, "username": name })).collect::<Vec<_>>(),
                "urls": links(text).map(|(url, [start, end])| json!({ "start": start, "end": end, "url": url, "expanded_url": expanded(tweet) })).collect::<Vec<_>>(),
            },
        })
    };
    let mut users = vec![user(tweet.author)];
    let mut tweets = Vec::new();
    let mut line = match &tweet.relation {
        Relation::Retweet(id, author) => {
            tweets.push(data(*id, *author, &tweet.text));
            users.push(user(*author));
            let mut line = data(
                tweet.id,
                tweet.author,
                &cut(&format!("RT @{}: {}", author.screen_name(), tweet.text)),
            );
            line["referenced_tweets"] = json!([{ "type": "retweeted", "id": id.to_string() }]);
            line
        }
        Relation::Quote(id) => {
            let mut line = data(tweet.id, tweet.author, &tweet.text);
            line["referenced_tweets"] = json!([{ "type": "quoted", "id": id.to_string() }]);
            line
        }
        Relation::Reply(id, author) => {
            let mut line = data(tweet.id, tweet.author, &tweet.text);
            line["referenced_tweets"] = json!([{ "type": "replied_to", "id": id.to_string() }]);
            line["in_reply_to_user_id"] = json!(author.id().to_string());
            line
        }
        Relation::None => data(tweet.id, tweet.author, &tweet.text),
    };
    let mut includes = json!({ "users": users });
    if !tweets.is_empty() {
        includes["tweets"] = json!(tweets);
    }
    if let Some(city) = tweet.city {
        let id = format!("{:016x}", city.name.len() as u64 * 0x9E37_79B9);
        line["geo"] = json!({ "place_id": id });
        if let Some((lat, lon)) = tweet.position {
            line["geo"]["coordinates"] = json!({ "type": "Point", "coordinates": [lon, lat] });
        }
        let bbox = [
            city.lon - city.reach,
            city.lat - city.reach,
            city.lon + city.reach,
            city.lat + city.reach,
        ]
        .map(round);
        includes["places"] = json!([{
            "id": id,
            "full_name": city.name,
            "country": city.country,
            "country_code": city.country_code,
            "geo": { "type": "Feature", "bbox": bbox, "properties": {} },
        }]);
    }
    let rules: Vec<Value> = tweet
        .marketplace
        .iter()
        .map(|m| json!({ "id": "1377649934414049282", "tag": format!("{} Marketplace", m.name) }))
        .collect();
    let line = json!({ "data": line, "includes": includes, "matching_rules": rules });
    serde_json::to_writer(out, &line).map_err(io::Error::from)
}

fn round(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CLASSIC_LENGTH - 1) {
        Some((end, _)) if text[end..].chars().count() > 1 => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}

fn expanded(tweet: &Tweet) -> String {
    let site = [
        "aws.amazon.com/marketplace",
        "azuremarketplace.microsoft.com",
        "console.cloud.google.com/marketplace",
        "www.example.com/news",
        "blog.example.org",
    ];
    let own = tweet
        .marketplace
        .and_then(|m| ["AWS", "Azure", "GCP"].iter().position(|name| *name == m.name));
    let index = own.filter(|_| !tweet.id.is_multiple_of(3)).unwrap_or(3 + (tweet.id % 2) as usize);
    format!("https://{}/{}", site[index], tweet.id % 1000)
}

/// The words of a text that begin with `mark`, without the mark, and where they start and end with it: in code points
/// of the escaped text, as the API counts.
fn tags(text: &str, mark: char) -> impl Iterator<Item = (&str, [usize; 2])> {
    words(text).filter_map(move |(word, start)| {
        let name = word.strip_prefix(mark)?;
        let length = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
        let name = &name[..length];
        (!name.is_empty()).then(|| (name, [start, start + 1 + name.chars().count()]))
    })
}

fn links(text: &str) -> impl Iterator<Item = (&str, [usize; 2])> {
    words(text)
        .filter(|(word, _)| word.starts_with("https://"))
        .map(|(word, start)| (word, [start, start + word.chars().count()]))
}

fn words(text: &str) -> impl Iterator<Item = (&str, usize)> {
    text.split([' ', '\n']).scan(0, |at, word| {
        let start = *at;
        *at += escape(word).chars().count() + 1;
        Some((word, start))
    })
}
