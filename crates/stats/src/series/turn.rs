//! A series that follows a line: has it stepped off it, or turned?
//!
//! Knows values and steps only. What it says of the time of the change is the steps since.

use serde::{Deserialize, Serialize};

use crate::{
    mixture::{Mixture, NORMAL_MEAN_ABS},
    tail::{Tail, normal_upper},
};

/// Values that are tested against the line before they join it.
const TESTED: usize = 10;
/// Memory of the line, in values.
const MEMORY: f64 = 64.0;
/// Values a line must rest on.
const NEEDED: f64 = 12.0;
/// Memory of the noise, in values.
const NOISE_MEMORY: f64 = 500.0;
/// How far one residual may raise the noise, in standard deviations.
const PULL: f64 = 3.0;
/// From here on the change is taken for real, and the line begins anew where it happened.
const LEFT: f64 = 5.0;
/// A young line must not rest on both sides of a change, or it ends askew. Where two differences in a row differ by so
/// many standard deviations before a line is known, it begins anew.
const BROKEN: f64 = 6.0;
/// A burst has two such edges. Of more, before a line has settled, the series is like that: it has to be learned.
const BREAKS: u8 = 4;
/// What is smaller stays in it. Until it rests on so many values...
const SETTLED: f64 = 40.0;
/// ...and while these lie so much further around it than the noise, as a ratio of variances, they say how well it is known.
const ASKEW: f64 = 4.0;
/// The bend of a day is known from few days: so much more of it may be there.
const BEND_MARGIN: f64 = 1.4;
/// Below so many standard errors the weight of the tails does not matter.
const NEAR: f64 = 2.8;
/// Values a ramp must have, to be told from a step.
const SHORTEST_RAMP: usize = 3;

/// How a series left its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// All at once.
    Step,
    /// More with every value.
    Ramp,
}

/// The most likely change among the last values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    /// Its size in standard errors.
    pub(crate) z: f64,
    /// Probability of as large a one at a given value, in a given direction.
    pub(crate) tail: Tail,
    /// The same, of what the known bend of the day does not explain.
    pub(crate) beyond_bend: Tail,
    pub(crate) form: Form,
    /// Values since it began, the last included.
    pub(crate) values: usize,
}

/// Generalised likelihood ratio of a step or a ramp, at any of the last [`TESTED`] values, against the line through the
/// values before (Willsky and Jones, IEEE Transactions on Automatic Control 1976; the line by least squares with
/// exponential forgetting). The noise of neighbours may be correlated: a first-order autoregression, whose coefficient
/// is learned, widens the standard error of a sum as it must.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// What all values are kept relative to.
    anchor: f64,
    /// Weighted sums over the line's values; the oldest tested value is at time 0.
    weight: f64,
    t: f64,
    tt: f64,
    x: f64,
    tx: f64,
    tested: [f32; TESTED],
    kept: u8,
    /// Breaks since a line was settled.
    broken: u8,
    /// Sum of squares of the line's own values around it.
    around: f32,
    /// Variance around the line, decayed, pulls limited.
    noise: f32,
    mixture: Mixture,
    /// Of differences of neighbours: decayed product of two in a row, and square.
    product: f32,
    square: f32,
    difference: f32,
    last: f32,
    learned: u32,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            anchor: 0.0,
            weight: 0.0,
            t: 0.0,
            tt: 0.0,
            x: 0.0,
            tx: 0.0,
            tested: [0.0; TESTED],
            kept: 0,
            broken: 0,
            around: 0.0,
            noise: 0.0,
            mixture: Mixture::default(),
            product: 0.0,
            square: 0.0,
            difference: 0.0,
            last: 0.0,
            learned: 0,
        }
    }
}

/// A line through the values before the tested ones.
#[derive(Clone, Copy)]
struct Line {
    mean_t: f64,
    spread_t: f64,
    mean_x: f64,
    slope: f64,
}

impl Line {
    fn at(self, t: f64) -> f64 {
        self.mean_x + self.slope * (t - self.mean_t)
    }

    /// How far a parabola that bends by `bend` is from its line at `t`: the second Laguerre polynomial, which is
    /// orthogonal to lines under exponential weights.
    fn off_by(self, bend: f64, t: f64) -> f64 {
        let (ahead, memory) = (t + 1.0, -self.mean_t);
        bend * (0.5 * ahead * ahead + 2.0 * memory * ahead + memory * memory)
    }
}

/// A step or a ramp, as the last values have it.
#[derive(Clone, Copy)]
struct Fit {
    /// Of the weighted residuals; its variance, of noise of variance 1; what it is for a change of 1.
    sum: f64,
    variance: f64,
    height: f64,
    form: Form,
    values: usize,
}

impl Fit {
    const NONE: Self = Self { sum: 0.0, variance: 1.0, height: 0.0, form: Form::Step, values: 0 };

