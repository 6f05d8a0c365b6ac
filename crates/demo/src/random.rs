//! The simulation's own source of chance: the same numbers for the same seed, on every machine and version.
//!
//! xoshiro256++ (Blackman and Vigna 2019), seeded by splitmix64.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: [u64; 4],
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut z = seed;
        let state = std::array::from_fn(|_| {
            z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = z;
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        });
        Self { state }
    }

    pub(crate) fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `low..high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..n`; 0 where `n` is 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// Standard normal, by the polar method of Marsaglia; the second value is dropped to keep no state.
    pub(crate) fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * (-2.0 * s.ln() / s).sqrt();
            }
        }
    }

    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    pub(crate) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// Gamma with mean 1 (Marsaglia and Tsang 2000); `shape` at least 1.
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v / shape;
            }
        }
    }

    /// Poisson: by inversion, large means in pieces.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        let mut left = mean;
        let mut total = 0;
        while left > 0.0 {
            let piece = left.min(30.0);
            left -= piece;
            let limit = (-piece).exp();
            let mut product = self.unit();
            while product > limit {
                total += 1;
                product *= self.unit();
            }
        }
        total
    }

    /// Seconds an operation takes: log-normal, and now and then (`stalls`) far longer, with a Pareto tail.
    pub(crate) fn latency(&mut self, median: f64, stalls: f64) -> f64 {
        let usual = self.lognormal(median, 0.45);
        if !self.chance(stalls) {
            return usual;
        }
        let tail = 4.0 * (1.0 - self.unit()).powf(-1.0 / 1.5);
        usual.max(median * tail.min(120.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_have_the_moments_of_their_distributions() {
        let mut random = Random::new(1);
        let n = 200_000;
        let mut moments = |mut draw: Box<dyn FnMut(&mut Random) -> f64>| {
            let values: Vec<f64> = (0..n).map(|_| draw(&mut random)).collect();
            let mean = values.iter().sum::<f64>() / n as f64;
            (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64)
        };
        let near = |(mean, variance): (f64, f64), wanted: (f64, f64)| {
            assert!(
                (mean - wanted.0).abs() < 0.02 * wanted.1.sqrt() + 0.01 * wanted.0.abs(),
                "{mean} {wanted:?}"
            );
            assert!((variance / wanted.1 - 1.0).abs() < 0.05, "{variance} {wanted:?}");
        };
        near(moments(Box::new(Random::unit)), (0.5, 1.0 / 12.0));
        near(moments(Box::new(Random::normal)), (0.0, 1.0));
        near(moments(Box::new(|r| r.exponential(3.0))), (3.0, 9.0));
        near(moments(Box::new(|r| r.gamma(5.0))), (1.0, 0.2));
        near(moments(Box::new(|r| r.poisson(3.5) as f64)), (3.5, 3.5));
        near(moments(Box::new(|r| r.poisson(75.0) as f64)), (75.0, 75.0));
    }
}
