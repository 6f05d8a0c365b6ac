//! The step of a series, and how long it has been silent.
//!
//! Knows the times of observations only, never what time it is.

use serde::{Deserialize, Serialize};

/// Steps that are remembered.
const KEPT: usize = 5;

/// The step of a series: the median of its last gaps, so that holes and doubles don't move it. 48 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Clock {
    last: f64,
    gaps: [f32; KEPT],
    seen: u32,
}

/// Where an observation lies on the clock of its series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tick {
    /// The first, or so early that the step is not known.
    Early,
    /// At, or before, the last one's time: a second reading of the same step.
    Same,
    /// After that many steps; 1 is the next one.
    After(u32),
}

impl Clock {
    /// Feeds the time of an observation.
    pub(crate) fn tick(&mut self, secs: f64) -> Tick {
        if self.seen == 0 {
            (self.last, self.seen) = (secs, 1);
            return Tick::Early;
        }
        let gap = secs - self.last;
        if gap.is_nan() || gap <= 0.0 {
            return Tick::Same;
        }
        let step = self.step_secs();
        self.last = secs;
        self.gaps[(self.seen as usize - 1) % KEPT] = gap as f32;
        self.seen = self.seen.saturating_add(1);
        match step {
            Some(step) => Tick::After((gap / step).round().clamp(1.0, 1e6) as u32),
            None => Tick::Early,
        }
    }

    /// Since the observation before.
    pub(crate) fn gap(&self) -> f64 {
        if self.seen < 2 { 0.0 } else { f64::from(self.gaps[(self.seen as usize - 2) % KEPT]) }
    }

    /// The usual step, in seconds, once [`KEPT`] gaps were seen.
    pub(crate) fn step_secs(&self) -> Option<f64> {
        if (self.seen as usize) <= KEPT {
            return None;
        }
        let mut gaps = self.gaps;
        gaps.sort_by(f32::total_cmp);
        Some(f64::from(gaps[KEPT / 2]))
    }
}