    /// Takes the other one, if that is likelier.
    #[inline]
    fn or(&mut self, other: Self) {
        // The larger of two squares of z, without dividing.
        if other.sum * other.sum * self.variance > self.sum * self.sum * other.variance {
            *self = other;
        }
    }
}

impl Turn {
    /// Feeds the value of the next step; `floor` is the least standard deviation there can be, `bend` how
    /// much the series is known to bend here, per step squared: so far a line is off by itself.
    pub(crate) fn observe(&mut self, value: f64, floor: f64, bend: f64) -> Option<Change> {
        if self.kept == 0 && self.weight == 0.0 {
            self.anchor = value;
        }
        if self.kept as usize == TESTED {
            self.join();
        }
        let value = (value - self.anchor) as f32;
        self.tested[self.kept as usize] = value;
        self.kept += 1;
        self.learn_difference(value);
        if self.is_young_and_broken(floor) {
            self.broken += 1;
            self.restart(2);
        }
        let change = self.likeliest(floor, bend)?;
        if change.z > LEFT {
            self.restart(change.values);
        }
        Some(change)
    }

    /// A step without a value.
    pub(crate) fn skip(&mut self) {
        while self.kept > 0 {
            self.join();
        }
        self.shift();
    }

    fn line(&self) -> Option<Line> {
        (self.weight >= NEEDED).then(|| self.fitted())
    }

    /// Through two values or more.
    fn fitted(&self) -> Line {
        let mean_t = self.t / self.weight;
        let mean_x = self.x / self.weight;
        let spread_t = self.tt - self.t * mean_t;
        Line { mean_t, spread_t, mean_x, slope: (self.tx - self.t * mean_x) / spread_t }
    }

    /// The oldest tested value joins the line.
    fn join(&mut self) {
        let value = f64::from(self.tested[0]);
        let keep = 1.0 - 1.0 / MEMORY;
        self.around *= keep as f32;
        if self.weight > 1.5 {
            let line = self.fitted();
            let residual = value - line.at(0.0);
            let widened = 1.0 + 1.0 / self.weight + line.mean_t * line.mean_t / line.spread_t;
            // As in recursive least squares.
            self.around += (residual * residual / widened) as f32;
            if self.weight >= NEEDED {
                self.learn_noise(residual, widened);
            }
        }
        for sum in [&mut self.weight, &mut self.t, &mut self.tt, &mut self.x, &mut self.tx] {
            *sum *= keep;
        }
        self.weight += 1.0;
        if self.weight >= SETTLED {
            self.broken = 0;
        }
        self.x += value;
        self.shift();
        self.tested.rotate_left(1);
        self.kept -= 1;
    }

    /// Time moves on by one.
    fn shift(&mut self) {
        self.tt += self.weight - 2.0 * self.t;
        self.t -= self.weight;
        self.tx -= self.x;
    }

    fn learn_noise(&mut self, residual: f64, widened: f64) {
        let square = residual * residual / widened;
        let noise = f64::from(self.noise);
        let n = f64::from(self.learned);
        let gain = (1.0 / (n + 1.0)).max(1.0 / NOISE_MEMORY);
        let limit = if n > 30.0 && noise > 0.0 { PULL * PULL * noise } else { f64::INFINITY };
        self.noise += (gain * (square.min(limit) - noise)) as f32;
        if n > 30.0 && residual != 0.0 {
            self.mixture.learn(residual.abs() / (widened * noise.max(1e-24)).sqrt() / NORMAL_MEAN_ABS);
        }
        self.learned = self.learned.saturating_add(1);
    }

    /// Differences don't care for the line: of an autoregression with coefficient r, those in a row have correlation
    /// -(1 - r) / 2.
    fn learn_difference(&mut self, value: f32) {
        let bound = 20.0 * f64::from(self.square).sqrt();
        let Some(line) = self.line() else {
            (self.difference, self.last) = (0.0, value);
            return;
        };
        let mut now = f64::from(value) - f64::from(self.last) - line.slope;
        if self.learned > 30 && self.square > 0.0 {
            now = now.clamp(-bound, bound);
        }
        let gain = (1.0 / (f64::from(self.learned) + 2.0)).max(1.0 / NOISE_MEMORY);
        self.product += (gain * (now * f64::from(self.difference) - f64::from(self.product))) as f32;
        self.square += (gain * (now * now - f64::from(self.square))) as f32;
        (self.difference, self.last) = (now as f32, value);
    }

    /// Whether the last values can't be of one line, where none is known yet.
    fn is_young_and_broken(&self, floor: f64) -> bool {
        let [.., a, b, c] = self.tested[..self.kept as usize] else { return false };
        if self.weight >= NEEDED || self.learned < 30 || self.broken >= BREAKS {
            return false;
        }
        let turned = f64::from(c - b) - f64::from(b - a);
        // Of two differences in a row; neighbours that go together differ less than those that don't.
        let variance = (2.0 * f64::from(self.square - self.product)).min(6.0 * f64::from(self.noise));
        let variance = variance.max(6.0 * floor * floor);
        turned * turned > BROKEN * BROKEN * variance
    }

