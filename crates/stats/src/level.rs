//! One value a window of a metric: a spike, a dip?
//!
//! Knows nothing of time or of units. A counter's resets are the caller's to turn into rates.

use serde::{Deserialize, Serialize};

use crate::{
    Confidence, Tail, Verdict, bank::Bank, mixture::Mixture, overshoot::Overshoot, verdict::READY_AFTER,
};

/// Memory of the scale, in windows.
const SCALE_MEMORY: f64 = 200.0;
/// How far one residual may raise the scale, in scales.
const PULL: f64 = 4.0;
/// The scale is at least this share of the level: smaller moves matter to nobody.
const RELATIVE_FLOOR: f64 = 2e-4;
/// And at least this share of the smallest step the series is known to make.
const STEP_FLOOR: f64 = 0.4;
/// A residual of so many scales is far out: once in thirty windows of normal noise.
const FAR: f64 = 2.7;
/// Above this surprise a value is taken for a fault and does not teach the level.
const FAULT: f64 = 5.0;
/// Windows of rejected values in a row that make the new level the normal one.
const ACCEPT_AFTER: u16 = 30;

/// Baseline of a metric's value a window: forecast, scale and weight of the tails, all learned. 120 bytes.
///
/// The forecast averages four exponential filters, the scale is the decayed mean absolute residual, the tail a mixture
/// of Student's t whose weights the residuals themselves have set, stretched on the side where they exceed it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    bank: Bank,
    mixture: Mixture,
    overshoot: Overshoot,
    /// Decayed mean absolute residual.
    scale: f32,
    /// Smallest difference other than 0 between values in a row, 1 for integers; `f32::MAX` while there was none.
    step: f32,
    /// Mean of the values rejected in a row, and how many.
    rejected_mean: f64,
    rejected: u16,
    accept_after: u16,
    /// Windows without a value since the last one.
    gap: u16,
    /// A residual far out, in scales, that teaches the tails once the series has come back; 0 for none. If it does not
    /// come back, it was no tail but another level.
    pending: f32,
}

impl Default for Level {
    fn default() -> Self {
        Self::new(ACCEPT_AFTER)
    }
}

impl Level {
    /// A baseline that takes a level that was rejected for `accept_after` windows in a row as the new normal.
    pub fn new(accept_after: u16) -> Self {
        Self {
            bank: Bank::new(),
            mixture: Mixture::default(),
            overshoot: Overshoot::default(),
            scale: 0.0,
            step: f32::MAX,
            rejected_mean: 0.0,
            rejected: 0,
            accept_after: accept_after.max(1),
            gap: 0,
            pending: 0.0,
        }
    }

    /// Windows that taught.
    pub fn windows(&self) -> u32 {
        self.bank.windows()
    }

    /// What `value` would be worth now. Teaches nothing.
    pub fn judge(&self, value: f64) -> Verdict {
        let forecast = self.bank.forecast();
        let learned = Confidence::after(self.bank.windows());
        let mut verdict = Verdict::silent(forecast, learned);
        if !learned.is_ready() {
            return verdict;
        }
        let scale = self.predictive_scale(value, forecast);
        let half = scale * self.mixture.reach(self.known_windows());
        verdict.expected = (forecast - half, forecast + half);
        if value.is_finite() {
            let (up, down) = self.tails((value - forecast) / scale);
            (verdict.up, verdict.down) =
                self.overshoot.correct(up, down, self.bank.windows() - READY_AFTER, 1.0);
        }
        verdict
    }

    /// Judges `value`, then learns it, unless it is so far out that it is taken for a fault. `NaN` is a gap.
    pub fn observe(&mut self, value: f64) -> Verdict {
        let verdict = self.judge(value);
        if !value.is_finite() {
            self.gap = self.gap.saturating_add(1);
            return verdict;
        }
        if verdict.surprise() >= FAULT {
            return self.reject(value, verdict);
        }
        self.rejected = 0;
        self.learn(value);
        verdict
    }

