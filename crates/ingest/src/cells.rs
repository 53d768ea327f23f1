//! Turns named cells into a tweet, be they the cells of a table row or the values of a flat JSON object.

use std::borrow::Cow;

use crate::identity::{Claims, Date, identify};
use crate::language::language_tag;
use crate::text::unescape_entities;
use crate::{Counts, Field, Kind, Options, Place, Point, Tweet, User};

/// Whether a cell holds what pandas, R and databases write for a missing value.
fn is_missing(cell: &str) -> bool {
    matches!(
        cell,
        "" | "nan" | "NaN" | "None" | "null" | "NULL" | "NA" | "N/A" | "<NA>" | "[]" | "{}"
    )
}

fn trim(cell: Cow<'_, str>) -> Cow<'_, str> {
    match cell {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// Makes a tweet of cells, wherever they come from. `raw` gives the cell of a field as it stands in the source.
pub(crate) fn tweet_of_cells<'r>(
    raw: impl Fn(Field) -> Option<Cow<'r, str>>,
    options: &Options,
) -> Result<Tweet<'r>, String> {
    let cell = |field| Some(trim(raw(field)?)).filter(|cell| !is_missing(cell));
    let number = |field| cell(field).as_deref().and_then(whole_number);
    let degrees = |field| cell(field).and_then(|cell| cell.parse().ok());
    // An apostrophe before an id keeps spreadsheets from rounding it.
    let id = |field| {
        cell(field).map(|id| match id {
            Cow::Borrowed(id) => Cow::Borrowed(id.trim_start_matches('\'')),
            Cow::Owned(id) => Cow::Owned(id.trim_start_matches('\'').to_owned()),
        })
    };

    let text = raw(Field::Text).unwrap_or_default();
    if text.trim().is_empty() {
        return Err("its text is empty".to_owned());
    }
    let text = unescape_entities(text);
    let user = User {
        id: id(Field::UserId),
        screen_name: cell(Field::ScreenName),
        name: cell(Field::UserName),
        followers: number(Field::Followers),
    };
    let author = user.screen_name.clone().or_else(|| user.id.clone());
    let claims = Claims {
        id: id(Field::Id),
        date: cell(Field::CreatedAt).map(Date::new),
        text,
        author: author.as_deref(),
    };
    let mut tweet = identify(claims, options)?;

    tweet.user = user;
    tweet.lang = cell(Field::Lang).and_then(language_tag);
    tweet.coordinates = match (degrees(Field::Lat), degrees(Field::Lon)) {
        (Some(lat), Some(lon)) => Some(Point { lat, lon }),
        _ => None,
    };
    let place = Place {
        name: cell(Field::PlaceName),
        country: cell(Field::Country),
        country_code: cell(Field::CountryCode),
        bounding_box: None,
    };
    tweet.place = (place != Place::default()).then_some(place);
    tweet.marketplaces.extend(cell(Field::Marketplace));
    tweet.counts = Counts {
        retweets: number(Field::Retweets),
        likes: number(Field::Likes),
        replies: number(Field::Replies),
        quotes: number(Field::Quotes),
    };
    tweet.in_reply_to = id(Field::InReplyTo);
    tweet.retweet_of = id(Field::RetweetOf);
    tweet.quote_of = id(Field::QuoteOf);
    tweet.kind = if tweet.retweet_of.is_some() || tweet.text.starts_with("RT @") {
        Kind::Retweet
    } else if tweet.quote_of.is_some() {
        Kind::Quote
    } else if tweet.in_reply_to.is_some() {
        Kind::Reply
    } else {
        Kind::Tweet
    };
    Ok(tweet)
}

/// `12`, or the `12.0` that pandas makes of it if another value of the column is missing.
fn whole_number(cell: &str) -> Option<u64> {
    cell.strip_suffix(".0").unwrap_or(cell).parse().ok()
}
