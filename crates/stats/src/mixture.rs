//! How heavy the tails of a series' residuals are, learned while it runs.
//!
//! Five candidates: Student's t with 2, 3, 4 and 10 degrees of freedom and the normal, each scaled to the same mean
//! absolute value. Their posterior weights follow from the decayed likelihood of the residuals seen (Bayesian model
//! averaging: Hoeting, Madigan, Raftery and Volinsky 1999; forgetting: Raftery, Kárný and Ettler 2010). The tail is the
//! weighted mean of theirs, so a heavy one counts until enough quiet windows have spoken against it. The uncertainty of
//! the scale goes into the degrees of freedom.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, LN_10, SQRT_2};

use serde::{Deserialize, Serialize};

use crate::tail::{Tail, normal_upper, student_upper};

const NORMAL: usize = 4;
const DEGREES: [f64; 4] = [2.0, 3.0, 4.0, 10.0];
/// E|Z| of a standard normal.
pub(crate) const NORMAL_MEAN_ABS: f64 = 0.797_884_561;
/// E|T| of each candidate.
const MEAN_ABS: [f64; 5] = [SQRT_2, 1.102_657_791, 1.0, 0.864_685_298, NORMAL_MEAN_ABS];
/// ln of each candidate's density at 0, per mean absolute value.
const LN_PEAK: [f64; 5] = [-LN_2, -0.903_165_411, -0.980_829_253, -1.089_287_008, -1.144_729_886];
/// 4, 10, 20, 26 and 40 %.
const LN_PRIOR: [f64; 5] = [-3.218_875_825, -LN_10, -1.609_437_912, -1.347_073_648, -0.916_290_732];
/// 97.5 % quantile of each candidate, in its mean absolute value.
const REACH: [f64; 5] = [3.042, 2.886, 2.776, 2.577, 2.456];
/// Memory of the likelihoods, in windows.
const MEMORY: f64 = 500.0;
/// The most that one residual can speak against a candidate, in nats: a lone fault does not make a series heavy-tailed.
const MOST_NATS: f64 = 3.0;
/// Below this many mean absolute values the normal's tail stands for all: theirs are hardly different there.
const NEAR: f64 = 2.2;

/// Below this many a candidate that is nearly excluded makes no difference.
const MIDDLE: f64 = 5.0;
/// Degrees of freedom from which Student's t is taken by the normal that is nearest to it.
const NEARLY_NORMAL: f64 = 30.0;

/// Likelihoods are kept in steps of this share of a nat.
const STEP: f64 = 1.0 / 256.0;
const LOWEST_STEPS: f64 = 32_767.0;

/// Weights of the candidates. 10 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mixture {
    /// Decayed log likelihood of each candidate in [`STEP`]s, the best at 0.
    ln_likelihood: [i16; 5],
}

impl Mixture {
    /// Learns a residual in units of its usual absolute value.
    pub(crate) fn learn(&mut self, residual: f64) {
        self.learn_for(residual, MEMORY);
    }

    /// The same, remembered for `memory` residuals.
    pub(crate) fn learn_for(&mut self, residual: f64, memory: f64) {
        let mut ln_density = [0.0; 5];
        for (i, slot) in ln_density.iter_mut().enumerate() {
            let z = residual * MEAN_ABS[i];
            let fall = if i == NORMAL {
                0.5 * z * z
            } else {
                0.5 * (DEGREES[i] + 1.0) * ln_1p(z * z * (1.0 / DEGREES[i]))
            };
            *slot = LN_PEAK[i] - fall;
        }
        let best = ln_density.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sums = self.ln_likelihood.map(|sum| f64::from(sum) * STEP * (1.0 - 1.0 / memory));
        for (sum, ln_density) in sums.iter_mut().zip(ln_density) {
            *sum += (ln_density - best).max(-MOST_NATS);
        }
        let top = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // No lower than -128 nats: as good as excluded, and soon back if it comes to that.
        self.ln_likelihood = sums.map(|sum| -(((top - sum) / STEP + 0.5).min(LOWEST_STEPS) as i16));
    }

    /// P(residual >= x), `x` at least 0 in units of its usual absolute value, that value known from `windows` windows.
    pub(crate) fn upper(&self, x: f64, windows: f64) -> Tail {
        if x < NEAR {
            return normal_upper(x * MEAN_ABS[NORMAL]);
        }
        let weights = self.weights();
        let mut p = 0.0;
        let mut most_likely = Tail::from_surprise(Tail::MOST);
        for (i, weight) in weights.into_iter().enumerate() {
            if weight < if x < MIDDLE { 1e-4 } else { 1e-30 } {
                continue;
            }
            let tail = if i == NORMAL {
                nearly_normal_upper(x * MEAN_ABS[i], windows)
            } else {
                student_upper(x * MEAN_ABS[i], (1.0 / (1.0 / DEGREES[i] + 1.0 / windows)).max(1.0))
            };
            p += weight * tail.p();
            most_likely = most_likely.max(Tail::from_ln(tail.ln() + libm::log(weight)));
        }
        if p > 1e-290 { Tail::from_p(p) } else { most_likely }
    }

