//! The numbers behind a finding, for whoever asks: what its window held, what was known before and after, what was
//! decided over it. Asking changes nothing of what the stages put out.

use foreshock_model::{Finding, FindingId, IncidentId, Kind, ServiceName, Severity, Tenant, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::{Prior, Spread, Thresholds};

/// A finding that is asked for, by what its id follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub id: FindingId,
    /// Whose it is.
    pub tenant: Tenant,
    /// Where it is.
    pub service: ServiceName,
    /// What it says.
    pub kind: Kind,
    /// What was measured.
    pub series: String,
    /// The end of its window: it is said when the base window is closed that ends then.
    pub window_end: Timestamp,
}

impl From<&Finding> for Asked {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id,
            tenant: finding.tenant.clone(),
            service: finding.service.clone(),
            kind: finding.kind,
            series: finding.series.clone(),
            window_end: finding.window_end,
        }
    }
}

impl Asked {
    /// Tenant and service.
    pub(crate) fn key(&self) -> (Tenant, ServiceName) {
        (self.tenant.clone(), self.service.clone())
    }
}

/// What detect made a finding of. States are their serialised form: every number of the estimators, by name; what is no
/// number in JSON (infinity) is null.
#[derive(Clone, Debug, Serialize)]
pub struct Workings {
    /// Which was asked for.
    pub id: FindingId,
    /// The finding, made again; `None` where its window says nothing of the kind now.
    pub finding: Option<Finding>,
    /// What all partitions saw of its series in the base window that was closed last, 10 s.
    pub window: Value,
    /// The baseline before that window, with what its roll-ups held so far.
    pub before: Value,
    /// The baseline after it.
    pub after: Value,
}

/// What correlate decided over a finding.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// Over which.
    pub id: FindingId,
    /// How surprising a finding of its kind had to be then, and what that followed from.
    pub thresholds: Thresholds,
    /// What people had said of its series, which is in the thresholds.
    pub prior: Option<Prior>,
    /// Expected false pages a week that they follow from.
    pub pages_a_week: f64,
    /// The most it may matter, by its size and by whether more of it harms.
    pub at_most: Severity,
    /// What was decided.
    pub severity: Severity,
    /// The incident it belongs to, if any.
    pub incident: Option<IncidentId>,
    /// How far that reached at the end of the window, if far enough to matter.
    pub spread: Option<Spread>,
}

/// The serialised form of a state.
pub(crate) fn numbers(state: &impl Serialize) -> Value {
    serde_json::to_value(state).unwrap_or(Value::Null)
}
