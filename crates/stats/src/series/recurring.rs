//! What comes again by the clock: backups, reports, jobs that are started every hour, night or week.
//!
//! Slots of the day are too wide for what lasts a minute, so it is the episodes themselves that are kept. The first two
//! nights are told, or the first three hours; from then on it is how the series is, unless it grows.

use serde::{Deserialize, Serialize};

/// Episodes kept.
const KEPT: usize = 12;
/// Periods that people set clocks to, in seconds, up to half a day.
const HOURS: [f64; 8] = [1_800.0, 3_600.0, 7_200.0, 10_800.0, 14_400.0, 21_600.0, 28_800.0, 43_200.0];
/// A day and a week.
const DAYS: [f64; 2] = [86_400.0, 604_800.0];
/// So many periods are looked back: one may have failed, and there are weekends.
const LOOKED_BACK: usize = 4;
/// In so many of them it must have come.
const ENOUGH_HOURS: usize = 3;
const ENOUGH_DAYS: usize = 2;
/// So much of a period one may come early or late, and at most so many seconds; or this share of a step.
const EARLY: f64 = 1.0 / 20.0;
const EARLIEST_SECS: f64 = 900.0;
const EARLY_STEPS: f64 = 0.6;
/// A period must have so many steps.
const SHORTEST_STEPS: f64 = 8.0;
/// What is odd so many steps after something odd goes on with it.
const APART_STEPS: f64 = 5.0;
/// And changes of level and slope follow from it: a line that began anew rests on a dozen values, and is left within ten.
const AFTERMATH_STEPS: f64 = 25.0;
/// It may last so many steps longer, or [`GROWTH`] times as long.
const LONGER_STEPS: f64 = 2.0;
/// So many times as far as those before it may go,
const GROWTH: f64 = 1.5;
/// and so many deviations.
const MARGIN: f64 = 2.0;

/// When a series was odd, newest last. 16 bytes an episode.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recurring {
    episodes: Box<[Episode]>,
}

/// What was odd, with no more than [`APART_STEPS`] between.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Episode {
    /// Unix time, in seconds.
    start: u32,
    lasted: u32,
    /// Least and greatest distance from what is usual.
    low: f32,
    high: f32,
}

/// How a value stands to what comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// It has come at such times before.
    Itself,
    /// What such a thing leaves behind: levels and slopes are not what they were.
    Aftermath,
    /// Not at all.
    No,
}

/// What is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
    Value,
    /// Of level, slope or spread.
    Change,
}

/// One value that may be odd.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) secs: f64,
    pub(crate) step_secs: f64,
    /// Distance from what the series is as a rule, and the standard deviation of that.
    pub(crate) off: f64,
    pub(crate) deviation: f64,
}

impl Moment {
    /// By how much what comes every `period` seconds may be early or late, in seconds.
    fn early(&self, period: f64) -> f64 {
        (EARLY * period).min(EARLIEST_SECS).max(EARLY_STEPS * self.step_secs)
    }

    /// Whether it is as far as all of an episode.
    fn reaches(&self, episode: &Episode) -> bool {
        let margin = MARGIN * self.deviation;
        let (low, high) = (f64::from(episode.low), f64::from(episode.high));
        low >= GROWTH * self.off.min(0.0) - margin && high <= GROWTH * self.off.max(0.0) + margin
    }
}

impl Episode {
    fn start(&self) -> f64 {
        f64::from(self.start)
    }

    fn end(&self) -> f64 {
        self.start() + f64::from(self.lasted)
    }

    /// Whether it went as far in either direction: after a leap a rhythm that took part of it for its own is off the other way.
    fn is_as_far(&self, moment: &Moment) -> bool {
        let extent = f64::from(self.high.max(-self.low));
        moment.off.abs() <= GROWTH * extent + MARGIN * moment.deviation
    }

    /// Whether as much was seen in it.
    fn reaches(&self, moment: &Moment) -> bool {
        let (low, high) = (GROWTH * f64::from(self.low.min(0.0)), GROWTH * f64::from(self.high.max(0.0)));
        let margin = MARGIN * moment.deviation;
        (low - margin..=high + margin).contains(&moment.off)
    }
}

