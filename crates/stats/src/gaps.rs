//! Something regular stopped: a heartbeat, a nightly job, a source. A dead man's switch that learns its own period.
//!
//! Knows no clock: the caller says when something arrived and asks what the silence until `now` is worth. Both in
//! seconds on one clock. Arrivals nearer to the last than the `burst` given are one arrival.

use serde::{Deserialize, Serialize};

use crate::{
    Confidence,
    tail::{Tail, f_upper},
};

/// Memory, in intervals.
const MEMORY: f64 = 60.0;
/// Intervals before anything is said.
const NEEDED: u32 = 8;
/// Intervals after which the estimate is a good one.
const WELL_AFTER: u32 = 30;
/// Spread over mean, above which few intervals say nothing about the next.
const REGULAR: f64 = 0.6;
/// Above this spread over mean a silence says nothing at all.
const IRREGULAR: f64 = 2.0;
/// Intervals that a less than regular thing must have shown.
const NEEDED_IRREGULAR: u32 = 60;
/// Intervals before an absence is told from a gap.
const NEEDED_FOR_ABSENCE: u32 = 5;
/// No clock on a busy machine is steadier than this share of its period.
const STEADIEST: f64 = 0.02;
/// Times beyond, 30 000 years from the origin, are no times.
const LATEST: f64 = 1e12;
/// Above this surprise an interval was a fault and does not teach.
const FAULT: f64 = 5.0;
/// Unless that many are remembered already: then such gaps are the thing's manner.
const FAULTS: u8 = 2;

/// What a silence is worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overdue {
    /// Probability of a silence at least this long.
    pub tail: Tail,
    /// The silence, in seconds.
    pub silence_secs: f64,
    /// The interval that holds 95 % of the gaps, in seconds.
    pub expected_secs: (f64, f64),
    /// The usual gap, in seconds.
    pub mean_secs: f64,
    /// `NotYet` also for what is not regular enough to be missed.
    pub learned: Confidence,
}

/// The learned gap between arrivals: a gamma renewal process whose mean and shape are estimated.
///
/// A gap over the mean of n earlier ones of gamma shape k is F distributed with 2k and 2kn degrees of freedom, which
/// carries the uncertainty of the mean; the shape is taken at its lower end. No silence within twice the longest gap in
/// memory has a tail below 1 / (n + 1), whatever the distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regularity {
    last: f64,
    burst: f32,
    /// Of gaps beyond a burst's own.
    mean: f64,
    variance: f64,
    longest: f64,
    intervals: u32,
    faults: u8,
    started: bool,
}

impl Regularity {
    /// Arrivals within `burst_secs` of the last one belong to it.
    pub fn new(burst_secs: f32) -> Self {
        Self {
            last: 0.0,
            burst: burst_secs.max(0.0),
            mean: 0.0,
            variance: 0.0,
            longest: 0.0,
            intervals: 0,
            faults: 0,
            started: false,
        }
    }

    /// Something arrived at `t_secs`. What is older than the last arrival is late and teaches nothing.
    pub fn arrival(&mut self, t_secs: f64) -> Overdue {
        let overdue = self.overdue(t_secs);
        if t_secs.is_nan() || t_secs.abs() > LATEST {
            return overdue;
        }
        if !self.started {
            (self.started, self.last) = (true, t_secs);
            return overdue;
        }
        let gap = t_secs - self.last;
        if gap <= f64::from(self.burst) || gap <= 0.0 {
            // The burst's own end is where its silence begins.
            self.last = self.last.max(t_secs);
            return overdue;
        }
        self.last = t_secs;
        if overdue.tail.surprise() >= FAULT && self.faults < FAULTS {
            self.faults += 1;
        } else {
            self.learn(gap - f64::from(self.burst));
        }
        overdue
    }

    /// The silence was ours: `secs` in which nothing could have been seen do not count.
    pub fn excuse(&mut self, secs: f64) {
        if secs > 0.0 && secs.is_finite() {
            self.last += secs;
        }
    }

    /// What the silence until `now_secs` is worth.
    pub fn overdue(&self, now_secs: f64) -> Overdue {
        let silence =
            if self.started && now_secs.abs() <= LATEST { (now_secs - self.last).max(0.0) } else { 0.0 };
        let (spread, burst) = (self.spread(), f64::from(self.burst));
        let learned = self.learned();
        Overdue {
            tail: if learned.is_ready() { self.tail(silence) } else { Tail::ONE },
            silence_secs: silence,
            expected_secs: (
                burst + self.mean * (1.0 - 1.96 * spread).max(0.0),
                burst + self.mean * (1.0 + 1.96 * spread),
            ),
            mean_secs: self.period_secs(),
            learned,
        }
    }

