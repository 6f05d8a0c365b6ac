//! What the person on call gets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Finding, Id, IncidentId, InvalidMessage, ServiceName, Severity, Tenant, Timestamp, proto};

/// Where an incident is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentStatus {
    /// It goes on and nobody has taken it.
    Open,
    /// Somebody has taken it.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// A service that is likely to be where it began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// Which.
    pub service: ServiceName,
    /// Why it is thought so.
    pub reason: String,
    /// In [0, 1]; the causes of an incident are ordered by it, highest first.
    pub score: f64,
}

/// Something that changed just before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub time: Timestamp,
    /// Where.
    pub service: ServiceName,
    /// What.
    pub what: String,
}

/// Findings that belong together, their likely cause, and what became of them.
///
/// Serialised it is the incident of the outside: proto3 JSON of `foreshock.v1`, snake case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Follows from tenant, first service and first window.
    pub id: IncidentId,
    /// Whose it is.
    pub tenant: Tenant,
    /// Where it is in its life.
    pub status: IncidentStatus,
    /// How much it matters; `Critical` pages.
    pub severity: Severity,
    /// One sentence that says what is wrong.
    pub title: String,
    /// Start of the first finding's window.
    pub started_at: Timestamp,
    /// End of the last finding's window, or when its status changed.
    pub updated_at: Timestamp,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
    /// The services it touches, most affected first.
    pub services: Vec<ServiceName>,
    /// What it consists of, most telling first; bounded.
    pub findings: Vec<Finding>,
    /// Where it probably began.
    pub causes: Vec<Cause>,
    /// What changed just before.
    pub changes: Vec<Change>,
    /// What to read first; empty where none is configured.
    pub runbook_url: String,
    /// Where to look, by name.
    pub links: BTreeMap<String, String>,
    /// Grows with each message about this incident.
    pub revision: u64,
    /// It was told before its window was closed, or stands on provisional findings alone.
    pub provisional: bool,
}

impl From<&Incident> for proto::Incident {
    fn from(incident: &Incident) -> Self {
        Self {
            id: incident.id.to_string(),
            tenant: incident.tenant.to_string(),
            status: match incident.status {
                IncidentStatus::Open => proto::IncidentStatus::Open,
                IncidentStatus::Acknowledged => proto::IncidentStatus::Acknowledged,
                IncidentStatus::Resolved => proto::IncidentStatus::Resolved,
            }
            .into(),
            severity: incident.severity.to_proto().into(),
            title: incident.title.clone(),
            started_at: incident.started_at.nanos(),
            updated_at: incident.updated_at.nanos(),
            resolved_at: incident.resolved_at.map_or(0, Timestamp::nanos),
            services: incident.services.iter().map(ServiceName::to_string).collect(),
            findings: incident.findings.iter().map(Into::into).collect(),
            causes: incident
                .causes
                .iter()
                .map(|c| proto::Cause {
                    service: c.service.to_string(),
                    reason: c.reason.clone(),
                    score: c.score,
                })
                .collect(),
            changes: incident
                .changes
                .iter()
                .map(|c| proto::Change {
                    time: c.time.nanos(),
                    service: c.service.to_string(),
                    what: c.what.clone(),
                    tenant: String::new(),
                })
                .collect(),
            runbook_url: incident.runbook_url.clone(),
            links: incident.links.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            revision: incident.revision,
            provisional: incident.provisional,
        }
    }
}

impl TryFrom<&proto::Incident> for Incident {
    type Error = InvalidMessage;

    fn try_from(incident: &proto::Incident) -> Result<Self, Self::Error> {
        let invalid = |what: &str| InvalidMessage(format!("incident {:?}: {what}", incident.id));
        Ok(Self {
            id: Id::parse(&incident.id).ok_or_else(|| invalid("its id is not 32 hexadecimal digits"))?,
            tenant: Tenant::new(&incident.tenant).map_err(|error| invalid(&error.to_string()))?,
            status: match incident.status() {
                proto::IncidentStatus::Unspecified | proto::IncidentStatus::Open => IncidentStatus::Open,
                proto::IncidentStatus::Acknowledged => IncidentStatus::Acknowledged,
                proto::IncidentStatus::Resolved => IncidentStatus::Resolved,
            },
            severity: Severity::from_proto(incident.severity()),
            title: incident.title.clone(),
            started_at: Timestamp(incident.started_at),
            updated_at: Timestamp(incident.updated_at),
            resolved_at: (incident.resolved_at != 0).then_some(Timestamp(incident.resolved_at)),
            services: incident.services.iter().map(|s| s.as_str().into()).collect(),
            findings: incident.findings.iter().map(Finding::try_from).collect::<Result<_, _>>()?,
            causes: incident
                .causes
                .iter()
                .map(|c| Cause {
                    service: c.service.as_str().into(),
                    reason: c.reason.clone(),
                    score: c.score,
                })
                .collect(),
            changes: incident
                .changes
                .iter()
                .map(|c| Change {
                    time: Timestamp(c.time),
                    service: c.service.as_str().into(),
                    what: c.what.clone(),
                })
                .collect(),
            runbook_url: incident.runbook_url.clone(),
            links: incident.links.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            revision: incident.revision,
            provisional: incident.provisional,
        })
    }
}