impl Recurring {
    /// Heap memory it takes now, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        size_of_val(&*self.episodes)
    }

    /// Whether such a thing has come at such times before. Takes note of what is `odd`: a value, or a change.
    pub(crate) fn observe(&mut self, moment: &Moment, odd: Option<Odd>) -> Due {
        let period = self.period(moment, 0.0);
        let due = if period.is_some() {
            Due::Itself
        } else if self.period(moment, AFTERMATH_STEPS).is_some() {
            Due::Aftermath
        } else {
            Due::No
        };
        if let Some(odd) = odd {
            self.note(moment, odd, period);
        }
        due
    }

    fn note(&mut self, moment: &Moment, odd: Odd, period: Option<f64>) {
        // What grows a little every time is held to what it was when it was told, or it could grow for ever.
        let off = match period.map(|period| self.bounds(moment, period)) {
            Some((low, high)) => moment.off.clamp(low, high) as f32,
            None => moment.off as f32,
        };
        if let Some(last) = self.ongoing(moment, APART_STEPS) {
            let Episode { start, low, high, .. } = self.episodes[last];
            let lasted = (moment.secs - f64::from(start)) as u32;
            self.episodes[last] = Episode { start, lasted, low: low.min(off), high: high.max(off) };
            return;
        }
        if odd == Odd::Change && self.ongoing(moment, AFTERMATH_STEPS).is_some() {
            return;
        }
        let mut episodes = std::mem::take(&mut self.episodes).into_vec();
        if let Some(period) = period {
            forget_all_but_the_newest(&mut episodes, moment, period);
        }
        if episodes.len() == KEPT {
            episodes.remove(0);
        }
        episodes.reserve_exact(1);
        episodes.push(Episode { start: moment.secs as u32, lasted: 0, low: off, high: off });
        self.episodes = episodes.into_boxed_slice();
    }

    /// When what is odd now began.
    fn onset(&self, moment: &Moment, after: f64) -> f64 {
        self.ongoing(moment, after.max(APART_STEPS)).map_or(moment.secs, |last| self.episodes[last].start())
    }

    /// What began before and ended no more than so many steps ago.
    fn ongoing(&self, moment: &Moment, steps: f64) -> Option<usize> {
        let last = self.episodes.len().checked_sub(1)?;
        (moment.secs - self.episodes[last].end() <= steps * moment.step_secs).then_some(last)
    }

    /// The period by which it comes again, or came up to `after` steps ago.
    fn period(&self, moment: &Moment, after: f64) -> Option<f64> {
        if self.episodes.len() < ENOUGH_DAYS {
            return None;
        }
        let came = |period: &f64| self.came(moment, *period, after);
        let by_clock =
            |enough| move |period: &f64| came(period).iter().filter(|came| **came).count() >= enough;
        DAYS.into_iter()
            .find(by_clock(ENOUGH_DAYS))
            .or_else(|| HOURS.into_iter().find(by_clock(ENOUGH_HOURS)))
    }

    /// In which of the last periods it came, as large and as long but for `after` steps: the newest first.
    fn came(&self, moment: &Moment, period: f64, after: f64) -> [bool; LOOKED_BACK] {
        let of_each = self.of_each(moment, period, after);
        let lasts = moment.secs - self.onset(moment, after);
        of_each.map(|episode| {
            episode.is_some_and(|episode| {
                let lasted = f64::from(episode.lasted);
                let longest = (GROWTH * lasted).max(lasted + LONGER_STEPS * moment.step_secs);
                if lasts <= longest {
                    episode.reaches(moment)
                } else {
                    lasts <= longest + after * moment.step_secs && episode.is_as_far(moment)
                }
            })
        })
    }

    /// The episodes of the last periods, the newest first.
    fn of_each(&self, moment: &Moment, period: f64, after: f64) -> [Option<&Episode>; LOOKED_BACK] {
        let mut of_each = [None; LOOKED_BACK];
        if period < SHORTEST_STEPS * moment.step_secs {
            return of_each;
        }
        let (onset, early) = (self.onset(moment, after), moment.early(period));
        for (ago, place) in (1..).zip(&mut of_each) {
            let start = onset - f64::from(ago) * period;
            *place = self.episodes.iter().find(|episode| (episode.start() - start).abs() <= early);
        }
        of_each
    }

    /// The least and the greatest distance of the episodes that what is odd now was known by.
    fn bounds(&self, moment: &Moment, period: f64) -> (f64, f64) {
        let known = self.of_each(moment, period, 0.0).into_iter().flatten();
        known.fold((0.0, 0.0), |(low, high): (f64, f64), episode| {
            (low.min(f64::from(episode.low)), high.max(f64::from(episode.high)))
        })
    }
}

