//! Positions, and the corners of places, in the many ways that tools write them.

use super::unguard;
use crate::{BoundingBox, Point};

/// Degrees: `52.3702`, `52,3702`, `4.89° W`.
pub(crate) fn degrees(text: &str) -> Option<f64> {
    let text = unguard(text);
    let parse = |text: &str| text.parse::<f64>().ok().filter(|degrees| degrees.is_finite());
    if let Some(degrees) = parse(text) {
        return Some(degrees);
    }
    let (number, sign) = match text.as_bytes().last()? {
        b'N' | b'E' => (&text[..text.len() - 1], 1.0),
        b'S' | b'W' => (&text[..text.len() - 1], -1.0),
        _ => (text, 1.0),
    };
    let number = number.trim().trim_end_matches('°').trim_end();
    parse(&number.replace(',', ".")).map(|degrees| sign * degrees)
}

/// The order of the two numbers of a position that does not name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    LatLon,
    LonLat,
}

/// A position: `51.5,-0.1`, `loc: 51.5,-0.1`, `[-0.1, 51.5]`, `POINT(-0.1 51.5)`, GeoJSON, or an object with names.
pub(crate) fn point(text: &str, order: Order) -> Option<Point> {
    // `52,3` is one number, or two.
    let is_mistakable = |text: &str| !text.contains(['.', ' ', '[', '(']) && text.contains(',');
    if !has_words_of_positions_alone(text) || is_mistakable(text.trim()) {
        return None;
    }
    let numbers = numbers(text, 2)?;
    let [(first_at, first), (second_at, second)] = numbers[..] else { return None };
    let names = |name: &str, from: usize, to: usize| {
        text.get(from..to).is_some_and(|before| before.to_ascii_lowercase().contains(name))
    };
    let order = if names("lat", 0, first_at) && names("l", first_at, second_at) {
        Order::LatLon
    } else if names("lon", 0, first_at)
        || names("lng", 0, first_at)
        || text.trim_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("point"))
    {
        Order::LonLat
    } else {
        order
    };
    let (mut lat, mut lon) = match order {
        Order::LatLon => (first, second),
        Order::LonLat => (second, first),
    };
    if lat.abs() > 90.0 && lon.abs() <= 90.0 {
        // No latitude is that large.
        std::mem::swap(&mut lat, &mut lon);
    }
    (lat.abs() <= 90.0 && lon.abs() <= 180.0).then_some(Point { lat, lon })
}

/// Whether there are no words in a text but those that positions have: an address has numbers too.
fn has_words_of_positions_alone(text: &str) -> bool {
    const WORDS: [&str; 17] = [
        "lat",
        "latitude",
        "lon",
        "lng",
        "long",
        "longitude",
        "loc",
        "point",
        "type",
        "coordinates",
        "c",
        "e",
        "geo",
        "_type",
        "snscrape",
        "modules",
        "twitter",
    ];
    let words =
        text.split(|c: char| !c.is_alphabetic() && c != '_').filter(|word| !word.is_empty());
    words.into_iter().all(|word| WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// The corners of a place: west, south, east and north; a ring of `[lon, lat]`; or, as R unrolls it, all longitudes before
/// all latitudes.
pub(crate) fn bounding_box(text: &str) -> Option<BoundingBox> {
    let numbers: Vec<f64> = numbers(text, 64)?.into_iter().map(|(_, number)| number).collect();
    if let [west, south, east, north] = numbers[..] {
        return Some(BoundingBox { west, south, east, north });
    }
    let half = numbers.len() / 2;
    if half < 2 || !numbers.len().is_multiple_of(2) {
        return None;
    }
    let (lons, lats): (Vec<f64>, Vec<f64>) = match text.contains("],") || text.contains("] ,") {
        true => numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip(),
        false => (numbers[..half].to_vec(), numbers[half..].to_vec()),
    };
    let least = |numbers: &[f64]| numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |numbers: &[f64]| numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(BoundingBox {
        west: least(&lons),
        south: least(&lats),
        east: most(&lons),
        north: most(&lats),
    })
}

/// The numbers in a text, with their positions. `None` if there are more than `most`, or other words between them than
/// a position has.
fn numbers(text: &str, most: usize) -> Option<Vec<(usize, f64)>> {
    let bytes = text.as_bytes();
    let is_part = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.');
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let starts = is_part(bytes[at]) && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric());
        if !starts {
            at += 1;
            continue;
        }
        let mut end = at + 1;
        while end < bytes.len() {
            let is_exponent = matches!(bytes[end], b'e' | b'E') && bytes[end - 1].is_ascii_digit();
            if !is_part(bytes[end]) && !is_exponent {
                break;
            }
            end += 1;
        }
        let number: f64 = text[at..end].parse().ok()?;
        if found.len() == most {
            return None;
        }
        found.push((at, number));
        at = end;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_in_the_order_that_their_source_has() {
        let at = |lat, lon| Some(Point { lat, lon });
        for (text, order, expected) in [
            ("51.5,-0.1", Order::LatLon, at(51.5, -0.1)),
            ("loc: 51.5074,-0.1278", Order::LatLon, at(51.5074, -0.1278)),
            ("-9.1393 38.7223", Order::LonLat, at(38.7223, -9.1393)),
            ("[-9.1393,38.7223]", Order::LonLat, at(38.7223, -9.1393)),
            ("POINT(-9.1393 38.7223)", Order::LatLon, at(38.7223, -9.1393)),
            ("{\"coordinates\": [-9.1, 38.7], \"type\": \"Point\"}", Order::LonLat, at(38.7, -9.1)),
            ("Coordinates(longitude=-9.1, latitude=38.7)", Order::LatLon, at(38.7, -9.1)),
            ("{'lat': 38.7, 'lng': -9.1}", Order::LonLat, at(38.7, -9.1)),
            ("c(-9.1, 38.7)", Order::LonLat, at(38.7, -9.1)),
            ("144.9669, -37.8182", Order::LatLon, at(-37.8182, 144.9669)),
            ("London", Order::LatLon, None),
            ("12", Order::LatLon, None),
            ("500, 500", Order::LatLon, None),
            ("1, 2, 3", Order::LatLon, None),
        ] {
            assert_eq!(point(text, order), expected, "{text}");
        }
        assert_eq!(
            [degrees("52,3702"), degrees("9.5° W"), degrees("x")],
            [Some(52.3702), Some(-9.5), None]
        );
    }

    #[test]
    fn the_corners_of_a_place_are_read_in_all_three_arrangements() {
        let expected = Some(BoundingBox { west: -9.22, south: 38.69, east: -9.09, north: 38.79 });
        for text in [
            "[-9.22, 38.69, -9.09, 38.79]",
            "[[[-9.22,38.69],[-9.09,38.69],[-9.09,38.79],[-9.22,38.79]]]",
            "-9.22 -9.09 -9.09 -9.22 38.69 38.69 38.79 38.79",
        ] {
            assert_eq!(bounding_box(text), expected, "{text}");
        }
    }
}
