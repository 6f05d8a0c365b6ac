//! Where an incident probably began.

use foreshock_model::{Cause, Change, Finding, ServiceName, Severity, Timestamp};

use super::ServiceMap;

/// Ranks the services of an incident's findings as causes, likeliest first.
///
/// A service speaks for itself by being odd early, by surprise, and by being called by the others that are odd; a
/// change just before weighs most. Scores are shares of the whole, in [0, 1].
pub(super) fn rank(findings: &[Finding], changes: &[Change], map: &ServiceMap) -> Vec<Cause> {
    let peers: Vec<(ServiceName, &Finding)> =
        findings.iter().filter_map(|finding| Some((map.peer(finding)?, finding))).collect();
    let own = findings.iter().map(|finding| &finding.service);
    let mut services: Vec<&ServiceName> = own.chain(peers.iter().map(|(peer, _)| peer)).collect();
    services.sort();
    services.dedup();
    let first = findings.iter().map(|finding| finding.window_start).min().unwrap_or_default();
    let mut causes: Vec<Cause> = services
        .iter()
        .map(|service| weigh(service, &services, findings, &peers, changes, map, first))
        .collect();
    let total: f64 = causes.iter().map(|cause| cause.score).sum();
    for cause in &mut causes {
        cause.score /= total.max(f64::MIN_POSITIVE);
    }
    causes.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.service.cmp(&b.service)));
    causes
}

fn weigh(
    service: &ServiceName,
    all: &[&ServiceName],
    findings: &[Finding],
    peers: &[(ServiceName, &Finding)],
    changes: &[Change],
    map: &ServiceMap,
    first: Timestamp,
) -> Cause {
    let calls = peers.iter().filter(|(peer, _)| peer == service).map(|(_, finding)| *finding);
    let own = || findings.iter().filter(|finding| finding.service == *service).chain(calls.clone());
    let surprise = own().map(|finding| finding.surprise).fold(0.0, f64::max);
    let onset = own().map(|finding| finding.window_start).min().unwrap_or(first);
    let minutes_late = onset.since(first).as_secs_f64() / 60.0;
    let above = all.iter().filter(|other| **other != service && map.depends_on(other, service, 3)).count();
    let below = all.iter().filter(|other| **other != service && map.depends_on(service, other, 3)).count();
    let severe = own().map(|finding| finding.severity).max().unwrap_or(Severity::Info);
    let change = changes.iter().rfind(|change| change.service == *service);
    let mut score = 1.0 + surprise.min(50.0) / 10.0;
    score *= 1.0 + above as f64;
    score /= 1.0 + below as f64;
    score /= 1.0 + minutes_late / 5.0;
    let mut reasons = vec![match own().max_by(|a, b| a.surprise.total_cmp(&b.surprise)) {
        Some(finding) => finding.title.clone(),
        None => String::new(),
    }];
    if severe == Severity::Critical {
        score *= 1.5;
    }
    match above {
        0 => {}
        1 => reasons.push("one of the affected services depends on it".to_owned()),
        more => reasons.push(format!("{more} of the affected services depend on it")),
    }
    if let Some(change) = change {
        score *= 3.0;
        reasons.push(change.what.clone());
    }
    Cause { service: service.clone(), reason: reasons.join("; "), score }
}