    /// Judges `value` and learns nothing from it: a confirmed fault. Lasts it, the level becomes the new normal.
    pub fn observe_excluded(&mut self, value: f64) -> Verdict {
        let verdict = self.judge(value);
        if !value.is_finite() {
            self.gap = self.gap.saturating_add(1);
            return verdict;
        }
        self.reject(value, verdict)
    }

    fn reject(&mut self, value: f64, mut verdict: Verdict) -> Verdict {
        if self.rejected == 0 {
            self.rejected_mean = 0.0;
        }
        self.teach_tails(value);
        self.rejected += 1;
        self.rejected_mean += (value - self.rejected_mean) / f64::from(self.rejected);
        self.gap = 0;
        if self.rejected >= self.accept_after {
            self.rejected = 0;
            self.pending = 0.0;
            self.bank.restart_at(self.rejected_mean);
            verdict.new_normal = true;
        }
        verdict
    }

    fn learn(&mut self, value: f64) {
        let forecast = self.bank.forecast();
        let windows = self.bank.windows();
        let scale = self.floored_scale(value, forecast);
        if windows > 0 {
            let difference = (value - self.bank.last()).abs() as f32;
            if difference > 0.0 {
                self.step = self.step.min(difference);
            }
        }
        if windows >= READY_AFTER && self.gap == 0 {
            self.teach_tails(value);
        }
        if windows >= 2 && self.gap == 0 {
            let known = f64::from(windows - 1);
            let limit = if windows >= READY_AFTER { PULL * scale } else { f64::INFINITY };
            let residual = (value - forecast).abs().min(limit);
            self.scale += ((1.0 / known).max(1.0 / SCALE_MEMORY) * (residual - f64::from(self.scale))) as f32;
        }
        self.gap = 0;
        self.bank.learn(value, forecast, self.floored_scale(value, forecast));
    }

    fn teach_tails(&mut self, value: f64) {
        let forecast = self.bank.forecast();
        if self.bank.windows() < READY_AFTER {
            return;
        }
        let residual = (value - forecast) / self.predictive_scale(value, forecast);
        if residual.abs() > FAR {
            if residual.abs() > f64::from(self.pending.abs()) {
                self.pending = residual as f32;
            }
            return;
        }
        if self.pending != 0.0 {
            self.teach_residual(f64::from(self.pending));
            self.pending = 0.0;
        }
        self.teach_residual(residual);
    }

    fn teach_residual(&mut self, residual: f64) {
        let (up, down) = self.tails(residual);
        self.overshoot.learn(up, down);
        // A value met exactly is a constant's: it says nothing about tails.
        if residual != 0.0 {
            self.mixture.learn(residual.abs());
        }
    }

    /// As the mixture has them, of a residual in scales.
    fn tails(&self, residual: f64) -> (Tail, Tail) {
        let tail = self.mixture.upper(residual.abs(), self.known_windows());
        if residual >= 0.0 { (tail, Tail::ONE) } else { (Tail::ONE, tail) }
    }

    /// Windows the scale is known from.
    fn known_windows(&self) -> f64 {
        f64::from(self.bank.windows().saturating_sub(2)).clamp(1.0, SCALE_MEMORY)
    }

    fn floored_scale(&self, value: f64, forecast: f64) -> f64 {
        let relative = RELATIVE_FLOOR * forecast.abs();
        let whole = value.fract() == 0.0 && self.bank.last().fract() == 0.0 && forecast.abs() < 1e6;
        let step = match self.step {
            f32::MAX => f64::from(u8::from(whole)),
            step => f64::from(step),
        };
        f64::from(self.scale).max(relative).max(STEP_FLOOR * step).max(1e-12)
    }

    /// The scale of the next residual: wider after a gap, the more so the more the series walks.
    fn predictive_scale(&self, value: f64, forecast: f64) -> f64 {
        let scale = self.floored_scale(value, forecast);
        if self.gap == 0 {
            scale
        } else {
            scale * (1.0 + f64::from(self.gap) * self.bank.restlessness()).sqrt()
        }
    }
}
