//! Tail probabilities that hold far out: up to a surprise of 300, where `1 - cdf` is long 0.
//!
//! Continuous tails are computed to about 1e-10 of their logarithm. Tails of counts are summed term by term and the
//! rest is bounded by a geometric series, so they are exact or above, never below.

mod beta;
mod discrete;
mod gamma;
mod normal;
mod student;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

pub use beta::f_upper;
pub use discrete::{
    beta_binomial_lower, beta_binomial_upper, binomial_upper, negative_binomial_lower,
    negative_binomial_upper, poisson_lower, poisson_upper,
};
pub use gamma::{gamma_lower, gamma_upper};
pub use normal::{normal_upper, upper_quantile};
pub use student::student_upper;

const LN_10: f64 = std::f64::consts::LN_10;
const LOG10_2: f64 = std::f64::consts::LOG10_2;

/// A tail probability, kept as its surprise: -log10 p, from 0 to 300. Smaller probabilities compare as smaller.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tail(f64);

impl Tail {
    /// Certain: nothing unusual at all.
    pub const ONE: Self = Self(0.0);
    /// The largest surprise there is.
    pub const MOST: f64 = 300.0;

    /// From a probability. What is not one (`NaN`) counts as 1.
    pub fn from_p(p: f64) -> Self {
        if p > 0.0 {
            Self::from_surprise(-libm::log10(p))
        } else {
            Self(if p == 0.0 { Self::MOST } else { 0.0 })
        }
    }

    /// From the natural logarithm of a probability.
    pub fn from_ln(ln_p: f64) -> Self {
        Self::from_surprise(-ln_p / LN_10)
    }

    /// From -log10 of a probability.
    pub fn from_surprise(surprise: f64) -> Self {
        Self(if surprise.is_nan() { 0.0 } else { surprise.clamp(0.0, Self::MOST) })
    }

    /// -log10 p.
    pub fn surprise(self) -> f64 {
        self.0
    }

    /// The probability itself; at most 1e-300 off.
    pub fn p(self) -> f64 {
        libm::exp(self.ln())
    }

    /// Its natural logarithm.
    pub fn ln(self) -> f64 {
        -self.0 * LN_10
    }

    /// The less likely of two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        if self.0 >= other.0 { self } else { other }
    }

    /// The likelier of two.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        if self.0 <= other.0 { self } else { other }
    }

    /// The smallest of `looks` such tails is at most this likely (Bonferroni).
    #[must_use]
    #[inline]
    pub fn among(self, looks: f64) -> Self {
        if self.0 == 0.0 {
            return self;
        }
        // Of numbers that the compiler knows, which most are, nothing is left to work out.
        let decades = if looks == 2.0 {
            LOG10_2
        } else if looks == 4.0 {
            2.0 * LOG10_2
        } else {
            libm::log10(looks.max(1.0))
        };
        Self::from_surprise(self.0 - decades)
    }

    /// The standard normal deviate with this upper tail; 0 for one half and above.
    pub fn normal_score(self) -> f64 {
        normal::upper_quantile(self)
    }
}

impl PartialOrd for Tail {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        other.0.partial_cmp(&self.0)
    }
}

#[cfg(test)]
mod of_looks {
    use super::*;

    #[test]
    fn what_is_worked_out_before_is_what_would_be() {
        assert_eq!(LOG10_2, libm::log10(2.0));
        assert_eq!(2.0 * LOG10_2, libm::log10(4.0));
    }
}
