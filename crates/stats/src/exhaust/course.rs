//! The course of a series over days: how much it grows a day, whether faster and faster, and what every day does to it.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, LN_10};

use crate::{
    exhaust::{HOUR, curve::Curve, hours::Hours},
    tail::{Tail, student_upper},
};

const DAY_HOURS: usize = 24;
/// Hours that make a course: a rhythm of days is told from growth after two of them.
const FEWEST_HOURS: usize = 48;
/// Hours of a day that must be there for its mean.
const FEWEST_OF_DAY: u32 = 18;
/// Growth that changes is believed where it leaves this share of what a straight line leaves.
const CURVED: f64 = 0.25;
/// A rhythm of the day is believed where it explains this share more than chance would.
const RHYTHM: f64 = 0.3;
/// Hours that show that the course is left, and by how many deviations.
const LEFT_HOURS: usize = 3;
const LEFT: f64 = 3.0;
/// The passage is looked for in steps of ten minutes.
const STEP_DAYS: f64 = 1.0 / 144.0;
/// It is looked for so many times as far ahead as the course reaches.
const LOOK_AHEAD: f64 = 2.0;
/// What is less noisy than this share of the way does not exist.
const LEAST_NOISE: f64 = 1e-4;
/// Values expected beyond the limit at which it was reached with a probability of 1, 5 and 9 in 10: `-ln(1 - p)`.
const EARLY: f64 = 0.105_36;
const MIDDLE: f64 = LN_2;
const LATE: f64 = LN_10;
/// 90 % quantile of the normal.
const NINE_TENTHS: f64 = 1.2816;

/// A parabola or a line through means over whole days, which no rhythm of the day bends, the rhythm around it, and the
/// noise around both. Values are seen in the direction of growth that is asked for: they rise.
#[derive(Clone, Debug)]
pub(super) struct Course {
    /// Time of the last value, on the caller's clock.
    now_secs: f64,
    /// At `now`, in units, a day, and a day squared.
    level: f64,
    growth: f64,
    bend: f64,
    /// By hour of the day from that of `now`'s clock on; 0 where there is no rhythm.
    rhythm: [f64; DAY_HOURS],
    noise: f64,
    values_a_day: f64,
    /// Variance of a day's growth around that of the course.
    daily_variance: f64,
    pub(super) days: f64,
    pub(super) p_not_trend: Tail,
}

/// When a level is passed, in seconds on the caller's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Passage {
    pub(super) at: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Course {
    /// `None` for less than two days.
    pub(super) fn of(hours: &Hours, now_secs: f64, towards: f64) -> Option<Self> {
        let means: Vec<f64> = hours.means(towards);
        if means.len() < FEWEST_HOURS {
            return None;
        }
        // Middle of an hour, in days from now.
        let newest = (hours.newest() + 0.5) * HOUR - now_secs;
        let time = |i: usize| (newest - (means.len() - 1 - i) as f64 * HOUR) / (24.0 * HOUR);
        let days = whole_days(&means, time);
        let (first, last) = (days.first()?, days.last()?);
        let span = last.0 - first.0;
        if span < 0.9 * (FEWEST_HOURS - DAY_HOURS) as f64 / 24.0 {
            return None;
        }
        let line = Curve::fit(&days, 1)?;
        let parabola =
            Curve::fit(&days, 2).filter(|parabola| parabola.left < CURVED * line.left && span >= 1.5);
        let curve = parabola.unwrap_or(line);

        let residuals: Vec<f64> = (0..).zip(&means).map(|(i, mean)| mean - curve.at(time(i))).collect();
        let phase = |i: usize| (i + DAY_HOURS - (means.len() - 1) % DAY_HOURS) % DAY_HOURS;
        let rhythm = rhythm(&residuals, phase);
        let around: Vec<f64> =
            (0..).zip(&residuals).map(|(i, residual)| residual - rhythm[phase(i)]).collect();
        let values_an_hour = (HOUR / hours.spacing_secs()).max(1.0);
        let wander = mean_square(around.iter().copied()) - hours.noise() * hours.noise() / values_an_hour;
        let noise = (hours.noise() * hours.noise() + wander.max(0.0)).sqrt();

        let growths = (DAY_HOURS..means.len()).map(|i| residuals[i] - residuals[i - DAY_HOURS]);
        let growths: Vec<f64> = growths.collect();
        let daily_variance = mean_square(growths.iter().copied());
        let independent = (span + 1.0).max(1.0);
        let error = (daily_variance / independent).sqrt();
        let p_not_trend = if curve.growth > 0.0 {
            student_upper(curve.growth / error.max(1e-9 * curve.growth), independent)
        } else {
            Tail::ONE
        };
        Some(Self {
            now_secs,
            level: curve.level + left(&around),
            growth: curve.growth,
            bend: curve.bend,
            rhythm,
            noise,
            values_a_day: 24.0 * values_an_hour,
            daily_variance,
            days: span,
            p_not_trend,
        })
    }

    /// Units a second, now.
    pub(super) fn pace(&self) -> f64 {
        self.growth / (24.0 * HOUR)
    }

    /// The level of the course without its rhythm, so many days from now.
    pub(super) fn level_in(&self, days: f64) -> f64 {
        self.level + self.growth * days + self.bend * days * days
    }

    /// When the first value is expected at `limit` or beyond: the level rises towards it, the day swings it and noise
    /// reaches it before. `None` if that is further ahead than the course reaches back. Its interval is `width` times as
    /// wide as the course itself says.
    pub(super) fn passage(&self, limit: f64, width: f64) -> Option<Passage> {
        let [early, middle, late] = self.reached(limit, 0.0, [EARLY, MIDDLE, LATE]);
        let (early, middle) = (early?, middle?);
        if middle > self.reach_days() {
            return None;
        }
        // The course is not known for sure either, and may change on the way: the same for one above it and one below.
        let shift = NINE_TENTHS * width;
        let [_, above, _] = self.reached(limit, shift, [f64::MIN, MIDDLE, f64::MIN]);
        let [_, below, _] = self.reached(limit, -shift, [f64::MIN, MIDDLE, f64::MIN]);
        let never = LOOK_AHEAD * self.reach_days();
        let low = (width * (middle - early)).hypot(middle - above.unwrap_or(middle));
        let high = (width * (late.unwrap_or(never) - middle)).hypot(below.unwrap_or(never) - middle);
        let secs = |days: f64| self.now_secs + days * 24.0 * HOUR;
        Some(Passage { at: secs(middle), low: secs((middle - low).max(0.0)), high: secs(middle + high) })
    }

    /// How far ahead the course is worth following.
    fn reach_days(&self) -> f64 {
        self.days.max(1.0)
    }

    /// In how many days so many values are expected at `limit` or beyond, for each of three numbers, the level being so
    /// many of its own deviations higher.
    fn reached(&self, limit: f64, shift: f64, marks: [f64; 3]) -> [Option<f64>; 3] {
        let noise = self.noise.max(LEAST_NOISE * (limit - self.level).abs()).max(1e-12);
        let of_growth = self.daily_variance / (self.days + 1.0).max(1.0);
        let (mut beyond, mut at) = (0.0, [None; 3]);
        let steps = (LOOK_AHEAD * self.reach_days() / STEP_DAYS) as usize;
        for step in 0..steps {
            let t = (step as f64 + 0.5) * STEP_DAYS;
            let lever = t + 0.5 * self.days;
            let deviation = if shift == 0.0 {
                0.0
            } else {
                shift * (of_growth * lever * lever + self.daily_variance * t).sqrt()
            };
            let distance = (limit - self.level_in(t) - deviation - self.rhythm_in(t)) / noise;
            if distance > 7.0 {
                continue;
            }
            let more = self.values_a_day * STEP_DAYS * upper(distance);
            for (mark, at) in marks.iter().zip(&mut at) {
                if at.is_none() && beyond + more >= *mark {
                    *at = Some((step as f64 + ((*mark - beyond) / more).max(0.0)) * STEP_DAYS);
                }
            }
            beyond += more;
            if at.iter().all(Option::is_some) {
                break;
            }
        }
        at
    }

    fn rhythm_in(&self, days: f64) -> f64 {
        // The newest mean is that of phase 0, half an hour before the hour that now lies in began.
        let since_newest = days * 24.0 + (self.now_secs / HOUR).fract() + 0.5;
        let (whole, part) = (since_newest.floor() as usize, since_newest.fract());
        let (a, b) = (self.rhythm[whole % DAY_HOURS], self.rhythm[(whole + 1) % DAY_HOURS]);
        a + part * (b - a)
    }
}

