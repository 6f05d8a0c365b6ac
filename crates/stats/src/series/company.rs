//! The metrics of one service in each other's company: what one of them is worth among so many, and all together.

use serde::{Deserialize, Serialize};

use super::{
    clock::Clock,
    joint::{FEWEST_METRICS, JointWatch, JointlyWatched, Leaps},
};
use crate::{Peaks, Tail};

/// Where the metrics are judged together, one by itself is told a tenth as readily: most of what befalls a service moves
/// several.
const ONE_IN: f64 = 10.0;
/// What is left of the number of metrics a window later, where fewer were observed: some come once an hour.
const KEEP: f32 = 0.999;

/// Watches the metrics of one service, window by window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Company {
    clock: Clock,
    joint: JointWatch,
    peaks: Peaks,
    /// Metrics of the fullest window, slowly forgotten.
    metrics: f32,
}

impl Company {
    /// Ends a window, at `secs`, that brought `leaps`; `loudest` is the surprise of the oddest metric among those that
    /// would be told, 0 for none. What all are worth together, where they are enough.
    pub fn close(&mut self, secs: f64, leaps: &Leaps, loudest: f64) -> Option<JointlyWatched> {
        self.clock.tick(secs);
        self.metrics = (KEEP * self.metrics).max(leaps.metrics() as f32);
        self.peaks.close(self.among(loudest));
        self.joint.observe(leaps)
    }

    /// What the surprise of one metric is worth among all of the service, and by the record of these.
    pub fn worth(&self, tail: Tail) -> Tail {
        let worth = self.peaks.worth(self.among(tail.surprise()));
        if f64::from(self.metrics) >= FEWEST_METRICS as f64 { worth.among(ONE_IN) } else { worth }
    }

    /// How often the service is observed, in seconds, once that is known.
    pub fn step_secs(&self) -> Option<f64> {
        self.clock.step_secs()
    }

    fn among(&self, surprise: f64) -> f64 {
        (surprise - libm::log10(f64::from(self.metrics).max(1.0))).max(0.0)
    }
}
