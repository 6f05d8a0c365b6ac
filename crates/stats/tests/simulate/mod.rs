//! Simulated series of known kind, from a fixed seed.
#![allow(dead_code)]

use std::f64::consts::TAU;

use libm::{cos, exp, log, pow, sin};

/// Xorshift64* (Vigna 2016): enough for tests, the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        (0..16).for_each(|_| {
            random.bits();
        });
        random
    }

    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// In (0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * log(self.uniform())).sqrt() * cos(TAU * self.uniform())
    }

    pub(crate) fn exponential(&mut self) -> f64 {
        -log(self.uniform())
    }

    /// Marsaglia and Tsang 2000.
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * pow(self.uniform(), 1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = 1.0 + x / (9.0 * d).sqrt();
            let v = v * v * v;
            if v > 0.0 && log(self.uniform()) < 0.5 * x * x + d - d * v + d * log(v) {
                return d * v;
            }
        }
    }

    pub(crate) fn student(&mut self, df: f64) -> f64 {
        self.normal() / (2.0 * self.gamma(df / 2.0) / df).sqrt()
    }

    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 30.0 {
            // Split by a gamma arrival time: exact (Ahrens and Dieter 1974).
            let m = (mean * 7.0 / 8.0).floor();
            let arrival = self.gamma(m);
            return if arrival > mean {
                self.binomial(m as u64 - 1, mean / arrival)
            } else {
                m as u64 + self.poisson(mean - arrival)
            };
        }
        let (limit, mut product, mut k) = (exp(-mean), self.uniform(), 0);
        while product > limit {
            product *= self.uniform();
            k += 1;
        }
        k
    }

    pub(crate) fn binomial(&mut self, n: u64, p: f64) -> u64 {
        let mut n = n;
        let mut p = p;
        let mut k = 0;
        // Halve by order statistics until small (Devroye 1986, X.4).
        while n > 40 {
            let i = n.div_ceil(2);
            let (a, b) = (self.gamma(i as f64), self.gamma((n + 1 - i) as f64));
            let middle = a / (a + b);
            if middle <= p {
                k += i;
                n -= i;
                p = (p - middle) / (1.0 - middle);
            } else {
                n = i - 1;
                p /= middle;
            }
        }
        k + (0..n).filter(|_| self.uniform() < p).count() as u64
    }

    pub(crate) fn negative_binomial(&mut self, mean: f64, size: f64) -> u64 {
        let rate = self.gamma(size) * mean / size;
        self.poisson(rate)
    }
}

/// A name, and what makes so many windows of it.
pub(crate) type Kind<T> = (&'static str, fn(&mut Random, usize) -> Vec<T>);

/// Kinds of metric without a fault in it.
pub(crate) const CLEAN: &[Kind<f64>] = &[
    ("white noise", |r, n| (0..n).map(|_| 100.0 + 5.0 * r.normal()).collect()),
    ("autoregressive, 0.5", |r, n| {
        let mut x = 0.0;
        (0..n)
            .map(|_| {
                x = 0.5 * x + r.normal();
                50.0 + x
            })
            .collect()
    }),
    ("autoregressive, 0.95", |r, n| {
        let mut x = 0.0;
        (0..n)
            .map(|_| {
                x = 0.95 * x + r.normal();
                50.0 + x
            })
            .collect()
    }),
    ("daily rhythm, 1 min", |r, n| {
        (0..n).map(|t| 100.0 + 60.0 * sin(TAU * t as f64 / 1_440.0) + 4.0 * r.normal()).collect()
    }),
    ("daily rhythm, 10 min", |r, n| {
        (0..n).map(|t| 100.0 + 60.0 * sin(TAU * t as f64 / 144.0) + 4.0 * r.normal()).collect()
    }),
    ("Student t, 3", |r, n| (0..n).map(|_| 10.0 + r.student(3.0)).collect()),
    ("random walk", |r, n| {
        let mut x = 1_000.0;
        (0..n)
            .map(|_| {
                x += r.normal();
                x
            })
            .collect()
    }),
    ("integer gauge", |r, n| (0..n).map(|_| r.poisson(4.0) as f64).collect()),
    ("latency, log-normal", |r, n| (0..n).map(|_| 20.0 * exp(0.3 * r.normal())).collect()),
    ("pool in use, few values", |r, n| (0..n).map(|_| r.binomial(8, 0.1) as f64).collect()),
];

/// Kinds of count without a fault in it.
pub(crate) const CLEAN_COUNTS: &[Kind<u64>] = &[
    ("Poisson, 0.05", |r, n| (0..n).map(|_| r.poisson(0.05)).collect()),
    ("Poisson, 1", |r, n| (0..n).map(|_| r.poisson(1.0)).collect()),
    ("Poisson, 20", |r, n| (0..n).map(|_| r.poisson(20.0)).collect()),
    ("Poisson, 2000", |r, n| (0..n).map(|_| r.poisson(2_000.0)).collect()),
    ("negative binomial, 20, 4", |r, n| (0..n).map(|_| r.negative_binomial(20.0, 4.0)).collect()),
    ("negative binomial, 3, 0.5", |r, n| (0..n).map(|_| r.negative_binomial(3.0, 0.5)).collect()),
    ("log-normal rate", |r, n| {
        (0..n)
            .map(|_| {
                let rate = 50.0 * exp(0.5 * r.normal());
                r.poisson(rate)
            })
            .collect()
    }),
    ("daily rhythm, 1 min", |r, n| {
        (0..n).map(|t| r.poisson(100.0 * (1.0 + 0.9 * sin(TAU * t as f64 / 1_440.0)))).collect()
    }),
    ("daily rhythm, 10 min", |r, n| {
        (0..n).map(|t| r.poisson(1_000.0 * (1.0 + 0.9 * sin(TAU * t as f64 / 144.0)))).collect()
    }),
    ("slow wandering rate", |r, n| {
        let mut ln_rate = 3.0_f64;
        (0..n)
            .map(|_| {
                ln_rate = 3.0 + 0.99 * (ln_rate - 3.0) + 0.05 * r.normal();
                r.poisson(exp(ln_rate))
            })
            .collect()
    }),
];

/// Shares of `tails` at or below 1e-2, 1e-3, 1e-4, over what those levels allow.
pub(crate) fn excess(surprises: &[f64]) -> [f64; 3] {
    [2.0, 3.0, 4.0].map(|level| {
        let hits = surprises.iter().filter(|s| **s >= level).count() as f64;
        hits / (surprises.len() as f64 * pow(10.0, -level))
    })
}

/// What nine of ten runs reach.
pub(crate) fn usual(runs: u64, run: impl Fn(&mut Random) -> f64) -> f64 {
    let mut results: Vec<f64> = (0..runs).map(|seed| run(&mut Random::new(seed))).collect();
    results.sort_by(f64::total_cmp);
    println!(
        "worst {:.2}, tenth {:.2}, median {:.2}",
        results[0],
        results[results.len() / 10],
        results[results.len() / 2]
    );
    results[results.len() / 10]
}