/// Time and mean of each day of hours, one beginning with each hour: no rhythm of the day is left in them.
fn whole_days(means: &[f64], time: impl Fn(usize) -> f64) -> Vec<(f64, f64)> {
    let day = |(first, day): (usize, &[f64])| {
        let there = (first..).zip(day).filter(|(_, mean)| !mean.is_nan());
        let (n, t, v) = there.fold((0u32, 0.0, 0.0), |(n, t, v), (i, mean)| (n + 1, t + time(i), v + mean));
        (n >= FEWEST_OF_DAY).then(|| (t / f64::from(n), v / f64::from(n)))
    };
    means.windows(DAY_HOURS).enumerate().filter_map(day).collect()
}

/// How far the last hours lie off the course, where they have left it.
fn left(residuals: &[f64]) -> f64 {
    let newest = residuals[residuals.len().saturating_sub(LEFT_HOURS)..].iter().filter(|r| !r.is_nan());
    let (n, sum) = newest.fold((0.0, 0.0), |(n, sum), residual| (n + 1.0, sum + residual));
    let off = sum / f64::max(n, 1.0);
    if off.abs() > LEFT * mean_square(residuals.iter().copied()).sqrt() { off } else { 0.0 }
}

/// Means by hour of the day, where they explain more than chance does.
fn rhythm(residuals: &[f64], phase: impl Fn(usize) -> usize) -> [f64; DAY_HOURS] {
    let (mut sums, mut counts) = ([0.0; DAY_HOURS], [0.0f64; DAY_HOURS]);
    for (i, residual) in residuals.iter().enumerate().filter(|(_, residual)| !residual.is_nan()) {
        sums[phase(i)] += residual;
        counts[phase(i)] += 1.0;
    }
    let rhythm: [f64; DAY_HOURS] = std::array::from_fn(|hour| sums[hour] / counts[hour].max(1.0));
    let left = (0..).zip(residuals).map(|(i, residual)| residual - rhythm[phase(i)]).collect::<Vec<f64>>();
    let explained = 1.0
        - mean_square(left.iter().copied()) / mean_square(residuals.iter().copied()).max(f64::MIN_POSITIVE);
    let by_chance = DAY_HOURS as f64 / residuals.len() as f64;
    if explained > by_chance + RHYTHM { rhythm } else { [0.0; DAY_HOURS] }
}

/// Of those that are there.
pub(super) fn mean_square(values: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) =
        values.filter(|v| !v.is_nan()).fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value * value));
    if n > 0.0 { sum / n } else { 0.0 }
}

/// P(a standard normal above).
fn upper(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}
