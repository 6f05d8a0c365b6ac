//! How far a value is from all that a series has ever been.

use serde::{Deserialize, Serialize};

/// Values before anything is said.
const NEEDED: f64 = 20.0;

/// Long moments of a quantity, every value in full: a series that leaps often is known to leap (the z-score with
/// exponentially forgotten moments: Roberts, Technometrics 1959). 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bounds {
    mean: f64,
    variance: f32,
    seen: u32,
}

impl Bounds {
    /// Feeds `value`, remembered for `memory` values; `floor` is the least standard deviation. Its distance from the mean before it, in standard deviations.
    pub(crate) fn observe(&mut self, value: f64, floor: f64, memory: f64) -> f64 {
        let n = f64::from(self.seen);
        let scale = f64::from(self.variance).sqrt().max(floor).max(1e-12);
        let z = if n < NEEDED { 0.0 } else { (value - self.mean) / scale };
        self.seen = self.seen.saturating_add(1);
        let gain = (1.0 / (n + 1.0)).max(1.0 / memory);
        let off = value - self.mean;
        self.mean += gain * off;
        self.variance = ((1.0 - gain) * (f64::from(self.variance) + gain * off * off)) as f32;
        z
    }
}
