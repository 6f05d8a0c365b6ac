//! How far a quantity goes beyond what it often is.

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use crate::Tail;

/// Deviations above its mean that the record begins at: beyond what one in six or so is.
const FROM: f64 = 1.0;
/// Records that the prior is worth, and its mean excess: of a quantity on a logarithmic scale a Pareto tail whose index is 3.
const PRIOR: f64 = 5.0;
const PRIOR_EXCESS: f64 = 1.0 / 3.0;

/// Decayed record of excesses over the long mean and one deviation.
///
/// They are taken to be exponential with a mean that is known from so many independent ones, so that the next is Pareto (the posterior
/// predictive of an exponential under its conjugate prior: Gelman et al., Bayesian Data Analysis, 2.6). Of a logarithm that is Hill's estimator of the
/// heaviest tails there are (Annals of Statistics 1975): lighter ones, and bounded quantities such as a rhythm makes, are taken to be
/// less surprising than they are. 32 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Excess {
    bounds: Bounds,
    values: f32,
    beyond: f32,
    sum: f32,
}

/// What a value is worth by the record before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exceeding {
    /// Probability of one so large; 1 below where the record begins.
    pub(crate) tail: Tail,
    /// One in forty is larger.
    pub(crate) usual: f64,
}

impl Excess {
    /// Feeds `value`, remembered for `memory` values; `alike` in a row are worth one. `None` while too little is known.
    pub(crate) fn observe(&mut self, value: f64, alike: f64, memory: f64) -> Option<Exceeding> {
        let was_known = self.bounds.is_known();
        let deviation = self.bounds.variance().sqrt();
        let z = self.bounds.observe(value, 0.0, memory);
        if !was_known {
            return None;
        }
        let excess = (z - FROM) * deviation;
        let seen = self.judge(value - excess, excess, alike);
        let keep = (1.0 - 1.0 / memory) as f32;
        self.values = self.values * keep + 1.0;
        self.beyond = self.beyond * keep + f32::from(u8::from(excess > 0.0));
        self.sum = self.sum * keep + excess.max(0.0) as f32;
        Some(seen)
    }

    fn judge(&self, from: f64, excess: f64, alike: f64) -> Exceeding {
        let [values, beyond, sum] = [self.values, self.beyond, self.sum].map(|all| f64::from(all) / alike);
        // One more than there were, as the next may be.
        let share = (beyond + 1.0) / (values + 1.0);
        let (records, sum) = (beyond + PRIOR, sum + PRIOR * PRIOR_EXCESS);
        let ln = libm::log(share) - records * libm::log1p(excess.max(0.0) / sum);
        let tail = if excess > 0.0 { Tail::from_ln(ln) } else { Tail::ONE };
        let usual = from + sum * libm::expm1(libm::log((share * 40.0).max(1.0)) / records);
        Exceeding { tail, usual }
    }
}