    /// Half the width of the interval that holds 95 %, in usual absolute values.
    pub(crate) fn reach(&self, windows: f64) -> f64 {
        let wide: f64 = self.weights().iter().zip(REACH).map(|(w, r)| w * r).sum();
        // The first term of the Cornish-Fisher expansion of t's quantile (Abramowitz and Stegun 26.7.5).
        wide * (1.0 + 1.21 / windows.max(2.0))
    }

    fn weights(&self) -> [f64; 5] {
        let mut weights = [0.0; 5];
        for ((weight, ln), prior) in weights.iter_mut().zip(self.ln_likelihood).zip(LN_PRIOR) {
            *weight = libm::exp(f64::from(ln) * STEP + prior);
        }
        let total: f64 = weights.iter().sum();
        weights.map(|w| w / total)
    }
}

/// ln(1 + x) of an `x` at least 0, to 1e-9: a third of what the exact one takes, four times a value and estimator.
///
/// 1 + x = 2^k m with m between the square roots of 1/2 and 2; ln m = 2 artanh((m - 1) / (m + 1)), by its power series.
#[inline]
fn ln_1p(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    const BIAS: u64 = 1_023 << 52;
    let below_one = BIAS - FRAC_1_SQRT_2.to_bits();
    let bits = (1.0 + x).to_bits() + below_one;
    let k = (bits >> 52) as i32 - 1_023;
    let m = f64::from_bits((bits & MANTISSA) + FRAC_1_SQRT_2.to_bits());
    let s = (m - 1.0) / (m + 1.0);
    let q = s * s;
    let series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q / 11.0))));
    f64::from(k) * LN_2 + 2.0 * s * series
}

/// Student's t of many degrees of freedom, by the transformation of Wallace (Annals of Mathematical Statistics 1959): within
/// some percent of the probability where that is above 1e-12, and above it beyond.
fn nearly_normal_upper(t: f64, df: f64) -> Tail {
    if df < NEARLY_NORMAL {
        return student_upper(t, df.max(1.0));
    }
    let shrunk = (8.0 * df + 1.0) / (8.0 * df + 3.0);
    normal_upper(shrunk * (df * libm::log1p(t * t / df)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_those_of_students_t() {
        for (i, df) in DEGREES.into_iter().enumerate() {
            let half = libm::lgamma((df + 1.0) / 2.0) - libm::lgamma(df / 2.0);
            let ln_peak = half - 0.5 * libm::log(df * std::f64::consts::PI);
            let mean_abs = 2.0 * libm::exp(ln_peak) * df / (df - 1.0);
            assert!((LN_PEAK[i] - ln_peak - libm::log(mean_abs)).abs() < 1e-8, "peak of {df}: {ln_peak}");
            assert!((MEAN_ABS[i] - mean_abs).abs() < 1e-8, "mean absolute value of {df}: {mean_abs}");
            assert!((student_upper(REACH[i] * MEAN_ABS[i], df).p() - 0.025).abs() < 5e-5, "reach of {df}");
        }
        let total: f64 = LN_PRIOR.iter().map(|p| libm::exp(*p)).sum();
        assert!((total - 1.0).abs() < 1e-6, "{total}");
    }

    #[test]
    fn the_short_logarithm_is_the_logarithm() {
        for x in (-400..400).map(|i| libm::exp(f64::from(i) / 10.0)).chain([0.0, 1.0, 1e60]) {
            let exact = libm::log1p(x);
            assert!((ln_1p(x) - exact).abs() < 1e-9, "{x}: {} for {exact}", ln_1p(x));
        }
    }

    #[test]
    fn the_nearest_normal_is_near() {
        for df in [30.0, 60.0, 200.0, 1_000.0] {
            for t in [1.5, 2.5, 4.0, 6.0, 8.0] {
                let (near, exact) = (nearly_normal_upper(t, df), student_upper(t, df));
                let off = (near.surprise() - exact.surprise()).abs();
                assert!(off < 0.02 + 0.01 * exact.surprise(), "t {t}, df {df}: {near:?} {exact:?}");
            }
        }
    }

    #[test]
    fn quiet_windows_make_the_tail_light_and_one_fault_does_not_make_it_heavy() {
        let mut mixture = Mixture::default();
        let early = mixture.upper(8.0, 10.0).surprise();
        // Normal quantiles in turn, in mean absolute values.
        for i in 0..500_u32 {
            let p = (f64::from(i * 37 % 100) + 0.5) / 100.0;
            let z = Tail::from_p(p.min(1.0 - p)).normal_score();
            mixture.learn(z / MEAN_ABS[NORMAL]);
        }
        let late = mixture.upper(8.0, 200.0).surprise();
        assert!(early < 4.0 && late > 5.0, "{early} {late}");
        mixture.learn(40.0);
        assert!(mixture.upper(8.0, 200.0).surprise() > late - 2.0);
    }
}
