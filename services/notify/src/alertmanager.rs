//! An incident as alerts of Alertmanager's API version 2.
//!
//! There the labels are the identity. An incident's `alertname` and `service` are therefore those it had when it was
//! first seen; a change of severity ends the old label set in the request that brings the new one.

use std::{fmt::Write, time::Duration};

use foreshock_model::{Finding, Incident, IncidentStatus, Kind, RunsOut, Severity, Timestamp};
use reqwest::{Client, RequestBuilder, Url};
use serde_json::{Value, json};

use crate::{client, config, config::address, secret::Secret};

/// Longest description, in bytes.
const DESCRIPTION_BYTES: usize = 4096;
/// Most evidence lines shown.
const LINES: usize = 5;

/// The labels of an incident that may not change while it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) alertname: String,
    pub(crate) service: String,
}

/// A set of severities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Severities(u8);

/// An Alertmanager that can be sent to.
#[derive(Debug)]
pub(crate) struct Alertmanager {
    client: Client,
    url: Url,
    bearer: Option<Secret>,
    console: Url,
    resend: Duration,
}

impl Identity {
    /// From the first that is seen of an incident.
    pub(crate) fn of(incident: &Incident) -> Self {
        let alertname =
            incident.findings.first().map_or("ForeshockIncident", |finding| alertname(finding.kind));
        let service = incident.services.first().map_or("unknown_service", |service| service.as_str());
        Self { alertname: alertname.to_owned(), service: service.to_owned() }
    }
}

fn alertname(kind: Kind) -> &'static str {
    match kind {
        Kind::NewPattern => "ForeshockNewPattern",
        Kind::PatternRateUp => "ForeshockPatternRateUp",
        Kind::PatternRateDown => "ForeshockPatternRateDown",
        Kind::ReturningPattern => "ForeshockReturningPattern",
        Kind::ParameterValue => "ForeshockParameterValue",
        Kind::NewValue => "ForeshockNewValue",
        Kind::Cardinality => "ForeshockCardinality",
        Kind::BeliedLevel => "ForeshockBeliedLevel",
        Kind::ErrorShare => "ForeshockErrorShare",
        Kind::Silence => "ForeshockSilence",
        Kind::Spike => "ForeshockSpike",
        Kind::Dip => "ForeshockDip",
        Kind::LevelShift => "ForeshockLevelShift",
        Kind::BrokenSequence => "ForeshockBrokenSequence",
        Kind::TrendChange => "ForeshockTrendChange",
        Kind::VarianceChange => "ForeshockVarianceChange",
        Kind::SeasonBroken => "ForeshockSeasonBroken",
        Kind::JointDeviation => "ForeshockJointDeviation",
        Kind::OddOneOut => "ForeshockOddOneOut",
        Kind::FlatLine => "ForeshockFlatLine",
        Kind::WillRunOut => "ForeshockWillRunOut",
        Kind::Degraded => "ForeshockDegraded",
        Kind::DistributionMoved => "ForeshockDistributionMoved",
    }
}

impl Severities {
    const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    pub(crate) fn insert(&mut self, severity: Severity) {
        self.0 |= 1 << severity as u8;
    }

    #[must_use]
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn only(severity: Severity) -> Self {
        Self(1 << severity as u8)
    }

    fn iter(self) -> impl Iterator<Item = Severity> {
        Self::ALL.into_iter().filter(move |severity| self.0 & (1 << *severity as u8) != 0)
    }
}

impl Alertmanager {
    pub(crate) fn new(config: &config::Alertmanager, console_url: &str) -> Result<Self, String> {
        let base = address(&config.url)?;
        let url = address(&format!("{}/api/v2/alerts", base.as_str().trim_end_matches('/')))?;
        Ok(Self {
            client: client::build(&url, config.timeout, config.ca_file.as_deref())?,
            url,
            bearer: config.bearer.as_ref().map(|secret| secret.read()).transpose()?,
            console: address(console_url)?,
            resend: config.resend,
        })
    }

    /// How often what goes on is sent again.
    pub(crate) fn resend(&self) -> Duration {
        self.resend
    }

