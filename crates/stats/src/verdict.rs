//! What an estimator says about one window.

use serde::{Deserialize, Serialize};

use crate::Tail;

/// Windows a baseline must have seen before it says anything.
pub(crate) const READY_AFTER: u32 = 8;
/// Windows after which its own uncertainty hardly matters any more.
pub(crate) const WELL_AFTER: u32 = 60;

/// How much a baseline has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Confidence {
    /// Not learned yet: every tail is [`Tail::ONE`], nothing can be concluded.
    NotYet,
    /// Usable; the tails are wide because little was seen.
    Early,
    /// Learned.
    Full,
}

impl Confidence {
    /// By the number of windows that taught.
    pub fn after(windows: u32) -> Self {
        match windows {
            0..READY_AFTER => Self::NotYet,
            READY_AFTER..WELL_AFTER => Self::Early,
            _ => Self::Full,
        }
    }

    /// Whether a verdict can be relied on.
    pub fn is_ready(self) -> bool {
        self != Self::NotYet
    }
}

/// How far one window is from what was expected of it, before it taught anything.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Probability of a value at least as high.
    pub up: Tail,
    /// Probability of a value at least as low.
    pub down: Tail,
    /// The interval that holds 95 %, in the unit of the observation.
    pub expected: (f64, f64),
    /// What was predicted, in the unit of the observation.
    pub mean: f64,
    /// How much the baseline knew.
    pub learned: Confidence,
    /// With this window a level that lasted became the new normal. Said once each time.
    pub new_normal: bool,
}

impl Verdict {
    /// Nothing can be said: not learned yet, or a gap.
    pub fn silent(mean: f64, learned: Confidence) -> Self {
        Self { up: Tail::ONE, down: Tail::ONE, expected: (mean, mean), mean, learned, new_normal: false }
    }

    /// The smaller of both tails.
    pub fn smaller(&self) -> Tail {
        self.up.min(self.down)
    }

    /// Surprise of the likelier direction: -log10 of the smaller tail.
    pub fn surprise(&self) -> f64 {
        self.smaller().surprise()
    }

    /// The verdict as a standard normal deviate, positive above expectation: what [`crate::LevelShift`] takes.
    /// 0 while not learned.
    pub fn score(&self) -> f64 {
        if self.up <= self.down { self.up.normal_score() } else { -self.down.normal_score() }
    }
}
