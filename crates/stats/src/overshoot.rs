//! How far tail probabilities of a model overshoot in practice, side by side, and what they are worth after that.
//!
//! If a model is right, -ln p above any threshold is exponential with mean 1. Series that are more skewed, or whose counts
//! clump in another way than the model's, exceed farther: the mean excess is learned and stretches the tail (peaks over
//! threshold with an exponential tail: Pickands 1975; streaming: SPOT, Siffer et al. 2017). It only ever raises a
//! probability.

use serde::{Deserialize, Serialize};

use crate::Tail;

/// -ln of the threshold probability.
const THRESHOLD: f64 = 2.995_732_273_553_991;
/// That probability: the share of windows expected above it.
const EXPECTED: f64 = 0.05;
/// Memory, in windows.
const MEMORY: f64 = 2_000.0;
/// Weight of the prior in exceedances.
const PRIOR_EXCEEDED: f64 = 10.0;
/// No exceedance teaches more than this, in nats.
const MOST: f64 = 12.0;

/// Decayed exceedances of both sides. 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Overshoot {
    up: Excesses,
    down: Excesses,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Excesses {
    exceeded: f32,
    sum: f32,
}

impl Overshoot {
    /// Learns both tails of one window as the model gave them.
    pub(crate) fn learn(&mut self, up: Tail, down: Tail) {
        self.up.learn(up);
        self.down.learn(down);
    }

    /// What the tails of the model are worth after `windows` windows, if before any of them an excess is believed to be
    /// `prior` on average: 1 for a model that is trusted.
    pub(crate) fn correct(&self, up: Tail, down: Tail, windows: u32, prior: f64) -> (Tail, Tail) {
        (self.up.correct(up, windows, prior), self.down.correct(down, windows, prior))
    }
}

impl Excesses {
    fn learn(&mut self, tail: Tail) {
        let excess = -tail.ln() - THRESHOLD;
        let keep = (1.0 - 1.0 / MEMORY) as f32;
        self.exceeded *= keep;
        self.sum *= keep;
        if excess > 0.0 {
            self.exceeded += 1.0;
            self.sum += excess.min(MOST) as f32;
        }
    }

    fn correct(&self, tail: Tail, windows: u32, prior: f64) -> Tail {
        let excess = -tail.ln() - THRESHOLD;
        if excess <= 0.0 {
            return tail;
        }
        let exceeded = f64::from(self.exceeded);
        let weight = -MEMORY * libm::expm1(-f64::from(windows) / MEMORY);
        let expected = EXPECTED * weight + PRIOR_EXCEEDED;
        let often = ((exceeded + PRIOR_EXCEEDED) / expected).max(1.0);
        let mean_excess = (f64::from(self.sum) + prior * PRIOR_EXCEEDED) / (exceeded + PRIOR_EXCEEDED);
        Tail::from_ln(libm::log(often) - THRESHOLD - excess / mean_excess.max(1.0)).max(tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_right_is_left_alone_and_one_that_is_not_is_stretched_on_its_side() {
        let mut overshoot = Overshoot::default();
        for i in 0..2_000_u32 {
            let p = (f64::from(i * 37 % 1_000) + 0.5) / 1_000.0;
            overshoot.learn(Tail::from_ln(2.0 * libm::log(p)), Tail::from_p(1.0 - p));
        }
        let tail = Tail::from_surprise(12.0);
        let (wrong, right) = overshoot.correct(tail, tail, 2_000, 1.0);
        assert!(right.surprise() > 10.5, "{right:?}");
        assert!(wrong.surprise() < 7.0, "{wrong:?}");
    }
}
