//! A line or a parabola through points over days.

use super::course::mean_square;

/// `level + growth t + bend t²`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve {
    pub(super) level: f64,
    pub(super) growth: f64,
    pub(super) bend: f64,
    /// Mean square of what it leaves.
    pub(super) left: f64,
}

impl Curve {
    /// Least squares, of degree 1 or 2, on time in days around its middle.
    pub(super) fn fit(points: &[(f64, f64)], degree: usize) -> Option<Self> {
        let n = points.len() as f64;
        let middle = points.iter().map(|p| p.0).sum::<f64>() / n;
        let mean = points.iter().map(|p| p.1).sum::<f64>() / n;
        let mean_of = |of: &dyn Fn(f64, f64) -> f64| {
            points.iter().map(|p| of(p.0 - middle, p.1 - mean)).sum::<f64>() / n
        };
        let (m2, m3, m4) =
            (mean_of(&|t, _| t * t), mean_of(&|t, _| t * t * t), mean_of(&|t, _| t * t * (t * t)));
        let (v1, v2) = (mean_of(&|t, v| t * v), mean_of(&|t, v| t * t * v));
        let (a, b, c) = if degree == 1 {
            (mean, v1 / m2, 0.0)
        } else {
            let determinant = m2 * (m4 - m2 * m2) - m3 * m3;
            let b = (v1 * (m4 - m2 * m2) - v2 * m3) / determinant;
            let c = (v2 * m2 - v1 * m3) / determinant;
            (mean - c * m2, b, c)
        };
        let mut curve = Self {
            level: a - b * middle + c * middle * middle,
            growth: b - 2.0 * c * middle,
            bend: c,
            left: 0.0,
        };
        curve.left = mean_square(points.iter().map(|p| p.1 - curve.at(p.0)));
        let sound = [curve.level, curve.growth, curve.bend, curve.left].iter().all(|part| part.is_finite());
        sound.then_some(curve)
    }

    pub(super) fn at(&self, t: f64) -> f64 {
        self.level + self.growth * t + self.bend * t * t
    }
}
