//! A bounded resource that is used up: when will it be full?
//!
//! For disks, memory, quotas, pools, days left of a certificate: a series with a limit that it must not reach. Knows no
//! clock: times are seconds on one clock, given by the caller. Keep one only for series that have a limit (3 kB).

mod course;
mod curve;
mod departure;
mod extremes;
mod forecast;
mod hours;
mod ledger;
mod stairs;
mod track;
mod trend;

use serde::{Deserialize, Serialize};

pub use forecast::Forecast;
pub use ledger::Fared;

use course::{Course, Passage};
use departure::Departure;
use extremes::Extremes;
use hours::Hours;
use ledger::{Kept, Ledger};
use stairs::Stairs;
use track::{Full, Point, Track};
use trend::FEWEST;

/// A rise must be this unlikely without a trend.
const SURE: f64 = 3.0;
/// Values and times (seconds) beyond are no values and times.
const LARGEST: f64 = 1e30;
const LATEST: f64 = 1e12;
const HOUR: f64 = 3_600.0;
/// A fall by so many usual steps, and by this share of the range, is a cleanup.
const CLEANUP_STEPS: f64 = 8.0;
const CLEANUP_SHARE: f64 = 0.15;
/// What falls again within these seconds does so every day.
const DAILY: f64 = 36.0 * HOUR;
/// A level on the way is forecast each so many hours, and lies so many days ahead.
const MILESTONE_HOURS: f64 = 6.0;
const MILESTONE_DAYS: f64 = 0.5;
/// Cleanups that are a habit.
const HABIT: u16 = 2;

/// Watches one resource and extrapolates it, where that makes sense.
///
/// A line is drawn through the whole past, its recent parts and the last minutes (medians of slopes: Theil 1950, Sen
/// 1968); the longest stretch whose shorter ones do not contradict it gives the pace. A line has only its own few points
/// to say how sure it is; where the series leaves its ground as it never moved in all its past, that past says it, and
/// sooner. From two days on the course of days is followed where it leads to the limit: how much it grows a day, whether
/// faster and faster, with what every day does to it and its noise, and regular steps as steps ([`Fared`]: how good
/// that was). No forecast
/// - further ahead than the evidence reaches back, or twice that for a short and steep rise, or four times for one that
///   has lasted for days or never was before: half a day's rise is not extrapolated over the night;
/// - on ground where the series has been before and came back by itself: a rhythm, a sawtooth. A single cleanup is no
///   habit: after it the pace counts anew. Where earlier peaks were next to the limit, they were no harmless ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunOut {
    /// Fixed buckets of one, eight and 64 strides.
    recent: [Track; 3],
    far: Track,
    extremes: Extremes,
    /// From the ground since the last cleanup, at the finest resolution.
    departure: Departure,
    /// Since the last cleanup, or the beginning.
    since_secs: f64,
    cleanups: u16,
    /// Which way a cleanup goes: the sign of the last one's jump, 0 while there was none.
    cleanup_sign: i8,
    cleaned_secs: f64,
    /// Where the limit is, if that is known from the beginning.
    limit: Option<f64>,
    last: Option<Point>,
    hours: Hours,
    ledger: Ledger,
}

impl RunOut {
    /// `stride_secs` is the resolution of the recent past: the window the values come in, a minute as a rule.
    pub fn new(stride_secs: f32) -> Self {
        let stride_secs = if stride_secs > 0.0 { stride_secs } else { 60.0 };
        Self {
            recent: [1.0, 8.0, 64.0].map(|strides| Track::new(stride_secs * strides)),
            far: Track::new(stride_secs),
            extremes: Extremes::new(),
            departure: Departure::new(),
            since_secs: f64::MIN,
            cleanups: 0,
            cleanup_sign: 0,
            cleaned_secs: f64::MIN,
            limit: None,
            last: None,
            hours: Hours::new(),
            ledger: Ledger::new(),
        }
    }

    /// Says where the limit is: only what leads away from it is then taken for a cleanup.
    #[must_use]
    pub fn bounded_by(mut self, limit: f64) -> Self {
        self.limit = Some(limit).filter(|limit| limit.abs() <= LARGEST);
        self
    }

