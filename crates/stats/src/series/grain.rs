//! The finest a series is known to move.

use serde::{Deserialize, Serialize};

/// A spread is at least this share of the smallest step the series makes.
const STEP_SHARE: f64 = 0.4;
/// And this share of the value: smaller moves matter to nobody.
const VALUE_SHARE: f64 = 2e-4;

/// The smallest difference other than 0 between values in a row. 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grain {
    last: f32,
    step: f32,
}

impl Default for Grain {
    fn default() -> Self {
        Self { last: f32::NAN, step: f32::MAX }
    }
}

impl Grain {
    /// Feeds a value: the least standard deviation there can be around it.
    pub(crate) fn observe(&mut self, value: f64) -> f64 {
        let difference = (value as f32 - self.last).abs();
        if difference > 0.0 {
            self.step = self.step.min(difference);
        }
        self.last = value as f32;
        let step = if self.step == f32::MAX { 0.0 } else { f64::from(self.step) };
        (STEP_SHARE * step).max(VALUE_SHARE * value.abs())
    }

    /// Whether it has moved, and by whole numbers only.
    pub(crate) fn is_whole(&self) -> bool {
        self.step != f32::MAX && self.step.fract() == 0.0
    }
}
