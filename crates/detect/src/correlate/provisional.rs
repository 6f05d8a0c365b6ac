//! What is told of incidents before a window is closed: new ones, and news of those that stand.
//!
//! A message of here never changes what is told at the close of windows: final revisions lie [`REVISIONS`] apart, and
//! those told in between are numbered within that room.

use std::collections::BTreeMap;

use foreshock_model::{
    BASE_WINDOW, Finding, Id, Incident, IncidentId, IncidentStatus, ServiceName, Severity, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::incident::REVISIONS;

/// At most this many stand at once.
const LIMIT: usize = 200;
/// News of one incident between two final revisions, at most; the last place is for its withdrawal.
const NEWS: u64 = REVISIONS - 2;

/// What a tenant was told of windows that are not closed yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Provisionals {
    /// Incidents that stand on provisional findings alone.
    standing: BTreeMap<IncidentId, Incident>,
    /// News of incidents that stand on final ones.
    news: BTreeMap<IncidentId, News>,
}

/// News of an incident since its last final revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct News {
    /// The incident as it was told last.
    told: Incident,
    /// The final revision that it was told on top of.
    base: u64,
    /// The end of the last window that decides over it.
    decided: Timestamp,
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

    /// Tells at once that a finding belongs to `incident`, unless the incident says as much already.
    pub(super) fn add(
        &mut self,
        incident: &Incident,
        mut finding: Finding,
        severity: Severity,
    ) -> Option<Incident> {
        if self.news.len() >= LIMIT && !self.news.contains_key(&incident.id) {
            return None;
        }
        let fresh =
            || News { told: incident.clone(), base: incident.revision, decided: Timestamp::default() };
        let news = self.news.entry(incident.id).or_insert_with(fresh);
        if news.base != incident.revision {
            *news = fresh();
        }
        let told = &mut news.told;
        let is_told = told.findings.iter().any(|known| known.is_of_same(&finding));
        if is_told || told.revision - news.base >= NEWS {
            return None;
        }
        news.decided = news.decided.max(finding.window_end);
        finding.severity = severity;
        add_service(&mut told.services, &finding.service);
        if told.status == IncidentStatus::Resolved {
            (told.status, told.resolved_at) = (IncidentStatus::Open, None);
        }
        told.severity = told.severity.max(severity);
        told.updated_at = told.updated_at.max(finding.window_start);
        told.findings.push(finding);
        told.revision += 1;
        told.provisional = true;
        Some(told.clone())
    }

    /// The end of the first window that decides over one.
    pub(super) fn decides(&self) -> Option<Timestamp> {
        let raised = self.standing.values().map(|incident| incident.started_at.plus(BASE_WINDOW));
        raised.chain(self.news.values().map(|news| news.decided)).min()
    }

    /// At the close of windows up to `end`: what no final incident took over is withdrawn. `standing` are the final
    /// ones as they stand now.
    pub(super) fn settle<'a>(
        &mut self,
        end: Timestamp,
        standing: impl Iterator<Item = &'a Incident> + Clone,
    ) -> Vec<Incident> {
        let mut told = self.withdraw_news(end, standing.clone());
        told.extend(self.withdraw(end, standing));
        told
    }

    /// Incidents that were told news which no final revision took up are told again as they are.
    fn withdraw_news<'a>(
        &mut self,
        end: Timestamp,
        standing: impl Iterator<Item = &'a Incident> + Clone,
    ) -> Vec<Incident> {
        let decided = |id: &IncidentId| self.news.get(id).filter(|news| news.decided <= end);
        let told = standing.filter_map(|incident| {
            let news = decided(&incident.id).filter(|news| news.base == incident.revision)?;
            Some(Incident { revision: news.told.revision + 1, provisional: true, ..incident.clone() })
        });
        let told = told.collect();
        self.news.retain(|_, news| news.decided > end);
        told
    }

    fn withdraw<'a>(
        &mut self,
        end: Timestamp,
        standing: impl Iterator<Item = &'a Incident> + Clone,
    ) -> Vec<Incident> {
        let due: Vec<IncidentId> = self
            .standing
            .iter()
            .filter(|(_, incident)| incident.started_at.plus(BASE_WINDOW) <= end)
            .map(|(id, _)| *id)
            .collect();
        due.into_iter()
            .filter_map(|id| self.standing.remove(&id))
            .filter(|incident| standing.clone().all(|last| last.id != incident.id))
            .map(|incident| Incident {
                status: IncidentStatus::Resolved,
                title: withdrawn(&incident, standing.clone()),
                updated_at: end,
                resolved_at: Some(end),
                revision: 1,
                ..incident
            })
            .collect()
    }
}

