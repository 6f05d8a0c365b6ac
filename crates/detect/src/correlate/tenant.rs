//! The incidents of one tenant.

use std::collections::{BTreeMap, VecDeque};

use foreshock_model::{
    Change, Finding, Incident, IncidentId, IncidentStatus, Kind, Severity, Timestamp, Verdict,
};
use serde::{Deserialize, Serialize};

use super::{
    Decisions, News, Pending, Prior, ServiceMap, Spending, Spread, Thresholds, Told,
    budget::Account,
    incident::{NEAR, Standing},
    priors::Priors,
    provisional::Provisionals,
};
use crate::{DetectConfig, workings::Decision};

/// Changes remembered a tenant.
const CHANGES: usize = 200;
/// Findings below a warning remembered, to be shown beside an incident that they turn out to belong to.
const BYSTANDERS: usize = 200;

/// What correlate keeps of one tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct TenantState {
    account: Account,
    priors: Priors,
    map: ServiceMap,
    changes: VecDeque<Change>,
    /// Open ones, and resolved ones that may still come back.
    standing: BTreeMap<IncidentId, Standing>,
    bystanders: VecDeque<Finding>,
    provisionals: Provisionals,
}

impl TenantState {
    pub(super) fn spending(&self, config: &DetectConfig) -> Spending {
        let mut spending = self.account.spending(&config.budget);
        let weights = self.priors.weights(&self.account);
        spending.thresholds = weights.apply(spending.thresholds, None);
        let paid = libm::log10(weights.others);
        for kind in spending.kinds.values_mut() {
            (kind.page, kind.warn) = (kind.page - paid, kind.warn - paid);
        }
        spending
    }

    /// What is asked of `finding`, of none in particular where there is none, and what was said of its series.
    fn asked(&self, finding: Option<&Finding>, config: &DetectConfig) -> (Thresholds, Option<Prior>) {
        let prior = finding.and_then(|finding| self.priors.of(finding));
        let asked = self.account.thresholds(finding, &config.budget);
        (self.priors.weights(&self.account).apply(asked, prior.as_ref()), prior)
    }

    /// Whether time alone may change something here.
    pub(super) fn stands(&self) -> bool {
        !self.standing.is_empty()
    }

    /// The end of the first window that decides over a provisional incident.
    pub(super) fn decides(&self) -> Option<Timestamp> {
        self.provisionals.decides()
    }

    /// Tells at once of a finding that would be told: as a provisional incident, or as news of the one it belongs to.
    pub(super) fn provisional(&mut self, finding: Finding, config: &DetectConfig) -> Option<Incident> {
        let (thresholds, prior) = self.asked(Some(&finding), config);
        let severity = severity(&finding, thresholds, prior.as_ref());
        if severity < Severity::Warning {
            return None;
        }
        let nearest = self.nearest(&finding, severity, finding.window_end);
        match nearest.and_then(|id| self.standing.get(&id)) {
            Some(standing) => self.provisionals.add(&standing.incident, finding, severity),
            None => self.provisionals.raise(finding, severity),
        }
    }

    /// Takes one window, closed everywhere, with everything sorted. Returns what to tell.
    pub(super) fn close(
        &mut self,
        end: Timestamp,
        pending: Pending,
        config: &DetectConfig,
        decisions: &mut Decisions,
    ) -> Told {
        self.account.take(end, &pending.tests);
        self.learn(&pending);
        let feedback = self.priors.take(end, pending.words, &config.feedback);
        let mut findings = pending.findings;
        let mut noted: Vec<Decision> = Vec::new();
        for finding in &mut findings {
            let (thresholds, prior) = self.asked(Some(finding), config);
            let (at_most, severity) = (finding.severity, severity(finding, thresholds, prior.as_ref()));
            finding.severity = severity;
            if decisions.asked.remove(&finding.id) {
                let (id, pages_a_week) = (finding.id, config.budget.pages_a_week);
                let (incident, spread) = (None, None);
                noted.push(Decision {
                    id,
                    thresholds,
                    prior,
                    pages_a_week,
                    at_most,
                    severity,
                    incident,
                    spread,
                });
            }
        }
        // The most telling first, so that it opens the incident that the others join.
        findings.sort_by(|a, b| {
            b.severity
                .cmp(&a.severity)
                .then_with(|| b.surprise.total_cmp(&a.surprise))
                .then_with(|| a.id.cmp(&b.id))
        });
        for finding in findings {
            self.place(finding, end, config);
        }
        self.spend(config);
        for mut decision in noted {
            let of = self
                .standing
                .values()
                .find(|standing| standing.incident.findings.iter().any(|f| f.id == decision.id));
            decision.incident = of.map(|standing| standing.incident.id);
            decision.spread = of.and_then(|standing| self.spread(standing, config));
            decisions.noted.push(decision);
        }
        let changes: Vec<Change> = self.changes.iter().cloned().collect();
        let mut told: Vec<Incident> = self
            .standing
            .values_mut()
            .filter_map(|standing| standing.settle(end, &changes, &self.map))
            .collect();
        let standing = self.standing.values().map(|standing| &standing.incident);
        told.extend(self.provisionals.settle(end, standing));
        self.standing.retain(|_, standing| {
            standing.incident.status != IncidentStatus::Resolved || standing.may_return(end)
        });
        while self.bystanders.front().is_some_and(|finding| end.since(finding.window_end) > NEAR) {
            self.bystanders.pop_front();
        }
        Told { incidents: told, feedback }
    }

