//! One incident that stands, and how findings change it.

use std::{collections::BTreeMap, time::Duration};

use foreshock_model::{
    BASE_WINDOW, Change, Finding, Id, Incident, IncidentStatus, Kind, ServiceName, Severity, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{ServiceMap, causes};
use crate::OWN_SERVICE;

/// An incident is over when this many windows of the length its findings are judged on brought nothing.
const QUIET_WINDOWS: u32 = 3;
/// And never before this.
const QUIET_AT_LEAST: Duration = Duration::from_secs(300);
/// Findings this near in time can belong together.
pub(super) const NEAR: Duration = Duration::from_secs(900);
/// The same trouble within this time of its end is the same incident: what lasts is learned, so it falls silent before it
/// is over.
const RETURNS: Duration = Duration::from_secs(3_600);
/// What the map can't link is linked by beginning within this time.
const TOGETHER: Duration = Duration::from_secs(120);
/// A final revision is so much above the one before: what is told between the closes of windows finds room there.
pub(super) const REVISIONS: u64 = 100;
/// What goes on is told again when it lasts twice as long as when it was told last, and not before this.
const TOLD_AGAIN: Duration = Duration::from_secs(6 * 3_600);
/// A forecast is told again when so much less time is left.
const NEARER: u32 = 2;
/// Calls between services that can belong together.
pub(super) const HOPS: usize = 2;

/// An incident that stands. Everything in it follows from final findings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Standing {
    pub(super) incident: Incident,
    /// When the last finding's window ended.
    pub(super) last: Timestamp,
    /// How long it must be quiet to be over.
    quiet: Duration,
    /// When a service or a series was added last.
    grown: Timestamp,
    /// When it was put out last.
    put_out: Timestamp,
    /// What was told of each resource that runs out: when, and how much time was left, or more that is left by now.
    told: BTreeMap<(ServiceName, String), (Timestamp, Duration)>,
    /// The last window before it came back, if it did.
    before: Timestamp,
    /// Something worth telling changed since it was last put out.
    news: bool,
    /// Its page was paid for.
    paid: bool,
}

impl Standing {
    /// Opens one for a finding.
    pub(super) fn open(finding: &Finding) -> Self {
        let began = finding.window_end.minus(BASE_WINDOW);
        let incident = Incident {
            id: Id::incident(&finding.tenant, &finding.service, began),
            tenant: finding.tenant.clone(),
            status: IncidentStatus::Open,
            severity: Severity::Info,
            title: String::new(),
            started_at: finding.window_start,
            updated_at: finding.window_end,
            resolved_at: None,
            services: Vec::new(),
            findings: Vec::new(),
            causes: Vec::new(),
            changes: Vec::new(),
            runbook_url: String::new(),
            links: BTreeMap::new(),
            revision: 0,
            provisional: false,
        };
        Self {
            incident,
            last: finding.window_end,
            quiet: QUIET_AT_LEAST,
            grown: finding.window_end,
            put_out: finding.window_end,
            told: BTreeMap::new(),
            before: Timestamp::default(),
            news: true,
            paid: false,
        }
    }

    /// Whether it has not been quiet for so long that what comes now is another: three windows of what comes, so that a
    /// service observed once an hour has one incident, not one an hour.
    pub(super) fn is_near(&self, finding: &Finding, at: Timestamp) -> bool {
        at.since(self.last) <= NEAR.max(judged(finding) * QUIET_WINDOWS)
    }

    /// Whether it ended so lately that the same trouble is this one.
    pub(super) fn may_return(&self, at: Timestamp) -> bool {
        self.incident.resolved_at.is_some_and(|end| at.since(end) <= RETURNS)
    }

    /// Whether a finding of `service` belongs here, and how far away it is on the map. Where the map says nothing of
    /// the service at all, it belongs here if it began as this grew.
    pub(super) fn link(&self, service: &ServiceName, at: Timestamp, map: &ServiceMap) -> Option<usize> {
        let services = &self.incident.services;
        // What Foreshock says of itself is no cause of what it sees, and no part of it.
        let of_itself = |service: &ServiceName| service.as_str() == OWN_SERVICE;
        if of_itself(service) != services.iter().any(of_itself) {
            return None;
        }
        let linked = services.iter().filter_map(|own| map.distance(own, service, HOPS)).min();
        let unplaced = !map.knows(service) || !services.iter().any(|own| map.knows(own));
        linked.or_else(|| (unplaced && at.since(self.grown) <= TOGETHER).then_some(HOPS + 1))
    }

