//! What one observation of a series is worth.

use serde::{Deserialize, Serialize};

use crate::Tail;

/// What can be odd about a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Oddity {
    /// A value far from what was forecast: a spike, a dip.
    Deviation,
    /// The level has moved.
    Shift,
    /// The slope has changed.
    Trend,
    /// It varies more, or less, than it did.
    Spread,
    /// It varied and does not any more.
    Flat,
    /// The rhythm of its days is broken.
    Season,
}

impl Oddity {
    /// All, in the order of [`Watched::tails`].
    pub const ALL: [Self; 6] =
        [Self::Deviation, Self::Shift, Self::Trend, Self::Spread, Self::Flat, Self::Season];
}

/// One observation against what was learned before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watched {
    /// The interval that holds 95 %, in the unit of the series.
    pub expected: (f64, f64),
    /// What was forecast.
    pub mean: f64,
    /// For each of [`Oddity::ALL`], the probability of something at least as odd.
    pub tails: [Tail; 6],
    /// Distance from the forecast, in standard deviations of all such distances: what a joint watch takes.
    pub leap: f64,
    pub(super) joint: f64,
    pub(super) alarm: Option<Oddity>,
}

impl Watched {
    /// The joint surprise of all sides, from 0 to 1. Repeats are suppressed: only what beats the recent past counts.
    pub fn score(&self) -> f64 {
        /// Joint surprise that scores one half: about what a series shows once in some thousand observations.
        const HALF: f64 = 10.0;
        self.joint / (self.joint + HALF)
    }

    /// What would be told as a finding.
    pub fn alarm(&self) -> Option<Oddity> {
        self.alarm
    }

    /// Probability of something at least as odd, of one kind.
    pub fn tail(&self, oddity: Oddity) -> Tail {
        self.tails[oddity as usize]
    }
}
