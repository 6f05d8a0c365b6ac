//! The hours of a pattern: its count of the hour, and what is usual in an hour.

use foreshock_stats::{CountBaseline, Verdict};
use serde::{Deserialize, Serialize};

use super::draft::SURE;

/// Hours of a day: so many are remembered, and so many pass before an hour is judged.
const DAY: usize = 24;
/// Hours of rejected counts in a row that make the new level the normal one: a day.
const HOURS_TO_ACCEPT: u16 = 24;

/// Counts an hour.
#[derive(Serialize, Deserialize)]
pub(super) struct Hours {
    count: u64,
    /// The most surprising of what the hour's shorter roll-ups said.
    said: f64,
    baseline: CountBaseline,
    /// The counts of the last day, the oldest at `next` once there are [`DAY`].
    day: Vec<u32>,
    next: usize,
}

/// An hour that has ended.
pub(super) struct ClosedHour {
    pub(super) count: u64,
    pub(super) verdict: Verdict,
    /// The count of the same hour a day before.
    pub(super) yesterday: u32,
    /// The most surprising of what the hour's shorter roll-ups said.
    pub(super) said: f64,
}

impl Default for Hours {
    fn default() -> Self {
        Self { count: 0, said: 0.0, baseline: CountBaseline::new(HOURS_TO_ACCEPT), day: Vec::new(), next: 0 }
    }
}

impl Hours {
    /// Adds lines of the hour.
    pub(super) fn add(&mut self, lines: u64) {
        self.count += lines;
    }

    /// A shorter roll-up of the hour said something.
    pub(super) fn said(&mut self, surprise: Option<f64>) {
        self.said = self.said.max(surprise.unwrap_or(0.0));
    }

    /// Takes up the hours of another pattern that became one with this one. The baseline stays.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.count += other.count;
        self.said = self.said.max(other.said);
        // From the newest back, as far as both go.
        for age in 1..=self.day.len().min(other.day.len()) {
            let own = (self.next + self.day.len() - age) % self.day.len();
            let its = (other.next + other.day.len() - age) % other.day.len();
            self.day[own] = self.day[own].saturating_add(other.day[its]);
        }
    }

    /// Ends the hour: learns it, if it was `whole` and no shorter roll-up was sure of a fault in it. `None` while less
    /// than a day is known.
    pub(super) fn close(&mut self, whole: bool) -> Option<ClosedHour> {
        let (count, said) = (std::mem::take(&mut self.count), std::mem::take(&mut self.said));
        if !whole {
            return None;
        }
        let verdict =
            if said >= SURE { self.baseline.observe_excluded(count) } else { self.baseline.observe(count) };
        let held = u32::try_from(count).unwrap_or(u32::MAX);
        if self.day.len() < DAY {
            self.day.push(held);
            self.next = self.day.len() % DAY;
            return None;
        }
        let yesterday = std::mem::replace(&mut self.day[self.next], held);
        self.next = (self.next + 1) % DAY;
        Some(ClosedHour { count, verdict, yesterday, said })
    }
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

    #[test]
    fn an_hour_is_held_against_the_same_hour_of_the_day_before() {
        let mut state = after(0..30);
        state.add(100);
        let closed = state.close(true).expect("more than a day is known");
        assert_eq!((closed.count, closed.yesterday), (100, 6));
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
        // Hours 25 and 26 were 25 and 26; the oldest hour known is the third.
        let yesterdays: Vec<u32> = (0..24).map(|_| long.close(true).expect("a day").yesterday).collect();
        let expected: Vec<u32> = (3..25).chain([125, 226]).collect();
        assert_eq!(yesterdays, expected);
    }
}
