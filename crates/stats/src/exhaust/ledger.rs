//! What was forecast, kept until its time has come: was it right, and did its interval hold the truth?

use serde::{Deserialize, Serialize};

use crate::exhaust::HOUR;

/// Forecasts that wait for their time. More than these are not kept.
const WAITING: usize = 16;
/// Of one level a forecast is kept no oftener than this.
const APART_SECS: f64 = 6.0 * HOUR;
/// Share of the forecasts that an interval is to miss.
const MISSES: f64 = 0.2;
/// How far one forecast moves the logarithm of the width.
const GAIN: f64 = 0.2;
/// The width stays within these.
const WIDTHS: (f64, f64) = (0.7, 8.0);
/// Before anything was judged: a course that was just found is a little less sure than it seems.
const FIRST_WIDTH: f32 = 1.25;
/// A forecast is right that was off by no more than this share of the time it looked ahead.
const RIGHT: f64 = 0.2;

/// How the forecasts of a resource have fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fared {
    /// Forecasts whose time has come.
    pub judged: u32,
    /// Of those: the time was right within a fifth of how far it looked ahead.
    pub right: u32,
    /// Of those: the interval held the truth.
    pub held: u32,
}

impl std::ops::AddAssign for Fared {
    fn add_assign(&mut self, other: Self) {
        self.judged = self.judged.saturating_add(other.judged);
        self.right = self.right.saturating_add(other.right);
        self.held = self.held.saturating_add(other.held);
    }
}

/// Forecasts that wait, how those before have fared, and how wide that makes the next interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ledger {
    waiting: Vec<Kept>,
    fared: Fared,
    width: f32,
}

/// That `level` is reached, seen in the direction of `towards`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) made: f64,
    pub(super) level: f64,
    pub(super) towards: f64,
    pub(super) at: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { waiting: Vec::new(), fared: Fared::default(), width: FIRST_WIDTH }
    }

    pub(super) fn fared(&self) -> Fared {
        self.fared
    }

    /// How many times as wide as the model says an interval has to be.
    pub(super) fn width(&self) -> f64 {
        f64::from(self.width)
    }

    /// Where there is room, and it does not say again what was just said.
    pub(super) fn keep(&mut self, kept: Kept) {
        let mut same = self.waiting.iter().filter(|known| known.level == kept.level);
        let is_news = same.all(|known| kept.made - known.made >= APART_SECS);
        if is_news && self.waiting.len() < WAITING && kept.at > kept.made {
            self.waiting.push(kept);
        }
    }

    /// Someone has helped: what was forecast can't be judged any more.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Judges those whose time has come by that value. The width follows the misses (adaptive conformal inference: Gibbs
    /// and Candès 2021).
    pub(super) fn observe(&mut self, t_secs: f64, value: f64) {
        let Self { waiting, fared, width } = self;
        waiting.retain(|kept| {
            let reached = value * kept.towards >= kept.level * kept.towards;
            if !reached && t_secs <= kept.high.max(kept.at + RIGHT * (kept.at - kept.made)) {
                return true;
            }
            let held = reached && (kept.low..=kept.high).contains(&t_secs);
            let right = reached && (t_secs - kept.at).abs() <= RIGHT * (t_secs - kept.made);
            fared.judged = fared.judged.saturating_add(1);
            fared.held += u32::from(held);
            fared.right += u32::from(right);
            let towards_target = if held { -MISSES } else { 1.0 - MISSES };
            let moved = f64::from(*width) * libm::exp(GAIN * towards_target);
            *width = moved.clamp(WIDTHS.0, WIDTHS.1) as f32;
            false
        });
    }
}
