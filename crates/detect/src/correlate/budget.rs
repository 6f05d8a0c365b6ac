//! The alert budget: how surprising a finding must be so that a tenant gets no more false pages than it wants.
//!
//! If every test of a week were clean and its p-value honest, the expected number of p-values at or below `a` is
//! `a` times the number of tests. Levels that add up to the budget over all tests of a week keep the expected number of
//! false pages a week at the budget, whatever the dependence between tests (linearity of expectation). Every stream of
//! tests has the same share, be it one every ten seconds or one an hour: else whoever looks often has all of it
//! (weighted p-values: Genovese, Roeder and Wasserman, Biometrika 2006). An online procedure holds it to what is seen: the
//! level of a kind follows from how many of its p-values are small (as SAFFRON and ADDIS estimate the share of true
//! nulls), that of all from the pages there were, with a decaying memory.
//!
//! Counts are added up as whole numbers within an hour and turned into weights when it is over, so that neither the
//! number of partitions nor the windows that are looked at change a digit.

use std::collections::BTreeMap;

use foreshock_model::{BASE_WINDOW, Finding, Kind, Severity, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    TestCount,
    tally::{KEEP, Tally},
};
use crate::Budget;

const HOUR_SECONDS: u64 = 3_600;
const HOURS_A_WEEK: f64 = 168.0;
/// After so many hours without a word nothing is remembered.
const FORGOTTEN: u64 = 10 * 168;
/// What was counted in less than this share of an hour is taken as counted in it.
const SHORTEST: f64 = 1.0 / 60.0;
/// A tenant of whom little is known is held to so many streams of tests.
const FEWEST_STREAMS: f64 = 10.0;
const WEEK_SECONDS: f64 = 604_800.0;
/// What is asked of no finding in particular is asked of one about so many seconds.
const MINUTE_SECONDS: f64 = 60.0;
/// Warnings may be this many times as frequent as pages.
const WARNINGS_A_PAGE: f64 = 30.0;
/// Pages over the wanted false ones, up to which all may be true.
const TRUE_A_FALSE: f64 = 10.0;
/// However many pages there were, what is so much more surprising than the budget asks for pages.
const MOST_HELD: f64 = 0.01;

/// How surprising a finding of a kind must be, as -log10 p, and what that follows from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// To page.
    pub page: f64,
    /// To be told without a page.
    pub warn: f64,
    /// Tests a week, of all kinds.
    pub tests_a_week: f64,
    /// Streams of tests that share the budget: those of kinds that are too careful count for less.
    pub streams: f64,
    /// How many times as many small p-values the kind has as it should: below 1 it is too careful, and leaves a part of its share to the others.
    pub calibration: f64,
    /// Pages a week that there were, an incident once, with a memory of a week.
    pub paged_a_week: f64,
}

impl Thresholds {
    /// What they grant to a finding so surprising, whatever it is of.
    pub fn grant(&self, surprise: f64) -> Severity {
        match surprise {
            surprise if surprise >= self.page => Severity::Critical,
            surprise if surprise >= self.warn => Severity::Warning,
            _ => Severity::Info,
        }
    }
}

/// A tenant's budget as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spending {
    /// Expected false pages a week, as configured.
    pub pages_a_week: f64,
    /// Of what is neither too careful nor too careless; what was spent, and of how many tests.
    pub thresholds: Thresholds,
    /// Tests a week by kind, and its own thresholds.
    pub kinds: BTreeMap<Kind, KindSpending>,
}

/// What a kind of finding has of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KindSpending {
    /// Its share of the tests a week.
    pub tests_a_week: f64,
    /// See [`Thresholds::calibration`].
    pub calibration: f64,
    /// See [`Thresholds::page`], of a finding about as long a window as its tests are on average.
    pub page: f64,
    /// See [`Thresholds::warn`].
    pub warn: f64,
}

/// What a tenant's tests are, and what was spent on pages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Account {
    /// The hour that is counted, since 1970.
    hour: u64,
    /// Whole hours that were counted, with a memory of a week.
    hours: f64,
    /// From when on this hour is counted; none before the first test.
    from: Option<Timestamp>,
    /// To when it is.
    to: Timestamp,
    tallies: BTreeMap<Kind, Tally>,
    /// Pages, with a memory of a week.
    pages: f64,
}

impl Account {
    /// Comes to a window that ends then, and takes its tests.
    pub(super) fn take(&mut self, end: Timestamp, tests: &[TestCount]) {
        if end == Timestamp::MAX {
            return;
        }
        let start = end.minus(BASE_WINDOW);
        self.come_to(start.nanos() / (HOUR_SECONDS * 1_000_000_000));
        if tests.is_empty() {
            return;
        }
        self.from.get_or_insert(start);
        self.to = end;
        for test in tests {
            self.tallies.entry(test.kind).or_default().add(test);
        }
    }

