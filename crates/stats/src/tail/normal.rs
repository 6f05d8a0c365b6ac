//! The standard normal.

use std::f64::consts::{PI, SQRT_2};

use crate::Tail;

/// P(Z >= z).
pub fn normal_upper(z: f64) -> Tail {
    Tail::from_p(0.5 * libm::erfc(z / SQRT_2))
}

/// The z with P(Z >= z) = `tail`, by Newton's method on the logarithm; 0 for one half and above.
pub fn upper_quantile(tail: Tail) -> f64 {
    let ln_p = tail.ln();
    if ln_p >= -std::f64::consts::LN_2 {
        return 0.0;
    }
    let mut z = (-2.0 * ln_p - libm::log(2.0 * PI * (-2.0 * ln_p).max(1.0))).max(0.01).sqrt();
    for _ in 0..4 {
        let upper = 0.5 * libm::erfc(z / SQRT_2);
        let density = libm::exp(-0.5 * z * z) / (2.0 * PI).sqrt();
        if upper <= 0.0 || density <= 0.0 {
            break;
        }
        z = (z + (libm::log(upper) - ln_p) * upper / density).max(0.0);
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_tails_of_the_normal() {
        // Abramowitz and Stegun, table 26.2: -log10 Q(x).
        for (z, surprise) in [(5.0, 6.54265), (10.0, 23.11805), (20.0, 88.56010), (30.0, 197.30921)] {
            assert!((normal_upper(z).surprise() - surprise).abs() < 1e-5, "{z}");
        }
        assert!((normal_upper(0.0).p() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_quantile_undoes_the_tail() {
        for i in 1..360 {
            let z = f64::from(i) / 10.0;
            let back = upper_quantile(normal_upper(z));
            assert!((back - z).abs() < 1e-6 * z.max(1.0), "{z} came back as {back}");
        }
    }
}
