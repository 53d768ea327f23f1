//! Columns that are not used, though by their names they hold something that people want.

use crate::field::fold;
use crate::{DescribedColumn, Field};

/// A field, the words by which a name may mean it, and the fields of which one is enough.
type Resemblance = (Field, &'static [&'static str], &'static [Field]);

const RESEMBLANCES: [Resemblance; 10] = {
    use Field::*;
    [
        (Id, &["tweetid", "statusid", "postid", "permalink"], &[Id, Permalink]),
        (
            CreatedAt,
            &["date", "time", "datetime", "timestamp", "created", "posted", "published", "datum"],
            &[CreatedAt],
        ),
        (
            ScreenName,
            &["author", "handle", "nickname", "poster", "screen", "user", "username"],
            &[ScreenName, UserName, UserId],
        ),
        (Followers, &["follower", "followers"], &[Followers]),
        (Retweets, &["retweets", "reposts", "shares", "rts"], &[Retweets]),
        (Likes, &["likes", "favs", "hearts"], &[Likes]),
        (Replies, &["replies", "answers"], &[Replies]),
        (
            LatLon,
            &["coordinate", "coordinates", "geo", "geotag", "latlong", "geolocation"],
            &[Lat, LatLon, LonLat, Place, PlaceBox, Country],
        ),
        (Lat, &["lat", "latitude"], &[Lat, LatLon, LonLat]),
        (Lang, &["lang", "language"], &[Lang]),
    ]
};

/// Words that may stand beside those. With any other, a name tells of something else: `lang_confidence`, `scrape date`.
const BESIDE: [&str; 30] = [
    "at",
    "author",
    "code",
    "count",
    "gmt",
    "in",
    "local",
    "n",
    "name",
    "nb",
    "no",
    "num",
    "number",
    "of",
    "original",
    "point",
    "post",
    "posting",
    "publication",
    "screen",
    "status",
    "the",
    "total",
    "tweet",
    "tweeted",
    "twitter",
    "user",
    "utc",
    "value",
    "x",
];

/// The columns that hold nothing that is used, and by their names resemble a field that no column holds.
pub(crate) fn overlooked(columns: &[DescribedColumn]) -> Vec<(String, Field)> {
    let has = |field: &Field| columns.iter().any(|column| column.fields.contains(&field.name()));
    let mut found: Vec<(String, Field)> = Vec::new();
    for column in columns.iter().filter(|column| column.fields.is_empty()) {
        let words = words(&column.name);
        let is_authors = words.iter().any(|word| matches!(word.as_str(), "user" | "author"));
        let resembled = RESEMBLANCES.iter().find(|(field, names, enough)| {
            let is_named = words.iter().any(|word| names.contains(&word.as_str()));
            // Of an author, only some things are wanted.
            let is_wanted = match field {
                Field::ScreenName => words.len() == 1 || words.iter().any(|word| word == "name"),
                Field::Followers => true,
                _ => !is_authors,
            };
            let is_plain = words
                .iter()
                .all(|word| names.contains(&word.as_str()) || BESIDE.contains(&word.as_str()));
            is_named && is_plain && is_wanted && !enough.iter().any(has)
        });
        if let Some((field, ..)) = resembled
            && found.iter().all(|(_, known)| known != field)
        {
            found.push((column.name.clone(), *field));
        }
    }
    found
}

/// The words of a name: `timeOfPosting` and `Time of posting` have the same three.
fn words(name: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(name.len() + 8);
    let mut was_lower = false;
    for c in name.chars() {
        if c.is_uppercase() && was_lower {
            spaced.push('_');
        }
        was_lower = c.is_lowercase();
        spaced.push(c);
    }
    let folded = fold(&spaced);
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(used: &[Field], unused: &[&str], expected: &[(&str, Field)]) {
        let used = used.iter().map(|field| DescribedColumn::new(String::new(), [*field]));
        let unused = unused.iter().map(|name| DescribedColumn::new((*name).to_owned(), []));
        let columns: Vec<DescribedColumn> = used.chain(unused).collect();
        let found = overlooked(&columns);
        let found: Vec<(&str, Field)> =
            found.iter().map(|(name, field)| (name.as_str(), *field)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_column_is_overlooked_if_nothing_else_holds_what_its_name_says() {
        use Field::*;
        check(&[Text], &["Time of posting"], &[("Time of posting", CreatedAt)]);
        check(&[Text, CreatedAt], &["Time of posting"], &[]);
        check(&[Text], &["timeOfPosting"], &[("timeOfPosting", CreatedAt)]);
        check(&[Text], &["nb_followers"], &[("nb_followers", Followers)]);
        check(&[Text], &["Author Name"], &[("Author Name", ScreenName)]);
        check(&[Text], &["user_location", "user_created", "scrape date", "hashtags"], &[]);
        check(&[Text], &["lang_confidence", "favourites_count", "geo.place_id", "location"], &[]);
        check(&[Text, Place], &["geo_point"], &[]);
        check(&[Text], &["geo_point"], &[("geo_point", LatLon)]);
    }
}
