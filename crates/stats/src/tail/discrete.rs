//! Tails of counts: summed from the observed count outwards.
//!
//! All these distributions have a ratio of neighbouring terms that is known in closed form. The first [`TERMS`] terms
//! are added; what is left is bounded by the geometric series of the largest ratio that can still come. So the cost is
//! bounded, and the result is exact where the tail is short and a little above where it is long: never below.

use crate::{Tail, tail::beta::ln_beta};

/// Terms that are added one by one.
const TERMS: u32 = 128;

/// ln(first) plus the logarithm of the sum of `1 + r0 + r0 r1 + ...`, where `ratio(i)` leads from term i to term i + 1
/// and no later ratio is above `bound(i)`.
fn sum(ln_first: f64, ratio: impl Fn(f64) -> f64, bound: impl Fn(f64) -> f64) -> Tail {
    let (mut term, mut total) = (1.0, 1.0);
    for i in 0..TERMS {
        term *= ratio(f64::from(i));
        total += term;
        if term < total * 1e-16 {
            return Tail::from_ln(ln_first + libm::log(total));
        }
        if total > 1e290 {
            return Tail::ONE;
        }
    }
    let bound = bound(f64::from(TERMS));
    if bound >= 1.0 {
        return Tail::ONE;
    }
    total += term * bound / (1.0 - bound);
    Tail::from_ln(ln_first + libm::log(total))
}

/// P(X >= k), X Poisson with `mean`.
pub fn poisson_upper(k: u64, mean: f64) -> Tail {
    let k = k as f64;
    if k == 0.0 || mean.is_nan() {
        return Tail::ONE;
    }
    if mean <= 0.0 {
        return Tail::from_p(0.0);
    }
    let ratio = |i: f64| mean / (k + i + 1.0);
    sum(ln_poisson(k, mean), ratio, ratio)
}

/// P(X <= k), X Poisson with `mean`.
pub fn poisson_lower(k: u64, mean: f64) -> Tail {
    let k = k as f64;
    if mean.is_nan() || mean <= 0.0 {
        return Tail::ONE;
    }
    let ratio = |i: f64| (k - i).max(0.0) / mean;
    sum(ln_poisson(k, mean), ratio, ratio)
}

fn ln_poisson(k: f64, mean: f64) -> f64 {
    k * libm::log(mean) - mean - libm::lgamma(k + 1.0)
}

/// P(X >= k), X negative binomial with `mean` and `size` r: variance mean + mean² / r (Gamma-Poisson).
pub fn negative_binomial_upper(k: u64, mean: f64, size: f64) -> Tail {
    if size > 1e9 {
        return poisson_upper(k, mean);
    }
    let k = k as f64;
    if k == 0.0 || mean.is_nan() || size.is_nan() {
        return Tail::ONE;
    }
    if mean <= 0.0 {
        return Tail::from_p(0.0);
    }
    let q = mean / (mean + size);
    let ratio = |i: f64| q * (size + k + i) / (k + i + 1.0);
    // Below size 1 the ratio still rises, towards q.
    sum(ln_negative_binomial(k, mean, size), ratio, |i| ratio(i).max(q))
}

/// P(X <= k), X negative binomial with `mean` and `size` r: variance mean + mean² / r (Gamma-Poisson).
pub fn negative_binomial_lower(k: u64, mean: f64, size: f64) -> Tail {
    if size > 1e9 {
        return poisson_lower(k, mean);
    }
    let k = k as f64;
    if mean.is_nan() || size.is_nan() || mean <= 0.0 {
        return Tail::ONE;
    }
    let q = mean / (mean + size);
    let ratio = |i: f64| ((k - i) / ((size + k - i - 1.0) * q)).max(0.0);
    // Below size 1 the terms grow again towards 0: no bound is needed where the sum gets there, none is known before.
    sum(ln_negative_binomial(k, mean, size), ratio, |i| if size >= 1.0 { ratio(i) } else { 1.0 })
}

fn ln_negative_binomial(k: f64, mean: f64, size: f64) -> f64 {
    let q = mean / (mean + size);
    libm::lgamma(size + k) - libm::lgamma(size) - libm::lgamma(k + 1.0) + k * libm::log(q)
        - size * libm::log1p(mean / size)
}

/// P(X >= k), X binomial: `n` trials with chance `p` each.
pub fn binomial_upper(k: u64, n: u64, p: f64) -> Tail {
    let (k, n) = (k as f64, n as f64);
    if k == 0.0 || p.is_nan() || p >= 1.0 {
        return Tail::ONE;
    }
    if k > n || p <= 0.0 {
        return Tail::from_p(0.0);
    }
    let odds = p / (1.0 - p);
    let ratio = |i: f64| ((n - k - i) / (k + i + 1.0) * odds).max(0.0);
    let ln_first = ln_choose(n, k) + k * libm::log(p) + (n - k) * libm::log1p(-p);
    sum(ln_first, ratio, ratio)
}

