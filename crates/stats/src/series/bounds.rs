//! How far a value is from all that a series has ever been.

use serde::{Deserialize, Serialize};

use crate::{
    Tail,
    mixture::{Mixture, NORMAL_MEAN_ABS},
};

/// Values before anything is said.
const NEEDED: f64 = 20.0;
/// What was seen hangs together: so much of it is worth independent values.
const WORTH: f64 = 0.2;
/// Memory of the weight of tails, in values: what is far out is rare, so it takes long to know that it never comes.
const TAIL_MEMORY: f64 = 5_000.0;

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
        let scale = f64::from(self.variance).sqrt().max(floor).max(1e-12);
        let z = if self.is_known() { (value - self.mean) / scale } else { 0.0 };
        let gain = self.gain(memory);
        self.seen = self.seen.saturating_add(1);
        let off = value - self.mean;
        self.mean += gain * off;
        self.variance = ((1.0 - gain) * (f64::from(self.variance) + gain * off * off)) as f32;
        z
    }

    /// Weight of the next value.
    fn gain(&self, memory: f64) -> f64 {
        (1.0 / (f64::from(self.seen) + 1.0)).max(1.0 / memory)
    }

    /// Whether enough was seen.
    pub(crate) fn is_known(&self) -> bool {
        f64::from(self.seen) >= NEEDED
    }

    /// Decayed variance.
    pub(crate) fn variance(&self) -> f64 {
        f64::from(self.variance)
    }
}

/// [`Bounds`] that also learn how heavy the tails beyond them are. 32 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reach {
    bounds: Bounds,
    /// Mean distance.
    size: f32,
    mixture: Mixture,
}

/// How far a value was from the long mean before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Distance {
    /// In standard deviations.
    pub(crate) z: f64,
    /// Where it was measured from, and the standard deviation.
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    /// Probability of as far a one on its side.
    pub(crate) tail: Tail,
}

impl Distance {
    /// Nothing is known.
    pub(crate) const NONE: Self = Self { z: 0.0, mean: 0.0, deviation: 0.0, tail: Tail::ONE };
}

impl Reach {
    /// What it is as a rule.
    pub(crate) fn mean(&self) -> f64 {
        self.bounds.mean
    }

    /// Standard deviation.
    pub(crate) fn deviation(&self) -> f64 {
        self.bounds.variance().sqrt()
    }

    /// As [`Bounds::observe`].
    pub(crate) fn observe(&mut self, value: f64, floor: f64, memory: f64) -> Distance {
        let seen = self.judge(value, floor, memory);
        self.learn(value, floor, memory);
        seen
    }

    /// Learns a value that was judged.
    pub(crate) fn learn(&mut self, value: f64, floor: f64, memory: f64) {
        let gain = self.bounds.gain(memory);
        let off = value - self.bounds.mean;
        if self.bounds.is_known() && off != 0.0 {
            self.mixture.learn_for(self.residual(off, floor), TAIL_MEMORY);
        }
        self.bounds.observe(value, floor, memory);
        self.size += (gain * (off.abs() - f64::from(self.size))) as f32;
    }

    /// How far a value is. Teaches nothing.
    pub(crate) fn judge(&self, value: f64, floor: f64, memory: f64) -> Distance {
        let (mean, deviation, z) = (self.bounds.mean, self.deviation().max(floor), self.z(value, floor));
        if !self.bounds.is_known() {
            return Distance { z, mean, deviation, tail: Tail::ONE };
        }
        let windows = WORTH * f64::from(self.bounds.seen).min(memory);
        let tail = self.mixture.upper(self.residual(value - mean, floor), windows);
        Distance { z, mean, deviation, tail }
    }

    /// How far in standard deviations, which is all that some ask; 0 while too little is known.
    pub(crate) fn z(&self, value: f64, floor: f64) -> f64 {
        let deviation = self.deviation().max(floor).max(1e-12);
        if self.bounds.is_known() { (value - self.bounds.mean) / deviation } else { 0.0 }
    }

    fn residual(&self, off: f64, floor: f64) -> f64 {
        off.abs() / f64::from(self.size).max(NORMAL_MEAN_ABS * floor).max(1e-12)
    }
}
