//! The gamma distribution of unit scale.

use crate::Tail;

const ROUNDS: u32 = 2_000;

/// P(G >= x), G gamma with `shape`.
pub fn gamma_upper(shape: f64, x: f64) -> Tail {
    if x.is_nan() || x <= 0.0 {
        return Tail::ONE;
    }
    if x < shape + 1.0 { complement(ln_series(shape, x)) } else { Tail::from_ln(ln_fraction(shape, x)) }
}

/// P(G <= x), G gamma with `shape`.
pub fn gamma_lower(shape: f64, x: f64) -> Tail {
    if x.is_nan() || x <= 0.0 {
        return if x.is_nan() { Tail::ONE } else { Tail::from_p(0.0) };
    }
    if x < shape + 1.0 { Tail::from_ln(ln_series(shape, x)) } else { complement(ln_fraction(shape, x)) }
}

fn complement(ln_p: f64) -> Tail {
    Tail::from_ln(libm::log1p(-libm::exp(ln_p).min(1.0 - f64::EPSILON)))
}

fn ln_front(shape: f64, x: f64) -> f64 {
    shape * libm::log(x) - x - libm::lgamma(shape)
}

/// ln P(shape, x) by its series (Abramowitz and Stegun 6.5.29).
fn ln_series(shape: f64, x: f64) -> f64 {
    let mut term = 1.0 / shape;
    let mut sum = term;
    for i in 1..=ROUNDS {
        term *= x / (shape + f64::from(i));
        sum += term;
        if term < sum * 1e-15 {
            break;
        }
    }
    (ln_front(shape, x) + libm::log(sum)).min(0.0)
}

/// ln Q(shape, x) by its continued fraction (Abramowitz and Stegun 6.5.31, Lentz's method).
fn ln_fraction(shape: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - shape;
    let mut c = 1e300;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..=ROUNDS {
        let i = f64::from(i);
        let an = -i * (i - shape);
        b += 2.0;
        d = 1.0 / nonzero(an * d + b);
        c = nonzero(b + an / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-14 {
            break;
        }
    }
    (ln_front(shape, x) + libm::log(h)).min(0.0)
}

fn nonzero(v: f64) -> f64 {
    if v.abs() < 1e-300 { 1e-300 } else { v }
}

#[cfg(test)]
mod tests {
    use statrs::function::gamma::{gamma_lr, gamma_ur};

    use super::*;

    #[test]
    fn agrees_with_statrs_where_it_does_not_underflow() {
        for shape in [0.3, 1.0, 7.5, 100.0, 3_000.0] {
            for factor in [0.7, 0.95, 1.0, 1.05, 1.5] {
                let x = shape * factor;
                for (ours, reference) in
                    [(gamma_upper(shape, x), gamma_ur(shape, x)), (gamma_lower(shape, x), gamma_lr(shape, x))]
                {
                    if reference > 1e-10 {
                        assert!((ours.p() / reference - 1.0).abs() < 1e-6, "shape {shape} at {x}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_exponential_waiting_time_has_its_own_length_as_surprise() {
        assert!((gamma_upper(1.0, 500.0).surprise() - 500.0 / std::f64::consts::LN_10).abs() < 1e-9);
    }
}
