//! When a limit is reached: by the course of days, by a line through the past, or by the last minutes.

use serde::{Deserialize, Serialize};

use super::{
    HABIT, HOUR, LARGEST, RunOut, SURE,
    course::{Course, Passage},
    since,
    stairs::Stairs,
    trend::Trend,
};
use crate::tail::Tail;

/// Two ways to see a trend: its line, and that the series never moved so before.
const WAYS: f64 = 2.0;
/// What moves as it never did before is no rhythm of that past: it is extrapolated by so many times its length.
const DEPARTED_REACH: f64 = 4.0;
/// Share of the way from its lowest to the limit beyond which an earlier peak was no harmless one.
const HARMLESS_PEAK: f64 = 0.9;
/// A return by this share of the whole range, without help, shows that the series comes back by itself.
const RETURN: f64 = 0.3;
/// How far beyond its earlier peak a series that comes back must be, in ranges.
const NEW_GROUND: f64 = 0.05;
/// A forecast by the last minutes is much sooner than that by the last days in this share of its time.
const SOONER: f64 = 0.5;

/// When a resource will be used up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// When the limit is reached, in seconds on the caller's clock.
    pub at: f64,
    /// Early end of the interval that holds 80 %.
    pub low: f64,
    /// Late end of it; infinite where it may never come to that.
    pub high: f64,
    /// P(such a rise, if there is no trend).
    pub p_not_trend: Tail,
    /// Units a second.
    pub pace: f64,
    /// How long the pace has been held.
    pub evidence_secs: f64,
}

impl RunOut {
    /// When `limit` will be reached, from whichever side the series is on; `None` while nothing can be said, while
    /// there is no trend towards it, or where the trend is explained without one.
    pub fn forecast(&self, limit: f64) -> Option<Forecast> {
        let last = self.last?;
        let towards = (limit - last.value).signum();
        if limit.is_nan() || limit.abs() > LARGEST || last.value == limit {
            return None;
        }
        let days = self.over_days(limit, towards);
        let Some(minutes) = self.over_minutes(limit, towards, days.is_some()) else { return days };
        // What moves as it never did before is believed against the course of days where it leads there much sooner.
        let is_sooner = |days: Forecast| minutes.at - last.t_secs < SOONER * (days.at - last.t_secs);
        days.filter(|days| !is_sooner(*days)).or(Some(minutes))
    }

    /// By a line through the past or the last minutes; with `departing_only` where these move as they never did before.
    fn over_minutes(&self, limit: f64, towards: f64, departing_only: bool) -> Option<Forecast> {
        let last = self.last?;
        let leads_there = |trend: &(Trend, f64)| {
            let (line, reach_secs) = trend;
            line.slope * towards > 0.0
                && line.p_not_trend.surprise() >= SURE
                && line.reaches(limit).is_some_and(|(middle, ..)| middle <= *reach_secs)
        };
        let lasting = if departing_only { None } else { self.trend() };
        let lasting = lasting.map(|line| (line, reach_ahead(line.length_secs))).filter(leads_there);
        let departing =
            self.departing().map(|line| (line, DEPARTED_REACH * line.length_secs)).filter(leads_there);
        let (trend, p_not_trend) = match (lasting, departing) {
            (Some((a, _)), Some((b, _))) => (a, a.p_not_trend.min(b.p_not_trend)),
            (Some((line, _)), None) | (None, Some((line, _))) => (line, line.p_not_trend),
            (None, None) => return None,
        };
        if self.comes_back(limit, towards) {
            return None;
        }
        let (middle, early, late) = trend.reaches(limit)?;
        // The line's newest point is a bucket's middle: what was due before now is due now.
        let at = |secs: f64| (trend.newest_secs + secs).max(last.t_secs);
        Some(Forecast {
            at: at(middle),
            low: at(early),
            high: at(late),
            p_not_trend: p_not_trend.among(WAYS),
            pace: trend.slope,
            evidence_secs: trend.length_secs,
        })
    }

