//! The past of a series in a few points: means over buckets of equal length.

use serde::{Deserialize, Serialize};

/// Points kept.
pub(super) const POINTS: usize = 12;
/// Longest bucket: a day, so that the coarsest past reaches back twelve days.
const LONGEST_SECS: f32 = 86_400.0;

/// Mean time and mean value of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) t_secs: f64,
    pub(super) value: f64,
}

/// What happens when all points are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The oldest goes: the recent past at full resolution.
    Forget,
    /// Neighbours are merged and buckets get twice as long: the whole past, ever coarser.
    Coarsen,
}

/// 48 bytes and 16 a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    points: Vec<Point>,
    /// Sums over the bucket that is still filling.
    t_sum: f64,
    value_sum: f64,
    filled: u32,
    stride_secs: f32,
}

impl Track {
    pub(super) fn new(stride_secs: f32) -> Self {
        Self { points: Vec::new(), t_sum: 0.0, value_sum: 0.0, filled: 0, stride_secs }
    }

    /// Closed buckets, oldest first.
    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// Says whether a bucket was closed.
    pub(super) fn observe(&mut self, t_secs: f64, value: f64, full: Full) -> bool {
        let filling = self.t_sum / f64::from(self.filled.max(1));
        let closes = self.filled > 0 && self.bucket(t_secs) > self.bucket(filling);
        if closes {
            self.close(full);
        }
        self.t_sum += t_secs;
        self.value_sum += value;
        self.filled = self.filled.saturating_add(1);
        closes
    }

    /// Closes the bucket that is filling, full or not: what comes next is another story.
    pub(super) fn close(&mut self, full: Full) {
        if self.filled == 0 {
            return;
        }
        if self.points.len() == POINTS {
            match full {
                Full::Coarsen if self.stride_secs < LONGEST_SECS => self.coarsen(),
                Full::Coarsen | Full::Forget => {
                    self.points.remove(0);
                }
            }
        }
        let n = f64::from(self.filled);
        self.points.reserve_exact(POINTS - self.points.len());
        self.points.push(Point { t_secs: self.t_sum / n, value: self.value_sum / n });
        (self.t_sum, self.value_sum, self.filled) = (0.0, 0.0, 0);
    }

    fn bucket(&self, t_secs: f64) -> f64 {
        (t_secs / f64::from(self.stride_secs)).floor()
    }

    fn coarsen(&mut self) {
        self.stride_secs *= 2.0;
        let mut merged: Vec<Point> = Vec::with_capacity(POINTS);
        for point in &self.points {
            match merged.last_mut() {
                Some(last) if self.bucket(last.t_secs) == self.bucket(point.t_secs) => {
                    last.t_secs = 0.5 * (last.t_secs + point.t_secs);
                    last.value = 0.5 * (last.value + point.value);
                }
                _ => merged.push(*point),
            }
        }
        // Gaps may leave nothing to merge; the oldest goes then.
        if merged.len() == POINTS {
            merged.remove(0);
        }
        self.points = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_past_is_kept_coarsely_and_the_recent_past_finely() {
        let (mut far, mut near) = (Track::new(60.0), Track::new(60.0));
        for minute in 0..1_000 {
            let t = f64::from(minute) * 60.0;
            far.observe(t, t, Full::Coarsen);
            near.observe(t, t, Full::Forget);
        }
        assert!(far.points()[0].t_secs < 10_000.0 && far.points().len() <= POINTS);
        assert!(near.points()[0].t_secs > 59_000.0 && near.points().len() == POINTS);
        for points in [far.points(), near.points()] {
            assert!(points.iter().all(|p| (p.t_secs - p.value).abs() < 1e-6));
            assert!(points.windows(2).all(|w| w[0].t_secs < w[1].t_secs));
        }
    }
}