    /// Takes a finding. The service on the other side of a slow call belongs to it as well. Of the same series and kind the
    /// most surprising one is kept, of forecasts the latest; `limit` are kept in all.
    pub(super) fn add(&mut self, finding: Finding, map: &ServiceMap, limit: usize) {
        self.news |= self.hear_forecast(&finding);
        let peer = map.peer(&finding);
        let peer = peer.as_ref();
        let incident = &mut self.incident;
        self.last = self.last.max(finding.window_end);
        self.quiet = self.quiet.max(judged(&finding) * QUIET_WINDOWS);
        incident.updated_at = incident.updated_at.max(finding.window_end);
        incident.started_at = incident.started_at.min(finding.window_start);
        if finding.severity > incident.severity {
            incident.severity = finding.severity;
            self.news = true;
        }
        for service in [Some(&finding.service), peer].into_iter().flatten() {
            if !incident.services.contains(service) {
                incident.services.push(service.clone());
                self.grown = finding.window_end;
                self.news = true;
            }
        }
        let (id, end, before) = (finding.id, finding.window_end, self.before);
        let mut is_new = false;
        match incident.findings.iter_mut().find(|known| known.is_of_same(&finding)) {
            Some(known) => {
                let is_worse = finding.severity > known.severity;
                let is_odder = finding.severity == known.severity && finding.surprise > known.surprise;
                self.news |= is_worse;
                if known.window_end <= before || is_worse || is_odder {
                    *known = finding;
                } else if finding.kind == Kind::WillRunOut {
                    *known = Finding { severity: known.severity, ..finding };
                }
            }
            None => {
                is_new = true;
                incident.findings.push(finding);
            }
        }
        incident.findings.sort_by(|a, b| {
            b.severity
                .cmp(&a.severity)
                .then_with(|| b.surprise.total_cmp(&a.surprise))
                .then_with(|| a.id.cmp(&b.id))
        });
        incident.findings.truncate(limit.max(1));
        // One that finds no room is no news: it would be again with each window.
        if is_new && incident.findings.iter().any(|kept| kept.id == id) {
            self.news = true;
            self.grown = end;
        }
    }

    /// Remembers the most time that was left since a forecast was told. Whether this one is news: half of that is over, or
    /// the moment that was told has passed.
    fn hear_forecast(&mut self, finding: &Finding) -> bool {
        let (Some(out), Some(left)) = (finding.runs_out(), finding.time_left()) else { return false };
        let key = (finding.service.clone(), finding.series.clone());
        let Some((at, told)) = self.told.get_mut(&key) else { return false };
        *told = left.max(*told);
        left * NEARER <= *told && left < *told || finding.window_end > *at && out.at > finding.window_end
    }

    /// Takes a finding that is not worth telling by itself: shown, but it neither keeps the incident open nor makes
    /// it grow over other services.
    pub(super) fn add_bystander(&mut self, finding: Finding, limit: usize) {
        let findings = &mut self.incident.findings;
        let known = findings.iter().any(|known| known.is_of_same(&finding));
        if !known && findings.len() < limit {
            findings.push(finding);
        }
    }

    /// Pages for how far it reaches.
    pub(super) fn raise(&mut self) {
        self.incident.severity = Severity::Critical;
        self.news = true;
    }

    /// Whether a page is to be paid for: once an incident. What Foreshock says of itself was counted, not inferred.
    pub(super) fn pay(&mut self) -> bool {
        let pages = self.incident.severity == Severity::Critical
            && self.incident.findings.iter().any(|f| f.kind != Kind::Degraded && f.severity > Severity::Info);
        let pays = pages && !self.paid;
        self.paid |= pays;
        pays
    }

