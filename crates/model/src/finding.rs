//! One deviation from a baseline.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{FindingId, Id, InvalidMessage, Kind, ServiceName, Severity, Tenant, Timestamp, proto};

/// A line behind a finding, secrets masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The record's own time.
    pub time: Timestamp,
    /// Who wrote it.
    pub service: ServiceName,
    /// Which instance of the service.
    pub instance: String,
    /// The line.
    pub line: String,
}

/// The interval the baseline expected with 95 %; of a forecast of what runs out, with 80 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One deviation from a baseline, with its tail probability, its size and the evidence.
///
/// Serialised it is the finding of the outside: proto3 JSON of `foreshock.v1`, snake case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Follows from tenant, service, series, window and kind.
    pub id: FindingId,
    /// Whose it is.
    pub tenant: Tenant,
    /// What it says.
    pub kind: Kind,
    /// Where it is.
    pub service: ServiceName,
    /// What was measured: a metric with its attributes, a pattern's id, an instance.
    pub series: String,
    /// Start of the window it is judged on.
    pub window_start: Timestamp,
    /// End of the window it is judged on.
    pub window_end: Timestamp,
    /// -log10 of the tail probability under the baseline.
    pub surprise: f64,
    /// Observed over expected, or what the kind's natural size is.
    pub effect: f64,
    /// What was observed; of a forecast of what runs out the moment it will have, in seconds since the epoch, and so the
    /// interval.
    pub observed: f64,
    /// What was expected.
    pub expected: Expected,
    /// How much it matters taken alone.
    pub severity: Severity,
    /// One sentence that says what is wrong.
    pub title: String,
    /// The pattern, variable parts shown as `<*>`; empty where there is none.
    pub template: String,
    /// The lines behind it.
    pub evidence: Vec<Evidence>,
    /// Said before its window was closed.
    pub provisional: bool,
    /// The provisional findings this one takes the place of.
    pub replaces: Vec<FindingId>,
    /// More about it, by name.
    pub labels: BTreeMap<String, String>,
}

/// When something will have run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunsOut {
    /// Most likely.
    pub at: Timestamp,
    /// The start of the interval that holds it with 80 %.
    pub low: Timestamp,
    /// The end of that interval.
    pub high: Timestamp,
}

impl Finding {
    /// Whether the other one is of the same series and kind: the same trouble, as another window has it.
    pub fn is_of_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.service == other.service && self.series == other.series
    }

    /// What a forecast of what runs out says; of other kinds nothing.
    pub fn runs_out(&self) -> Option<RunsOut> {
        let [at, low, high] =
            [self.observed, self.expected.low, self.expected.high].map(Timestamp::from_secs_f64);
        (self.kind == Kind::WillRunOut).then_some(RunsOut { at, low, high })
    }

    /// By a forecast of what runs out, how long that is away when it is made; of other kinds nothing.
    pub fn time_left(&self) -> Option<Duration> {
        self.runs_out().map(|out| out.at.since(self.window_end))
    }
}

impl From<&Finding> for proto::Finding {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id.to_string(),
            tenant: finding.tenant.to_string(),
            kind: finding.kind.to_string(),
            service: finding.service.to_string(),
            series: finding.series.clone(),
            window_start: finding.window_start.nanos(),
            window_end: finding.window_end.nanos(),
            surprise: finding.surprise,
            effect: finding.effect,
            observed: finding.observed,
            expected_low: finding.expected.low,
            expected_high: finding.expected.high,
            severity: finding.severity.to_proto().into(),
            title: finding.title.clone(),
            template: finding.template.clone(),
            evidence: finding
                .evidence
                .iter()
                .map(|e| proto::Evidence {
                    time: e.time.nanos(),
                    service: e.service.to_string(),
                    instance: e.instance.clone(),
                    line: e.line.clone(),
                })
                .collect(),
            provisional: finding.provisional,
            replaces: finding.replaces.iter().map(Id::to_string).collect(),
            labels: finding.labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        }
    }
}

impl TryFrom<&proto::Finding> for Finding {
    type Error = InvalidMessage;

    fn try_from(finding: &proto::Finding) -> Result<Self, Self::Error> {
        let invalid = |what: &str| InvalidMessage(format!("finding {:?}: {what}", finding.id));
        Ok(Self {
            id: Id::parse(&finding.id).ok_or_else(|| invalid("its id is not 32 hexadecimal digits"))?,
            tenant: Tenant::new(&finding.tenant).map_err(|error| invalid(&error.to_string()))?,
            kind: Kind::parse(&finding.kind).ok_or_else(|| invalid("its kind is not known"))?,
            service: finding.service.as_str().into(),
            series: finding.series.clone(),
            window_start: Timestamp(finding.window_start),
            window_end: Timestamp(finding.window_end),
            surprise: finding.surprise,
            effect: finding.effect,
            observed: finding.observed,
            expected: Expected { low: finding.expected_low, high: finding.expected_high },
            severity: Severity::from_proto(finding.severity()),
            title: finding.title.clone(),
            template: finding.template.clone(),
            evidence: finding
                .evidence
                .iter()
                .map(|e| Evidence {
                    time: Timestamp(e.time),
                    service: e.service.as_str().into(),
                    instance: e.instance.clone(),
                    line: e.line.clone(),
                })
                .collect(),
            provisional: finding.provisional,
            replaces: finding
                .replaces
                .iter()
                .map(|id| Id::parse(id).ok_or_else(|| invalid("an id it replaces is not one")))
                .collect::<Result<_, _>>()?,
            labels: finding.labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        })
    }
}
