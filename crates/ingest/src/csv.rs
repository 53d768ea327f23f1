//! A row of a CSV file to a tweet.

use std::borrow::Cow;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use crate::columns::{Columns, Field};
use crate::read::{Claims, identify};
use crate::text::{is_windows_1252, unescape_entities};
use crate::{Counts, Item, Kind, Options, Place, Point, Rejected, Stage, Tweet, User};

/// Reads the rows of a batch, one buffer for all of them.
pub(crate) struct Rows<'c> {
    columns: &'c Columns,
    reader: Reader,
    unquoted: Vec<u8>,
    ends: Vec<usize>,
}

impl<'c> Rows<'c> {
    pub(crate) fn new(columns: &'c Columns) -> Rows<'c> {
        let reader = ReaderBuilder::new().delimiter(columns.delimiter).build();
        Rows { columns, reader, unquoted: Vec::new(), ends: vec![0; 64] }
    }

    /// The header, as it must stand before a row to read that again.
    pub(crate) fn header(&self) -> Option<String> {
        self.columns.header.clone()
    }

    pub(crate) fn read(
        &mut self,
        raw: &[u8],
        line: u64,
        options: &Options,
        sink: &mut impl FnMut(Item<'_>),
    ) {
        let n_cells = self.split(raw);
        let row = Row { cells: &self.unquoted, ends: &self.ends[..n_cells], raw };
        match tweet_of_cells(|field| row.get(self.columns.index(field)?), options) {
            Ok(tweet) => sink(Item::Tweet { line, tweet, source: None }),
            Err(reason) => {
                let mut rejected = Rejected::new(line, Stage::Parse, reason, raw);
                rejected.id =
                    self.columns.index(Field::Id).and_then(|i| row.get(i)).map(Cow::into_owned);
                rejected.header = self.header();
                sink(Item::Rejected(rejected));
            }
        }
    }

    /// Unquotes the cells of a row; returns how many there are.
    fn split(&mut self, raw: &[u8]) -> usize {
        self.reader.reset();
        self.unquoted.resize(raw.len() + 1, 0);
        let (mut input, mut n_out, mut n_ends) = (raw, 0, 0);
        loop {
            let (result, read, out, ends) = self.reader.read_record(
                input,
                &mut self.unquoted[n_out..],
                &mut self.ends[n_ends..],
            );
            input = &input[read..];
            n_out += out;
            n_ends += ends;
            match result {
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::OutputFull => self.unquoted.resize(self.unquoted.len() * 2, 0),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record | ReadRecordResult::End => return n_ends,
            }
        }
    }
}

struct Row<'r> {
    cells: &'r [u8],
    ends: &'r [usize],
    raw: &'r [u8],
}

impl<'r> Row<'r> {
    fn bytes(&self, index: usize) -> Option<&'r [u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.cells[start..end])
    }

    /// A cell's text, whether it says anything or not.
    fn get(&self, index: usize) -> Option<Cow<'r, str>> {
        let bytes = self.bytes(index)?;
        Some(match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            // The whole row tells its encoding, not the one cell.
            Err(_) if is_windows_1252(self.raw) => encoding_rs::WINDOWS_1252.decode(bytes).0,
            Err(_) => String::from_utf8_lossy(bytes),
        })
    }
}

/// What pandas, R and databases write into a cell that holds nothing.
fn says_nothing(cell: &str) -> bool {
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

/// Makes a tweet of cells, wherever they come from; `raw` gives a field's cell as it stands there.
pub(crate) fn tweet_of_cells<'r>(
    raw: impl Fn(Field) -> Option<Cow<'r, str>>,
    options: &Options,
) -> Result<Tweet<'r>, String> {
    let cell = |field| Some(trim(raw(field)?)).filter(|cell| !says_nothing(cell));
    let number = |field| cell(field).as_deref().and_then(whole_number);
    let degrees = |field| cell(field).and_then(|cell| cell.parse().ok());
    // An id that spreadsheets must not touch is often written with an apostrophe before it.
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
        created_at: cell(Field::CreatedAt),
        text,
        author: author.as_deref(),
    };
    let mut tweet = identify(claims, options)?;

    tweet.user = user;
    tweet.lang = cell(Field::Lang);
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

/// `12`, and the `12.0` that pandas makes of it when a neighbor is missing.
fn whole_number(cell: &str) -> Option<u64> {
    cell.strip_suffix(".0").unwrap_or(cell).parse().ok()
}
