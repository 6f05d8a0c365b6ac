//! What was told is not told again and again: after a surprise, only a greater one, or a later one, counts.
//!
//! Counts values, not time.

use serde::{Deserialize, Serialize};

/// Surprises that are remembered.
const KEPT: usize = 6;
/// A surprise fades over this share of the values seen so far,
const SHARE: f64 = 0.1;
/// and over so many at least.
const SHORTEST: f64 = 100.0;

/// Recent surprises that none since has beaten: a series that is watched for years may be odd as rarely, in proportion,
/// as one that is watched for a day. 56 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rest {
    /// Number of the value, and its surprise; falling surprises, oldest first.
    told: [(u32, f32); KEPT],
    kept: u8,
    seen: u32,
}

impl Rest {
    /// Feeds a surprise: itself if it stands out from the recent ones, else 0.
    pub(crate) fn observe(&mut self, surprise: f64) -> f64 {
        self.seen = self.seen.saturating_add(1);
        let span = (SHARE * f64::from(self.seen)).max(SHORTEST);
        let age = |number: u32| f64::from(self.seen - number) / span;
        let told = &self.told[..self.kept as usize];
        let shadow = told
            .iter()
            .filter(|told| age(told.0) <= 1.0)
            .map(|told| f64::from(told.1) * (1.0 - age(told.0)).max(0.0).sqrt())
            .fold(0.0, f64::max);
        let mut kept = 0;
        for i in 0..self.kept as usize {
            let told = self.told[i];
            if f64::from(told.1) > surprise && f64::from(self.seen - told.0) <= span {
                self.told[kept] = told;
                kept += 1;
            }
        }
        if kept == KEPT {
            // The least one makes room.
            kept -= 1;
        }
        self.told[kept] = (self.seen, surprise as f32);
        self.kept = kept as u8 + 1;
        if surprise > shadow { surprise } else { 0.0 }
    }
}
