//! The share of errors among all: did it rise?

use serde::{Deserialize, Serialize};

use crate::{
    Confidence, Verdict,
    tail::{beta_binomial_lower, beta_binomial_upper},
};

/// Memory, in windows that had anything.
const MEMORY: f64 = 240.0;
/// Correlation of errors within a window assumed at first, and its weight in windows.
const PRIOR_CORRELATION: f32 = 0.002;
const PRIOR_WINDOWS: f64 = 10.0;
/// Above this surprise a window is taken for a fault and does not teach.
const FAULT: f64 = 5.0;
/// Windows of rejected shares in a row that make the new share the normal one.
const ACCEPT_AFTER: u16 = 30;
/// A rise by less than this share matters to nobody.
const MINIMUM_EFFECT: f32 = 0.01;

/// Baseline of the share of errors: beta-binomial prediction of the errors among a window's total.
///
/// The chance of an error is Beta distributed from window to window (Skellam 1948); its mean and the correlation of
/// errors within a window come from exponentially forgotten moments (Crowder 1978). The tail is that of a change beyond
/// the minimum effect: a difference that is significant and of no consequence has tail 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorShare {
    errors: f64,
    total: f64,
    /// Decayed sums of (error² - binomial variance) and of what correlation 1 would make of it; weight in windows.
    beyond_binomial: f64,
    full_correlation: f64,
    spread_windows: f32,
    minimum_effect: f32,
    prior_correlation: f32,
    windows: u32,
    rejected_errors: f32,
    rejected_total: f32,
    rejected: u16,
    accept_after: u16,
}

impl Default for ErrorShare {
    fn default() -> Self {
        Self::new(MINIMUM_EFFECT, ACCEPT_AFTER)
    }
}

impl ErrorShare {
    /// A baseline that disregards changes by less than `minimum_effect` (a share) and takes a share that was rejected for
    /// `accept_after` windows in a row as the new normal.
    pub fn new(minimum_effect: f32, accept_after: u16) -> Self {
        Self {
            errors: 0.0,
            total: 0.0,
            beyond_binomial: 0.0,
            full_correlation: 0.0,
            spread_windows: 0.0,
            minimum_effect,
            prior_correlation: PRIOR_CORRELATION,
            windows: 0,
            rejected_errors: 0.0,
            rejected_total: 0.0,
            rejected: 0,
            accept_after: accept_after.max(1),
        }
    }

    /// With another correlation of errors within a window assumed at first: less for longer windows, in which what
    /// makes errors come together has time to even out.
    pub fn with_prior_correlation(mut self, correlation: f32) -> Self {
        self.prior_correlation = correlation;
        self
    }

    /// Windows that taught.
    pub fn windows(&self) -> u32 {
        self.windows
    }

    /// What `errors` of `total` would be worth now; mean and interval are shares. Teaches nothing.
    pub fn judge(&self, errors: u64, total: u64) -> Verdict {
        let share = self.share();
        let mut verdict = Verdict::silent(share, Confidence::after(self.windows));
        if total == 0 || !verdict.learned.is_ready() {
            return verdict;
        }
        let errors = errors.min(total);
        let correlation = self.correlation();
        let n = total as f64;
        let half = 1.96 * (share * (1.0 - share) * (1.0 + (n - 1.0) * correlation) / n).sqrt();
        verdict.expected = ((share - half).max(0.0), (share + half).min(1.0));
        let seen = errors as f64 / n;
        if (seen - share).abs() >= f64::from(self.minimum_effect) {
            let strength = 1.0 / correlation - 1.0;
            let (a, b) = (share * strength, (1.0 - share) * strength);
            if seen > share {
                verdict.up = beta_binomial_upper(errors, total, a, b);
            } else {
                verdict.down = beta_binomial_lower(errors, total, a, b);
            }
        }
        verdict
    }

    /// Judges a window, then learns it, unless it is so far out that it is taken for a fault. A total of 0 is a gap.
    pub fn observe(&mut self, errors: u64, total: u64) -> Verdict {
        let verdict = self.judge(errors, total);
        if verdict.surprise() >= FAULT {
            return self.reject(errors, total, verdict);
        }
        if total > 0 {
            self.rejected = 0;
            self.learn(errors.min(total) as f64, total as f64);
        }
        verdict
    }

    /// Judges a window and learns nothing from it: a confirmed fault. If it lasts, the share becomes the new normal.
    pub fn observe_excluded(&mut self, errors: u64, total: u64) -> Verdict {
        let verdict = self.judge(errors, total);
        self.reject(errors, total, verdict)
    }

    fn reject(&mut self, errors: u64, total: u64, mut verdict: Verdict) -> Verdict {
        if total == 0 {
            return verdict;
        }
        if self.rejected == 0 {
            (self.rejected_errors, self.rejected_total) = (0.0, 0.0);
        }
        self.rejected += 1;
        self.rejected_errors += errors.min(total) as f32;
        self.rejected_total += total as f32;
        if self.rejected >= self.accept_after {
            self.rejected = 0;
            (self.errors, self.total) = (f64::from(self.rejected_errors), f64::from(self.rejected_total));
            verdict.new_normal = true;
        }
        verdict
    }

    fn learn(&mut self, errors: f64, total: f64) {
        let keep = 1.0 - 1.0 / MEMORY;
        if self.windows > 0 {
            let share = self.share();
            let binomial = share * (1.0 - share);
            let error = errors - total * share;
            // What the mean itself does not know is not correlation of errors.
            let own = total * total * binomial / (self.total + 1.0);
            self.beyond_binomial = self.beyond_binomial * keep + error * error - total * binomial - own;
            self.full_correlation = self.full_correlation * keep + total * (total - 1.0) * binomial;
            self.spread_windows = self.spread_windows * keep as f32 + 1.0;
        }
        self.errors = self.errors * keep + errors;
        self.total = self.total * keep + total;
        self.windows = self.windows.saturating_add(1);
    }

    /// Mean of the posterior under Jeffreys' prior.
    fn share(&self) -> f64 {
        (self.errors + 0.5) / (self.total + 1.0)
    }

    /// Correlation of errors within a window, with what is uncertain about it and about the share on top.
    fn correlation(&self) -> f64 {
        let windows = f64::from(self.spread_windows);
        let per_window = if windows > 0.0 { self.full_correlation / windows } else { 0.0 };
        let prior = PRIOR_WINDOWS * per_window.max(1e-9);
        let assumed = f64::from(self.prior_correlation) * prior;
        let moment = (self.beyond_binomial + assumed) / (self.full_correlation + prior);
        let share = self.share();
        // The moment's standard error: errors squared vary by twice their square, and by a Poisson count's own tail.
        let typical = (per_window / (share * (1.0 - share)).max(1e-9)).sqrt().max(1.0);
        let count = (typical * share).max(1e-9);
        let error =
            ((2.0 + 1.0 / count) / (windows + PRIOR_WINDOWS)).sqrt() * (1.0 / typical + moment.max(0.0));
        (moment.max(0.0) + error + 1.0 / (self.total + 2.0)).clamp(1e-9, 0.5)
    }
}
