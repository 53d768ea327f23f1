//! Positions as Lucene keeps them, so that boxes, tiles and means are Elasticsearch's to the last count:
//! each coordinate in 32 bits, rounded down, steps of a centimeter
//! (org.apache.lucene.geo.GeoEncodingUtils).

use ingest::BoundingBox;

/// A step of latitude and of longitude, in degrees.
const STEPS: [f64; 2] = [180.0 / 4_294_967_296.0, 360.0 / 4_294_967_296.0];

/// A position as it is kept.
pub(super) fn kept(lat: f64, lon: f64) -> (f64, f64) {
    let kept = |degrees: f64, step: f64| (degrees / step).floor().min(LAST) * step;
    (kept(lat, STEPS[0]), kept(lon, STEPS[1]))
}

/// The last step: the poles and the antimeridian fall into it.
const LAST: f64 = 2_147_483_647.0;

/// A box, such that the kept positions between its edges, edges included, are those that Lucene finds.
pub(super) fn kept_box(bounds: BoundingBox) -> BoundingBox {
    let (north, east) = kept(bounds.north, bounds.east);
    let up = |degrees: f64, step: f64| (degrees / step).ceil() * step;
    let (south, west) = (up(bounds.south, STEPS[0]), up(bounds.west, STEPS[1]));
    BoundingBox { west, south, east, north }
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
        // What is kept is kept as it is.
        let (lat, lon) = kept(38.73, -9.13);
        assert_eq!(kept(lat, lon), (lat, lon));
    }
}
