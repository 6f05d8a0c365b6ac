//! Does a series differ so much by the half-hour that its days are worth watching?
//!
//! The rhythm of days takes more memory than all else that is known of a series, and most series have none.

use serde::{Deserialize, Serialize};

const SLOT_SECS: f64 = 1_800.0;
/// Slots before anything is said: a fourth of a day.
const NEEDED: u8 = 12;
/// The means of slots must vary so many times as much as the noise in them explains.
const BEYOND_NOISE: f32 = 3.0;
/// Values a slot, below which the noise in its mean is no smaller than that of a value.
const FEW: u16 = 3;
/// Weight of a slot.
const GAIN: f32 = 0.1;
/// Slots that a series without a rhythm waits for another look: four days.
const LATER: u8 = 192;

/// Variance of half-hour means against what values vary by from one to the next (one-way analysis of variance: Fisher
/// 1925). 24 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dawn {
    sum: f64,
    mean: f32,
    /// Decayed squares of the distances of means from [`Self::mean`], over what noise explains of them.
    ratio: f32,
    values: u16,
    slot: u8,
    slots: u8,
    waits: u8,
}

impl Dawn {
    /// After days in vain.
    pub(crate) fn later() -> Self {
        Self { waits: LATER, ..Self::default() }
    }

    /// Feeds a value; `noise` is the variance of one. Whether the days are worth watching from now on.
    pub(crate) fn observe(&mut self, secs: f64, value: f64, noise: f64) -> bool {
        let slot = (secs / SLOT_SECS).rem_euclid(256.0) as u8;
        let closes = slot != self.slot && self.values > 0;
        if closes {
            let mean = (self.sum / f64::from(self.values)) as f32;
            if self.slots == 0 {
                self.mean = mean;
            }
            let off = mean - self.mean;
            let explained = (noise / f64::from(self.values)).max(1e-30) as f32;
            self.mean += GAIN * off;
            self.ratio += GAIN * ((off * off / explained).min(1e6) - self.ratio);
            self.slots = self.slots.saturating_add(1);
            self.waits = self.waits.saturating_sub(1);
        }
        let few = closes && self.values < FEW;
        if closes {
            (self.sum, self.values) = (0.0, 0);
        }
        self.slot = slot;
        self.sum += value;
        self.values = self.values.saturating_add(1);
        closes && self.waits == 0 && (few || (self.slots >= NEEDED && self.ratio >= BEYOND_NOISE))
    }
}
