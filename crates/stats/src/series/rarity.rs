//! How rare a value of a quantity is among all that it ever was, whatever its distribution.
//!
//! Knows no time. The quantity is one number a step; larger is odder.

use std::f64::consts::{LN_2, LN_10};

use serde::{Deserialize, Serialize};

use crate::Tail;

/// Largest values that are kept.
const RECORDS: usize = 12;
/// Values before anything is said.
const NEEDED: u32 = 60;
/// The tail is read off no more than this share of all values,
const TAIL_SHARE: f64 = 0.02;
/// but off so many records at least.
const FEWEST: usize = 10;
/// Values the first quantiles are taken from.
const FIRST: u32 = 16;
/// Memory of the quantiles, in values.
const MEMORY: f64 = 4_000.0;
/// -ln of the shares of values above the quantiles kept: a half, a fifth, a tenth, a twentieth, a fiftieth.
const LN_ABOVE: [f64; 5] = [LN_2, 1.609_437_912, LN_10, 2.995_732_274, 3.912_023_005];
const ABOVE: [f64; 5] = [0.5, 0.2, 0.1, 0.05, 0.02];

/// Rank among all values: from the records where it is one, beyond them by an exponential tail (peaks over threshold:
/// Pickands 1975; the predictive distribution of few of them is a Pareto one), and from quantiles followed by stochastic
/// approximation (Tierney, SIAM J. Sci. Stat. Comput. 1983) below.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rarity {
    /// Ascending.
    records: [f32; RECORDS],
    quantiles: [f32; 5],
    /// Mean excess over the highest quantile.
    excess: f32,
    seen: u32,
}

impl Default for Rarity {
    fn default() -> Self {
        Self { records: [f32::NEG_INFINITY; RECORDS], quantiles: [0.0; 5], excess: 0.0, seen: 0 }
    }
}

impl Rarity {
    /// Feeds a value: the probability of one so large, by those before.
    pub(crate) fn observe(&mut self, value: f64) -> Tail {
        let tail = if self.seen < NEEDED { Tail::ONE } else { self.tail(value) };
        self.learn(value);
        tail
    }

    fn tail(&self, value: f64) -> Tail {
        let n = f64::from(self.seen);
        let used = ((TAIL_SHARE * n) as usize).clamp(FEWEST, RECORDS);
        let tail = &self.records[RECORDS - used..];
        let threshold = f64::from(tail[0]);
        if value > threshold {
            let k = used as f64;
            let mean = tail.iter().map(|record| f64::from(*record)).sum::<f64>() / k - threshold;
            if mean <= 0.0 {
                // Always the same before: by how much it is beyond says nothing, only that it is the first.
                return Tail::from_ln(-libm::log(n + 1.0));
            }
            let ln = libm::log((n + 1.0) / (k + 1.0)) + k * libm::log1p((value - threshold) / mean / k);
            return Tail::from_ln(-ln);
        }
        if self.records[0] == self.records[RECORDS - 1] {
            // It has been so often, it may always have been so.
            return Tail::ONE;
        }
        let above = self.records.iter().filter(|record| f64::from(**record) >= value).count();
        let by_rank = libm::log((n + 1.0) / (above as f64 + 1.0));
        Tail::from_ln(-if above < RECORDS { by_rank } else { by_rank.min(self.body(value)) })
    }

    /// -ln of the share above, by the quantiles.
    fn body(&self, value: f64) -> f64 {
        let value = value as f32;
        let Some(i) = self.quantiles.iter().rposition(|quantile| value > *quantile) else {
            return 0.0;
        };
        if i == 4 {
            let k = (0.02 * f64::from(self.seen).min(MEMORY)).max(10.0);
            let z = f64::from((value - self.quantiles[4]) / self.excess);
            return LN_ABOVE[4] + k * libm::log1p(z / k);
        }
        let wide = self.quantiles[i + 1] - self.quantiles[i];
        let part = if wide > 0.0 { f64::from((value - self.quantiles[i]) / wide) } else { 1.0 };
        LN_ABOVE[i] + part * (LN_ABOVE[i + 1] - LN_ABOVE[i])
    }

    fn learn(&mut self, value: f64) {
        let value = value as f32;
        if value > self.records[0] {
            let place = self.records.partition_point(|record| *record < value);
            self.records[..place].rotate_left(1);
            self.records[place - 1] = value;
        }
        self.seen = self.seen.saturating_add(1);
        if self.seen == FIRST {
            for (quantile, above) in self.quantiles.iter_mut().zip(ABOVE) {
                *quantile = self.records[RECORDS - 1 - (f64::from(FIRST) * above) as usize];
            }
            let spread = self.records[RECORDS - 1] - self.quantiles[0];
            self.excess = (spread / 3.0).max(1e-9 * self.records[RECORDS - 1].abs() + 1e-12);
        } else if self.seen > FIRST {
            self.learn_quantiles(value);
        }
    }

    fn learn_quantiles(&mut self, value: f32) {
        let n = f64::from(self.seen);
        let gain = 1.0 / n.min(MEMORY);
        for i in 0..5 {
            let scale = if i == 4 {
                f64::from(self.excess)
            } else {
                let wide = f64::from(self.quantiles[i + 1] - self.quantiles[i]);
                (wide / (LN_ABOVE[i + 1] - LN_ABOVE[i])).max(0.01 * f64::from(self.excess))
            };
            let is_above = f64::from(u8::from(value > self.quantiles[i]));
            self.quantiles[i] += (scale * gain * (is_above - ABOVE[i]) / ABOVE[i]) as f32;
        }
        for i in 1..5 {
            self.quantiles[i] = self.quantiles[i].max(self.quantiles[i - 1]);
        }
        if value > self.quantiles[4] {
            let gain = if n > 100.0 { 1.0 / (ABOVE[4] * n.min(MEMORY)).max(1.0) } else { 0.2 };
            self.excess += gain.min(0.3) as f32 * (value - self.quantiles[4] - self.excess);
            self.excess = self.excess.max(1e-12);
        }
    }
}
