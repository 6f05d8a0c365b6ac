//! What one observation of a series is worth.

use serde::{Deserialize, Serialize};

use crate::{Tail, Verdict};

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
    /// The interval that holds 95 %, in the unit of the series: of what was forecast, or of what the series was for long
    /// where only that was left.
    pub expected: (f64, f64),
    /// Its middle.
    pub mean: f64,
    /// Whether it is above that, or leads there.
    pub up: bool,
    /// For each of [`Oddity::ALL`], the probability of something at least as odd.
    pub tails: [Tail; 6],
    /// Distance from the forecast, in standard deviations of all such distances: what a joint watch takes. None while too little is known.
    pub leap: Option<f64>,
    pub(super) alarm: Option<Oddity>,
}

impl Watched {
    /// A gap.
    pub(super) fn nothing(verdict: &Verdict) -> Self {
        let (expected, mean) = (verdict.expected, verdict.mean);
        Self { expected, mean, up: false, tails: [Tail::ONE; 6], leap: None, alarm: None }
    }

    /// What would be told as a finding.
    pub fn alarm(&self) -> Option<Oddity> {
        self.alarm
    }

    /// Probability of something at least as odd, of one kind.
    pub fn tail(&self, oddity: Oddity) -> Tail {
        self.tails[oddity as usize]
    }

    /// What is known otherwise: it is no less likely than this.
    pub fn hold(&mut self, oddity: Oddity, tail: Tail) {
        let held = &mut self.tails[oddity as usize];
        *held = held.max(tail);
    }

    /// Nothing of this is odd at this time.
    pub(super) fn take_as_usual(&mut self, usual: &[Oddity]) {
        for oddity in usual {
            self.tails[*oddity as usize] = Tail::ONE;
        }
        self.alarm = self.alarm.filter(|oddity| !usual.contains(oddity));
    }

    /// The least likely of all, and its probability.
    pub fn oddest(&self) -> (Oddity, Tail) {
        let mut oddest = (Oddity::Deviation, Tail::ONE);
        for (oddity, tail) in Oddity::ALL.into_iter().zip(self.tails) {
            if tail < oddest.1 {
                oddest = (oddity, tail);
            }
        }
        oddest
    }
}
