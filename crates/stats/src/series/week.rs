//! What hours of the week are usually off the rhythm of days.
//!
//! Knows Unix time and distances; weeks begin with 1970, which is as good as any other time.

use serde::{Deserialize, Serialize};

const HOURS: usize = 168;
const HOUR_SECS: f64 = 3_600.0;
/// Weight of a week in its hour's mean.
const GAIN: f32 = 0.5;
/// Not seen yet.
const NONE: i8 = i8::MIN;
const LARGEST: f32 = 127.0;

/// Mean distance from the rhythm of days in each hour of the week, weeks forgotten exponentially (one season on the other:
/// Taylor, JORS 2003). An hour is kept as a small multiple of one unit, some percent of the largest: what is compared with
/// noise needs no more. 196 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Week {
    #[serde(with = "super::slots")]
    usual: [i8; HOURS],
    unit: f32,
    sum: f64,
    values: u32,
    hour: u8,
}

impl Default for Week {
    fn default() -> Self {
        Self { usual: [NONE; HOURS], unit: 0.0, sum: 0.0, values: 0, hour: 0 }
    }
}

impl Week {
    /// Feeds how far a value is off the rhythm of days: how much of it what is usual at this hour of the week does not
    /// explain, if a week ago there was one. Within an hour the usual may stay or move on towards the next one's.
    pub(crate) fn observe(&mut self, secs: f64, off: f64) -> Option<f64> {
        let hour = (secs / HOUR_SECS).rem_euclid(HOURS as f64) as u8;
        if hour != self.hour {
            self.close();
            if hour < self.hour {
                self.refine();
            }
            self.hour = hour;
        }
        self.sum += off;
        self.values += 1;
        let here = f64::from(self.usual(hour)?);
        let ahead = (secs / HOUR_SECS).rem_euclid(1.0) - 0.5;
        let neighbour = (usize::from(hour) + if ahead >= 0.0 { 1 } else { HOURS - 1 }) % HOURS;
        let there = self.usual(neighbour as u8).map_or(here, f64::from);
        let between = here + ahead.abs() * (there - here);
        Some(off - off.clamp(here.min(between), here.max(between)))
    }

    /// How far it usually is at the hour of the last value.
    pub(crate) fn now(&self) -> Option<f32> {
        self.usual(self.hour)
    }

    fn usual(&self, hour: u8) -> Option<f32> {
        let usual = self.usual[usize::from(hour)];
        (usual != NONE).then(|| f32::from(usual) * self.unit)
    }

    fn close(&mut self) {
        if self.values > 0 {
            let mean = (self.sum / f64::from(self.values)) as f32;
            let usual = self.now().map_or(mean, |known| known + GAIN * (mean - known));
            self.make_room(usual.abs());
            self.usual[usize::from(self.hour)] = (usual / self.unit).round().clamp(-LARGEST, LARGEST) as i8;
        }
        (self.sum, self.values) = (0.0, 0);
    }

    /// Makes the unit so large that `size` can be told by it.
    fn make_room(&mut self, size: f32) {
        if self.unit == 0.0 {
            self.unit = (size / LARGEST).max(f32::MIN_POSITIVE);
        }
        while size > LARGEST * self.unit {
            self.unit *= 2.0;
            self.known().for_each(|usual| *usual /= 2);
        }
    }

    fn known(&mut self) -> impl Iterator<Item = &mut i8> {
        self.usual.iter_mut().filter(|usual| **usual != NONE)
    }

    /// Once a week: a unit that was made for what is forgotten is made smaller.
    fn refine(&mut self) {
        if self.known().all(|usual| usual.unsigned_abs() < LARGEST as u8 / 2) {
            self.unit /= 2.0;
            self.known().for_each(|usual| *usual *= 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK_SECS: f64 = HOURS as f64 * HOUR_SECS;

    /// What is known after weeks that were each off by `off` all the time.
    fn after(weeks: &[f64]) -> f32 {
        let mut week = Week::default();
        let hours = weeks.iter().flat_map(|off| std::iter::repeat_n(*off, HOURS));
        for (hour, off) in hours.enumerate() {
            week.observe(hour as f64 * HOUR_SECS, off);
        }
        week.observe(weeks.len() as f64 * WEEK_SECS, 0.0);
        week.now().unwrap_or(f32::NAN)
    }

    #[test]
    fn a_week_ago_is_known_and_what_was_is_forgotten() {
        assert_eq!(after(&[127.0]), 127.0);
        assert!((after(&[100.0, 0.0, 0.0]) - 25.0).abs() < 1.0);
        assert!((after(&[100.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]) - 3.4).abs() < 0.3);
    }

    #[test]
    fn whatever_the_size_it_has_a_unit() {
        for size in [0.0, 1e-45, 1e-38, -1e-30, 1.0, -1e18] {
            let known = f64::from(after(&[0.0, 1e-45, size, size, size, size, size]));
            assert!((known - size).abs() <= 0.1 * size.abs() + 1e-37, "{size:e} is known as {known:e}");
        }
    }
}
