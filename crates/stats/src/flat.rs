//! A metric that varied and does not any more: a stuck sensor, a cached answer, a dead exporter.

use serde::{Deserialize, Serialize};

use crate::{Confidence, tail::Tail};

/// Memory, in windows.
const MEMORY: f64 = 500.0;
/// Windows before anything is said.
const NEEDED: f32 = 30.0;
const WELL_AFTER: f32 = 100.0;
/// Share of repeats above which a series does not vary in the first place.
const CONSTANT: f64 = 0.7;
/// Values in a row that must be equal before it is called flat.
const SHORTEST: u16 = 4;
/// A run this long is the series' new manner and is learned.
const ACCEPT_AFTER: u16 = 500;
/// Flatness alone is worth no more: equal values also have harmless reasons.
const MOST: f64 = 12.0;

/// How unlikely it is that k values in a row are equal to the bit: a two-state Markov chain of "equal to the last".
///
/// Its two chances are taken at the mean of their Beta posterior (rule of succession: Laplace 1774), which is above the
/// share seen; a run not longer than the longest one seen is never rarer than one in the runs seen. Runs teach when they end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlatLine {
    /// The last value, folded to 32 bits.
    last: u32,
    /// Decayed: values that followed a change, and how many of them were equal to the one before.
    after_change: f32,
    stuck: f32,
    /// Decayed: values that followed an equal one, and how many of them were equal again.
    after_equal: f32,
    stayed: f32,
    /// Values in a row that are equal now, and the most ever.
    run: u16,
    longest: u16,
}

/// What the present run of equal values is worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlatVerdict {
    /// Probability that a run gets at least this long.
    pub tail: Tail,
    /// Values in a row that are equal.
    pub run: u16,
    /// `NotYet` also for a series that never varied.
    pub learned: Confidence,
}

impl FlatLine {
    /// Feeds one value. A `NaN` is a gap: it changes nothing.
    pub fn observe(&mut self, value: f64) -> FlatVerdict {
        if value.is_nan() {
            return self.verdict();
        }
        let bits = value.to_bits();
        let folded = (bits ^ (bits >> 32)) as u32;
        if self.run > 0 && folded == self.last {
            self.run += 1;
            let verdict = self.verdict();
            if self.run >= ACCEPT_AFTER {
                self.end_of_run();
            }
            return verdict;
        }
        self.end_of_run();
        self.last = folded;
        self.verdict()
    }

    fn end_of_run(&mut self) {
        if self.run > 0 {
            let equal = f32::from(self.run - 1);
            let keep = libm::exp(-f64::from(self.run) / MEMORY) as f32;
            self.after_change = self.after_change * keep + 1.0;
            self.stuck = self.stuck * keep + equal.min(1.0);
            self.after_equal = self.after_equal * keep + equal;
            self.stayed = self.stayed * keep + (equal - 1.0).max(0.0);
            self.longest = self.longest.max(self.run);
        }
        self.run = 1;
    }

    fn verdict(&self) -> FlatVerdict {
        let seen = self.after_change + self.after_equal;
        let varies = f64::from(self.after_equal) <= CONSTANT * f64::from(seen);
        let learned = if seen < NEEDED || !varies {
            Confidence::NotYet
        } else if seen < WELL_AFTER {
            Confidence::Early
        } else {
            Confidence::Full
        };
        let tail = if learned.is_ready() && self.run >= SHORTEST { self.tail() } else { Tail::ONE };
        FlatVerdict { tail, run: self.run, learned }
    }

    fn tail(&self) -> Tail {
        let stick = (f64::from(self.stuck) + 1.0) / (f64::from(self.after_change) + 2.0);
        let stay = (f64::from(self.stayed) + 1.0) / (f64::from(self.after_equal) + 2.0);
        let ln = libm::log(stick) + f64::from(self.run - 2) * libm::log(stay);
        let modelled = Tail::from_surprise(Tail::from_ln(ln).surprise().min(MOST));
        if self.run <= self.longest {
            modelled.max(Tail::from_p(1.0 / (f64::from(self.after_change) + 1.0)))
        } else {
            modelled
        }
    }
}
