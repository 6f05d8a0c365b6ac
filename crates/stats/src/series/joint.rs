//! Several metrics of one service: are they odd together?
//!
//! Knows no names and no times: the caller feeds what every metric that was observed in a window is worth.

use serde::{Deserialize, Serialize};

use super::bounds::Reach;
use crate::Tail;

/// Degrees of freedom of the t whose likelihood is summed: of heavy tails, so that one metric can't carry the rest.
const DEGREES: f64 = 3.0;
/// Metrics that make a joint test one.
pub const FEWEST_METRICS: usize = 3;
/// The most that one metric adds, in nats.
const MOST: f64 = 100.0;
/// Memory, in windows.
const MEMORY: f64 = 4_000.0;
/// The mean is skewed, to the right, and less so the more metrics there are; this power of it is nearly normal whether their
/// leaps are normal (0.5 for few) or heavy-tailed (a third: Wilson and Hilferty, PNAS 1931).
const ROOT: f64 = 0.4;
/// Above so many of its own standard deviations the joint leap is told.
const TOLD: f64 = 8.5;

/// The mean log likelihood of all leaps of a window under Student's t, against its own history: whatever the metrics have
/// in common is in that history, so their correlation needs no model (a Q chart of a combined statistic: Quesenberry,
/// Journal of Quality Technology 1991; robust t scores: Lange, Little and Taylor, JASA 1989). 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JointWatch {
    usual: Reach,
    /// Of the [`ROOT`].
    root: Reach,
}

/// What one window of all metrics of a service is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointlyWatched {
    /// Probability of leaps at least as large, by their own history.
    pub tail: Tail,
    /// In standard deviations of its own history.
    pub z: f64,
}

impl JointlyWatched {
    /// Whether it would be told.
    pub fn alarm(&self) -> bool {
        self.z >= TOLD
    }
}

/// What the metrics of one window have leapt. Added up in fixed point, so that their order does not matter. 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaps {
    /// Log likelihood ratios, in steps of 2^-32.
    sum: u64,
    metrics: u32,
}

impl Leaps {
    /// Adds how far a metric was from its forecast, in its own standard deviations ([`super::Watched::leap`]).
    pub fn add(&mut self, leap: f64) {
        let far = libm::log1p(leap * leap / DEGREES).min(MOST);
        self.sum = self.sum.saturating_add((far * 4_294_967_296.0) as u64);
        self.metrics = self.metrics.saturating_add(1);
    }

    /// Metrics that were observed.
    pub fn metrics(&self) -> u32 {
        self.metrics
    }
}

impl FromIterator<f64> for Leaps {
    fn from_iter<T: IntoIterator<Item = f64>>(leaps: T) -> Self {
        let mut all = Self::default();
        leaps.into_iter().for_each(|leap| all.add(leap));
        all
    }
}

impl JointWatch {
    /// Feeds the leaps of one window. `None` for too few.
    pub fn observe(&mut self, leaps: &Leaps) -> Option<JointlyWatched> {
        if (leaps.metrics as usize) < FEWEST_METRICS {
            return None;
        }
        let mean = leaps.sum as f64 / 4_294_967_296.0 / f64::from(leaps.metrics);
        let usual = self.usual.observe(mean, 0.0, MEMORY);
        let root = self.root.observe(libm::pow(mean, ROOT), 0.0, MEMORY);
        let tail = if root.z > 0.0 { root.tail } else { Tail::ONE };
        Some(JointlyWatched { tail, z: usual.z.max(0.0) })
    }
}