/// Why a provisional incident is over: another one took its findings, or the window as a whole was ordinary.
fn withdrawn<'a>(incident: &Incident, mut standing: impl Iterator<Item = &'a Incident>) -> String {
    let replaced = |last: &Finding| incident.findings.iter().any(|own| last.replaces.contains(&own.id));
    match standing.find(|last| last.findings.iter().any(replaced)) {
        Some(whole) => format!("Now part of \u{201c}{}\u{201d} ({})", whole.title, whole.id),
        None => format!("Withdrawn, the window as a whole is ordinary: {}", incident.title),
    }
}

fn add_service(services: &mut Vec<ServiceName>, service: &ServiceName) {
    if !services.contains(service) {
        services.push(service.clone());
    }
}

#[cfg(test)]
mod tests {
    use foreshock_model::{Expected, Kind, Tenant};

    use super::*;

    fn finding(service: &str, seconds: u64) -> Finding {
        let (tenant, service) = (Tenant::default(), ServiceName::from(service));
        let window = Timestamp::from_secs(seconds).window(BASE_WINDOW);
        Finding {
            id: Id::finding(&tenant, &service, "p", window, Kind::NewPattern, true),
            tenant,
            kind: Kind::NewPattern,
            service,
            series: "p".into(),
            window_start: window.start,
            window_end: window.end(),
            surprise: 9.0,
            effect: 1.0,
            observed: 1.0,
            expected: Expected { low: 0.0, high: 0.0 },
            severity: Severity::Critical,
            title: "a new line".into(),
            template: String::new(),
            evidence: Vec::new(),
            provisional: true,
            replaces: Vec::new(),
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn news_that_no_final_revision_took_up_are_withdrawn_and_change_no_number_of_it() {
        let mut provisionals = Provisionals::default();
        let raised = provisionals.raise(finding("ledger", 0), Severity::Critical).expect("the first");
        let whole = Incident { revision: REVISIONS, provisional: false, ..raised };
        assert_eq!(provisionals.settle(Timestamp::from_secs(10), [&whole].into_iter()), []);

        let news = provisionals.add(&whole, finding("billing", 30), Severity::Critical).expect("news");
        assert_eq!((news.revision, news.findings.len()), (REVISIONS + 1, 2));
        assert_eq!(provisionals.decides(), Some(Timestamp::from_secs(40)));
        assert_eq!(provisionals.settle(Timestamp::from_secs(30), [&whole].into_iter()), [], "too early");
        let told = provisionals.settle(Timestamp::from_secs(40), [&whole].into_iter());
        assert_eq!(told, [Incident { revision: REVISIONS + 2, provisional: true, ..whole.clone() }]);
        assert_eq!(provisionals, Provisionals::default());

        provisionals.add(&whole, finding("billing", 50), Severity::Critical).expect("news");
        let next = Incident { revision: 2 * REVISIONS, ..whole };
        assert_eq!(provisionals.settle(Timestamp::from_secs(60), [&next].into_iter()), [], "it was taken up");
    }

    #[test]
    fn news_between_two_final_revisions_have_an_end() {
        let mut provisionals = Provisionals::default();
        let raised = provisionals.raise(finding("ledger", 0), Severity::Critical).expect("the first");
        let whole = Incident { revision: REVISIONS, provisional: false, ..raised };
        let told = (0..3 * REVISIONS)
            .filter_map(|n| provisionals.add(&whole, finding(&format!("s{n}"), 30), Severity::Critical));
        let last = told.last().expect("some").revision;
        let withdrawn = provisionals.settle(Timestamp::from_secs(40), [&whole].into_iter());
        assert!(withdrawn[0].revision == last + 1 && last + 1 < 2 * REVISIONS);
    }
}
