//! How often a service brings something new of a kind: what comes every hour is no news.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// News a day that are still told one by one.
const A_DAY: f64 = 4.0;
/// And lines a piece of news, at least.
const LINES: f64 = 2_000.0;
/// What is older counts half, in days.
const MEMORY_DAYS: f64 = 7.0;

/// The rate of news, told or not, by the clock and by lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct NewsRate {
    days: f64,
    lines: f64,
    news: f64,
}

impl NewsRate {
    /// Time went by in which so many lines came.
    pub(super) fn passed(&mut self, time: Duration, lines: u64) {
        self.days += time.as_secs_f64() / 86_400.0;
        self.lines += lines as f64;
        if self.days > 2.0 * MEMORY_DAYS {
            self.days *= 0.5;
            self.lines *= 0.5;
            self.news *= 0.5;
        }
    }

    /// There is news. Whether such are so rare, this one among them, that it is told.
    pub(super) fn is_told(&mut self) -> bool {
        self.news += 1.0;
        self.news <= A_DAY * self.days && self.news * LINES <= self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_oftener_than_a_few_times_a_day_or_in_many_lines_is_not_told() {
        let hour = Duration::from_secs(3_600);
        let mut rate = NewsRate::default();
        (0..5).for_each(|_| rate.passed(hour, 1_000));
        assert!(!rate.is_told(), "five hours are too few to know");
        (0..20).for_each(|_| rate.passed(hour, 1_000));
        assert!(rate.is_told() && rate.is_told() && rate.is_told());
        let told = (0..4).filter(|_| rate.is_told()).count();
        assert_eq!(told, 0, "eight in a day and an hour");
        let mut sparse = NewsRate::default();
        (0..240).for_each(|_| sparse.passed(hour, 5));
        assert!(!sparse.is_told(), "1 200 lines in ten days");
    }
}
