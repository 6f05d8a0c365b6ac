//! The hours of a pattern: its count of the hour, what is usual in an hour, and what each hour of the last eight days held.

use std::collections::VecDeque;

use foreshock_stats::{CountBaseline, Verdict};
use serde::{Deserialize, Serialize};

use super::draft::SURE;

/// So many hours pass before one is judged: a day.
const DAY: usize = 24;
const WEEK: usize = 7 * DAY;
/// Hours remembered: what is late by up to a day is still held against the same time a week before.
const KEPT: usize = 8 * DAY;
/// Hours of rejected counts in a row that make the new level the normal one: a day.
const HOURS_TO_ACCEPT: u16 = 24;

/// Counts an hour.
#[derive(Serialize, Deserialize)]
pub(super) struct Hours {
    open: Held,
    /// The most surprising of what the hour's shorter roll-ups said.
    said: f64,
    baseline: CountBaseline,
    /// The hours before, the last at the end.
    past: VecDeque<Held>,
}

/// What an hour held.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Held {
    lines: u32,
    /// The most in a minute of it, and in ten.
    in_a_minute: u32,
    in_ten: u32,
}

/// An hour that has ended.
pub(super) struct ClosedHour {
    pub(super) count: u64,
    pub(super) verdict: Verdict,
    pub(super) usual: AtThisTime,
    /// The most surprising of what the hour's shorter roll-ups said.
    pub(super) said: f64,
}

/// What there was at this time a day and a week before: the fewest and the most, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct AtThisTime {
    pub(super) fewest: Option<f64>,
    pub(super) most: Option<f64>,
}

impl Default for Hours {
    fn default() -> Self {
        Self {
            open: Held::default(),
            said: 0.0,
            baseline: CountBaseline::new(HOURS_TO_ACCEPT),
            past: VecDeque::new(),
        }
    }
}

impl Hours {
    /// Adds lines of the hour.
    pub(super) fn add(&mut self, lines: u64) {
        self.open.lines = self.open.lines.saturating_add(held(lines));
    }

    /// A shorter roll-up of the hour said something.
    pub(super) fn said(&mut self, surprise: Option<f64>) {
        self.said = self.said.max(surprise.unwrap_or(0.0));
    }

    /// Takes note of a minute of the hour. Returns the most in a minute of this hour a day and a week before.
    pub(super) fn minute(&mut self, count: u64) -> Option<f64> {
        self.open.in_a_minute = self.open.in_a_minute.max(held(count));
        self.at_this_time(|held| held.in_a_minute).most
    }

    /// Takes note of ten minutes of the hour. Returns the most in ten of this hour a day and a week before.
    pub(super) fn ten_minutes(&mut self, count: u64) -> Option<f64> {
        self.open.in_ten = self.open.in_ten.max(held(count));
        self.at_this_time(|held| held.in_ten).most
    }

    /// Takes up the hours of another pattern that became one with this one. The baseline stays.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.open.add(&other.open);
        self.said = self.said.max(other.said);
        // From the newest back, as far as both go.
        for (own, its) in self.past.iter_mut().rev().zip(other.past.iter().rev()) {
            own.add(its);
        }
    }

    /// Ends the hour: learns it, if it was `whole` and no shorter roll-up was sure of a fault in it. `None` while less
    /// than a day is known.
    pub(super) fn close(&mut self, whole: bool) -> Option<ClosedHour> {
        let (open, said) = (std::mem::take(&mut self.open), std::mem::take(&mut self.said));
        if !whole {
            return None;
        }
        let count = u64::from(open.lines);
        let verdict =
            if said >= SURE { self.baseline.observe_excluded(count) } else { self.baseline.observe(count) };
        let usual = self.at_this_time(|held| held.lines);
        self.past.push_back(open);
        if self.past.len() > KEPT {
            self.past.pop_front();
        }
        usual.most.is_some().then_some(ClosedHour { count, verdict, usual, said })
    }

    /// Whether a line that is late by `hours` was missing at this time a week before as well. Of lines that come at one
    /// hour of the day alone, on some days of the week: those of another rhythm have no calendar.
    pub(super) fn is_off(&self, hours: usize) -> bool {
        if self.past.len() < KEPT {
            return false;
        }
        let heard =
            || self.past.iter().enumerate().filter(|(_, held)| held.lines > 0).map(|(at, _)| at % DAY);
        let Some(first) = heard().next() else { return false };
        let apart = |hour: usize| (hour + DAY - first) % DAY;
        let is_daily = heard().all(|hour| apart(hour).min(DAY - apart(hour)) <= 1);
        is_daily && (0..=hours.min(DAY)).all(|late| self.ago(WEEK + late).is_none_or(|held| held.lines == 0))
    }

    fn ago(&self, hours: usize) -> Option<&Held> {
        self.past.get(self.past.len().checked_sub(hours)?)
    }

    fn at_this_time(&self, of: impl Fn(&Held) -> u32) -> AtThisTime {
        let known =
            [DAY, WEEK].into_iter().filter_map(|hours| self.ago(hours)).map(|held| f64::from(of(held)));
        AtThisTime { fewest: known.clone().reduce(f64::min), most: known.reduce(f64::max) }
    }
}

