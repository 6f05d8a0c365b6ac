//! Counts of one pattern, one a window: far more or far fewer than expected?
//!
//! Knows nothing of time: feed it every window, those with 0 too; leave out windows in which nothing could be seen.

use serde::{Deserialize, Serialize};

use crate::{
    Confidence, Tail, Verdict,
    bank::Bank,
    overshoot::Overshoot,
    tail::{negative_binomial_lower, negative_binomial_upper},
    verdict::READY_AFTER,
};

/// Memory of the overdispersion, in windows.
const SPREAD_MEMORY: f64 = 500.0;
/// Overdispersion (variance beyond Poisson's, in squared means) assumed at first, and its weight in windows.
const PRIOR_OVERDISPERSION: f64 = 0.05;
const PRIOR_WINDOWS: f64 = 5.0;
/// Mean excess of the tails (1 is right) assumed at first: while little was seen no model is believed far out.
const PRIOR_MEAN_EXCESS: f64 = 2.0;
/// Above this surprise `observe` takes a count for a fault and learns nothing from it.
const FAULT: f64 = 6.0;
/// Counts beyond are held to it: what follows from it stays finite.
const LARGEST: u64 = 1_000_000_000_000_000;
/// A burst that comes and goes by itself lasts so many windows at most; what lasts longer is a fault.
const BURST_WINDOWS: u16 = 2;
/// Bursts that are a habit, by how much the next may be higher, and the windows after which half of them are forgotten.
const BURSTS: u16 = 3;
const BURST_MARGIN: f64 = 2.0;
const BURST_MEMORY: f64 = 5_000.0;
/// Windows of rejected counts in a row that make the new level the normal one.
const ACCEPT_AFTER: u16 = 30;

/// Baseline of a pattern's count a window: negative binomial prediction around a level that is followed.
///
/// A Poisson count whose rate is gamma distributed (Greenwood and Yule 1920); the mean comes from exponentially
/// forgetting filters (power steady model: Smith 1979; Harvey and Fernandes 1989), the overdispersion from the decayed
/// moments of its own prediction errors, the far tail is stretched where counts clump in another way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountBaseline {
    bank: Bank,
    overshoot: Overshoot,
    /// Decayed sums of (error² - mean) and of mean², and their weight in windows.
    beyond_poisson: f32,
    squared_means: f32,
    spread_windows: f32,
    /// Mean of the counts rejected in a row, and how many.
    rejected_mean: f32,
    rejected: u16,
    accept_after: u16,
    /// The highest burst that came and went by itself, and how many such ones are remembered.
    burst: f32,
    bursts: u16,
}

impl Default for CountBaseline {
    fn default() -> Self {
        Self::new(ACCEPT_AFTER)
    }
}

impl CountBaseline {
    /// A baseline that takes a level that was rejected for `accept_after` windows in a row as the new normal.
    pub fn new(accept_after: u16) -> Self {
        Self {
            bank: Bank::new(),
            overshoot: Overshoot::default(),
            beyond_poisson: 0.0,
            squared_means: 0.0,
            spread_windows: 0.0,
            rejected_mean: 0.0,
            rejected: 0,
            accept_after: accept_after.max(1),
            burst: 0.0,
            bursts: 0,
        }
    }

    /// Windows that taught.
    pub fn windows(&self) -> u32 {
        self.bank.windows()
    }

    /// The level over the longest memory; 0 before the first window.
    pub fn usual(&self) -> f64 {
        self.bank.slow()
    }

    /// What `count` would be worth now. Teaches nothing.
    pub fn judge(&self, count: u64) -> Verdict {
        let count = count.min(LARGEST);
        let mut verdict = self.weigh(count);
        verdict.up = verdict.up.max(self.habit(count));
        verdict
    }

    /// What the model alone makes of it.
    fn weigh(&self, count: u64) -> Verdict {
        let prediction = self.predict();
        let mut verdict = Verdict::silent(prediction.mean, Confidence::after(self.bank.windows()));
        verdict.expected = prediction.interval();
        if verdict.learned.is_ready() {
            let (up, down) = prediction.tails(count);
            (verdict.up, verdict.down) =
                self.overshoot.correct(up, down, self.bank.windows() - READY_AFTER, PRIOR_MEAN_EXCESS);
        }
        verdict
    }

    /// Judges `count`, then learns it, unless it is so far out that it is taken for a fault.
    pub fn observe(&mut self, count: u64) -> Verdict {
        let count = count.min(LARGEST);
        let mut verdict = self.weigh(count);
        let is_fault = verdict.surprise() >= FAULT;
        verdict.up = verdict.up.max(self.habit(count));
        // A burst that is a habit teaches no more than a fault: after it comes what came before it.
        if is_fault {
            return self.reject(count, verdict);
        }
        self.remember_burst();
        self.rejected = 0;
        self.learn(count);
        verdict
    }

    /// Judges `count` and learns nothing from it: a confirmed fault. If it lasts, the level becomes the new normal.
    pub fn observe_excluded(&mut self, count: u64) -> Verdict {
        let count = count.min(LARGEST);
        let verdict = self.judge(count);
        self.reject(count, verdict)
    }

