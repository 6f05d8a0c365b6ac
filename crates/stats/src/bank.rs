//! Where a series goes next: four exponential filters, weighted by how well each has predicted lately.
//!
//! One smoothing gain can't serve all series: noise around a level wants a long memory, a daily rhythm a trend, a random
//! walk no memory at all. So four gains run beside one another and the forecast is their average, weighted by an inverse
//! power of their recent loss (combination of forecasts: Bates and Granger 1969; prediction with expert advice:
//! Cesa-Bianchi and Lugosi 2006). Trends are Holt's, damped (Gardner and McKenzie 1985). What teaches is held to three
//! scales around the forecast (robust Holt-Winters: Gelper, Fried and Croux 2010).

use serde::{Deserialize, Serialize};

use crate::verdict::READY_AFTER;

/// Memory of the slowest filter, in windows.
const SLOW_MEMORY: f64 = 120.0;
const STEADY_GAIN: f64 = 0.25;
const STEADY_TREND_GAIN: f64 = 0.02;
const QUICK_GAIN: f64 = 0.6;
const QUICK_TREND_GAIN: f64 = 0.12;
/// What is left of a trend after each window.
const DAMPING: f64 = 0.98;
/// Memory of the losses, in windows.
const LOSS_MEMORY: f64 = 150.0;
/// How far an observation may pull, in scales.
const PULL: f64 = 3.0;

/// A local forecast of the next value. 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bank {
    slow: f64,
    steady: f64,
    quick: f64,
    last: f64,
    steady_trend: f32,
    quick_trend: f32,
    /// Mean squared error in scales, each held to [`PULL`]: slow, steady, quick, last. Squares, because absolute errors
    /// would favour the median, which for rare counts is 0.
    loss: [f32; 4],
    /// Values that taught.
    windows: u32,
}

impl Bank {
    pub(crate) fn new() -> Self {
        Self {
            slow: 0.0,
            steady: 0.0,
            quick: 0.0,
            last: 0.0,
            steady_trend: 0.0,
            quick_trend: 0.0,
            // Before anything is known the long memory is the better guess.
            loss: [0.64, 0.72, 0.9, 1.2],
            windows: 0,
        }
    }

    pub(crate) fn windows(&self) -> u32 {
        self.windows
    }

    /// The last value that taught.
    pub(crate) fn last(&self) -> f64 {
        self.last
    }

    /// The level over the longest memory.
    pub(crate) fn slow(&self) -> f64 {
        self.slow
    }

    /// Weight of the filters that follow quickly, from 0 (a level) to 1 (a walk).
    pub(crate) fn restlessness(&self) -> f64 {
        let weights = self.weights();
        weights[2] + weights[3]
    }

    /// Variance of the forecast itself for white noise, in variances of that noise: how little it rests on.
    pub(crate) fn own_variance(&self) -> f64 {
        let w = self.weights();
        let n = f64::from(self.windows.max(1));
        // Sums of squared weights of the past in each filter: g / (2 - g), trends included by measurement.
        let slow = (1.0 / n).max(0.5 / SLOW_MEMORY);
        w[0] * slow + w[1] * slow.max(0.19) + w[2] * slow.max(0.75) + w[3]
    }

    pub(crate) fn forecast(&self) -> f64 {
        let w = self.weights();
        let of = self.forecasts();
        // Around the last value, so that a constant is predicted to the bit.
        self.last + w.iter().zip(of).map(|(w, f)| w * (f - self.last)).sum::<f64>()
    }

    fn forecasts(&self) -> [f64; 4] {
        [
            self.slow,
            self.steady + DAMPING * f64::from(self.steady_trend),
            self.quick + DAMPING * f64::from(self.quick_trend),
            self.last,
        ]
    }

    /// Inverse sixth power of the loss: the likelihood of about twelve independent windows of normal noise.
    fn weights(&self) -> [f64; 4] {
        let loss = self.loss.map(|l| f64::from(l).max(1e-3));
        let best = loss.iter().copied().fold(f64::INFINITY, f64::min);
        let raw = loss.map(|l| {
            let r = best / l;
            (r * r) * (r * r) * (r * r)
        });
        let total: f64 = raw.iter().sum();
        raw.map(|r| r / total)
    }

    /// Learns `value`, whose forecast was `forecast`; `scale` is its usual distance from it.
    pub(crate) fn learn(&mut self, value: f64, forecast: f64, scale: f64) {
        let n = f64::from(self.windows) + 1.0;
        self.windows = self.windows.saturating_add(1);
        if self.windows == 1 {
            self.restart_at(value);
            return;
        }
        let known = self.windows > READY_AFTER;
        let pulled =
            if known { forecast + (value - forecast).clamp(-PULL * scale, PULL * scale) } else { value };
        if known {
            let gain = (1.0 / (n - f64::from(READY_AFTER) + 20.0)).max(1.0 / LOSS_MEMORY);
            let forecasts = self.forecasts();
            for (loss, f) in self.loss.iter_mut().zip(forecasts) {
                let error = ((value - f).abs() / scale).min(PULL);
                *loss += (gain * (error * error - f64::from(*loss))) as f32;
            }
        }
        self.slow += (1.0 / n).max(1.0 / SLOW_MEMORY) * (pulled - self.slow);
        let error = pulled - (self.steady + DAMPING * f64::from(self.steady_trend));
        holt(&mut self.steady, &mut self.steady_trend, error, STEADY_GAIN.max(1.0 / n), STEADY_TREND_GAIN);
        let error = pulled - (self.quick + DAMPING * f64::from(self.quick_trend));
        holt(&mut self.quick, &mut self.quick_trend, error, QUICK_GAIN, QUICK_TREND_GAIN);
        self.last = value;
    }

    /// A value that teaches nothing, but says where a walk has gone: the filters without memory follow it.
    pub(crate) fn follow(&mut self, value: f64) {
        (self.quick, self.quick_trend, self.last) = (value, 0.0, value);
    }

    /// Takes `level` as the new one, without trend; what was learned of the series' manner stays.
    pub(crate) fn restart_at(&mut self, level: f64) {
        (self.slow, self.steady, self.quick, self.last) = (level, level, level, level);
        (self.steady_trend, self.quick_trend) = (0.0, 0.0);
    }
}

fn holt(level: &mut f64, trend: &mut f32, error: f64, gain: f64, trend_gain: f64) {
    let damped = DAMPING * f64::from(*trend);
    *level += damped + gain * error;
    *trend = (damped + trend_gain * error) as f32;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(bank: &mut Bank, values: impl Iterator<Item = f64>, scale: f64) -> f64 {
        let (mut worst, mut n) = (0.0_f64, 0);
        for value in values {
            let forecast = bank.forecast();
            if n > 200 {
                worst = worst.max((value - forecast).abs());
            }
            n += 1;
            bank.learn(value, forecast, scale);
        }
        worst
    }

    #[test]
    fn a_constant_is_predicted_to_the_bit() {
        let mut bank = Bank::new();
        assert_eq!(run(&mut bank, std::iter::repeat_n(0.1, 1_000), 1e-3), 0.0);
    }

    #[test]
    fn a_daily_rhythm_is_followed() {
        let mut bank = Bank::new();
        let day = (0..5_000)
            .map(|t| 1_000.0 * (1.0 + 0.8 * libm::sin(std::f64::consts::TAU * f64::from(t) / 1_440.0)));
        assert!(run(&mut bank, day, 10.0) < 5.0);
    }
}
