//! What the worker knows and the journal does not say: patterns, series and alert budgets as they stand. The worker implements it.

use std::collections::BTreeMap;

use foreshock_model::{Kind, ServiceName, Tenant, Timestamp};
use serde::Serialize;

/// A look into the running stages. Called from a thread that may block for a moment; must not take long.
pub trait Insight: Send + Sync {
    /// The patterns of a tenant, most frequent first, at most `limit`.
    fn patterns(&self, tenant: &Tenant, limit: usize) -> Vec<PatternRow>;

    /// The series of a tenant, by service and name, at most `limit`; of one service alone where it is named.
    fn series(&self, tenant: &Tenant, service: Option<&ServiceName>, limit: usize) -> Vec<SeriesRow>;

    /// How a tenant's alert budget stands; `None` where nothing was ever seen of it.
    fn budget(&self, tenant: &Tenant) -> Option<BudgetRow>;
}

/// A tenant's alert budget, what was spent, and the thresholds that follow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetRow {
    /// False pages a week that are wanted.
    pub pages_a_week: f64,
    /// Incidents a week that paged, with a memory of a week.
    pub paged_a_week: f64,
    /// Tests a week.
    pub tests_a_week: f64,
    /// How surprising a finding must be to page, as -log10 p.
    pub page: f64,
    /// To be told without a page.
    pub warn: f64,
    /// The same by kind of finding.
    pub kinds: BTreeMap<Kind, KindBudgetRow>,
}

/// What a kind of finding has of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KindBudgetRow {
    /// Tests a week of the kind.
    pub tests_a_week: f64,
    /// How many times as many small p-values the kind has as it should.
    pub calibration: f64,
    /// How surprising a finding of the kind must be to page.
    pub page: f64,
    /// To be told without a page.
    pub warn: f64,
}

/// A pattern of a service's lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PatternRow {
    /// Its id, stable over restarts.
    pub id: String,
    /// The pattern; `<*>` stands for what varies.
    pub template: String,
    /// Whose lines.
    pub service: ServiceName,
    /// Lines seen.
    pub count: u64,
    /// Of the service's lines, in [0, 1].
    pub share: f64,
    /// The first line's time.
    pub first_seen: Timestamp,
    /// The latest line's time.
    pub last_seen: Timestamp,
    /// A few lines, secrets masked.
    pub examples: Vec<String>,
}

/// A series that is watched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeriesRow {
    /// Whose.
    pub service: ServiceName,
    /// The metric's name, or what else is measured.
    pub name: String,
    /// What tells it from others of the name.
    pub attributes: BTreeMap<String, String>,
    /// The unit, as it was sent.
    pub unit: String,
    /// The value of the latest closed minute that had one; of a counter, how much it grew a second.
    pub last_value: Option<f64>,
    /// The end of that minute.
    pub last_seen: Option<Timestamp>,
    /// The baseline is learned: deviations are told.
    pub learned: bool,
    /// How forecasts of when it is used up have fared, of what can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecasts: Option<ForecastsRow>,
}

/// Forecasts of one series whose time has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ForecastsRow {
    /// All of them.
    pub judged: u32,
    /// Right within a fifth of how far they looked ahead.
    pub right: u32,
    /// Whose 80 % interval held the truth.
    pub within: u32,
}

/// Where no worker runs in this process: nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoInsight;

impl Insight for NoInsight {
    fn patterns(&self, _: &Tenant, _: usize) -> Vec<PatternRow> {
        Vec::new()
    }

    fn series(&self, _: &Tenant, _: Option<&ServiceName>, _: usize) -> Vec<SeriesRow> {
        Vec::new()
    }

    fn budget(&self, _: &Tenant) -> Option<BudgetRow> {
        None
    }
}