    fn reject(&mut self, count: u64, mut verdict: Verdict) -> Verdict {
        if self.rejected == 0 {
            self.rejected_mean = 0.0;
            // Only the first of a run: a fault that lasts is one exceedance.
            let (up, down) = self.predict().tails(count);
            self.overshoot.learn(up, down);
        }
        self.rejected += 1;
        self.rejected_mean += (count as f32 - self.rejected_mean) / f32::from(self.rejected);
        if self.rejected >= self.accept_after {
            self.rejected = 0;
            self.bank.restart_at(f64::from(self.rejected_mean));
            verdict.new_normal = true;
        }
        verdict
    }

    /// What was rejected is over: was it a burst, the hourly job, or a fault that lasted?
    fn remember_burst(&mut self) {
        let above = f64::from(self.rejected_mean) > self.bank.forecast();
        if (1..=BURST_WINDOWS).contains(&self.rejected) && above {
            // One that was passed over as a habit does not allow a larger one: else it could double for ever.
            if !self.is_habit(f64::from(self.rejected_mean)) {
                self.burst = self.burst.max(self.rejected_mean);
            }
            self.bursts = self.bursts.saturating_add(1);
        }
    }

    /// The share of windows with such a burst, once there were a few: whatever the model says, it is not rarer.
    fn habit(&self, count: u64) -> Tail {
        let known = self.rejected < BURST_WINDOWS && self.is_habit(count as f64);
        let windows = f64::from(self.bank.windows()).min(BURST_MEMORY);
        if known { Tail::from_p(f64::from(self.bursts) / windows) } else { Tail::from_surprise(Tail::MOST) }
    }

    /// Whether bursts so high were told often enough.
    fn is_habit(&self, burst: f64) -> bool {
        self.bursts >= BURSTS && burst <= BURST_MARGIN * f64::from(self.burst)
    }

    fn learn(&mut self, count: u64) {
        if self.bank.windows() % BURST_MEMORY as u32 == BURST_MEMORY as u32 - 1 {
            self.bursts /= 2;
            self.burst *= 0.5;
        }
        let prediction = self.predict();
        let value = count as f64;
        let known = self.bank.windows() >= READY_AFTER;
        if known {
            let (up, down) = prediction.tails(count);
            self.overshoot.learn(up, down);
        }
        if self.bank.windows() >= 2 {
            let keep = (1.0 - 1.0 / SPREAD_MEMORY) as f32;
            let limit = if known { 10.0 * prediction.variance().sqrt() } else { f64::INFINITY };
            let error = (value - prediction.mean).clamp(-limit, limit);
            // What the forecast itself contributes to the error is not the series' own spread.
            let own = prediction.mean * self.bank.own_variance();
            self.beyond_poisson = self.beyond_poisson * keep + (error * error - prediction.mean - own) as f32;
            self.squared_means = self.squared_means * keep + (prediction.mean * prediction.mean) as f32;
            self.spread_windows = self.spread_windows * keep + 1.0;
        }
        self.bank.learn(value, prediction.level, prediction.variance().sqrt().max(0.5));
    }

    fn predict(&self) -> Prediction {
        let level = self.bank.forecast();
        // As if half a count more had been seen over the memory (Jeffreys' prior): a pattern never seen is not impossible.
        let memory = 1.0 / self.bank.own_variance();
        let mean = level.max(self.bank.slow() * 0.02).max(0.0) + 0.5 / memory;
        let windows = f64::from(self.spread_windows);
        let prior = PRIOR_WINDOWS * mean * mean;
        let weight = f64::from(self.squared_means) + prior;
        let moment = ((f64::from(self.beyond_poisson) + PRIOR_OVERDISPERSION * prior) / weight).max(0.0);
        // One and a half standard errors of that moment on top: underestimated spread is what makes false alarms. Gamma
        // rates of overdispersion d have an excess kurtosis of 6 d.
        let error =
            1.5 * ((2.0 + 6.0 * moment) / (windows + PRIOR_WINDOWS)).sqrt() * (moment + 1.0 / mean.max(1.0));
        // And what the mean does not know, in squared means: a window's own variance over the windows it rests on.
        let of_mean = (1.0 / mean + moment + error) / memory;
        Prediction { level, mean, overdispersion: moment + error + of_mean }
    }
}

struct Prediction {
    level: f64,
    mean: f64,
    overdispersion: f64,
}

impl Prediction {
    fn variance(&self) -> f64 {
        self.mean + self.overdispersion * self.mean * self.mean
    }

    /// Only the tail on the observed side is computed: the other is above one half or near it.
    fn tails(&self, count: u64) -> (Tail, Tail) {
        let size = 1.0 / self.overdispersion.max(1e-10);
        if count as f64 >= self.mean {
            (negative_binomial_upper(count, self.mean, size), Tail::ONE)
        } else {
            (Tail::ONE, negative_binomial_lower(count, self.mean, size))
        }
    }

    /// By the square root transform, on which such counts are about normal.
    fn interval(&self) -> (f64, f64) {
        let root = self.mean.sqrt();
        let half = 0.98 * (self.variance() / self.mean).sqrt();
        let low = (root - half).max(0.0);
        (low * low, (root + half) * (root + half))
    }
}
