//! Does a series vary more, or less, than it did?

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::tail::{Tail, binomial_upper};

/// Steps that are judged together: the bits of a word.
const WINDOW: u64 = 32;
/// Steps before anything is said.
const NEEDED: u32 = 100;
/// Memory of the median, in steps.
const MEMORY: f64 = 1_000.0;
/// More, or less.
const SIDES: f64 = 2.0;
/// Half of a window, and the variance of how many are above, where steps are independent.
const HALF: f64 = WINDOW as f64 / 2.0;
const VARIANCE: f64 = WINDOW as f64 / 4.0;
/// Memory of the dispersion, in windows; one of them counts for this much at most.
const DISPERSION_MEMORY: f64 = 50.0;
const MOST_DISPERSED: f64 = 9.0;

/// Of so many of the window or more on one side.
static TAILS: LazyLock<[Tail; WINDOW as usize + 1]> =
    LazyLock::new(|| std::array::from_fn(|above| binomial_upper(above as u64, WINDOW, 0.5).among(SIDES)));

/// Sign test on the size of surprises: of the last 32, how many are larger than the median of all (Dixon and Mood, JASA
/// 1946)? Whatever their distribution, each is so with chance one half. Where neighbours are alike, as those of few values
/// are, the numbers disperse more: by as much as was seen (McCullagh and Nelder, Generalized Linear Models, 1989). The median is
/// followed by stochastic approximation (Robbins and Monro 1951). 20 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    median: f32,
    /// Mean size, which is the scale the median moves on.
    mean: f32,
    /// One bit a step, the last one lowest: whether its size was above the median.
    above: u32,
    seen: u32,
    /// Variance of windows over that of independent steps, less 1.
    dispersion: f32,
}

impl Spread {
    /// Feeds how far a value was from its forecast.
    pub(crate) fn observe(&mut self, residual: f64) -> Tail {
        let size = residual.abs() as f32;
        let is_above = if size == self.median {
            // Ties, as of constants, are told apart evenly.
            self.seen.is_multiple_of(2)
        } else {
            size > self.median
        };
        self.above = self.above << 1 | u32::from(is_above);
        self.seen = self.seen.saturating_add(1);
        let gain = (1.0 / f64::from(self.seen)).max(1.0 / MEMORY) as f32;
        self.mean += gain * (size.min(10.0 * self.mean.max(size * gain)) - self.mean);
        let step = (4.0 / f64::from(self.seen)).clamp(2.0 / MEMORY, 0.5) as f32;
        self.median = (self.median + step * self.mean * if is_above { 0.5 } else { -0.5 }).max(0.0);
        if self.seen < NEEDED {
            return Tail::ONE;
        }
        let off = f64::from(self.above.count_ones()) - HALF;
        let tail = self.tail(off.abs());
        if u64::from(self.seen).is_multiple_of(WINDOW) {
            let over = (off * off / VARIANCE).min(MOST_DISPERSED) - 1.0;
            self.dispersion += ((over - f64::from(self.dispersion)) / DISPERSION_MEMORY) as f32;
        }
        tail
    }

    /// Of so many more than half of the window on one side.
    fn tail(&self, off: f64) -> Tail {
        let place = HALF + off / (1.0 + f64::from(self.dispersion).max(0.0)).sqrt();
        let (low, part) = (TAILS[place as usize], place.fract());
        if part == 0.0 {
            return low;
        }
        Tail::from_ln(low.ln() + part * (TAILS[place as usize + 1].ln() - low.ln()))
    }
}
