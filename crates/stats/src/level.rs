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
/// Restlessness above which a series is taken for a walk, on which a leap is over as soon as it was made.
const WALKS: f64 = 0.5;
/// Values beyond are held to it: what follows from it stays finite.
const LARGEST: f64 = 1e30;
/// Windows after which the interval is weighed anew.
const REACH_EVERY: u32 = 16;
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
    /// Half of the interval that holds 95 %, in scales, as it was some windows ago: weighing the tails anew takes longer than all
    /// else.
    reach: f32,
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
            reach: 0.0,
            pending: 0.0,
        }
    }

    /// Windows that taught.
    pub fn windows(&self) -> u32 {
        self.bank.windows()
    }

    /// What `value` would be worth now. Teaches nothing.
    pub fn judge(&self, value: f64) -> Verdict {
        self.verdict(&self.assess(value))
    }

    /// Judges `value`, then learns it, unless it is so far out that it is taken for a fault. `NaN` is a gap.
    pub fn observe(&mut self, value: f64) -> Verdict {
        let seen = self.assess(value);
        let verdict = self.verdict(&seen);
        if !value.is_finite() {
            self.gap = self.gap.saturating_add(1);
            return verdict;
        }
        if verdict.surprise() >= FAULT {
            return self.reject(&seen, verdict);
        }
        self.rejected = 0;
        self.learn(&seen);
        verdict
    }

    /// Judges `value` and learns nothing from it: a confirmed fault. If it lasts, the level becomes the new normal.
    pub fn observe_excluded(&mut self, value: f64) -> Verdict {
        let seen = self.assess(value);
        let verdict = self.verdict(&seen);
        if !value.is_finite() {
            self.gap = self.gap.saturating_add(1);
            return verdict;
        }
        self.reject(&seen, verdict)
    }

    fn assess(&self, value: f64) -> Assessment {
        let value = if value.is_finite() { value.clamp(-LARGEST, LARGEST) } else { f64::NAN };
        let forecast = self.bank.forecast();
        let scale = self.predictive_scale(value, forecast);
        let residual = (value - forecast) / scale;
        let (up, down) = if self.bank.windows() >= READY_AFTER && !value.is_nan() {
            self.tails(residual)
        } else {
            (Tail::ONE, Tail::ONE)
        };
        Assessment { value, forecast, scale, residual, up, down }
    }

    fn verdict(&self, seen: &Assessment) -> Verdict {
        let windows = self.bank.windows();
        let mut verdict = Verdict::silent(seen.forecast, Confidence::after(windows));
        if windows >= READY_AFTER {
            let half = seen.scale * f64::from(self.reach);
            verdict.expected = (seen.forecast - half, seen.forecast + half);
            (verdict.up, verdict.down) =
                self.overshoot.correct(seen.up, seen.down, windows - READY_AFTER, 1.0);
        }
        verdict
    }

    fn reject(&mut self, seen: &Assessment, mut verdict: Verdict) -> Verdict {
        if self.rejected == 0 {
            self.rejected_mean = 0.0;
        }
        self.teach_tails(seen);
        self.rejected += 1;
        self.rejected_mean += (seen.value - self.rejected_mean) / f64::from(self.rejected);
        // As after a gap: where a walk has gone meanwhile is not known. What is a walk for sure goes on from here.
        self.gap = self.gap.saturating_add(1);
        if self.bank.restlessness() > WALKS {
            self.bank.follow(seen.value);
        }
        if self.rejected >= self.accept_after {
            (self.rejected, self.gap, self.pending) = (0, 0, 0.0);
            self.bank.restart_at(self.rejected_mean);
            verdict.new_normal = true;
        }
        verdict
    }

    fn learn(&mut self, seen: &Assessment) {
        let windows = self.bank.windows();
        if windows > 0 {
            let difference = (seen.value - self.bank.last()).abs() as f32;
            if difference > 0.0 {
                self.step = self.step.min(difference);
            }
        }
        if self.gap == 0 {
            self.teach_tails(seen);
            if windows >= 2 {
                let limit = if windows >= READY_AFTER { PULL * seen.scale } else { f64::INFINITY };
                let error = (seen.value - seen.forecast).abs().min(limit);
                let gain = (1.0 / f64::from(windows - 1)).max(1.0 / SCALE_MEMORY);
                self.scale += (gain * (error - f64::from(self.scale))) as f32;
            }
        }
        self.gap = 0;
        if windows < REACH_EVERY || windows.is_multiple_of(REACH_EVERY) {
            self.reach = self.mixture.reach(self.known_windows()) as f32;
        }
        self.bank.learn(seen.value, seen.forecast, self.floored_scale(seen.value, seen.forecast));
    }

    fn teach_tails(&mut self, seen: &Assessment) {
        if self.bank.windows() < READY_AFTER {
            return;
        }
        if seen.residual.abs() > FAR {
            if seen.residual.abs() > f64::from(self.pending.abs()) {
                self.pending = seen.residual as f32;
            }
            return;
        }
        if self.pending != 0.0 {
            let residual = f64::from(self.pending);
            let (up, down) = self.tails(residual);
            self.teach_residual(residual, up, down);
            self.pending = 0.0;
        }
        self.teach_residual(seen.residual, seen.up, seen.down);
    }

    fn teach_residual(&mut self, residual: f64, up: Tail, down: Tail) {
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

/// One value against the baseline as it stands.
struct Assessment {
    value: f64,
    forecast: f64,
    /// The usual distance of a value from its forecast, now.
    scale: f64,
    residual: f64,
    /// Before what overshooting has taught.
    up: Tail,
    down: Tail,
}
