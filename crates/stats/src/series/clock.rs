//! The step of a series, and how long it has been silent.
//!
//! Knows the times of observations only, never what time it is: who asks says.

use serde::{Deserialize, Serialize};

use crate::Tail;

/// Gaps whose median is the step.
const GAPS: usize = 5;
/// A silence of fewer steps is none.
const SHORTEST_SILENCE: f64 = 3.0;
/// Observations before a silence is judged.
const NEEDED: u32 = 30;
/// Memory of what was missed, in steps.
const MEMORY: f64 = 20_000.0;
/// Steps beyond are not counted.
const MOST_STEPS: f64 = 1e6;

/// The step of a series, as the median of its last gaps, and how often steps are missed.
///
/// That a step is missed is a two-state Markov chain, whose two chances are taken at the mean of their Beta posterior
/// (rule of succession: Laplace 1774): missing one after one that came, missing another after one that was missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Clock {
    last: f64,
    gaps: [f32; GAPS],
    seen: u32,
    /// Decayed: steps that came, silences that began, steps that were missed.
    came: f32,
    silences: f32,
    missed: f32,
}

impl Clock {
    /// Feeds the time of an observation: the steps since the one before, 1 for the very next; 0 if it is no later.
    pub(crate) fn tick(&mut self, secs: f64) -> u32 {
        if self.seen == 0 {
            (self.last, self.seen) = (secs, 1);
            return 1;
        }
        let gap = secs - self.last;
        if gap.is_nan() || gap <= 0.0 {
            return 0;
        }
        let steps = self.step_secs().map_or(1.0, |step| (gap / step).round().clamp(1.0, MOST_STEPS));
        self.last = secs;
        self.gaps[(self.seen as usize - 1) % GAPS] = gap as f32;
        self.seen = self.seen.saturating_add(1);
        let keep = (1.0 - 1.0 / MEMORY) as f32;
        self.came = self.came * keep + 1.0;
        self.silences *= keep;
        self.missed *= keep;
        if steps > 1.0 {
            self.silences += 1.0;
            // A long outage is one silence; it does not make long ones usual.
            self.missed += (steps as f32 - 1.0).min(self.silences * 10.0);
        }
        steps as u32
    }

    /// The usual step, in seconds, once enough gaps were seen.
    pub(crate) fn step_secs(&self) -> Option<f64> {
        if (self.seen as usize) <= GAPS {
            return None;
        }
        let mut gaps = self.gaps;
        gaps.sort_by(f32::total_cmp);
        Some(f64::from(gaps[GAPS / 2]))
    }

    /// Between the last two observations, in seconds.
    pub(crate) fn gap_secs(&self) -> f64 {
        if self.seen < 2 { 0.0 } else { f64::from(self.gaps[(self.seen as usize - 2) % GAPS]) }
    }

    /// Of the last observation.
    pub(crate) fn last_secs(&self) -> Option<f64> {
        (self.seen > 0).then_some(self.last)
    }

    /// Since the last observation, in seconds.
    pub(crate) fn silent_secs(&self, now_secs: f64) -> f64 {
        if self.seen == 0 { 0.0 } else { (now_secs - self.last).max(0.0) }
    }

    /// Probability of a silence as long as the one until `now_secs`.
    pub(crate) fn overdue(&self, now_secs: f64) -> Tail {
        let Some(step) = self.step_secs().filter(|_| self.seen >= NEEDED) else { return Tail::ONE };
        // The step that is due now may still come.
        let steps = ((now_secs - self.last) / step).floor() - 1.0;
        if steps.is_nan() || steps < SHORTEST_SILENCE {
            return Tail::ONE;
        }
        let (silences, missed) = (f64::from(self.silences), f64::from(self.missed));
        let begins = (silences + 1.0) / (f64::from(self.came) + 2.0);
        let goes_on = ((missed - silences).max(0.0) + 1.0) / (missed + 2.0);
        Tail::from_ln(libm::log(begins) + (steps - 1.0) * libm::log(goes_on))
    }
}
