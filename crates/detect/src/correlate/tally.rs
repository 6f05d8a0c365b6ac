//! How many tests of one kind are made, and whether its p-values are what they say.

use serde::{Deserialize, Serialize};

/// What is left of an hour's weight an hour later: a memory of a week, e to the power of -1/168.
pub(super) const KEEP: f64 = 0.994_065_292_105_194_5;
/// Tests with p at or below this are candidates.
const CANDIDATE: f64 = 1e-3;
/// A calibration is that of so many candidates that were exactly as many as there should be, and those seen.
const PRIOR: f64 = 10.0;
/// Of so many candidates an hour all are believed, whatever was expected.
const FEW: f64 = 3.0;
/// One incident is many candidates at once: of an hour so many times the usual number are believed.
const AT_ONCE: f64 = 5.0;
/// What is held of p-values that are too careful, and of those that are too small.
const CAREFUL: f64 = 0.1;
const CARELESS: f64 = 100.0;

/// Tests and candidates of one kind, by the hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Of whole hours, with a memory of a week.
    tests: f64,
    candidates: f64,
    /// Of the last whole hour.
    last: u64,
    /// Of this hour so far.
    this_tests: u64,
    this_candidates: u64,
    /// Whether candidates that were not put out as findings are counted as well.
    whole: bool,
}

impl Tally {
    /// Takes the counts of one window.
    pub(super) fn add(&mut self, tests: u64, candidates: u64, all: bool) {
        self.this_tests = self.this_tests.saturating_add(tests);
        self.this_candidates = self.this_candidates.saturating_add(candidates);
        self.whole |= all;
    }

    /// The hour is over.
    pub(super) fn turn(&mut self) {
        let (tests, candidates) = (self.this_tests as f64, self.this_candidates as f64);
        // Against what this kind usually brings: one that lies all the time is found out, if over days.
        let believed = FEW.max(AT_ONCE * tests * CANDIDATE * self.calibration());
        self.tests = self.tests * KEEP + tests;
        self.candidates = self.candidates * KEEP + candidates.min(believed);
        self.last = std::mem::take(&mut self.this_tests);
        self.this_candidates = 0;
    }

    /// Tests an hour, where the memory holds so many hours: the average, or what the last hour or this one has more.
    pub(super) fn an_hour(&self, hours: f64) -> f64 {
        let average = (self.tests + self.this_tests as f64) / hours;
        average.max(self.last as f64).max(self.this_tests as f64)
    }

    /// How many times as many candidates there are as there would be if p-values were what they say: above 1 they are
    /// too small, below 1 too careful, which only those show that count all candidates.
    pub(super) fn calibration(&self) -> f64 {
        let times = (self.candidates + PRIOR) / (self.tests * CANDIDATE + PRIOR);
        times.clamp(if self.whole { CAREFUL } else { 1.0 }, CARELESS)
    }
}
