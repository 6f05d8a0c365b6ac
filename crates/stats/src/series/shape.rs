//! Whether the values of a histogram are spread over their sizes as they were.
//!
//! Knows no names and no buckets: the caller feeds counts by cell of a fixed grid, at most once a minute, and says itself when
//! cells of another cut are not to be compared with those before.

use serde::{Deserialize, Serialize};

use super::excess::Excess;
use crate::Tail;

/// The cells of what is below and above all others of the grid.
pub const LEAST_CELL: i32 = -2_200;
/// See [`LEAST_CELL`].
pub const MOST_CELL: i32 = 2_200;
/// Cells that are told apart; of half powers of two they reach from a 64th of the first median to 64 times of it.
const CELLS: usize = 24;
/// What is left a minute later of what is compared (a memory of ten minutes), and of what it is compared with (of a day).
const RECENT_KEEP: f64 = 0.9;
const REFERENCE_KEEP: f64 = 1.0 - 1.0 / 1_440.0;
/// A pause makes what is known no older than this many minutes would.
const LONGEST_PAUSE: u32 = 10;
/// Fewer recent values have no shape.
const FEWEST: f64 = 100.0;
/// Minutes until there is something to compare with, until its distances are known to wobble as they do, and until the
/// record holds a day and its rhythm.
const COMPARED_AFTER: u32 = 60;
const RECORDED_AFTER: u32 = 120;
const TOLD_AFTER: u32 = 1_440;
/// Memory of how much distances wobble, in values.
const WOBBLE_MEMORY: f64 = 1_440.0;
/// Memory of the record, in values: a week of minutes, for weekends have a shape of their own.
const RECORD_MEMORY: f64 = 10_080.0;
/// What is compared hangs together for so many minutes: twice its memory.
const ALIKE: f64 = 20.0;
/// Distances below this share of what explains them are all alike.
const LEAST_RATIO: f64 = 0.1;
/// A population stability index of less than 0.1 is read as no shift that matters, one of more than 0.25 as a large one (Lewis, An
/// Introduction to Credit Scoring, 1994; Siddiqi, Credit Risk Scorecards, 2006). The distance is the index or less.
const LARGE: f64 = 0.2;
/// Surprise from which a large distance is taken for one that begins.
const UNLIKELY: f64 = 3.0;
/// What is far in so many minutes with values, one after another, is how things are.
const NEW_NORMAL: u16 = 60;

/// Compares the recent shares of a histogram's cells, `q`, with those of a day, `p`.
///
/// The distance is the sum of `2 (p - q)^2 / (p + q)`: the two-sample chi-square over its counts, twice the triangular
/// discrimination (Topsøe, IEEE Transactions on Information Theory 2000). It is to second order the population stability index and
/// never above it, and finite where a cell is empty. It is divided by what explains it: sampling (degrees of freedom over
/// counts: Yurdakul, Statistical Properties of Population Stability Index, 2018) and what it wobbled beyond that so far, the design effect of Rao and
/// Scott (JASA 1981). The logarithm of the ratio is held to its own record ([`Excess`]), so that a rhythm of the mix is a part of what is
/// usual. 248 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShapeWatch {
    /// Decayed counts by cell.
    reference: [f32; CELLS],
    recent: [f32; CELLS],
    /// ln of the distance over what explains it.
    record: Excess,
    /// Mean distance beyond what sampling explains.
    wobble: f32,
    /// The cell of the grid that is the first here. It holds what is below as well, and the last what is above.
    lowest: i32,
    /// Minutes since 1970 of the last counts.
    minute: u32,
    /// Minutes it has seen; pauses count little.
    age: u32,
    /// Minutes with values that it has been far from the reference, one after another.
    far_minutes: u16,
}

/// What the recent shape of a histogram is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShapeSeen {
    /// From the shape of a day; at most 4.
    pub distance: f64,
    /// One in forty is larger, as a rule.
    pub usual: f64,
    /// Probability of a distance so large, by the histogram's own record.
    pub tail: Tail,
}

impl ShapeSeen {
    /// Whether so much has moved that it matters, however sure it is.
    pub fn is_large(&self) -> bool {
        self.distance >= LARGE
    }
}

/// The neighbouring cells that have gained most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// The cell that their values are above; `None` where there are none below.
    pub above: Option<i32>,
    /// The last of them; `None` where they have no upper end.
    pub up_to: Option<i32>,
    /// Their share of the recent values, and of those of a day.
    pub now: f64,
    /// See `now`.
    pub before: f64,
}

/// Shares and how many independent values they are worth.
struct Shares {
    of: [f64; CELLS],
    worth: f64,
}

impl ShapeWatch {
    /// Feeds the counts of a minute that ends at `secs`, Unix time, by cell, in any order. `None` while too little is known, and of too few
    /// values.
    pub fn observe(&mut self, secs: f64, counts: &[(i32, u64)]) -> Option<ShapeSeen> {
        let median = median(counts)?;
        let minute = (secs / 60.0) as u32;
        if self.age == 0 || self.age == COMPARED_AFTER && !self.holds(median) {
            // Its first values need not have been those that it has as a rule.
            *self = Self { lowest: median.saturating_sub(CELLS as i32 / 2), ..Self::default() };
        } else {
            self.pass(minute.saturating_sub(self.minute).max(1));
        }
        self.minute = minute;
        self.age = self.age.max(1);
        for (cell, count) in counts {
            self.recent[self.place(*cell)] += *count as f32;
        }
        let seen = self.compare();
        for (cell, count) in counts {
            self.reference[self.place(*cell)] += *count as f32;
        }
        if self.far_minutes >= NEW_NORMAL {
            self.take_for_normal(median);
        }
        seen.filter(|_| self.age >= TOLD_AFTER)
    }