    fn correlation(&self) -> f64 {
        let n = f64::from(self.learned).clamp(4.0, NOISE_MEMORY);
        (1.0 + 2.0 * f64::from(self.product) / f64::from(self.square).max(1e-30) + 1.0 / n.sqrt())
            .clamp(0.0, 0.97)
    }

    fn likeliest(&self, floor: f64, bend: f64) -> Option<Change> {
        let line = self.line()?;
        if self.learned < 20 {
            return None;
        }
        let noise = f64::from(self.noise).max(0.5 * f64::from(self.square)).max(floor * floor).max(1e-24);
        let around = f64::from(self.around) / self.weight;
        let is_askew = self.weight < SETTLED && around > ASKEW * noise;
        let noise = if is_askew { around } else { noise };
        let rho = self.correlation();
        let long = (1.0 + rho) / (1.0 - rho);
        // What the correlation of neighbours takes from the variance of a long sum, where the sum is short.
        let short = 2.0 * rho / ((1.0 - rho) * (1.0 - rho));
        let (a_value, a_time) = (long / self.weight, long / line.spread_t);
        let (mut step, mut step_t) = (0.0, 0.0);
        let (mut ramp, mut ramp_h, mut ramp_t) = (0.0, 0.0, 0.0);
        let (mut power, mut best) = (1.0, Fit::NONE);
        for i in (0..self.kept as usize).rev() {
            let t = i as f64;
            let values = self.kept as usize - i;
            let k = values as f64;
            step += f64::from(self.tested[i]) - line.at(t);
            step_t += t - line.mean_t;
            ramp += step;
            ramp_h += k;
            ramp_t += step_t;
            power *= rho;
            let own = k * long - short * (1.0 - power);
            let of_line = |h: f64, t: f64| h * h * a_value + t * t * a_time;
            best.or(Fit {
                sum: step,
                variance: own + of_line(k, step_t),
                height: k,
                form: Form::Step,
                values,
            });
            if values >= SHORTEST_RAMP {
                // The squares of 1 to k, a value each.
                let variance = own * ((k + 1.0) * (2.0 * k + 1.0) / 6.0) + of_line(ramp_h, ramp_t);
                best.or(Fit { sum: ramp, variance, height: ramp_h, form: Form::Ramp, values });
            }
        }
        let Fit { sum, variance, height, form, values } = best;
        let z = sum.abs() / (variance * noise).sqrt();
        let known_bend =
            BEND_MARGIN * line.off_by(bend, TESTED as f64).abs() * height / (variance * noise).sqrt();
        let tail = self.tail(z);
        Some(Change {
            z,
            tail,
            beyond_bend: if known_bend > 0.0 { self.tail((z - known_bend).max(0.0)) } else { tail },
            form,
            values,
        })
    }

    fn tail(&self, z: f64) -> Tail {
        if z < NEAR {
            normal_upper(z)
        } else {
            self.mixture.upper(z / NORMAL_MEAN_ABS, f64::from(self.learned).min(NOISE_MEMORY))
        }
    }

    /// The line begins anew with the last `values`.
    fn restart(&mut self, values: usize) {
        self.tested.rotate_left(self.kept as usize - values);
        self.kept = values as u8;
        let anchor = f64::from(self.tested[0]);
        for value in &mut self.tested[..values] {
            *value -= anchor as f32;
        }
        self.anchor += anchor;
        self.last -= anchor as f32;
        (self.weight, self.t, self.tt, self.x, self.tx, self.around) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise of standard deviation 0.29, the same each time.
    fn noise(i: usize) -> f64 {
        (i * 7_919 % 1_009) as f64 / 1_009.0 - 0.5
    }

    /// How many of the last 1,000 of 8,000 values were tested against a line.
    fn tested(value: impl Fn(usize) -> f64) -> usize {
        let mut turn = Turn::default();
        (0..8_000).filter(|i| turn.observe(value(*i), 1e-6, 0.0).is_some() && *i >= 7_000).count()
    }

    #[test]
    fn whatever_a_series_becomes_it_follows_a_line_again() {
        let begins = |i: usize| if i >= 500 { 1.0 } else { 0.0 };
        assert_eq!(tested(noise), 1_000);
        assert!(tested(|i| begins(i) * (100.0 + 5.0 * noise(i))) > 900, "nothing, and then something");
        assert!(tested(|i| 100.0 + begins(i) * noise(i)) > 900, "a constant, and then none");
        assert!(tested(|i| noise(i) * (1.0 + 9.0 * begins(i))) > 900, "ten times the noise");
        let spike = |i: usize| if i.is_multiple_of(12) { 6.0 } else { 0.0 };
        assert!(tested(|i| noise(i) + begins(i) * spike(i)) > 900, "a spike every twelve minutes");
        assert!(tested(|i| noise(i) + begins(i) * 40.0 * (i % 2) as f64) > 900, "to and fro");
    }
}
