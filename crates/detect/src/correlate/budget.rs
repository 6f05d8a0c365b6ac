//! The alert budget: how surprising a finding must be so that a tenant gets no more false pages than it wants.
//!
//! If every test of a week were clean and its p-value honest, the expected number of p-values at or below `a` is
//! `a` times the number of tests. A threshold of budget / tests a week keeps the expected number of false pages a
//! week at the budget, whatever the dependence between tests (linearity of expectation).

use std::collections::BTreeMap;

use foreshock_model::Severity;
use serde::{Deserialize, Serialize};

use super::TestCount;
use crate::Budget;

const WEEK_SECONDS: f64 = 604_800.0;
/// Weight of the newest window in the moving average of tests a window.
const NEWEST: f64 = 0.1;
/// Warnings may be this many times as frequent as pages.
const WARNINGS_A_PAGE: f64 = 30.0;

/// How surprising a finding must be, as -log10 p.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// To page.
    pub page: f64,
    /// To be told without a page.
    pub warn: f64,
    /// Tests a week that they follow from.
    pub tests_a_week: f64,
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

/// How many tests a tenant's windows hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct TestRates {
    /// By kind and window length: moving average of the number a window.
    rates: BTreeMap<(String, u32), f64>,
}

impl TestRates {
    /// Takes the counts of one window, sorted; those of the same kind are added up first.
    pub(super) fn take(&mut self, tests: &[TestCount]) {
        let mut sums: BTreeMap<(String, u32), u64> = BTreeMap::new();
        for test in tests {
            *sums.entry((test.kind.clone(), test.window_seconds.max(1))).or_default() += test.count;
        }
        for (key, sum) in sums {
            let sum = sum as f64;
            let rate = self.rates.entry(key).or_insert(sum);
            *rate += NEWEST * (sum - *rate);
        }
    }

    pub(super) fn thresholds(&self, budget: &Budget) -> Thresholds {
        let tests_a_week: f64 =
            self.rates.iter().map(|((_, seconds), rate)| rate * WEEK_SECONDS / f64::from(*seconds)).sum();
        // A tenant of whom little is known is held to a thousand tests a minute.
        let tests_a_week = tests_a_week.max(1e7);
        let pages = budget.pages_a_week.max(1e-3);
        Thresholds {
            page: (tests_a_week / pages).log10(),
            warn: (tests_a_week / (pages * WARNINGS_A_PAGE)).log10(),
            tests_a_week,
        }
    }
}

#[cfg(test)]
mod tests {
    use foreshock_model::Tenant;

    use super::*;

    #[test]
    fn the_expected_number_of_false_pages_a_week_is_the_budget() {
        let mut rates = TestRates::default();
        let count = |kind: &str, count| TestCount {
            tenant: Tenant::default(),
            kind: kind.into(),
            window_seconds: 60,
            count,
        };
        for _ in 0..200 {
            rates.take(&[count("spike", 6_000), count("spike", 3_000), count("dip", 1_000)]);
        }
        let thresholds = rates.thresholds(&Budget { pages_a_week: 2.0 });
        let false_pages = 10f64.powf(-thresholds.page) * 10_000.0 * 7.0 * 1_440.0;
        assert!((false_pages - 2.0).abs() < 1e-6, "{false_pages}");
    }
}