    /// Where most has gone; `None` before anything was seen.
    pub fn gain(&self) -> Option<Gain> {
        let (p, q) =
            (Shares::of(&self.reference, REFERENCE_KEEP)?.of, Shares::of(&self.recent, RECENT_KEEP)?.of);
        let (mut best, mut run) = ((0.0, 0, 0), (0.0, 0));
        for (cell, (p, q)) in p.into_iter().zip(q).enumerate() {
            run = if run.0 > 0.0 { (run.0 + q - p, run.1) } else { (q - p, cell) };
            if run.0 > best.0 {
                best = (run.0, run.1, cell);
            }
        }
        let (_, first, last) = best;
        let sum = |shares: &[f64; CELLS]| shares[first..=last].iter().sum();
        let below = (0..first).rev().find(|cell| p[*cell] + q[*cell] > 0.0);
        Some(Gain {
            above: below.map(|cell| self.lowest.saturating_add(cell as i32)),
            up_to: (last + 1 < CELLS).then(|| self.lowest.saturating_add(last as i32)),
            now: sum(&q),
            before: sum(&p),
        })
    }

    fn holds(&self, cell: i32) -> bool {
        (0..CELLS as i32).contains(&cell.saturating_sub(self.lowest))
    }

    fn place(&self, cell: i32) -> usize {
        cell.saturating_sub(self.lowest).clamp(0, CELLS as i32 - 1) as usize
    }

    fn pass(&mut self, minutes: u32) {
        let paused = minutes.min(LONGEST_PAUSE);
        let keep = libm::pow(RECENT_KEEP, f64::from(minutes)) as f32;
        self.recent.iter_mut().for_each(|count| *count *= keep);
        let keep = libm::pow(REFERENCE_KEEP, f64::from(paused)) as f32;
        self.reference.iter_mut().for_each(|count| *count *= keep);
        let grown = self.age.saturating_add(paused);
        // Every stage begins at its own minute.
        self.age = if self.age < COMPARED_AFTER { grown.min(COMPARED_AFTER) } else { grown };
    }

    fn compare(&mut self) -> Option<ShapeSeen> {
        if self.age < COMPARED_AFTER || self.recent.iter().copied().map(f64::from).sum::<f64>() < FEWEST {
            return None;
        }
        let (reference, recent) =
            (Shares::of(&self.reference, REFERENCE_KEEP)?, Shares::of(&self.recent, RECENT_KEEP)?);
        let distance = reference.distance(&recent);
        let sampling = reference.sampling(recent.worth);
        let explained = sampling + f64::from(self.wobble);
        let gain = (1.0 / f64::from(self.age - COMPARED_AFTER + 1)).max(1.0 / WOBBLE_MEMORY);
        self.wobble += (gain * ((distance - sampling).max(0.0) - f64::from(self.wobble))) as f32;
        if self.age < RECORDED_AFTER {
            return None;
        }
        let ratio = libm::log((distance / explained.max(1e-12)).max(LEAST_RATIO));
        let held = self.record.observe(ratio, ALIKE, RECORD_MEMORY)?;
        let seen = ShapeSeen { distance, usual: explained * libm::exp(held.usual), tail: held.tail };
        let goes_on = seen.is_large() && (self.far_minutes > 0 || seen.tail.surprise() >= UNLIKELY);
        self.far_minutes = if goes_on { self.far_minutes + 1 } else { 0 };
        Some(seen)
    }

    /// What lasts is what later values are compared with.
    fn take_for_normal(&mut self, median: i32) {
        self.far_minutes = 0;
        if self.holds(median) {
            self.reference = self.recent;
        } else {
            *self = Self::default();
        }
    }
}

impl Shares {
    /// Of counts that are decayed by `keep`: of a steady flow these are worth `1 + keep` as many that are not.
    fn of(counts: &[f32; CELLS], keep: f64) -> Option<Self> {
        let counts = counts.map(f64::from);
        let all: f64 = counts.iter().sum();
        (all > 0.0).then(|| Self { of: counts.map(|count| count / all), worth: (1.0 + keep) * all })
    }

    fn distance(&self, recent: &Self) -> f64 {
        let of_cell = |(p, q): (&f64, &f64)| {
            let (off, sum) = (p - q, p + q);
            if sum > 0.0 { 2.0 * off * off / sum } else { 0.0 }
        };
        self.of.iter().zip(&recent.of).map(of_cell).sum()
    }

    /// The distance to expect of so many values with these shares; a cell that holds less than one of them counts for as much less.
    fn sampling(&self, recent: f64) -> f64 {
        let cells: f64 = self.of.iter().map(|p| (2.0 * p * recent).min(1.0)).sum();
        (cells - 1.0).max(1.0) * (1.0 / recent + 1.0 / self.worth)
    }
}

/// The cell that half of the counts are up to, those at the ends of the grid aside: that many are 0 says nothing of how large the
/// others are. `None` of no counts.
fn median(counts: &[(i32, u64)]) -> Option<i32> {
    let mut by_cell: Vec<(i32, u64)> = counts.iter().copied().filter(|(_, count)| *count > 0).collect();
    by_cell.sort_unstable();
    let any = by_cell.first()?.0;
    by_cell.retain(|(cell, _)| (LEAST_CELL + 1..MOST_CELL).contains(cell));
    let all = by_cell.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let mut left = all;
    let middle = by_cell.into_iter().find_map(|(cell, count)| {
        left = left.saturating_sub(count);
        (left <= all / 2).then_some(cell)
    });
    middle.or(Some(any))
}