    fn learn(&mut self, pending: &Pending) {
        for news in &pending.news {
            match news {
                News::Edge { caller, callee, .. } => self.map.note(caller, callee),
                News::Changed { time, service, what, .. } => {
                    let change = Change { time: *time, service: service.as_str().into(), what: what.clone() };
                    self.changes.push_back(change);
                    if self.changes.len() > CHANGES {
                        self.changes.pop_front();
                    }
                }
            }
        }
    }

    /// Pages for incidents that reach so far that it can't be chance, and pays for all that began to page.
    fn spend(&mut self, config: &DetectConfig) {
        let page = self.asked(None, config).0.page;
        let reaches = |standing: &Standing| {
            standing.incident.severity == Severity::Warning
                && self.spread(standing, config).is_some_and(|spread| spread.surprise >= page)
        };
        let raised: Vec<IncidentId> =
            self.standing.iter().filter(|(_, standing)| reaches(standing)).map(|(id, _)| *id).collect();
        for id in raised {
            self.standing.entry(id).and_modify(Standing::raise);
        }
        let paying = self.standing.values_mut().filter_map(|standing| standing.pay().then_some(()));
        paying.for_each(|()| self.account.spend());
    }

    /// How far an incident reaches. What a finding is worth is what it has over what is asked of it, so that findings about
    /// windows of unlike length can be put together.
    fn spread(&self, standing: &Standing, config: &DetectConfig) -> Option<Spread> {
        let page = self.asked(None, config).0.page;
        let worth = |finding: &Finding| finding.surprise + page - self.asked(Some(finding), config).0.page;
        Spread::of(&standing.incident.findings, worth)
    }

    /// The incident that a finding belongs to. One that was resolved comes back for the same trouble alone.
    fn nearest(&self, finding: &Finding, severity: Severity, end: Timestamp) -> Option<IncidentId> {
        let may = |standing: &Standing| match standing.incident.status {
            IncidentStatus::Resolved => {
                severity > Severity::Info && standing.holds(finding) && standing.may_return(end)
            }
            _ => standing.is_near(finding, end),
        };
        // One that stands before one that is over.
        let links =
            self.standing.iter().filter(|(_, standing)| may(standing)).filter_map(|(id, standing)| {
                let is_over = standing.incident.status == IncidentStatus::Resolved;
                Some((is_over, standing.link(&finding.service, end, &self.map)?, *id))
            });
        links.min().map(|(_, _, id)| id)
    }

    /// Puts a finding into the nearest incident, or opens one for it.
    fn place(&mut self, finding: Finding, end: Timestamp, config: &DetectConfig) {
        let limit = config.limits.findings_an_incident as usize;
        let nearest = self.nearest(&finding, finding.severity, end);
        if let Some(standing) = nearest.and_then(|id| self.standing.get_mut(&id)) {
            if finding.severity > Severity::Info {
                standing.reopen(finding.severity);
                standing.add(finding, &self.map, limit);
            } else {
                standing.add_bystander(finding, limit);
            }
            return;
        }
        if finding.severity == Severity::Info || self.standing.len() >= config.limits.open_incidents as usize
        {
            self.bystanders.push_back(finding);
            if self.bystanders.len() > BYSTANDERS {
                self.bystanders.pop_front();
            }
            return;
        }
        let mut standing = Standing::open(&finding);
        let (service, id) = (finding.service.clone(), standing.incident.id);
        standing.add(finding, &self.map, limit);
        let (near, rest) = self.bystanders.drain(..).partition(|other| {
            end.since(other.window_end) <= NEAR / 3
                && self.map.distance(&other.service, &service, 1).is_some()
        });
        self.bystanders = rest;
        let near: VecDeque<Finding> = near;
        near.into_iter().for_each(|other| standing.add_bystander(other, limit));
        self.standing.insert(id, standing);
    }
}

/// What the budget grants, never more than the finding's own practical significance.
fn severity(finding: &Finding, thresholds: Thresholds, prior: Option<&Prior>) -> Severity {
    // An error line that was never seen is worth telling, page or not: detect puts it out only where such are rare. Not
    // where a person expects it.
    let new_error = finding.kind == Kind::NewPattern
        && finding.severity == Severity::Critical
        && prior.is_none_or(|prior| prior.verdict != Verdict::Expected);
    let floor = if new_error { Severity::Warning } else { Severity::Info };
    thresholds.grant(finding.surprise).max(floor).min(finding.severity)
}

#[cfg(test)]
mod tests;
