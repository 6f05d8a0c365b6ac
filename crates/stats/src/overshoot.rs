//! How far tail probabilities of a count model overshoot in practice, and what they are worth after that.
//!
//! If a model is right, -ln p above any threshold is exponential with mean 1. Series whose counts come in other clumps
//! than the model's exceed farther: the mean excess is learned and stretches the tail (peaks over threshold with an
//! exponential tail: Pickands 1975; streaming: SPOT, Siffer et al. 2017). It only ever raises a probability.

use serde::{Deserialize, Serialize};

use crate::Tail;

/// -ln of the threshold probability, 0.05 a side.
const THRESHOLD: f64 = 2.995_732_273_553_991;
/// Share of windows above it that is expected, both sides together.
const EXPECTED: f64 = 0.1;
/// Memory, in windows.
const MEMORY: f64 = 2_000.0;
/// Weight of the prior in windows.
const PRIOR_WINDOWS: f64 = 100.0;
/// Prior exceedances, and their mean excess: while little was seen a model is not believed far out.
const PRIOR_EXCEEDED: f64 = 10.0;
const PRIOR_MEAN_EXCESS: f64 = 2.0;
/// No exceedance teaches more than this, in nats.
const MOST: f64 = 12.0;

/// Decayed exceedances. 12 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Overshoot {
    windows: f32,
    exceeded: f32,
    excess: f32,
}

impl Overshoot {
    /// Learns the smaller tail of one window as the model gave it.
    pub(crate) fn learn(&mut self, tail: Tail) {
        let excess = -tail.ln() - THRESHOLD;
        let keep = (1.0 - 1.0 / MEMORY) as f32;
        self.windows = self.windows * keep + 1.0;
        self.exceeded *= keep;
        self.excess *= keep;
        if excess > 0.0 {
            self.exceeded += 1.0;
            self.excess += excess.min(MOST) as f32;
        }
    }

    /// What a tail of the model is worth.
    pub(crate) fn correct(&self, tail: Tail) -> Tail {
        let excess = -tail.ln() - THRESHOLD;
        if excess <= 0.0 {
            return tail;
        }
        let exceeded = f64::from(self.exceeded);
        let rate = (exceeded + EXPECTED * PRIOR_WINDOWS) / (f64::from(self.windows) + PRIOR_WINDOWS);
        let mean_excess = (f64::from(self.excess) + PRIOR_MEAN_EXCESS * PRIOR_EXCEEDED) / (exceeded + PRIOR_EXCEEDED);
        let often = libm::log((rate / EXPECTED).max(1.0));
        Tail::from_ln(often - THRESHOLD - excess / mean_excess.max(1.0)).max(tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_right_is_left_alone_and_one_that_is_not_is_stretched() {
        let (mut right, mut wrong) = (Overshoot::default(), Overshoot::default());
        for i in 0..2_000_u32 {
            let p = (f64::from(i * 37 % 1_000) + 0.5) / 1_000.0;
            right.learn(Tail::from_p(p.min(1.0 - p)));
            wrong.learn(Tail::from_ln(2.0 * libm::log(p)));
        }
        let tail = Tail::from_surprise(12.0);
        assert!(right.correct(tail).surprise() > 10.5);
        assert!(wrong.correct(tail).surprise() < 7.0);
    }
}