impl Held {
    fn add(&mut self, other: &Self) {
        self.lines = self.lines.saturating_add(other.lines);
        self.in_a_minute = self.in_a_minute.saturating_add(other.in_a_minute);
        self.in_ten = self.in_ten.saturating_add(other.in_ten);
    }
}

fn held(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(hours: impl IntoIterator<Item = u64>) -> Hours {
        let mut state = Hours::default();
        for count in hours {
            state.add(count);
            state.close(true);
        }
        state
    }

    fn next(state: &mut Hours, count: u64) -> (u64, Option<f64>, Option<f64>) {
        state.add(count);
        let closed = state.close(true).expect("more than a day is known");
        (closed.count, closed.usual.fewest, closed.usual.most)
    }

    #[test]
    fn an_hour_is_held_against_the_same_hour_of_a_day_and_a_week_before() {
        let mut state = after(0..30);
        assert_eq!(next(&mut state, 100), (100, Some(6.0), Some(6.0)));
        let mut state = after(0..200);
        assert_eq!(next(&mut state, 100), (100, Some(32.0), Some(176.0)));
        assert!(state.past.len() <= KEPT);
    }

    #[test]
    fn the_most_of_a_minute_and_of_ten_is_held_against_those_of_this_hour_before() {
        let mut state = Hours::default();
        for hour in 0..30 {
            assert_eq!(state.minute(hour), (hour >= 24).then_some(hour as f64 - 24.0));
            assert_eq!(state.minute(0), (hour >= 24).then_some(hour as f64 - 24.0));
            assert_eq!(state.ten_minutes(3 * hour), (hour >= 24).then_some(3.0 * (hour as f64 - 24.0)));
            state.close(true);
        }
    }

    #[test]
    fn nothing_is_said_before_a_whole_day_is_known_and_a_part_of_an_hour_is_none() {
        let mut state = after(std::iter::repeat_n(5, 23));
        state.add(5);
        assert!(state.close(false).is_none());
        assert!(state.close(true).is_none());
        assert!(state.close(true).is_some());
    }

    #[test]
    fn the_days_of_patterns_that_become_one_are_added_hour_by_hour() {
        let mut long = after(0..27);
        long.absorb(&after([100, 200]));
        // Hours 25 and 26 were 25 and 26; the oldest hour that is held against is the third.
        let before: Vec<f64> = (0..24).map(|_| next(&mut long, 0).1.expect("a day")).collect();
        let expected: Vec<f64> = (3..25).chain([125, 226]).map(f64::from).collect();
        assert_eq!(before, expected);
    }

    #[test]
    fn a_nightly_job_is_off_on_the_days_of_the_week_it_was_off_before() {
        // Two weeks at three in the morning, not at the weekend, which are the days 5 and 6.
        let runs = |hour: u64| u64::from(hour % 24 == 3 && hour / 24 % 7 < 5);
        let hours = |days: u64| after((0..days * 24 + 5).map(runs));
        assert!(hours(14 + 5).is_off(2), "Saturday, five in the morning");
        assert!(hours(14 + 6).is_off(2), "Sunday");
        assert!(!hours(14).is_off(2), "Monday");
        assert!(!hours(14 + 2).is_off(2), "Wednesday");
        assert!(!hours(5).is_off(2), "the first Saturday");
        let every_36 = after((0..300).map(|hour| u64::from(hour % 36 == 0)));
        assert!(!(0..36).any(|late| every_36.is_off(late)), "its rhythm is no calendar");
    }
}
