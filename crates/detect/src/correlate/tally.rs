//! How many tests of one kind are made, and whether its p-values are what they say.

use serde::{Deserialize, Serialize};

use super::TestCount;

/// What is left of an hour's weight an hour later: a memory of a week, e to the power of -1/168.
pub(super) const KEEP: f64 = 0.994_065_292_105_194_5;
/// Tests with p at or below this are candidates.
const CANDIDATE: f64 = 1e-3;
/// A calibration is that of so many candidates that were exactly as many as there should be, and those seen.
const PRIOR: f64 = 10.0;
/// Of so many small p-values an hour all are believed, whatever was expected.
const FEW: f64 = 3.0;
/// One incident is many of them at once: of an hour so many times the usual number are believed.
const AT_ONCE: f64 = 5.0;
/// What is held of p-values that are too careful, and of those that are too small.
const CAREFUL: f64 = 0.1;
const CARELESS: f64 = 100.0;

/// Tests and small p-values of one kind, by the hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Of whole hours, with a memory of a week.
    week: Counts<f64>,
    /// Tests of the last whole hour, and their seconds.
    last: (u64, u64),
    /// Of this hour so far.
    hour: Counts<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Counts<N> {
    tests: N,
    /// The seconds of the windows that they are about, together.
    seconds: N,
    /// Tests that tell whether their p-value was small, and how many were.
    told: N,
    candidates: N,
    /// Findings with a small p-value, where not all tests tell it.
    found: N,
}

impl Tally {
    /// Takes the counts of one window.
    pub(super) fn add(&mut self, counts: &TestCount) {
        let hour = &mut self.hour;
        hour.tests = hour.tests.saturating_add(counts.count);
        hour.seconds = hour.seconds.saturating_add(counts.seconds);
        hour.told = hour.told.saturating_add(counts.told);
        hour.candidates = hour.candidates.saturating_add(counts.candidates);
        hour.found = hour.found.saturating_add(counts.found);
    }

    /// The hour is over.
    pub(super) fn turn(&mut self) {
        let Counts { tests, seconds, told, candidates, found } = std::mem::take(&mut self.hour);
        // Against what this kind usually brings: one that lies all the time is found out, if over days.
        let believed = FEW.max(AT_ONCE * tests as f64 * CANDIDATE * self.calibration());
        self.last = (tests, seconds);
        let week = &mut self.week;
        week.tests = week.tests * KEEP + tests as f64;
        week.seconds = week.seconds * KEEP + seconds as f64;
        week.told = week.told * KEEP + told as f64;
        week.candidates = week.candidates * KEEP + believed.min(candidates as f64);
        week.found = week.found * KEEP + believed.min(found as f64);
    }

    /// Tests an hour, where the memory holds so many hours: the average, or what the last hour or this one has more.
    pub(super) fn an_hour(&self, hours: f64) -> f64 {
        often(self.week.tests, self.last.0, self.hour.tests, hours)
    }

    /// How many follow one another without end: one that is made every minute about a minute is one of them, and so is one
    /// an hour about an hour.
    pub(super) fn streams(&self, hours: f64) -> f64 {
        often(self.week.seconds, self.last.1, self.hour.seconds, hours) / 3_600.0
    }

    /// How many times as many small p-values there are as there would be if they were what they say: above 1 they are
    /// too small, below 1 too careful. Tests that do not tell are taken to have as many as they should, or as were found.
    pub(super) fn calibration(&self) -> f64 {
        let Counts { tests, told, candidates, found, .. } = self.week;
        let others = found.max((tests - told).max(0.0) * CANDIDATE);
        let times = (candidates + others + PRIOR) / (tests * CANDIDATE + PRIOR);
        times.clamp(CAREFUL, CARELESS)
    }
}

fn often(week: f64, last: u64, this: u64, hours: f64) -> f64 {
    let this = this as f64;
    ((week + this) / hours).max(last as f64).max(this)
}
