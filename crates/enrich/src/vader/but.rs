//! "But" halves the valences before it and raises those after it by half.
//!
//! The reference looks up each valence by its value (`list.index`) while it changes the list, so among equal valences
//! an earlier one may be changed twice and a later one not at all. Its scores depend on that, so it is reproduced here,
//! but in less than quadratic time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

/// Up to this many valences, searching them is faster than keeping them sorted.
const FEW: usize = 64;

/// Weighs `valences` around the first `but`, at index `but`.
pub(super) fn weigh(valences: &mut [f64], but: usize) {
    // Zeros stay zero whatever they are multiplied by, and no value ever equals them.
    if valences.iter().filter(|&&valence| valence != 0.0).count() <= FEW {
        weigh_few(valences, but);
    } else {
        weigh_many(valences, but);
    }
}

fn weighed(valence: f64, at: usize, but: usize) -> f64 {
    if at < but { valence * 0.5 } else { valence * 1.5 }
}

fn weigh_few(valences: &mut [f64], but: usize) {
    let mut places = [0; FEW];
    let mut n_places = 0;
    for i in 0..valences.len() {
        let valence = valences[i];
        if valence == 0.0 {
            continue;
        }
        places[n_places] = i;
        n_places += 1;
        // As `list.index` does: the first valence that is equal now, which need not be the one at `i`.
        let first = places[..n_places].iter().copied().find(|&place| valences[place] == valence);
        if let Some(first) = first {
            valences[first] = weighed(valence, first, but);
        }
    }
}

fn weigh_many(valences: &mut [f64], but: usize) {
    let mut places: HashMap<u64, BinaryHeap<Reverse<usize>>> = HashMap::new();
    for i in 0..valences.len() {
        let valence = valences[i];
        if valence == 0.0 {
            continue;
        }
        let equals = places.entry(valence.to_bits()).or_default();
        equals.push(Reverse(i));
        let Some(Reverse(first)) = equals.pop() else { continue };
        valences[first] = weighed(valence, first, but);
        places.entry(valences[first].to_bits()).or_default().push(Reverse(first));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_do_what_the_reference_does() {
        // Python: [2, 1, 0, 1, 1] with "but" at 2 becomes [0.5, 1, 0, 1.5, 1].
        let valences = [2.0, 1.0, 0.0, 1.0, 1.0];
        let (mut few, mut many) = (valences, valences);
        weigh_few(&mut few, 2);
        weigh_many(&mut many, 2);
        assert_eq!(few, many);
        let mut quadratic = valences.to_vec();
        for i in 0..quadratic.len() {
            let first = quadratic.iter().position(|&v| v == quadratic[i]).unwrap();
            if first != 2 {
                quadratic[first] = weighed(quadratic[i], first, 2);
            }
        }
        assert_eq!(few.to_vec(), quadratic);
    }
}
