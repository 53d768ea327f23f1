//! The options of `indexer search`.

use clap::{Args, ValueEnum};
use enrich::{Label, canonical_marketplace};
use ingest::Timestamp;

use super::store::StoreArgs;
use super::values::{parse_box, parse_time};
use crate::config::SearchConfig;
use crate::store::{BoundingBox, Filter, Keyword, Load, Sort, TextQuery};

#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// What to search for; '' finds everything
    #[arg(value_name = "QUERY", allow_hyphen_values = true)]
    query: String,
    #[command(flatten)]
    store: StoreArgs,
    /// Only tweets about this marketplace: AWS, Azure or GCP
    #[arg(long, value_name = "NAME")]
    marketplace: Option<String>,
    /// Only tweets with this sentiment
    #[arg(long, value_name = "LABEL")]
    sentiment: Option<LabelArg>,
    /// Only tweets created at this time (2022-12-10 or 2022-12-10T18:00:00Z) or later
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<Timestamp>,
    /// Only tweets created before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<Timestamp>,
    /// Only tweets located in this box of degrees; west > east crosses the antimeridian
    #[arg(long, value_name = "WEST,SOUTH,EAST,NORTH", value_parser = parse_box, allow_hyphen_values = true)]
    bbox: Option<BoundingBox>,
    /// The order of the tweets
    #[arg(long, value_enum, default_value_t)]
    sort: SortArg,
    /// How many tweets to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Write whole documents as NDJSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LabelArg {
    Positive,
    Negative,
    Neutral,
    Mixed,
}

impl SearchArgs {
    pub(super) fn config(self) -> SearchConfig {
        let mut terms = Vec::new();
        if let Some(marketplace) = &self.marketplace {
            let name = canonical_marketplace(marketplace).unwrap_or(marketplace);
            terms.push((Keyword::Marketplace, vec![name.to_owned()]));
        }
        if let Some(label) = self.sentiment {
            terms.push((Keyword::Label, vec![Label::from(label).as_str().to_owned()]));
        }
        let filter = Filter {
            text: TextQuery::parse(&self.query),
            from: self.from,
            to: self.to,
            terms,
            bounding_box: self.bbox,
            ..Filter::default()
        };
        let (store, sort) = (self.store.config(Load::default()), self.sort.into());
        SearchConfig { store, filter, sort, limit: self.limit, json: self.json }
    }
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

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum SortArg {
    /// The latest first
    #[default]
    Newest,
    /// The earliest first
    Oldest,
    /// The most retweets, likes, replies and quotes together first
    Engaged,
    /// The most positive first
    Positive,
    /// The most negative first
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