/// P(X >= k), X beta-binomial: `n` trials, their chance drawn from Beta(a, b).
pub fn beta_binomial_upper(k: u64, n: u64, a: f64, b: f64) -> Tail {
    let (k, n) = (k as f64, n as f64);
    if k == 0.0 || !(a > 0.0 && b > 0.0) {
        return Tail::ONE;
    }
    if k > n {
        return Tail::from_p(0.0);
    }
    let ratio = |i: f64| {
        let j = k + i;
        ((n - j) * (a + j) / ((j + 1.0) * (b + n - j - 1.0).max(f64::MIN_POSITIVE))).max(0.0)
    };
    let bound = |i: f64| {
        let j = k + i;
        // Both factors fall from here on, or are at most 1; with b below 1 the tail turns up at n: no bound.
        if b < 1.0 { 1.0 } else { (n - j) / (b + n - j - 1.0) * ((a + j) / (j + 1.0)).max(1.0) }
    };
    sum(ln_choose(n, k) + ln_beta(k + a, n - k + b) - ln_beta(a, b), ratio, bound)
}

/// P(X <= k), X beta-binomial: `n` trials, their chance drawn from Beta(a, b).
pub fn beta_binomial_lower(k: u64, n: u64, a: f64, b: f64) -> Tail {
    if k >= n { Tail::ONE } else { beta_binomial_upper(n - k, n, b, a) }
}

fn ln_choose(n: f64, k: f64) -> f64 {
    libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use statrs::distribution::{Binomial, DiscreteCDF, NegativeBinomial, Poisson};

    use super::*;

    /// `ours` is not below `reference` and not more than `loose` times above.
    fn holds(ours: Tail, reference: f64, loose: f64, what: &str) {
        if reference > 1e-9 {
            let ratio = ours.p() / reference;
            assert!(ratio > 1.0 - 1e-6, "{what}: {ratio} of the exact tail");
            assert!(ratio < loose || ours.p() > 0.02, "{what}: {ratio} times the exact tail");
        }
    }

    proptest! {
        #[test]
        fn tails_of_counts_are_never_below_the_exact_ones(mean in 0.01..5_000.0_f64, size in 0.2..500.0_f64, z in -6.0..6.0_f64) {
            let sd = (mean + mean * mean / size).sqrt();
            let k = (mean + z * sd).max(0.0) as u64;
            let exact = NegativeBinomial::new(size, size / (size + mean)).unwrap();
            let upper = if k == 0 { 1.0 } else { exact.sf(k - 1) };
            holds(negative_binomial_upper(k, mean, size), upper, 1.5, "negative binomial, upper");
            holds(negative_binomial_lower(k, mean, size), exact.cdf(k), f64::INFINITY, "negative binomial, lower");

            let k = (mean + z * mean.sqrt()).max(0.0) as u64;
            let exact = Poisson::new(mean).unwrap();
            let upper = if k == 0 { 1.0 } else { exact.sf(k - 1) };
            holds(poisson_upper(k, mean), upper, 1.5, "Poisson, upper");
            holds(poisson_lower(k, mean), exact.cdf(k), 1.5, "Poisson, lower");
        }

        #[test]
        fn the_beta_binomial_sums_to_one(n in 1..100_u64, k in 1..100_u64, a in 0.05..50.0_f64, b in 0.05..50.0_f64) {
            let k = k.min(n);
            let total = beta_binomial_upper(k, n, a, b).p() + beta_binomial_lower(k - 1, n, a, b).p();
            prop_assert!((total - 1.0).abs() < 1e-8, "{total}");
        }

        #[test]
        fn the_beta_binomial_of_a_sure_chance_is_the_binomial(n in 1..5_000_u64, p in 0.001..0.9_f64, z in 0.0..6.0_f64) {
            let mean = n as f64 * p;
            let k = ((mean + z * (mean * (1.0 - p)).sqrt()).ceil() as u64).clamp(1, n);
            let exact = Binomial::new(p, n).unwrap().sf(k - 1);
            holds(binomial_upper(k, n, p), exact, 1.5, "binomial");
            let sure = 1e7;
            let ratio = beta_binomial_upper(k, n, p * sure, (1.0 - p) * sure).p() / binomial_upper(k, n, p).p();
            prop_assert!((0.99..1.1).contains(&ratio), "{ratio}");
        }
    }

    #[test]
    fn far_tails_do_not_underflow() {
        // P(X >= 80), mean 20: 10^-23.3 (first term e^-20 20^80 / 80!, the rest a third of it).
        assert!(
            (poisson_upper(80, 20.0).surprise() - 23.33).abs() < 0.05,
            "{}",
            poisson_upper(80, 20.0).surprise()
        );
        assert_eq!(poisson_upper(1_000_000, 20.0).surprise(), Tail::MOST);
        assert!(negative_binomial_upper(1_000_000_000, 1e8, 100.0).surprise() > 100.0);
        assert!((poisson_lower(0, 500.0).surprise() - 500.0 / std::f64::consts::LN_10).abs() < 1e-9);
    }
}
