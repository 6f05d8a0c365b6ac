//! The last week of a series in hourly means, and the noise between its values: what a forecast over days is made of.

use serde::{Deserialize, Serialize};

use crate::exhaust::HOUR;

/// Hours kept: a week.
const HOURS: usize = 168;
/// Memory of the noise and of the spacing, in values.
const MEMORY: f32 = 500.0;
/// A step by so many usual ones is no noise: it counts as that much.
const LARGEST_STEP: f64 = 4.0;

/// An hour without a value; no mean is as large. Unlike `NaN` it is equal to itself.
const GAP: f32 = f32::MAX;

/// Means over the hours of the clock. 800 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Hours {
    means: Vec<f32>,
    /// Number of the hour that is filling, since the clock's origin.
    filling: f64,
    sum: f64,
    count: u32,
    /// Decayed mean square of how far values lie off the line through the two before, and mean time between them.
    square: f64,
    spacing_secs: f32,
    values: f32,
    last_secs: f64,
    /// The last value, and what it rose by.
    last: f64,
    rise: Option<f64>,
}

impl Hours {
    pub(super) fn new() -> Self {
        Self {
            means: Vec::new(),
            filling: f64::MIN,
            sum: 0.0,
            count: 0,
            square: 0.0,
            spacing_secs: 0.0,
            values: 0.0,
            last_secs: f64::MIN,
            last: 0.0,
            rise: None,
        }
    }

    /// Forgets the hours, not the noise: what comes next is another story of the same resource.
    pub(super) fn clear(&mut self) {
        self.means.clear();
        (self.filling, self.sum, self.count) = (f64::MIN, 0.0, 0);
    }

    /// Takes a value that is later than all before. Says whether an hour was closed.
    pub(super) fn observe(&mut self, t_secs: f64, value: f64) -> bool {
        self.learn_noise(t_secs, value);
        let hour = (t_secs / HOUR).floor();
        let closes = self.count > 0 && hour > self.filling;
        if closes {
            self.push((self.sum / f64::from(self.count)) as f32);
            let missed = (hour - self.filling - 1.0).min(HOURS as f64) as usize;
            (0..missed).for_each(|_| self.push(GAP));
            (self.sum, self.count) = (0.0, 0);
        }
        self.filling = hour;
        self.sum += value;
        self.count = self.count.saturating_add(1);
        closes
    }

    fn push(&mut self, mean: f32) {
        if self.means.len() == HOURS {
            self.means.remove(0);
        }
        self.means.push(mean);
    }

    fn learn_noise(&mut self, t_secs: f64, value: f64) {
        let (before_secs, before) = (self.last_secs, self.last);
        (self.last_secs, self.last) = (t_secs, value);
        if before_secs == f64::MIN {
            return;
        }
        let rise = value - before;
        self.values = (self.values + 1.0).min(MEMORY);
        self.spacing_secs += ((t_secs - before_secs) as f32 - self.spacing_secs) / self.values;
        let Some(before) = self.rise.replace(rise) else { return };
        let off = (rise - before).abs();
        let usual = LARGEST_STEP * self.square.sqrt();
        let off = if self.values > 12.0 { off.min(usual.max(f64::MIN_POSITIVE)) } else { off };
        self.square += (off * off - self.square) / f64::from((self.values - 1.0).max(1.0));
    }

    /// Means of the closed hours times `towards`, oldest first; `NaN` where an hour had no value.
    pub(super) fn means(&self, towards: f64) -> Vec<f64> {
        let mean = |mean: &f32| if *mean == GAP { f64::NAN } else { f64::from(*mean) * towards };
        self.means.iter().map(mean).collect()
    }

    /// Number of the hour of the newest mean.
    pub(super) fn newest(&self) -> f64 {
        self.filling - 1.0
    }

    /// Standard deviation of white noise on the values: off a line through two others by noise alone it has six times the
    /// variance.
    pub(super) fn noise(&self) -> f64 {
        (self.square / 6.0).sqrt()
    }

    /// Seconds from value to value.
    pub(super) fn spacing_secs(&self) -> f64 {
        f64::from(self.spacing_secs).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_without_values_are_gaps_and_the_week_is_bounded() {
        let mut hours = Hours::new();
        for minute in 0..20_000 {
            if (600..720).contains(&minute) {
                continue;
            }
            hours.observe(f64::from(minute) * 60.0, f64::from(minute / 60));
        }
        assert_eq!((hours.means.len(), hours.newest()), (HOURS, 332.0));
        assert_eq!(hours.means[HOURS - 1], 332.0);
        let mut early = Hours::new();
        for t in [0.0, 3_600.0, 4.0 * 3_600.0, 5.0 * 3_600.0] {
            early.observe(t, 1.0);
        }
        let gaps: Vec<bool> = early.means(1.0).iter().map(|mean| mean.is_nan()).collect();
        assert_eq!(gaps, [false, false, true, true, false]);
    }
}
