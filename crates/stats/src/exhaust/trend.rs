//! A straight line through a few points: its slope, how sure that there is one, and where it may be later.

use crate::{
    exhaust::track::{POINTS, Point},
    tail::{Tail, student_upper},
};

/// Points that make a trend.
pub(super) const FEWEST: usize = 6;
/// No resource keeps its pace better than this.
const STEADIEST: f64 = 0.03;
/// Share of the increments' variance that is walk and not noise, at least.
const LEAST_WALK: f64 = 0.3;
/// The stretch that shows the clearest trend is chosen, and is steeper than the truth for that: the error of its slope is
/// so many times that of a stretch chosen beforehand (by simulation of jobs of random size).
const CHOSEN: f64 = 1.5;
/// 90 % quantile of the normal: both sides leave an interval of 80 %.
const NINE_TENTHS: f64 = 1.2816;

/// A robust line: slope after Theil (1950) and Sen (1968), its error and the spread around it from a random walk with
/// drift under noise (local level model: Harvey 1989), whose two variances follow from the increments over one and over
/// four points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trend {
    pub(super) slope: f64,
    /// Value of the line at the newest point.
    pub(super) level: f64,
    pub(super) newest_secs: f64,
    pub(super) length_secs: f64,
    /// Standard error of the slope.
    pub(super) slope_error: f64,
    /// P(a slope so far from 0 where there is none).
    pub(super) p_not_trend: Tail,
    level_variance: f64,
    walk_variance_per_sec: f64,
    reach: f64,
}

impl Trend {
    /// `None` for fewer than [`FEWEST`] points.
    pub(super) fn of(points: &[Point]) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let length_secs = last.t_secs - first.t_secs;
        if points.len() < FEWEST || length_secs <= 0.0 {
            return None;
        }
        let n = points.len() as f64;
        let slope = median(&mut pair_slopes(points));
        let mut residuals: Vec<f64> =
            points.iter().map(|p| p.value - slope * (p.t_secs - last.t_secs)).collect();
        let level = median(&mut residuals);

        let step_secs = length_secs / (n - 1.0);
        let (one, correlation) = increments(points, slope, 1);
        let four = increments(points, slope, 4).0;
        // Increments around the line's own slope lack what went into that slope: k² / (n - 1) of the walk's variance. With
        // so few points the difference is uncertain: some walk there always is.
        let walk = ((four - one) / (3.0 - 15.0 / (n - 1.0)).max(0.5)).max(LEAST_WALK * one);
        let noise = (0.5 * (one - walk)).max(0.0);
        // Increments that follow one another, as on a rising arc of a rhythm, are worth fewer.
        let inflation = (1.0 + correlation) / (1.0 - correlation);
        let degrees = (n - 2.0) / inflation.max(1.0);
        let drift_error =
            (1.2 * walk * inflation / (n - 1.0) + 12.0 * noise / (n * n * n)).sqrt() / step_secs;
        let slope_error = (CHOSEN * drift_error).hypot(STEADIEST * slope);
        // Against no trend at all every increment counts as walk.
        let null_error =
            ((one + slope * slope * step_secs * step_secs * 1e-6) * inflation / (n - 1.0)).sqrt() / step_secs;
        let p_not_trend =
            if slope == 0.0 { Tail::ONE } else { student_upper(slope.abs() / null_error, degrees.max(1.0)) };
        Some(Self {
            slope,
            level,
            newest_secs: last.t_secs,
            length_secs,
            slope_error,
            p_not_trend,
            level_variance: walk + 4.0 * noise / n,
            walk_variance_per_sec: walk / step_secs,
            // First term of the Cornish-Fisher expansion of t's quantile.
            reach: NINE_TENTHS * (1.0 + (NINE_TENTHS * NINE_TENTHS + 1.0) / (4.0 * degrees.max(1.0))),
        })
    }

    /// Seconds after the newest point until `limit`: middle, and the ends of the 80 % interval; the late one may be
    /// infinite. `None` if the line does not lead there.
    pub(super) fn reaches(&self, limit: f64) -> Option<(f64, f64, f64)> {
        let way = (limit - self.level) * self.slope.signum();
        let pace = self.slope.abs();
        if way <= 0.0 || pace <= 0.0 {
            return None;
        }
        let spread = |secs: f64| {
            let of_slope = self.slope_error * secs;
            (self.level_variance + self.walk_variance_per_sec * secs + of_slope * of_slope).sqrt()
        };
        let middle = way / pace;
        let early = crossing(0.0, middle, |secs| pace * secs + self.reach * spread(secs) >= way);
        let mut far = middle * 2.0;
        let late_side = |secs: f64| pace * secs - self.reach * spread(secs) >= way;
        while !late_side(far) {
            far *= 2.0;
            if far > middle * 64.0 {
                return Some((middle, early, f64::INFINITY));
            }
        }
        Some((middle, early, crossing(middle, far, late_side)))
    }
}

/// The point between `low` and `high` from which `holds`.
fn crossing(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if holds(middle) { high = middle } else { low = middle }
    }
    high
}

fn pair_slopes(points: &[Point]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(POINTS * (POINTS - 1) / 2);
    for (i, a) in points.iter().enumerate() {
        for b in &points[i + 1..] {
            if b.t_secs > a.t_secs {
                slopes.push((b.value - a.value) / (b.t_secs - a.t_secs));
            }
        }
    }
    slopes
}

fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    let (_, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    *upper
}

/// Variance of the increments over `lag` points around the line, and their correlation with the next ones (at least 0).
fn increments(points: &[Point], slope: f64, lag: usize) -> (f64, f64) {
    let around = |w: &[Point]| w[lag].value - w[0].value - slope * (w[lag].t_secs - w[0].t_secs);
    let of: Vec<f64> = points.windows(lag + 1).map(around).collect();
    if of.len() < 2 {
        return (0.0, 0.0);
    }
    let square: f64 = of.iter().map(|d| d * d).sum();
    let product: f64 = of.windows(2).map(|w| w[0] * w[1]).sum();
    let correlation = if square > 0.0 { (product / square).clamp(0.0, 0.9) } else { 0.0 };
    (square / of.len() as f64, correlation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_is_sure_and_an_outlier_does_not_bend_it() {
        let mut points: Vec<Point> =
            (0..20).map(|i| Point { t_secs: f64::from(i) * 60.0, value: 50.0 + f64::from(i) }).collect();
        points[7].value = 500.0;
        let trend = Trend::of(&points).unwrap();
        assert!((trend.slope * 60.0 - 1.0).abs() < 1e-9);
        let (middle, low, high) = trend.reaches(100.0).unwrap();
        assert!((middle - 31.0 * 60.0).abs() < 60.0 && low < middle && middle < high);
        assert!(trend.reaches(0.0).is_none());
    }
}
