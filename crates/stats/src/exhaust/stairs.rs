//! A series that grows in steps, as by a job that runs every so often: the next step fills it, not the line between.

use crate::{
    exhaust::{HOUR, course::Passage, hours::Hours},
    tail::{Tail, student_upper},
};

/// A step is so many times as large as what lies between steps.
const CLEAR: f64 = 8.0;
/// And this share of the largest one.
const ALIKE: f64 = 0.4;
/// Steps that make stairs.
const FEWEST: usize = 3;
/// Steps explain this share of the whole rise at least, and not much more than all of it.
const EXPLAINED: std::ops::Range<f64> = 0.8..1.25;
/// The gaps between steps, and the steps, vary by this share at most.
const REGULAR: f64 = 0.5;
/// Steps that vary by less than this share are alike: a whole number of them leads to the limit.
const ALL_ALIKE: f64 = 0.25;
/// No steps are more alike than this.
const STEADIEST: f64 = 0.03;
/// A step that leads to within this share of itself to the limit reaches it.
const NEARLY: f64 = 0.15;
/// When a step was taken is known to so many seconds.
const KNOWN_SECS: f64 = 0.35 * HOUR;

/// Regular steps up, in the direction that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stairs {
    level: f64,
    pub(super) step: f64,
    pub(super) gap_secs: f64,
    gap_error_secs: f64,
    /// By which share the steps vary.
    variation: f64,
    pub(super) first_secs: f64,
    last_secs: f64,
    now_secs: f64,
    /// P(steps so alike, all of them up, where up and down are the same).
    pub(super) p_not_trend: Tail,
}

impl Stairs {
    pub(super) fn of(hours: &Hours, now_secs: f64, towards: f64) -> Option<Self> {
        let means: Vec<f64> = hours.means(towards);
        if means.len() < 24 || means.iter().any(|mean| mean.is_nan()) {
            return None;
        }
        let mut sizes: Vec<f64> = means.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let usual =
            sizes[sizes.len() * 3 / 5].max(hours.noise() / (HOUR / hours.spacing_secs()).max(1.0).sqrt());
        let largest = means.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
        let least = (CLEAR * usual).max(ALIKE * largest);
        let whole = means[means.len() - 1] - means[0];
        let steps = steps(&means, least);
        if steps.len() < FEWEST || whole <= 0.0 {
            return None;
        }
        let sum: f64 = steps.iter().map(|step| step.1).sum();
        let step = sum / steps.len() as f64;
        let gaps: Vec<f64> = steps.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        let gap = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let gap_error = deviation(gaps.iter().copied(), gap);
        let step_error = deviation(steps.iter().map(|step| step.1), step).max(STEADIEST * step);
        let n = steps.len() as f64;
        let p_not_trend = student_upper(step / (step_error / n.sqrt()), n - 1.0);
        let regular = gap_error <= REGULAR * gap
            && step_error <= REGULAR * step
            && EXPLAINED.contains(&(sum / whole))
            && gap >= 3.0;
        let (last, _) = steps[steps.len() - 1];
        let since = &means[(last.ceil() as usize).min(means.len() - 1)..];
        let level = since.iter().sum::<f64>() / since.len() as f64;
        let first_hour = hours.newest() - (means.len() - 1) as f64;
        regular.then_some(Self {
            level,
            step,
            gap_secs: gap * HOUR,
            gap_error_secs: gap_error * HOUR,
            variation: step_error / step,
            first_secs: (first_hour + steps[0].0) * HOUR,
            last_secs: (first_hour + last) * HOUR,
            now_secs,
            p_not_trend,
        })
    }

    /// The step that reaches `limit`.
    pub(super) fn passage(&self, limit: f64, width: f64) -> Passage {
        let steps = (limit - self.level) / self.step;
        let whole = (steps - NEARLY).ceil().max(1.0);
        // Of steps of any size the last one goes beyond the limit by half a step or so.
        let steps = if self.variation < ALL_ALIKE { whole } else { (steps + 0.5).max(1.0) };
        let at = self.last_secs + steps * self.gap_secs;
        let of_size = if self.variation < ALL_ALIKE { 0.0 } else { self.variation * self.gap_secs };
        let spread = width * (self.gap_error_secs.hypot(of_size) * steps.sqrt()).hypot(KNOWN_SECS);
        // One that is overdue may come at any time.
        let overdue = (self.now_secs - at).max(0.0);
        let at = at.max(self.now_secs + 0.5 * overdue);
        Passage { at, low: (at - spread).max(self.now_secs), high: at + spread + overdue }
    }
}

/// The rises of at least that size: at which mean, and how large. A step within an hour shows as two rises: the later one
/// belongs to it, and the share of it says when in the hour it was.
fn steps(means: &[f64], least: f64) -> Vec<(f64, f64)> {
    let mut steps: Vec<(f64, f64)> = Vec::new();
    let mut was_step = false;
    for (i, pair) in (1..).zip(means.windows(2)) {
        let rise = pair[1] - pair[0];
        let is_step = rise > least;
        match steps.last_mut() {
            Some((at, size)) if is_step && was_step => {
                *at += rise / (*size + rise);
                *size += rise;
            }
            _ if is_step => steps.push((f64::from(i), rise)),
            _ => {}
        }
        was_step = is_step;
    }
    steps
}

fn deviation(values: impl Iterator<Item = f64>, mean: f64) -> f64 {
    let (n, sum) = values.fold((0.0, 0.0), |(n, sum), v| (n + 1.0, sum + (v - mean) * (v - mean)));
    (sum / f64::max(n, 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nine days of values each five minutes, of them a level by the hour.
    fn hours(level: impl Fn(f64) -> f64) -> (Hours, f64) {
        let mut hours = Hours::new();
        let seconds = |n: u32| f64::from(n) * 300.0;
        (0..9 * 288).for_each(|n| {
            hours.observe(seconds(n), level(seconds(n) / HOUR));
        });
        (hours, seconds(9 * 288))
    }

    #[test]
    fn regular_steps_lead_to_the_limit_by_whole_ones_and_ramps_are_no_stairs() {
        let (daily, now) = hours(|hour| 20.0 + 5.0 * libm::floor(hour / 30.5));
        let stairs = Stairs::of(&daily, now, 1.0).expect("stairs");
        // At 55 now; the next step but one goes beyond 64.
        let Passage { at, low, high } = stairs.passage(64.0, 1.0);
        assert!((at / HOUR - 9.0 * 30.5).abs() < 0.6 && low <= at && at <= high, "{}", at / HOUR);
        assert!(stairs.p_not_trend.surprise() > 3.0);
        for none in [|hour: f64| 20.0 + 0.2 * hour, |_| 20.0, |hour: f64| 20.0 + 5.0 * libm::sin(hour / 5.0)]
        {
            let (hours, now) = hours(none);
            assert!(Stairs::of(&hours, now, 1.0).is_none());
        }
    }
}
