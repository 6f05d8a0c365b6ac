//! Student's t.

use crate::{
    Tail,
    tail::{beta::ln_regularised, normal_upper},
};

/// Above this many degrees of freedom it is the normal to five digits within six standard deviations.
const NORMAL_FROM: f64 = 1e7;

/// P(T >= t) with `df` degrees of freedom (any positive number).
pub fn student_upper(t: f64, df: f64) -> Tail {
    if t.is_nan() || t <= 0.0 {
        return if t < 0.0 { Tail::from_p(1.0 - student_upper(-t, df).p()) } else { Tail::from_p(0.5) };
    }
    if df > NORMAL_FROM {
        return normal_upper(t);
    }
    let scale = df + t * t;
    Tail::from_ln(ln_regularised(df / scale, t * t / scale, df / 2.0, 0.5) - std::f64::consts::LN_2)
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, StudentsT};

    use super::*;

    #[test]
    fn agrees_with_statrs_where_it_does_not_underflow() {
        for df in [1.0, 1.67, 2.0, 5.0, 33.3, 400.0] {
            let reference = StudentsT::new(0.0, 1.0, df).unwrap();
            for t in [-2.0, 0.1, 0.9, 2.0, 4.0, 5.5] {
                let expected = reference.sf(t);
                if expected > 1e-8 {
                    let ratio = student_upper(t, df).p() / expected;
                    assert!((ratio - 1.0).abs() < 1e-5, "t({df}) at {t}: ratio {ratio}");
                }
            }
        }
    }

    #[test]
    fn closed_forms_hold_far_out() {
        for t in [3.0, 1e3, 1e9, 1e80] {
            // df = 2: P = 1 / ((2 + t²)(1 + t / sqrt(2 + t²))).
            let expected = libm::log10((2.0 + t * t) * (1.0 + t / (2.0_f64 + t * t).sqrt()));
            assert!((student_upper(t, 2.0).surprise() - expected).abs() < 1e-8 * expected.max(1.0), "{t}");
        }
    }
}
