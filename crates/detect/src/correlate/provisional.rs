//! Incidents raised before their window was closed.

use std::collections::BTreeMap;

use foreshock_model::{BASE_WINDOW, Finding, Id, Incident, IncidentId, IncidentStatus, Severity, Timestamp};
use serde::{Deserialize, Serialize};

/// At most this many stand at once.
const LIMIT: usize = 200;

/// The provisional incidents of a tenant whose windows are not closed yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Provisionals {
    standing: BTreeMap<IncidentId, Incident>,
}

impl Provisionals {
    /// Raises one for a finding, unless it stands already or too many do.
    pub(super) fn raise(&mut self, finding: Finding, severity: Severity) -> Option<Incident> {
        let began = finding.window_end.minus(BASE_WINDOW);
        let id = Id::incident(&finding.tenant, &finding.service, began);
        if self.standing.contains_key(&id) || self.standing.len() >= LIMIT {
            return None;
        }
        let incident = Incident {
            id,
            tenant: finding.tenant.clone(),
            status: IncidentStatus::Open,
            severity,
            title: finding.title.clone(),
            started_at: finding.window_start,
            updated_at: finding.window_start,
            resolved_at: None,
            services: vec![finding.service.clone()],
            findings: vec![finding],
            causes: Vec::new(),
            changes: Vec::new(),
            runbook_url: String::new(),
            links: BTreeMap::new(),
            revision: 0,
            provisional: true,
        };
        self.standing.insert(id, incident.clone());
        Some(incident)
    }

    /// The end of the first window that decides over one.
    pub(super) fn decides(&self) -> Option<Timestamp> {
        self.standing.values().map(|incident| incident.started_at.plus(BASE_WINDOW)).min()
    }

    /// At the close of windows up to `end`: those that no final incident took over are withdrawn.
    pub(super) fn settle(
        &mut self,
        end: Timestamp,
        taken_over: impl Fn(&IncidentId) -> bool,
    ) -> Vec<Incident> {
        let due: Vec<IncidentId> = self
            .standing
            .iter()
            .filter(|(_, incident)| incident.started_at.plus(BASE_WINDOW) <= end)
            .map(|(id, _)| *id)
            .collect();
        due.into_iter()
            .filter_map(|id| self.standing.remove(&id))
            .filter(|incident| !taken_over(&incident.id))
            .map(|incident| Incident {
                status: IncidentStatus::Resolved,
                title: format!("Withdrawn, the window as a whole is ordinary: {}", incident.title),
                updated_at: end,
                resolved_at: Some(end),
                revision: 1,
                ..incident
            })
            .collect()
    }
}
