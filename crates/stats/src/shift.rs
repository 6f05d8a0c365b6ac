//! Several windows in a row on one side: a shift that lasts, each window of it perhaps nothing by itself.
//!
//! Knows nothing of values: it takes each window's verdict as a standard normal score ([`crate::Verdict::score`]).

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use crate::{
    Confidence,
    tail::{Tail, normal_upper},
};

/// Longest run that is judged as one.
const RUN: usize = 5;
/// Shortest run that is judged as one: a lone spike is not a shift.
const SHORTEST: usize = 3;
/// The joint tail and the cumulative sum. That the joint tail is the best of three lengths is more than made up for by
/// holding the scores to their median, which leaves it several times too large (as the tests of calibration show).
const LOOKS: f64 = 2.0;
/// Memory of the correlation between neighbouring windows.
const MEMORY: f64 = 300.0;
/// Drift a window that the cumulative sum forgives, in standard deviations.
const SLACK: f64 = 0.5;
/// A score counts no more than this in the cumulative sum, so that a lone spike is not a drift.
const PULL: f64 = 3.0;
/// Windows the drift must have lasted.
const SHORTEST_DRIFT: u16 = 8;
const NEEDED: u16 = 20;
const WELL_AFTER: u16 = 100;

/// What the last windows are worth together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShiftVerdict {
    /// Probability of windows in a row at least as high.
    pub up: Tail,
    /// Probability of windows in a row at least as low.
    pub down: Tail,
    /// Windows since the likelier of both shifts began.
    pub windows: u16,
    /// How far the correlation of neighbouring windows is known.
    pub learned: Confidence,
}

impl ShiftVerdict {
    /// Surprise of the likelier direction.
    pub fn surprise(&self) -> f64 {
        self.up.min(self.down).surprise()
    }
}

/// A lasting shift: the joint tail of the last three to five scores, and Page's cumulative sum for small ones.
///
/// Joint: the mean of the scores, each held to their median (so one spike can't carry it), against the normal with the
/// variance that the mean of k values of a first-order autoregression has; its correlation is learned. Cumulative sum
/// (Page 1954): the stationary chance of an excursion of height h with slack k is at most exp(-2 k h / v) for a walk of
/// long-run variance v (Lundberg's inequality; Siegmund 1985). The smaller of both, corrected for looking twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LevelShift {
    /// Scores before this window, newest first.
    before: [f32; RUN - 1],
    /// Decayed mean product of neighbours and mean square, clipped scores.
    product: f32,
    square: f32,
    rise: Excursion,
    fall: Excursion,
    windows: u16,
}

/// A cumulative sum since it was last 0, and its length: half-words keep the whole at 36 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Excursion {
    /// In hundredths of a standard deviation.
    sum: u16,
    windows: u16,
}

impl Excursion {
    fn extend(&mut self, score: f64) {
        let sum = f64::from(self.sum) + 100.0 * (score.min(PULL) - SLACK);
        *self = if sum > 0.0 {
            Self { sum: sum.round() as u16, windows: self.windows.saturating_add(1) }
        } else {
            Self::default()
        };
    }

    fn tail(self, long_run_variance: f64) -> Tail {
        if self.windows < SHORTEST_DRIFT {
            return Tail::ONE;
        }
        Tail::from_ln(-2.0 * SLACK * f64::from(self.sum) / 100.0 / long_run_variance)
    }
}

impl LevelShift {
    /// Feeds one window's score. A `NaN` is a gap: it changes nothing.
    pub fn observe(&mut self, score: f64) -> ShiftVerdict {
        if score.is_nan() {
            return ShiftVerdict { up: Tail::ONE, down: Tail::ONE, windows: 0, learned: self.learned() };
        }
        let verdict = self.judge(score);
        self.rise.extend(score);
        self.fall.extend(-score);
        let correlation = self.correlation();
        let long_run = (1.0 + correlation) / (1.0 - correlation);
        let verdict = self.with_drift(verdict, long_run);
        self.learn(score);
        verdict
    }

