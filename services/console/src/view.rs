//! The newest incidents and findings of each tenant, held in memory.
//!
//! Pure and bounded: what goes over a limit pushes out the oldest, resolved incidents first.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use foreshock_model::{
    Feedback, Finding, FindingId, Id, Incident, IncidentId, IncidentStatus, Kind, ServiceName, Severity,
    Tenant, Verdict,
};
use serde::Deserialize;

use crate::Config;

/// Incidents and findings of all tenants.
#[derive(Debug)]
pub(crate) struct View {
    tenants: BTreeMap<Tenant, Holding>,
    limits: Config,
}

#[derive(Debug, Default)]
struct Holding {
    incidents: HashMap<IncidentId, Arc<Incident>>,
    findings: VecDeque<Arc<Finding>>,
    ids: HashSet<FindingId>,
    feedback: BTreeMap<IncidentId, Arc<Feedback>>,
}

/// Feedback held for each tenant: more than correlate keeps of it.
const FEEDBACK: usize = 10_000;

/// Which incidents are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StatusFilter {
    Open,
    Acknowledged,
    Resolved,
    /// Open or acknowledged.
    Active,
}

/// What is asked for; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) tenant: Option<Tenant>,
    pub(crate) service: Option<ServiceName>,
    pub(crate) severity: Option<Severity>,
    pub(crate) status: Option<StatusFilter>,
    pub(crate) kind: Option<Kind>,
    pub(crate) limit: usize,
}

impl View {
    pub(crate) fn new(limits: Config) -> Self {
        Self { tenants: BTreeMap::new(), limits }
    }

    /// Takes in a revision; `None` where it is not newer than the one held, or its tenant is above the limit.
    pub(crate) fn take_incident(&mut self, incident: Incident) -> Option<Arc<Incident>> {
        let most = self.limits.incidents;
        let holding = self.holding(&incident.tenant)?;
        if holding.incidents.get(&incident.id).is_some_and(|held| held.revision >= incident.revision) {
            return None;
        }
        let incident = Arc::new(incident);
        holding.incidents.insert(incident.id, incident.clone());
        if holding.incidents.len() > most {
            let oldest = holding
                .incidents
                .values()
                .min_by_key(|i| (i.status != IncidentStatus::Resolved, i.updated_at, i.id));
            let oldest = oldest.map(|incident| incident.id);
            oldest.map(|id| holding.incidents.remove(&id));
        }
        Some(incident)
    }

    /// Takes in a finding, in place of the provisional ones it replaces; `None` where it is held already.
    pub(crate) fn take_finding(&mut self, finding: Finding) -> Option<Arc<Finding>> {
        let most = self.limits.findings;
        let holding = self.holding(&finding.tenant)?;
        if !holding.ids.insert(finding.id) {
            return None;
        }
        holding.drop_findings(&finding.replaces);
        let finding = Arc::new(finding);
        holding.findings.push_back(finding.clone());
        if holding.findings.len() > most
            && let Some(oldest) = holding.findings.pop_front()
        {
            holding.ids.remove(&oldest.id);
        }
        Some(finding)
    }

    /// Takes in what holds of what was said of an incident, or that it does not any more; `None` where that is no news.
    pub(crate) fn take_feedback(&mut self, feedback: Feedback) -> Option<Arc<Feedback>> {
        let holding = self.holding(&feedback.tenant)?;
        let incident = feedback.incident;
        if feedback.verdict == Verdict::None {
            holding.feedback.remove(&incident)?;
            return Some(Arc::new(feedback));
        }
        let held = holding.feedback.get(&incident);
        let is_full = held.is_none() && holding.feedback.len() >= FEEDBACK;
        if is_full || held.is_some_and(|held| **held == feedback) {
            return None;
        }
        let feedback = Arc::new(feedback);
        holding.feedback.insert(incident, feedback.clone());
        Some(feedback)
    }

    /// What was said last, first.
    pub(crate) fn feedback(&self, wanted: &Wanted) -> Vec<Arc<Feedback>> {
        let mut found: Vec<_> =
            self.of(wanted.tenant.as_ref()).flat_map(|holding| holding.feedback.values()).cloned().collect();
        found.sort_by_key(|said| (std::cmp::Reverse(said.said_at), said.incident));
        found.truncate(wanted.limit);
        found
    }

    /// What was said of an incident and holds.
    pub(crate) fn feedback_on(&self, incident: Id) -> Option<Arc<Feedback>> {
        self.tenants.values().find_map(|holding| holding.feedback.get(&incident)).cloned()
    }

    /// Active ones first, then by when something last happened to them, newest first.
    pub(crate) fn incidents(&self, wanted: &Wanted) -> Vec<Arc<Incident>> {
        let mut found: Vec<_> = self
            .of(wanted.tenant.as_ref())
            .flat_map(|holding| holding.incidents.values())
            .filter(|i| wanted.status.is_none_or(|status| status.fits(i.status)))
            .filter(|i| wanted.severity.is_none_or(|severity| i.severity >= severity))
            .filter(|i| wanted.service.as_ref().is_none_or(|service| i.services.contains(service)))
            .cloned()
            .collect();
        found.sort_by_key(|i| {
            (i.status == IncidentStatus::Resolved, std::cmp::Reverse((i.updated_at, i.started_at)), i.id)
        });
        found.truncate(wanted.limit);
        found
    }

    pub(crate) fn incident(&self, id: Id) -> Option<Arc<Incident>> {
        self.tenants.values().find_map(|holding| holding.incidents.get(&id)).cloned()
    }

    /// By window, newest first.
    pub(crate) fn findings(&self, wanted: &Wanted) -> Vec<Arc<Finding>> {
        let mut found: Vec<_> = self
            .of(wanted.tenant.as_ref())
            .flat_map(|holding| &holding.findings)
            .filter(|f| wanted.kind.is_none_or(|kind| f.kind == kind))
            .filter(|f| wanted.severity.is_none_or(|severity| f.severity >= severity))
            .filter(|f| wanted.service.as_ref().is_none_or(|service| f.service == *service))
            .cloned()
            .collect();
        found.sort_by_key(|f| (std::cmp::Reverse(f.window_end), f.id));
        found.truncate(wanted.limit);
        found
    }

    fn holding(&mut self, tenant: &Tenant) -> Option<&mut Holding> {
        if !self.tenants.contains_key(tenant) && self.tenants.len() >= self.limits.tenants {
            return None;
        }
        Some(self.tenants.entry(tenant.clone()).or_default())
    }

    fn of(&self, tenant: Option<&Tenant>) -> impl Iterator<Item = &Holding> {
        self.tenants
            .iter()
            .filter(move |(name, _)| tenant.is_none_or(|t| t == *name))
            .map(|(_, holding)| holding)
    }
}

impl Holding {
    fn drop_findings(&mut self, gone: &[FindingId]) {
        let gone: Vec<_> = gone.iter().filter(|id| self.ids.remove(id)).collect();
        if !gone.is_empty() {
            self.findings.retain(|finding| !gone.contains(&&finding.id));
        }
    }
}

impl StatusFilter {
    fn fits(self, status: IncidentStatus) -> bool {
        match self {
            Self::Open => status == IncidentStatus::Open,
            Self::Acknowledged => status == IncidentStatus::Acknowledged,
            Self::Resolved => status == IncidentStatus::Resolved,
            Self::Active => status != IncidentStatus::Resolved,
        }
    }
}
