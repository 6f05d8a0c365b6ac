//! The standard normal.

use std::f64::consts::SQRT_2;

use crate::Tail;

/// P(Z >= z).
pub fn normal_upper(z: f64) -> Tail {
    Tail::from_p(0.5 * libm::erfc(z / SQRT_2))
}

/// The z with P(Z >= z) = `tail`, to nine digits; 0 for one half and above.
///
/// Rational approximation by Acklam (2003).
pub fn upper_quantile(tail: Tail) -> f64 {
    const CENTRE: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const CENTRE_OVER: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const FAR: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const FAR_OVER: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    let p = tail.p();
    if p >= 0.5 {
        0.0
    } else if p > 0.024_25 {
        let q = 0.5 - p;
        polynomial(&CENTRE, q * q) * q / polynomial(&CENTRE_OVER, q * q)
    } else {
        let q = (-2.0 * tail.ln()).sqrt();
        -polynomial(&FAR, q) / polynomial(&FAR_OVER, q)
    }
}

/// Highest power first.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
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
