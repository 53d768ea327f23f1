//! Positions rounded as Lucene stores them, so that boxes, tiles and means come out exactly as in Elasticsearch: each
//! coordinate is rounded down to one of 2³² steps, each a centimeter wide at most
//! (org.apache.lucene.geo.GeoEncodingUtils).

use ingest::BoundingBox;

/// A step of latitude and of longitude, in degrees.
const STEPS: [f64; 2] = [180.0 / 4_294_967_296.0, 360.0 / 4_294_967_296.0];

/// Rounds a latitude and a longitude down to the values that are stored.
pub(super) fn kept(lat: f64, lon: f64) -> (f64, f64) {
    let kept = |degrees: f64, step: f64| (degrees / step).floor().min(LAST) * step;
    (kept(lat, STEPS[0]), kept(lon, STEPS[1]))
}

/// The number of the last step: the north pole and 180° east, which would be one step further, count as part of it.
const LAST: f64 = 2_147_483_647.0;

/// The box that every store is queried with, so that all of them find the same positions, edges included: a stored
/// position is inside if it is neither below the rounded lower edges nor above the rounded upper ones.
///
/// Elasticsearch rounds all four edges down to a step. OpenSearch rounds the lower edges up, and refuses a box without
/// width or height. So the lower edges are rounded down here, to values that both servers leave unchanged, and the
/// upper edges are put half a step above their rounded values, to which both servers round them down again.
pub(super) fn kept_box(bounds: BoundingBox) -> BoundingBox {
    let (south, west) = kept(bounds.south, bounds.west);
    let (north, east) = kept(bounds.north, bounds.east);
    BoundingBox { west, south, east: east + STEPS[1] / 2.0, north: north + STEPS[0] / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_kept_to_the_centimeter() {
        for (lat, lon) in [(38.73, -9.13), (0.0, 0.0), (-90.0, -180.0), (90.0, 180.0)] {
            let (kept_lat, kept_lon) = kept(lat, lon);
            assert!((0.0..1e-7).contains(&(lat - kept_lat)), "{lat} {kept_lat}");
            assert!((0.0..1e-7).contains(&(lon - kept_lon)), "{lon} {kept_lon}");
        }
        // Rounding a second time changes nothing.
        let (lat, lon) = kept(38.73, -9.13);
        assert_eq!(kept(lat, lon), (lat, lon));
    }

    #[test]
    fn a_box_has_its_edges_in_it() {
        let at = |west, south, east, north| kept_box(BoundingBox { west, south, east, north });
        for (lat, lon) in [(35.727014, 139.838168), (-90.0, -180.0), (90.0, 180.0)] {
            let (kept_lat, kept_lon) = kept(lat, lon);
            let point = at(lon, lat, lon, lat);
            assert!((point.south..point.north).contains(&kept_lat), "{point:?}");
            assert!((point.west..point.east).contains(&kept_lon), "{point:?}");
        }
        assert!(at(180.0, 0.0, -170.0, 1.0).west > at(180.0, 0.0, -170.0, 1.0).east);
    }
}
