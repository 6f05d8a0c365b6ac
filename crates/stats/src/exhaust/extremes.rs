//! The highs and lows of the last two days: whether a series comes back by itself shows there, and not in means over days.

use serde::{Deserialize, Serialize};

use crate::exhaust::track::Point;

const BUCKET_SECS: f64 = 4.0 * 3_600.0;
const BUCKETS: usize = 12;
/// A bucket that holds nothing.
const EMPTY: (f32, f32) = (f32::MAX, f32::MIN);

/// Low and high of each four hours, newest last. 104 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Extremes {
    buckets: [(f32, f32); BUCKETS],
    /// Number of the newest bucket since the clock's origin.
    newest: f64,
}

impl Extremes {
    pub(super) fn new() -> Self {
        Self { buckets: [EMPTY; BUCKETS], newest: f64::MIN }
    }

    pub(super) fn observe(&mut self, point: Point) {
        let bucket = (point.t_secs / BUCKET_SECS).floor();
        if bucket > self.newest {
            let steps = (bucket - self.newest).min(BUCKETS as f64) as usize;
            self.buckets.rotate_left(steps);
            self.buckets[BUCKETS - steps..].fill(EMPTY);
            self.newest = bucket;
        }
        let value = point.value as f32;
        let (low, high) = &mut self.buckets[BUCKETS - 1];
        (*low, *high) = (low.min(value), high.max(value));
    }

    /// Forgets what was before.
    pub(super) fn clear(&mut self) {
        self.buckets = [EMPTY; BUCKETS];
    }

    /// Low and high of each bucket, seen in the direction of `towards`, oldest first.
    pub(super) fn towards(&self, towards: f64) -> impl Iterator<Item = (f64, f64)> {
        self.buckets.into_iter().filter(|bucket| *bucket != EMPTY).map(move |(low, high)| {
            let (a, b) = (f64::from(low) * towards, f64::from(high) * towards);
            (a.min(b), a.max(b))
        })
    }
}