    fn come_to(&mut self, hour: u64) {
        if hour > self.hour.saturating_add(FORGOTTEN) {
            *self = Self { hour, ..Self::default() };
        }
        while self.hour < hour {
            let end = Timestamp::from_secs((self.hour + 1) * HOUR_SECONDS);
            if let Some(from) = &mut self.from {
                self.hours = self.hours * KEEP + hours(*from, end);
                *from = end;
            }
            self.tallies.values_mut().for_each(Tally::turn);
            self.pages *= KEEP;
            self.hour += 1;
        }
    }

    /// An incident began to page.
    pub(super) fn spend(&mut self) {
        self.pages += 1.0;
    }

    /// By kind.
    fn tests_a_week(&self) -> impl Iterator<Item = (Kind, f64)> {
        let counted = self.counted_hours();
        let a_week = move |tally: &Tally| tally.an_hour(counted) * HOURS_A_WEEK;
        self.tallies.iter().map(move |(kind, tally)| (*kind, a_week(tally)))
    }

    /// How many times as many small p-values a kind has as it should.
    pub(super) fn calibration(&self, kind: Kind) -> f64 {
        self.tallies.get(&kind).map_or(1.0, Tally::calibration)
    }

    /// Streams of tests that share the budget. What is too careful leaves what it does not use to the others.
    pub(super) fn streams(&self) -> f64 {
        let counted = self.counted_hours();
        let used = |tally: &Tally| tally.streams(counted) * tally.calibration().min(1.0);
        self.tallies.values().map(used).sum::<f64>().max(FEWEST_STREAMS)
    }

    /// All streams of tests of a kind.
    pub(super) fn streams_of(&self, kind: Kind) -> f64 {
        self.tallies.get(&kind).map_or(0.0, |tally| tally.streams(self.counted_hours()))
    }

    /// Hours that the memory holds, this one included.
    fn counted_hours(&self) -> f64 {
        (self.hours + self.from.map_or(0.0, |from| hours(from, self.to))).max(SHORTEST)
    }

    /// What is asked of `finding`; of none in particular where there is none.
    pub(super) fn thresholds(&self, finding: Option<&Finding>, budget: &Budget) -> Thresholds {
        let about = |finding: &Finding| match finding.kind {
            // One test a gap, counted by the minute, however long it has lasted when it is told.
            Kind::Silence => MINUTE_SECONDS,
            _ => finding.window_end.since(finding.window_start).as_secs_f64().max(1.0),
        };
        self.asked(finding.map(|finding| finding.kind), finding.map_or(MINUTE_SECONDS, about), budget)
    }

    /// What is asked of a finding of `kind` that is about so many seconds.
    fn asked(&self, kind: Option<Kind>, seconds: f64, budget: &Budget) -> Thresholds {
        let streams = self.streams();
        let pages = budget.pages_a_week.max(1e-3);
        let calibration = kind.map_or(1.0, |kind| self.calibration(kind));
        // What was not spent is not carried over: in a week without a page the budget is the same.
        let allowed = TRUE_A_FALSE * pages;
        let held = (allowed / self.pages.max(allowed)).max(MOST_HELD);
        let asked = libm::log10(calibration.max(1.0) * streams * WEEK_SECONDS / seconds / pages);
        Thresholds {
            page: asked - libm::log10(held),
            warn: asked - libm::log10(WARNINGS_A_PAGE),
            tests_a_week: self.tests_a_week().map(|(_, tests)| tests).sum(),
            streams,
            calibration,
            paged_a_week: self.pages,
        }
    }

    /// How it stands.
    pub(super) fn spending(&self, budget: &Budget) -> Spending {
        let of_kind = |(kind, tests_a_week): (Kind, f64)| {
            let counted = self.counted_hours();
            let about = self.tallies.get(&kind).map(|tally| tally.streams(counted) / tally.an_hour(counted));
            let seconds = about.map_or(MINUTE_SECONDS, |hours| hours * HOUR_SECONDS as f64);
            let Thresholds { page, warn, calibration, .. } = self.asked(Some(kind), seconds, budget);
            (kind, KindSpending { tests_a_week, calibration, page, warn })
        };
        Spending {
            pages_a_week: budget.pages_a_week,
            thresholds: self.thresholds(None, budget),
            kinds: self.tests_a_week().map(of_kind).collect(),
        }
    }
}

fn hours(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from).as_secs_f64() / HOUR_SECONDS as f64
}

#[cfg(test)]
mod tests;
