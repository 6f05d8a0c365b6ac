//! What the worker knows and the journal does not say: patterns and series as they stand. The worker implements it.

use std::collections::BTreeMap;

use foreshock_model::{ServiceName, Tenant, Timestamp};
use serde::Serialize;

/// A look into the running stages. Called from a thread that may block for a moment; must not take long.
pub trait Insight: Send + Sync {
    /// The patterns of a tenant, most frequent first, at most `limit`.
    fn patterns(&self, tenant: &Tenant, limit: usize) -> Vec<PatternRow>;

    /// The series of a tenant, by service and name, at most `limit`; of one service alone where it is named.
    fn series(&self, tenant: &Tenant, service: Option<&ServiceName>, limit: usize) -> Vec<SeriesRow>;
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
    /// The newest value.
    pub last_value: Option<f64>,
    /// Its time.
    pub last_seen: Timestamp,
    /// The baseline is learned: deviations are told.
    pub learned: bool,
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
}
