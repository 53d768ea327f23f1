//! Where a tweet is on the map.

use ingest::{BoundingBox, Point, Tweet};
use serde::{Deserialize, Serialize};

/// A position, as Elasticsearch's `geo_point` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// Degrees north, -90 to 90.
    pub lat: f64,
    /// Degrees east, -180 to 180.
    pub lon: f64,
}

/// What a location was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeoSource {
    /// The exact position that the tweet was written at.
    Exact,
    /// The centre of the place's bounding box, which may be a whole country's.
    Place,
}

impl GeoSource {
    /// The name that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            GeoSource::Exact => "exact",
            GeoSource::Place => "place",
        }
    }
}

/// The exact position if it is a valid one, else the centre of the place's box.
pub(crate) fn locate(tweet: &Tweet<'_>) -> Option<(Location, GeoSource)> {
    let exact = tweet.coordinates.and_then(valid).map(|at| (at, GeoSource::Exact));
    exact.or_else(|| {
        let bounds = tweet.place.as_ref()?.bounding_box?;
        Some((valid(centre(bounds))?, GeoSource::Place))
    })
}

/// In range, and not the `0,0` that stands for "unknown".
fn valid(Point { lat, lon }: Point) -> Option<Location> {
    let in_range = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
    let is_placeholder = lat == 0.0 && lon == 0.0;
    (in_range && !is_placeholder).then_some(Location { lat, lon })
}

/// The middle of a box, the shorter way around the globe. A box that spans more than half the globe really is a small
/// one across the antimeridian whose edges were sorted (that of Fiji, or of any place that includes the Aleutians).
fn centre(bounds: BoundingBox) -> Point {
    let BoundingBox { west, south, east, north } = bounds;
    let mut width = east - west;
    if width > 180.0 {
        width -= 360.0;
    } else if width < 0.0 {
        width += 360.0;
    }
    let lon = west + width / 2.0;
    let lon = match lon {
        lon if lon > 180.0 => lon - 360.0,
        lon if lon < -180.0 => lon + 360.0,
        lon => lon,
    };
    Point { lat: (south + north) / 2.0, lon }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::{Place, Timestamp};

    #[track_caller]
    fn check(
        exact: Option<(f64, f64)>,
        place: Option<[f64; 4]>,
        expected: Option<(f64, f64, GeoSource)>,
    ) {
        let mut tweet = Tweet::new("1", Timestamp::from_millis(0), "");
        tweet.coordinates = exact.map(|(lat, lon)| Point { lat, lon });
        tweet.place = place.map(|[west, south, east, north]| Place {
            bounding_box: Some(BoundingBox { west, south, east, north }),
            ..Place::default()
        });
        let located = locate(&tweet).map(|(at, source)| (at.lat, at.lon, source));
        assert_eq!(located, expected);
    }

    #[test]
    fn exact_positions_come_first_and_bad_ones_are_dropped() {
        use GeoSource::*;
        let lisbon = [-9.2, 38.7, -9.1, 38.8];
        check(Some((38.7, -9.1)), Some(lisbon), Some((38.7, -9.1, Exact)));
        check(Some((0.0, 0.0)), Some(lisbon), Some((38.75, -9.149999999999999, Place)));
        check(Some((91.0, 0.0)), None, None);
        check(Some((f64::NAN, 1.0)), None, None);
        check(None, Some([0.0; 4]), None);
        check(None, None, None);
    }

    #[test]
    fn boxes_around_the_antimeridian_have_their_centre_there() {
        use GeoSource::Place;
        check(None, Some([177.0, -19.0, -178.0, -16.0]), Some((-17.5, 179.5, Place)));
        check(None, Some([-180.0, -20.0, 179.0, -16.0]), Some((-18.0, 179.5, Place)));
        check(None, Some([10.0, 50.0, 20.0, 52.0]), Some((51.0, 15.0, Place)));
    }
}
