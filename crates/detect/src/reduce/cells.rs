//! A distribution on the grid that all have, whatever its own buckets are: half powers of two.
//!
//! Half, because the default buckets of OpenTelemetry and Prometheus all lie in cells of their own then, but for those up to 750
//! and 1,000, which share one.

use std::collections::BTreeMap;

use foreshock_model::fingerprint64;
use foreshock_stats::series::{LEAST_CELL, MOST_CELL};

use super::distribution::Distribution;

/// Cells that are passed on: 24 powers of two without a gap.
const MOST_CELLS: usize = 48;
/// From this scale on the buckets of an exponential histogram lie in one cell each.
const FINE_SCALE: i32 = 1;

impl Distribution {
    /// How many values are in each cell, ascending: `2^((cell - 1) / 2)` to `2^(cell / 2)`, a bucket where its upper bound lies. Of more than 48
    /// cells the outermost are merged with their neighbours, the emptier end first.
    pub(super) fn cells(&self) -> Vec<(i32, u64)> {
        let mut cells = BTreeMap::new();
        match self {
            Self::Explicit { bounds, counts } => {
                for (index, count) in counts.iter().enumerate() {
                    let cell = bounds.get(index).map_or(MOST_CELL, |bound| cell_up_to(*bound));
                    *cells.entry(cell).or_default() += count;
                }
            }
            Self::Exponential { scale, zero, counts } => {
                cells.insert(LEAST_CELL, *zero);
                for (index, count) in counts {
                    let halves = libm::scalbn(f64::from(*index) + 1.0, 1_i32.saturating_sub(*scale));
                    *cells.entry(within(halves)).or_default() += count;
                }
            }
        }
        cells.retain(|_, count| *count > 0);
        while cells.len() > MOST_CELLS {
            merge_outermost(&mut cells);
        }
        cells.into_iter().collect()
    }

    /// Tells how its buckets are cut, as far as its cells follow from it.
    pub(super) fn cut(&self) -> u32 {
        match self {
            Self::Explicit { bounds, .. } => {
                let bytes: Vec<u8> = bounds.iter().flat_map(|bound| bound.to_le_bytes()).collect();
                fingerprint64(&bytes) as u32
            }
            Self::Exponential { scale, .. } => (*scale).min(FINE_SCALE).cast_unsigned(),
        }
    }
}

/// The cell of the values that a bucket with this upper bound may hold.
fn cell_up_to(bound: f64) -> i32 {
    if bound > 0.0 { within(2.0 * libm::log2(bound)) } else { LEAST_CELL }
}

fn within(halves: f64) -> i32 {
    // The cast saturates.
    (halves.ceil() as i32).clamp(LEAST_CELL + 1, MOST_CELL - 1)
}

fn merge_outermost(cells: &mut BTreeMap<i32, u64>) {
    let ends = cells.first_key_value().zip(cells.last_key_value());
    let Some(((_, first), (_, last))) = ends else { return };
    let is_first = first <= last;
    let merged = if is_first { cells.pop_first() } else { cells.pop_last() };
    let next = if is_first { cells.first_entry() } else { cells.last_entry() };
    if let (Some((_, count)), Some(mut next)) = (merged, next) {
        *next.get_mut() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lies_in_the_cell_of_its_upper_bound() {
        let bounds = vec![0.0, 0.005, 0.25, 0.5, 1.0, 2.5];
        let explicit = Distribution::Explicit { bounds, counts: vec![1, 2, 0, 3, 4, 5, 6] };
        assert_eq!(explicit.cells(), [(LEAST_CELL, 1), (-15, 2), (-2, 3), (0, 4), (3, 5), (MOST_CELL, 6)]);
        for (scale, index, cell) in
            [(0, 0, 2), (0, -1, 0), (1, 0, 1), (1, -1, 0), (3, 0, 1), (3, 3, 1), (3, 4, 2), (-1, 0, 4)]
        {
            let counts = BTreeMap::from([(index, 7)]);
            let exponential = Distribution::Exponential { scale, zero: 0, counts };
            assert_eq!(exponential.cells(), [(cell, 7)], "scale {scale}, index {index}");
        }
    }

    #[test]
    fn the_default_buckets_keep_cells_of_their_own() {
        let bounds = [0., 5., 10., 25., 50., 75., 100., 250., 500., 750., 1e3, 2.5e3, 5e3, 7.5e3, 1e4];
        let in_ms = Distribution::Explicit { bounds: bounds.to_vec(), counts: vec![1; 16] };
        let in_s = Distribution::Explicit { bounds: bounds.map(|ms| ms / 1e3).to_vec(), counts: vec![1; 16] };
        for cells in [in_ms.cells(), in_s.cells()] {
            let shared: Vec<u64> = cells.iter().map(|(_, count)| *count).filter(|count| *count > 1).collect();
            assert_eq!((cells.len(), shared), (15, vec![2]));
        }
    }

    #[test]
    fn values_of_any_buckets_lie_in_a_bounded_number_of_cells() {
        let counts: BTreeMap<i32, u64> = (-200..200).map(|index| (index, 10)).collect();
        let wide = Distribution::Exponential { scale: 1, zero: 3, counts };
        let cells = wide.cells();
        assert_eq!(cells.len(), MOST_CELLS);
        assert_eq!(cells.iter().map(|(_, count)| count).sum::<u64>(), 4_003);
        for scale in [i32::MIN, -10, 20, i32::MAX] {
            let counts = BTreeMap::from([(i32::MIN, 1), (i32::MAX, 1)]);
            let absurd = Distribution::Exponential { scale, zero: 0, counts }.cells();
            assert_eq!(absurd.iter().map(|(_, count)| count).sum::<u64>(), 2);
        }
        let absurd = vec![f64::NEG_INFINITY, f64::NAN, f64::INFINITY];
        let absurd = Distribution::Explicit { bounds: absurd, counts: vec![1, 1, 1] }.cells();
        assert_eq!(absurd, [(LEAST_CELL, 2), (MOST_CELL - 1, 1)]);
    }

    #[test]
    fn only_what_changes_the_cells_is_another_cut() {
        let exponential = |scale| Distribution::Exponential { scale, zero: 0, counts: BTreeMap::new() }.cut();
        assert_eq!(exponential(20), exponential(3));
        assert_ne!(exponential(3), exponential(0));
        let explicit =
            |bounds: &[f64]| Distribution::Explicit { bounds: bounds.to_vec(), counts: vec![] }.cut();
        assert_ne!(explicit(&[1.0, 2.0]), explicit(&[1.0, 2.5]));
    }
}