    /// What it is worth that nothing came for `secs` if it comes again now, whether it comes regularly or not: gaps are held
    /// to be at least as uneven as chance makes them. 1 for what came a few times only.
    pub fn absence(&self, secs: f64) -> Tail {
        if self.intervals < NEEDED_FOR_ABSENCE || self.mean <= 0.0 {
            return Tail::ONE;
        }
        let n = self.known();
        let spread = self.spread().max(1.0) * (1.0 + 1.5 / (2.0 * n).sqrt());
        let shape = 1.0 / (spread * spread);
        f_upper((secs - f64::from(self.burst)).max(0.0) / self.mean, 2.0 * shape, 2.0 * shape * n)
    }

    /// When the silence will be worth `tail`, if nothing arrives; `None` while not learned or not regular.
    pub fn deadline(&self, tail: Tail) -> Option<f64> {
        if !self.learned().is_ready() {
            return None;
        }
        let (mut low, mut high) = (0.0, self.period_secs());
        while self.tail(high) > tail {
            high *= 2.0;
            if high > self.period_secs() * 1e6 {
                return None;
            }
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.tail(middle) > tail { low = middle } else { high = middle }
        }
        // A microsecond for what the sum of times rounds away.
        Some(self.last + high + 1e-6)
    }

    /// Whether the gaps are so alike that a single one that does not end means something.
    pub fn is_regular(&self) -> bool {
        self.learned().is_ready() && self.spread() <= REGULAR
    }

    /// The longest gap of late, in seconds.
    pub fn longest_secs(&self) -> f64 {
        self.longest + f64::from(self.burst)
    }

    /// The usual gap in seconds.
    pub fn period_secs(&self) -> f64 {
        self.mean + f64::from(self.burst)
    }

    /// How far it can be relied on; `NotYet` also for what is not regular.
    pub fn learned(&self) -> Confidence {
        let spread = self.spread();
        let needed = if spread <= REGULAR { NEEDED } else { NEEDED_IRREGULAR };
        if self.intervals < needed || spread > IRREGULAR || self.mean <= 0.0 {
            Confidence::NotYet
        } else if self.intervals < WELL_AFTER {
            Confidence::Early
        } else {
            Confidence::Full
        }
    }

    fn learn(&mut self, gap: f64) {
        self.intervals = self.intervals.saturating_add(1);
        let gain = (1.0 / f64::from(self.intervals)).max(1.0 / MEMORY);
        let from_mean = gap - self.mean;
        self.mean += gain * from_mean;
        self.variance = (1.0 - gain) * (self.variance + gain * from_mean * from_mean);
        if self.intervals.is_multiple_of(MEMORY as u32) {
            self.faults = self.faults.saturating_sub(1);
        }
        self.longest = (self.longest * (1.0 - 0.1 / MEMORY)).max(gap);
    }

    fn known(&self) -> f64 {
        f64::from(self.intervals).min(MEMORY)
    }

    /// Standard deviation over mean, unbiased for few intervals and not below what a machine can keep.
    fn spread(&self) -> f64 {
        if self.mean <= 0.0 {
            return f64::INFINITY;
        }
        let n = self.known().max(2.0);
        ((self.variance * n / (n - 1.0)).sqrt() / self.mean).max(STEADIEST)
    }

    /// A gap is one because it is longer than a burst's own, so what is modelled is by how much: however often something
    /// comes, its gaps are never shorter than that, which is no regularity.
    fn tail(&self, silence: f64) -> Tail {
        let silence = (silence - f64::from(self.burst)).max(0.0);
        let n = self.known();
        // The spread at the upper end of its own uncertainty (about one and a half standard errors).
        let spread = self.spread() * (1.0 + 1.5 / (2.0 * n).sqrt());
        let shape = 1.0 / (spread * spread);
        let modelled = f_upper(silence / self.mean, 2.0 * shape, 2.0 * shape * n);
        let usual = self.longest + self.mean * 0.5;
        if silence <= usual { modelled.max(Tail::from_p(1.0 / (n + 1.0))) } else { modelled }
    }
}