    /// What is being watched has taken a new normal: the run that led there is over.
    pub fn restart(&mut self) {
        self.before = [0.0; RUN - 1];
        (self.rise, self.fall) = (Excursion::default(), Excursion::default());
    }

    fn learned(&self) -> Confidence {
        match self.windows {
            0..NEEDED => Confidence::NotYet,
            NEEDED..WELL_AFTER => Confidence::Early,
            _ => Confidence::Full,
        }
    }

    fn judge(&self, score: f64) -> ShiftVerdict {
        let learned = self.learned();
        let mut verdict = ShiftVerdict { up: Tail::ONE, down: Tail::ONE, windows: 0, learned };
        if !learned.is_ready() {
            return verdict;
        }
        let correlation = self.correlation();
        let mut run = [0.0; RUN];
        run[0] = score;
        for (slot, before) in run[1..].iter_mut().zip(self.before) {
            *slot = f64::from(before);
        }
        let (up, rising) = farthest(&run, correlation);
        let (down, falling) = farthest(&run.map(|score| -score), correlation);
        verdict.windows = if down < up { falling } else { rising };
        (verdict.up, verdict.down) = (up, down);
        verdict
    }

    fn with_drift(&self, mut verdict: ShiftVerdict, long_run: f64) -> ShiftVerdict {
        if !verdict.learned.is_ready() {
            return verdict;
        }
        let (rise, fall) = (self.rise.tail(long_run), self.fall.tail(long_run));
        if rise < verdict.up {
            (verdict.up, verdict.windows) = (rise, self.rise.windows);
        }
        if fall < verdict.down {
            verdict.down = fall;
            if fall < verdict.up {
                verdict.windows = self.fall.windows;
            }
        }
        verdict.up = verdict.up.among(LOOKS);
        verdict.down = verdict.down.among(LOOKS);
        verdict
    }

    fn learn(&mut self, score: f64) {
        let clipped = score.clamp(-PULL, PULL);
        if self.windows > 0 {
            let before = f64::from(self.before[0]).clamp(-PULL, PULL);
            let gain = (1.0 / f64::from(self.windows)).max(1.0 / MEMORY);
            self.product += (gain * (clipped * before - f64::from(self.product))) as f32;
            self.square += (gain * (clipped * clipped - f64::from(self.square))) as f32;
        }
        self.windows = self.windows.saturating_add(1);
        self.before.rotate_right(1);
        self.before[0] = score as f32;
    }

    /// Lag-1 correlation at the upper end of its uncertainty, from 0 to 0.95.
    fn correlation(&self) -> f64 {
        let n = f64::from(self.windows).clamp(4.0, MEMORY);
        let estimate = f64::from(self.product) / f64::from(self.square).max(0.05);
        (estimate + 1.0 / n.sqrt()).clamp(0.0, 0.95)
    }
}

/// P(the last three to five all at least so high), by their mean, each held to their median: the least of the three, and
/// of how many. `run` is newest first.
fn farthest(run: &[f64; RUN], correlation: f64) -> (Tail, u16) {
    // Without two of five so far out none of the medians is.
    if run.iter().filter(|score| **score > LN_2).count() < 2 {
        return (Tail::ONE, 0);
    }
    let mut sorted = [0.0; RUN];
    let (mut variance, mut neighbours, mut power) = (0.0, 0.0, 1.0);
    let mut best = (f64::NEG_INFINITY, 0);
    for (last, score) in run.iter().enumerate() {
        let mut place = last;
        while place > 0 && sorted[place - 1] > *score {
            sorted[place] = sorted[place - 1];
            place -= 1;
        }
        sorted[place] = *score;
        variance += 1.0 + 2.0 * neighbours;
        power *= correlation;
        neighbours += power;
        // The lower one of an even number.
        let median = sorted[last / 2];
        if last + 1 < SHORTEST || median <= LN_2 {
            continue;
        }
        let sum: f64 = sorted[..=last].iter().map(|score| score.min(median)).sum();
        let z = sum / variance.sqrt();
        if z > best.0 {
            best = (z, last as u16 + 1);
        }
    }
    if best.1 == 0 { (Tail::ONE, 0) } else { (normal_upper(best.0), best.1) }
}