    /// Feeds one value. `NaN`, and what is not later than the last, changes nothing.
    pub fn observe(&mut self, t_secs: f64, value: f64) {
        // Also where the square of the value, or the time, would leave all bounds.
        let sane = value.abs() <= LARGEST && t_secs.abs() <= LATEST;
        if !sane || self.last.is_some_and(|last| t_secs <= last.t_secs) {
            return;
        }
        if let Some(last) = self.last
            && self.is_cleanup(value - last.value)
        {
            self.recent.iter_mut().for_each(|track| track.close(Full::Forget));
            self.far.close(Full::Coarsen);
            self.since_secs = t_secs;
            self.cleanups = self.cleanups.saturating_add(1);
            if self.cleanups < HABIT {
                self.extremes.clear();
            }
            self.cleanup_sign = if value > last.value { 1 } else { -1 };
            self.departure.cleaned(t_secs, value - last.value);
            // What every day does is part of the course, and no cleanup.
            if t_secs - self.cleaned_secs > DAILY {
                self.hours.clear();
                self.ledger.forget();
            }
            self.cleaned_secs = t_secs;
        }
        let [fine, coarser @ ..] = &mut self.recent;
        if fine.observe(t_secs, value, Full::Forget) {
            self.departure.observe(fine.points());
        }
        for track in coarser {
            track.observe(t_secs, value, Full::Forget);
        }
        self.far.observe(t_secs, value, Full::Coarsen);
        let point = Point { t_secs, value };
        self.extremes.observe(point);
        self.last = Some(point);
        self.ledger.observe(t_secs, value);
        if self.hours.observe(t_secs, value) && self.hours.newest() % MILESTONE_HOURS == 0.0 {
            self.set_milestone(t_secs);
        }
    }

    /// How the forecasts have fared whose time has come: those that were [kept](Self::keep), and those of levels on the
    /// way.
    pub fn fared(&self) -> Fared {
        self.ledger.fared()
    }

    /// Keeps a forecast that was told, to be judged when its time has come.
    pub fn keep(&mut self, limit: f64, forecast: &Forecast) {
        let Some(now) = self.last else { return };
        let Forecast { at, low, high, .. } = *forecast;
        let towards = (limit - now.value).signum();
        self.ledger.keep(Kept { made: now.t_secs, level: limit, towards, at, low, high });
    }

    /// Forecasts when a level half a day ahead will be reached, to learn from it how good forecasts of this series are.
    fn set_milestone(&mut self, t_secs: f64) {
        let width = self.ledger.width();
        let to_limit = |towards: &f64| {
            self.limit.zip(self.last).is_none_or(|(limit, last)| (limit - last.value) * towards > 0.0)
        };
        for towards in [1.0, -1.0].into_iter().filter(to_limit) {
            let Some(course) = Course::of(&self.hours, t_secs, towards) else { return };
            let level = course.level_in(MILESTONE_DAYS);
            let passage = match Stairs::of(&self.hours, t_secs, towards) {
                Some(stairs) => Some(stairs.passage(level, width)),
                None => course.passage(level, width).filter(|_| course.p_not_trend.surprise() >= SURE),
            };
            if let Some(Passage { at, low, high }) = passage {
                self.ledger.keep(Kept { made: t_secs, level: level * towards, towards, at, low, high });
            }
        }
    }

    fn is_cleanup(&self, step: f64) -> bool {
        let points = self.recent[0].points();
        if points.len() < FEWEST / 2 {
            return false;
        }
        let mut steps: Vec<f64> = points.windows(2).map(|w| (w[1].value - w[0].value).abs()).collect();
        steps.sort_by(f64::total_cmp);
        let usual = steps[steps.len() / 2];
        let (_, range) = extent(self.far.points(), 1.0);
        // Away from the limit; where that is not known, against the way it went of late and since the last one.
        let went = |points: &[Point]| match points {
            [first, .., last] => last.value - first.value,
            _ => 0.0,
        };
        let against = match self.limit {
            Some(limit) => step * (limit - points[points.len() - 1].value) < 0.0,
            None => {
                let whole = went(since(self.far.points(), self.since_secs));
                let turns = step * went(points) < 0.0 && step * whole <= 0.0;
                turns || f64::from(self.cleanup_sign) * step > 0.0
            }
        };
        against && step.abs() > CLEANUP_STEPS * usual && step.abs() > CLEANUP_SHARE * range && range > 0.0
    }
}

fn since(points: &[Point], from_secs: f64) -> &[Point] {
    let skip = points.iter().take_while(|p| p.t_secs < from_secs).count();
    &points[skip..]
}

/// The lowest value towards the limit, and the range.
fn extent(points: &[Point], towards: f64) -> (f64, f64) {
    let (low, high) = points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| {
        (low.min(p.value * towards), high.max(p.value * towards))
    });
    (low, if points.is_empty() { 0.0 } else { high - low })
}
