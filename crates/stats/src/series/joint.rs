//! Several metrics of one service: are they odd together?
//!
//! Knows no names and no times: the caller feeds what every metric that was observed in a window is worth.

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use crate::Tail;

/// Degrees of freedom of the t whose likelihood is summed: of heavy tails, so that one metric can't carry the rest.
const DEGREES: f64 = 3.0;
/// Metrics that make a joint test one.
pub const FEWEST_METRICS: usize = 3;
/// Memory, in windows.
const MEMORY: f64 = 4_000.0;
/// Above so many of its own standard deviations the joint leap is told.
const TOLD: f64 = 8.5;

/// The mean log likelihood of all leaps of a window under Student's t, against its own history: whatever the metrics have
/// in common is in that history, so their correlation needs no model (a Q chart of a combined statistic: Quesenberry,
/// Journal of Quality Technology 1991; robust t scores: Lange, Little and Taylor, JASA 1989). 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JointWatch {
    usual: Bounds,
}

/// What one window of all metrics of a service is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointlyWatched {
    /// Bound on the probability of a leap at least as large, of whatever distribution (Cantelli's inequality).
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

impl JointWatch {
    /// Feeds the leaps of one window: how far each metric was from its forecast, in its own standard deviations
    /// ([`super::Watched::leap`]). `None` for too few.
    pub fn observe(&mut self, leaps: impl IntoIterator<Item = f64>) -> Option<JointlyWatched> {
        let (mut sum, mut metrics) = (0.0, 0_usize);
        for leap in leaps {
            if leap.is_finite() {
                sum += libm::log1p(leap * leap / DEGREES);
                metrics += 1;
            }
        }
        if metrics < FEWEST_METRICS {
            return None;
        }
        let z = self.usual.observe(sum / metrics as f64, 0.0, MEMORY).max(0.0);
        Some(JointlyWatched { tail: Tail::from_p(1.0 / (1.0 + z * z)), z })
    }
}
