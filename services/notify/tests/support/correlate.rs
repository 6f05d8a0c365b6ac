//! Writes incidents the way the stage correlate does.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use foreshock_journal::{Batch, Entry, Journal, Partition, Stream};
use foreshock_model::{
    Evidence, Expected, Finding, Id, Incident, IncidentStatus, Kind, Severity, Tenant, Timestamp, proto,
};
use prost::Message;

pub struct Correlate {
    journal: Arc<dyn Journal>,
    sequences: Mutex<HashMap<u16, u64>>,
}

impl Correlate {
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, sequences: Mutex::default() }
    }

    /// Appends a message with this incident as the next of its source.
    pub async fn says(&self, incident: &Incident) {
        let partition = (incident.id.0 % 2) as u16;
        let sequence = {
            let mut sequences = self.sequences.lock().unwrap();
            let last = sequences.entry(partition).or_default();
            *last += 1;
            *last
        };
        self.says_as(incident, sequence).await;
    }

    /// The same with a number of the caller's choice.
    pub async fn says_as(&self, incident: &Incident, sequence: u64) {
        let index = (incident.id.0 % 2) as u16;
        let source = proto::Source {
            stage: "correlate".into(),
            stream: Stream::Findings.name().into(),
            partition: index.into(),
            offset: sequence,
            sequence,
            ..Default::default()
        };
        let message =
            proto::Incidents { source: Some(source), incidents: vec![incident.into()], ..Default::default() };
        let entry = Entry::data(incident.tenant.clone(), now(), 1, message.encode_to_vec());
        let entries = vec![(Partition::new(Stream::Incidents, index), entry)];
        self.journal.append(Batch { entries, consumed: None }).await.expect("the journal takes it");
    }
}

pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(since.as_nanos() as u64)
}

pub fn incident(number: u128, revision: u64) -> Incident {
    let tenant = Tenant::default();
    let started_at = now();
    let window = started_at.window(std::time::Duration::from_secs(10));
    let finding = Finding {
        id: Id::finding(&tenant, &"payment".into(), "errors", window, Kind::ErrorShare, false),
        tenant: tenant.clone(),
        kind: Kind::ErrorShare,
        service: "payment".into(),
        series: "errors".into(),
        window_start: window.start,
        window_end: window.end(),
        surprise: 12.5,
        effect: 8.0,
        observed: 0.4,
        expected: Expected { low: 0.0, high: 0.05 },
        severity: Severity::Critical,
        title: "errors of payment rose".into(),
        template: "charge <*> failed".into(),
        evidence: vec![Evidence {
            time: started_at,
            service: "payment".into(),
            instance: "payment-1".into(),
            line: "ERROR charge 17 failed: card declined".into(),
        }],
        provisional: false,
        replaces: vec![],
        labels: Default::default(),
    };
    Incident {
        id: Id(number),
        tenant,
        status: IncidentStatus::Open,
        severity: Severity::Critical,
        title: "payment fails".into(),
        started_at,
        updated_at: started_at,
        resolved_at: None,
        services: vec!["payment".into(), "checkout".into()],
        findings: vec![finding],
        causes: vec![],
        changes: vec![],
        runbook_url: String::new(),
        links: Default::default(),
        revision,
        provisional: false,
    }
}

pub fn resolved(number: u128, revision: u64) -> Incident {
    let mut incident = incident(number, revision);
    incident.status = IncidentStatus::Resolved;
    incident.resolved_at = Some(now());
    incident
}