/// What comes every hour must not crowd out what comes every night: a few of its like are enough.
fn forget_all_but_the_newest(episodes: &mut Vec<Episode>, moment: &Moment, period: f64) {
    let early = moment.early(period);
    let is_like = |episode: &Episode| {
        let periods = (moment.secs - episode.start()) / period;
        (periods - libm::round(periods)).abs() * period <= early
            && episode.reaches(moment)
            && moment.reaches(episode)
    };
    let alike = episodes.iter().filter(|episode| is_like(episode)).count();
    let mut left_out = alike.saturating_sub(LOOKED_BACK);
    episodes.retain(|episode| {
        let goes = left_out > 0 && is_like(episode);
        left_out -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(minute: u32, off: f64) -> Moment {
        Moment { secs: 1.76e9 + 60.0 * f64::from(minute), step_secs: 60.0, off, deviation: 1.0 }
    }

    /// Feeds what is odd; how each stood to what comes again.
    fn run(odd: impl IntoIterator<Item = (u32, f64)>) -> Vec<Due> {
        let mut recurring = Recurring::default();
        let see = |(minute, off)| recurring.observe(&moment(minute, off), Some(Odd::Value));
        odd.into_iter().map(see).collect()
    }

    fn all(due: &[Due], expected: Due) {
        assert!(due.iter().all(|due| *due == expected), "{due:?}");
    }

    fn night(night: u32) -> impl Iterator<Item = (u32, f64)> {
        (0..5).map(move |minute| (night * 1_440 + minute, 30.0))
    }

    #[test]
    fn from_the_third_night_on_a_job_is_usual_also_after_a_weekend() {
        let due = run([0, 1, 2, 3, 4, 7, 8].into_iter().flat_map(night));
        all(&due[..10], Due::No);
        all(&due[10..], Due::Itself);
    }

    #[test]
    fn what_is_larger_longer_or_at_another_hour_is_not_known() {
        let known = || (0..4).flat_map(night);
        let last = |odd: (u32, f64)| *run(known().chain([odd])).last().unwrap();
        assert_eq!(last((4 * 1_440, 40.0)), Due::Itself);
        assert_eq!(last((4 * 1_440, 60.0)), Due::No);
        assert_eq!(last((4 * 1_440, -30.0)), Due::No);
        assert_eq!(last((4 * 1_440 + 90, 30.0)), Due::No);
        let due = run(known().chain((0..40).map(|minute| (4 * 1_440 + minute, 30.0))));
        all(&due[20..27], Due::Itself);
        all(&due[27..52], Due::Aftermath);
        all(&due[52..], Due::No);
    }

    #[test]
    fn what_grows_every_night_is_told_once_it_is_half_again_as_large_as_what_was_told() {
        let due = run((0..10).map(|night| (night * 1_440, 30.0 * libm::pow(1.15, f64::from(night)))));
        assert_eq!(due[2..4], [Due::Itself, Due::Itself]);
        assert!(due[4..].contains(&Due::No), "{due:?}");
    }

    #[test]
    fn an_hour_does_not_crowd_out_a_night() {
        let hours = (0..5 * 24).map(|hour| (hour * 60 + 30, 10.0));
        let nights = (0..5).map(|night| (night * 1_440 + 123, 30.0));
        let mut odd: Vec<_> = hours.chain(nights).collect();
        odd.sort_by_key(|(minute, _)| *minute);
        let due: Vec<_> =
            odd.iter().zip(run(odd.iter().copied())).filter(|((_, off), _)| *off == 30.0).collect();
        let due: Vec<_> = due.into_iter().map(|(_, due)| due).collect();
        assert_eq!(due, [Due::No, Due::No, Due::Itself, Due::Itself, Due::Itself]);
    }

    #[test]
    fn what_comes_at_a_period_of_its_own_is_told_each_time() {
        all(&run((0..40).map(|time| (time * 97, 30.0))), Due::No);
    }
}
