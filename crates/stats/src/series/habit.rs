//! What a series does several times a day is its manner, not an incident.

use serde::{Deserialize, Serialize};

const DAY_SECS: f64 = 86_400.0;
/// Memory, in days.
const MEMORY_DAYS: f64 = 5.0;
/// What happens more often than so many times a day is not told.
const MOST_A_DAY: f64 = 4.0;
/// Before anything is known: one in a quarter of a day.
const PRIOR_DAYS: f64 = 0.25;

/// How often something happened, decayed: a Poisson rate with a gamma prior. 8 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Habit {
    times: f32,
    days: f32,
}

impl Habit {
    /// Time goes on.
    pub(crate) fn pass(&mut self, secs: f64) {
        let days = secs / DAY_SECS;
        let keep = 1.0 - (days / MEMORY_DAYS).min(1.0);
        self.times = (f64::from(self.times) * keep) as f32;
        self.days = (f64::from(self.days) * keep + days.min(MEMORY_DAYS)) as f32;
    }

    /// It happened. Whether it is rare enough to be told.
    pub(crate) fn happened(&mut self) -> bool {
        let rate = (f64::from(self.times) + 1.0) / (f64::from(self.days) + PRIOR_DAYS);
        self.times += 1.0;
        rate <= MOST_A_DAY
    }
}
