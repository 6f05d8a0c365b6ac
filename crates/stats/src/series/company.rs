//! The metrics of one service in each other's company: what one of them is worth among so many, and all together.

use serde::{Deserialize, Serialize};

use super::{
    Oddity, Watched,
    clock::Clock,
    joint::{FEWEST_METRICS, JointWatch, JointlyWatched, Leaps},
};
use crate::{Calibration, Peaks, Tail};

/// Where the metrics are judged together, one by itself is told a tenth as readily: most of what befalls a service moves
/// several.
const ONE_IN: f64 = 10.0;
/// Tails of all metrics that tell how often such come.
const BLOCK_TAILS: u32 = 20_000;
/// What is left of the number of metrics a window later, where fewer were observed: some come once an hour.
const KEEP: f32 = 0.999;

/// What has a tail of some model, and not of counting: signs and equal values are counted exactly.
const OF_MODELS: [Oddity; 4] = [Oddity::Deviation, Oddity::Shift, Oddity::Trend, Oddity::Season];

/// Watches the metrics of one service, window by window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Company {
    clock: Clock,
    joint: JointWatch,
    peaks: Peaks,
    /// Metrics of the fullest window, slowly forgotten.
    metrics: f32,
    /// How often tails come, of each of [`OF_MODELS`]; where there are several metrics.
    calibrations: Option<Box<[Calibration; OF_MODELS.len()]>>,
}

impl Company {
    /// Holds a metric's tails to how often such have come among all of the service, and learns from them. What is counted has
    /// exact tails, and is not fed.
    pub fn calibrate(&mut self, watched: &mut Watched) {
        let Some(calibrations) = &mut self.calibrations else { return };
        for (oddity, calibration) in OF_MODELS.into_iter().zip(calibrations.iter_mut()) {
            let tail = &mut watched.tails[oddity as usize];
            let is_tested = oddity != Oddity::Season || tail.surprise() > 0.0;
            if is_tested {
                *tail = calibration.observe(*tail);
            }
        }
    }

    /// Of an oddity's tails, where there is one.
    pub fn calibration(&self, oddity: Oddity) -> Option<&Calibration> {
        let place = OF_MODELS.iter().position(|of_model| *of_model == oddity)?;
        self.calibrations.as_ref().map(|calibrations| &calibrations[place])
    }

    /// Ends a window, at `secs`, that brought `leaps`; `loudest` is the surprise of the oddest metric among those that
    /// would be told, 0 for none. What all are worth together, where they are enough.
    pub fn close(&mut self, secs: f64, leaps: &Leaps, loudest: f64) -> Option<JointlyWatched> {
        self.clock.tick(secs);
        self.metrics = (KEEP * self.metrics).max(leaps.metrics() as f32);
        self.peaks.close(self.among(loudest), self.clock.gap_secs());
        if self.calibrations.is_none() && leaps.metrics() as usize >= FEWEST_METRICS {
            self.calibrations = Some(Box::new(std::array::from_fn(|_| Calibration::new(BLOCK_TAILS))));
        }
        self.calibrations.iter_mut().flat_map(|all| all.iter_mut()).for_each(|one| one.close(secs));
        self.joint.observe(leaps)
    }

    /// What the surprise of one metric is worth among all of the service, and by the record of these.
    pub fn worth(&self, tail: Tail) -> Tail {
        let surprise = self.among(tail.surprise());
        let worth = self.peaks.worth(surprise);
        if f64::from(self.metrics) >= FEWEST_METRICS as f64 {
            // Each is held to how often its tails come already ([`Self::calibrate`]): one that cries mutes no other.
            return worth.among(ONE_IN);
        }
        worth.max(self.peaks.habit(surprise).unwrap_or(worth))
    }

    /// How often the service is observed, in seconds, once that is known.
    pub fn step_secs(&self) -> Option<f64> {
        self.clock.step_secs()
    }

    fn among(&self, surprise: f64) -> f64 {
        (surprise - libm::log10(f64::from(self.metrics).max(1.0))).max(0.0)
    }
}
