//! The standard normal.

use std::{
    f64::consts::{LN_10, PI, SQRT_2},
    sync::LazyLock,
};

use crate::Tail;

/// Below this many standard deviations, which is where nearly all values are, the surprise is looked up.
const LOOKED_UP: usize = 4;
/// Nodes a standard deviation.
const NODES: usize = 64;

/// The surprise and its slope a node.
static NEAR: LazyLock<Box<[(f64, f64)]>> = LazyLock::new(|| {
    let node = |i: usize| {
        let z = i as f64 / NODES as f64;
        let surprise = upper(z).surprise();
        // The hazard, φ(z) / P(Z >= z), in decades.
        let ln_density = -0.5 * (z * z + libm::log(2.0 * PI));
        (surprise, libm::exp(ln_density + surprise * LN_10) / LN_10 / NODES as f64)
    };
    (0..=LOOKED_UP * NODES).map(node).collect()
});

/// P(Z >= z). Where it is looked up, by cubic Hermite interpolation of its surprise: within 1e-10.
pub fn normal_upper(z: f64) -> Tail {
    if !(0.0..LOOKED_UP as f64).contains(&z) {
        return upper(z);
    }
    let nodes = z * NODES as f64;
    let i = nodes as usize;
    let t = nodes - i as f64;
    let [(from, slope), (to, next)] = [NEAR[i], NEAR[i + 1]];
    let rise = to - from;
    let (bend, twist) = (3.0 * rise - 2.0 * slope - next, slope + next - 2.0 * rise);
    Tail::from_surprise(from + t * (slope + t * (bend + t * twist)))
}

fn upper(z: f64) -> Tail {
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
    fn what_is_looked_up_is_what_would_be_worked_out() {
        let mut last = Tail::ONE;
        for i in 0..500_000 {
            let z = f64::from(i) / 100_000.0;
            let (fast, exact) = (normal_upper(z), upper(z));
            assert!((fast.surprise() - exact.surprise()).abs() < 1e-10, "{z}: {fast:?} for {exact:?}");
            assert!(fast < last, "less likely with every step: {z}");
            last = fast;
        }
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