    /// At the end of a window: what to tell, if there is something.
    pub(super) fn settle(
        &mut self,
        end: Timestamp,
        changes: &[Change],
        map: &ServiceMap,
    ) -> Option<Incident> {
        let incident = &mut self.incident;
        if incident.status != IncidentStatus::Resolved && end.since(self.last) >= self.quiet {
            incident.status = IncidentStatus::Resolved;
            incident.resolved_at = Some(end);
            incident.updated_at = end;
            self.news = true;
        }
        let since = end.since(self.put_out);
        let goes_on = self.last > self.put_out
            && since >= TOLD_AGAIN
            && since >= self.put_out.since(incident.started_at);
        if !std::mem::take(&mut self.news) && !goes_on {
            return None;
        }
        self.put_out = end;
        self.told = incident
            .findings
            .iter()
            .filter_map(|of| {
                Some(((of.service.clone(), of.series.clone()), (of.runs_out()?.at, of.time_left()?)))
            })
            .collect();
        let from = incident.started_at.minus(NEAR);
        incident.changes = changes
            .iter()
            .filter(|change| change.time >= from && incident.services.contains(&change.service))
            .cloned()
            .collect();
        incident.causes = causes::rank(&telling(&incident.findings), &incident.changes, map);
        let order: Vec<ServiceName> = incident.causes.iter().map(|cause| cause.service.clone()).collect();
        incident.services.sort_by_key(|service| {
            (order.iter().position(|known| known == service).unwrap_or(order.len()), service.clone())
        });
        incident.title = title(incident);
        incident.revision += REVISIONS;
        Some(incident.clone())
    }

    /// Whether a finding says again what was worth telling here.
    pub(super) fn holds(&self, finding: &Finding) -> bool {
        let findings = self.incident.findings.iter().filter(|known| known.severity > Severity::Info);
        findings.into_iter().any(|known| known.service == finding.service && known.series == finding.series)
    }

    /// Goes on after it was resolved: the same trouble came back. It is as severe as what came: a warning pages nobody again.
    pub(super) fn reopen(&mut self, severity: Severity) {
        if self.incident.status == IncidentStatus::Resolved {
            self.incident.status = IncidentStatus::Open;
            self.incident.resolved_at = None;
            self.incident.severity = severity;
            self.before = self.last;
            self.news = true;
        }
    }
}

/// How long the window is that a finding is judged on.
fn judged(finding: &Finding) -> Duration {
    finding.window_end.since(finding.window_start)
}

/// How far a kind is from what people care about: 0 says it outright.
fn plainness(kind: Kind) -> u8 {
    match kind {
        Kind::ErrorShare | Kind::WillRunOut => 0,
        Kind::Silence | Kind::NewPattern | Kind::BrokenSequence => 1,
        Kind::PatternRateUp | Kind::BeliedLevel | Kind::ReturningPattern => 2,
        Kind::LevelShift
        | Kind::Spike
        | Kind::TrendChange
        | Kind::JointDeviation
        | Kind::OddOneOut
        | Kind::ParameterValue
        | Kind::NewValue => 3,
        Kind::PatternRateDown
        | Kind::Dip
        | Kind::FlatLine
        | Kind::SeasonBroken
        | Kind::VarianceChange
        | Kind::DistributionMoved
        | Kind::Cardinality
        | Kind::Degraded => 4,
    }
}

/// The findings that an incident stands on.
fn telling(findings: &[Finding]) -> Vec<Finding> {
    findings.iter().filter(|finding| finding.severity > Severity::Info).cloned().collect()
}

/// One sentence: what says most about the likeliest cause, and how far it reaches.
fn title(incident: &Incident) -> String {
    let telling = |finding: &&Finding| finding.severity > Severity::Info;
    let of_cause = |finding: &&Finding| incident.causes.first().is_some_and(|c| c.service == finding.service);
    let says_most = |finding: &&Finding| (finding.severity, std::cmp::Reverse(plainness(finding.kind)));
    let findings = || incident.findings.iter().rev().filter(telling);
    let lead = findings().filter(of_cause).max_by_key(says_most).or_else(|| findings().max_by_key(says_most));
    // What runs out first leads: of forecasts none is the cause of another.
    let sooner = |finding: &&Finding| {
        let left = finding.runs_out().map(|out| std::cmp::Reverse(out.at));
        let is_old = incident.updated_at.since(finding.window_end) > NEAR;
        left.map(|left| (!is_old, finding.severity, left))
    };
    let lead = match lead {
        Some(lead) if lead.kind == Kind::WillRunOut => findings().max_by_key(sooner),
        lead => lead,
    };
    let Some(lead) = lead else { return String::new() };
    let mut others = incident.services.iter().filter(|service| **service != lead.service);
    match (others.next(), others.count()) {
        (None, _) => lead.title.clone(),
        (Some(other), 0) => format!("{}; also affects {other}", lead.title),
        (Some(other), more) => format!("{}; also affects {other} and {more} more", lead.title),
    }
}