    /// By the stairs or the course of the last days, where there are any.
    fn over_days(&self, limit: f64, towards: f64) -> Option<Forecast> {
        let now = self.last?;
        let width = self.ledger.width();
        let stairs = Stairs::of(&self.hours, now.t_secs, towards);
        let stairs = stairs.filter(|stairs| stairs.p_not_trend.surprise() >= SURE);
        let (passage, p_not_trend, pace, evidence_secs) = match stairs {
            Some(stairs) => (
                stairs.passage(limit * towards, width),
                stairs.p_not_trend,
                stairs.step / stairs.gap_secs,
                now.t_secs - stairs.first_secs,
            ),
            None => {
                let course = Course::of(&self.hours, now.t_secs, towards)
                    .filter(|course| course.p_not_trend.surprise() >= SURE)?;
                let passage = course.passage(limit * towards, width)?;
                (passage, course.p_not_trend, course.pace(), course.days * 24.0 * HOUR)
            }
        };
        let Passage { at, low, high } = passage;
        if at - now.t_secs > evidence_secs || self.comes_back(limit, towards) {
            return None;
        }
        let p_not_trend = p_not_trend.among(WAYS);
        Some(Forecast { at, low, high, p_not_trend, pace: pace * towards, evidence_secs })
    }

    /// The line through the last minutes where they lead away from all that was before; as long as that goes on.
    fn departing(&self) -> Option<Trend> {
        let points = self.recent[0].points();
        let departed = self.departure.departed(points)?;
        let mut line = Trend::of(since(points, departed.since_secs))?;
        line.length_secs = line.newest_secs - departed.since_secs;
        line.p_not_trend = departed.p_usual;
        Some(line)
    }

    /// The longest stretch that the shorter ones do not contradict.
    fn trend(&self) -> Option<Trend> {
        let mut trends = Vec::with_capacity(8);
        for track in self.recent.iter().chain([&self.far]) {
            let whole = since(track.points(), self.since_secs);
            trends.extend(Trend::of(whole));
            trends.extend(Trend::of(&whole[whole.len() / 2..]));
        }
        trends.sort_by(|a, b| b.length_secs.total_cmp(&a.length_secs));
        let holds = |i: usize| {
            let long = &trends[i];
            trends[i + 1..].iter().all(|short| {
                let apart = (short.slope - long.slope).abs();
                apart <= 0.5 * long.slope.abs() + 2.0 * short.slope_error
                    && apart <= 3.0 * long.slope.abs().max(short.slope_error)
            })
        };
        (0..trends.len()).find(|i| trends[*i].p_not_trend.surprise() >= SURE && holds(*i)).map(|i| trends[i])
    }

    /// Whether the series has been as near to the limit before and came back by itself, from where it did no harm.
    fn comes_back(&self, limit: f64, towards: f64) -> bool {
        // One cleanup is help from outside: what was before it does not count. A habit of cleanups is a sawtooth.
        let from = if self.cleanups >= HABIT { f64::MIN } else { self.since_secs };
        let Some(now) = self.last else { return false };
        // The same story at two resolutions: the whole past in means, the last days with their true peaks.
        let far: Vec<_> =
            since(self.far.points(), from).iter().map(|p| (p.value * towards, p.value * towards)).collect();
        let days: Vec<_> = self.extremes.towards(towards).collect();
        let all = || far.iter().chain(&days);
        let lowest = all().map(|p| p.0).fold(f64::INFINITY, f64::min);
        let range = all().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max) - lowest;
        if range.is_nan() || range <= 0.0 {
            return false;
        }
        let way = (limit * towards - lowest).max(f64::MIN_POSITIVE);
        let fall = RETURN * range;
        let returned = highest_return(&far, fall).max(highest_return(&days, fall));
        let harmless = returned - lowest < HARMLESS_PEAK * way;
        harmless && now.value * towards < returned + NEW_GROUND * range
    }
}

/// The highest peak from which the series came down by more than `fall`; lows and highs, oldest first.
fn highest_return(past: &[(f64, f64)], fall: f64) -> f64 {
    let (mut peak, mut returned) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for (low, high) in past {
        if *low < peak - fall {
            returned = returned.max(peak);
        }
        peak = peak.max(*high);
    }
    returned
}

/// How far ahead a rise of that length is worth extrapolating.
fn reach_ahead(evidence_secs: f64) -> f64 {
    let times = if evidence_secs < 2.0 * HOUR {
        2.0
    } else if evidence_secs < 24.0 * HOUR {
        1.0
    } else {
        4.0
    };
    (times * evidence_secs).max(evidence_secs.min(2.0 * HOUR) * 2.0)
}