    /// The request that brings Alertmanager to this state; `ended` are the severities it had and has no more.
    pub(crate) fn request(
        &self,
        incident: &Incident,
        identity: &Identity,
        ended: Severities,
        now: Timestamp,
    ) -> RequestBuilder {
        let mut request =
            self.client.post(self.url.clone()).json(&self.alerts(incident, identity, ended, now));
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer.expose());
        }
        request
    }

    fn alerts(&self, incident: &Incident, identity: &Identity, ended: Severities, now: Timestamp) -> Value {
        // The time of the incident is that of its records, which may be ahead of this machine's.
        let starts_at = incident.started_at.min(now);
        let ends_at = match incident.status {
            IncidentStatus::Resolved => now,
            IncidentStatus::Open | IncidentStatus::Acknowledged => now.plus(self.resend * 3),
        };
        let link = format!("{}#{}", self.console, incident.id);
        let alert = |severity: Severity, ends_at: Timestamp| {
            json!({
                "labels": {
                    "alertname": identity.alertname,
                    "service": identity.service,
                    "severity": severity.as_str(),
                    "tenant": incident.tenant,
                    "foreshock_id": incident.id,
                },
                "annotations": {
                    "summary": incident.title,
                    "description": description(incident),
                    "runbook_url": incident.runbook_url,
                    "dashboard_url": link,
                },
                "startsAt": starts_at,
                "endsAt": ends_at,
                "generatorURL": link,
            })
        };
        let ended = ended.without(Severities::only(incident.severity));
        ended
            .iter()
            .map(|severity| alert(severity, now))
            .chain(std::iter::once(alert(incident.severity, ends_at)))
            .collect()
    }
}

/// What was seen, what was expected, the lines behind it, where it probably began.
fn description(incident: &Incident) -> String {
    let mut text = String::new();
    for finding in incident.findings.iter().take(3) {
        let _ = writeln!(text, "{}: {} ({})", finding.service, measure(finding), finding.title);
    }
    let lines = incident.findings.iter().flat_map(|finding| &finding.evidence).take(LINES);
    for evidence in lines {
        let _ = writeln!(text, "{} {} {}", evidence.time, evidence.service, evidence.line);
    }
    for cause in incident.causes.iter().take(3) {
        let _ = writeln!(text, "probably {} ({:.2}): {}", cause.service, cause.score, cause.reason);
    }
    for change in incident.changes.iter().take(3) {
        let _ = writeln!(text, "changed before: {} {} {}", change.time, change.service, change.what);
    }
    text.truncate(text.floor_char_boundary(DESCRIPTION_BYTES));
    text
}

/// What was observed against what was expected; a forecast says when.
fn measure(finding: &Finding) -> String {
    let (observed, expected) = (finding.observed, finding.expected);
    match finding.runs_out() {
        Some(RunsOut { at, low, high }) => format!("full at {at}, with 80 % between {low} and {high}"),
        None => format!("observed {observed:.4}, expected {:.4} to {:.4}", expected.low, expected.high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_says_when_and_how_sure() {
        let finding = json!({
            "id": "0".repeat(32), "tenant": "default", "kind": "will_run_out", "service": "db", "series": "disk.used",
            "window_start": "2026-11-27T00:00:00Z", "window_end": "2026-11-27T00:10:00Z", "surprise": 9.0, "effect": 3.0,
            "observed": 1_795_767_170.71, "expected": { "low": 1_795_761_506.0, "high": 1_795_771_506.0 },
            "severity": "warning", "title": "db: disk.used will be full", "template": "", "evidence": [],
            "provisional": false, "replaces": [], "labels": {}
        });
        let finding: Finding = serde_json::from_value(finding).unwrap();
        assert_eq!(
            measure(&finding),
            "full at 2026-11-27T08:12:50.710000128Z, with 80 % between 2026-11-27T06:38:26.000000000Z and \
             2026-11-27T09:25:06.000000000Z"
        );
        let spike = Finding { kind: Kind::Spike, observed: 2.0, ..finding };
        assert!(measure(&spike).starts_with("observed 2.0000, expected 1795761506.0000 to "));
    }
}
