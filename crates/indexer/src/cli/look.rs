//! The options of `indexer search`.

use clap::{Args, ValueEnum};
use enrich::Label;
use ingest::Timestamp;

use super::{StoreArg, parse_time};
use crate::store::{BoundingBox, Sort};

/// `indexer search`.
#[derive(Debug, Args)]
pub struct Search {
    /// What to look for; '' finds everything
    #[arg(value_name = "QUERY", allow_hyphen_values = true)]
    pub query: String,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArg,
    /// Only this marketplace: AWS, Azure or GCP
    #[arg(long, value_name = "NAME", env = "INDEXER_MARKETPLACE")]
    pub marketplace: Option<String>,
    /// Only this sentiment
    #[arg(long, value_name = "LABEL", env = "INDEXER_SENTIMENT")]
    pub sentiment: Option<LabelArg>,
    /// Only created at this time (2022-12-10 or 2022-12-10T18:00:00Z) or later
    #[arg(long, value_name = "TIME", value_parser = parse_time, env = "INDEXER_FROM")]
    pub from: Option<Timestamp>,
    /// Only created before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time, env = "INDEXER_TO")]
    pub to: Option<Timestamp>,
    /// Only located in this box of degrees; west > east crosses the antimeridian
    #[arg(long, value_name = "WEST,SOUTH,EAST,NORTH", value_parser = parse_box, allow_hyphen_values = true, env = "INDEXER_BBOX")]
    pub bbox: Option<BoundingBox>,
    /// The order of the results
    #[arg(long, value_enum, default_value_t, env = "INDEXER_SORT")]
    pub sort: SortArg,
    /// How many to show
    #[arg(long, value_name = "N", default_value_t = 20, env = "INDEXER_LIMIT")]
    pub limit: usize,
    /// Write whole documents as NDJSON
    #[arg(long, env = "INDEXER_JSON")]
    pub json: bool,
}

/// A sentiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the labels themselves")]
pub enum LabelArg {
    Positive,
    Negative,
    Neutral,
    Mixed,
}

impl From<LabelArg> for Label {
    fn from(label: LabelArg) -> Label {
        match label {
            LabelArg::Positive => Label::Positive,
            LabelArg::Negative => Label::Negative,
            LabelArg::Neutral => Label::Neutral,
            LabelArg::Mixed => Label::Mixed,
        }
    }
}

/// The order of search results.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SortArg {
    /// The latest first.
    #[default]
    Newest,
    /// The earliest first.
    Oldest,
    /// The most retweets, likes, replies and quotes together first.
    Engaged,
    /// The best feeling first.
    Positive,
    /// The worst feeling first.
    Negative,
}

impl From<SortArg> for Sort {
    fn from(sort: SortArg) -> Sort {
        match sort {
            SortArg::Newest => Sort::Newest,
            SortArg::Oldest => Sort::Oldest,
            SortArg::Engaged => Sort::Engaged,
            SortArg::Positive => Sort::MostPositive,
            SortArg::Negative => Sort::MostNegative,
        }
    }
}

fn parse_box(text: &str) -> Result<BoundingBox, String> {
    let numbers: Vec<f64> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    match numbers[..] {
        [west, south, east, north]
            if text.split(',').count() == 4 && south <= north && (west + east).is_finite() =>
        {
            Ok(BoundingBox { west, south, east, north })
        }
        _ => {
            Err("write four numbers: west,south,east,north, such as -10,36,4,44 for Spain"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_four_numbers() {
        assert!(parse_box("-10,36,4,44").is_ok());
        for wrong in ["", "1,2,3", "1,2,3,x", "1,2,x,3,4", "1,9,3,4"] {
            assert!(parse_box(wrong).is_err(), "{wrong}");
        }
    }
}
