//! Incidents to look at, and a journal that holds them.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use foreshock_journal::{
    Batch, EmbeddedJournal, EmbeddedOptions, Entry, EntryKind, Journal, Offset, Partition, Stream,
};
use foreshock_model::{
    Cause, Change, Evidence, Expected, Feedback, Finding, Id, Incident, IncidentStatus, Kind, Severity,
    Tenant, Timestamp, partition_of_tenant, proto,
};
use prost::Message;

/// A line as an attacker would like it to be logged.
pub const HOSTILE: &str =
    "GET /<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";

pub fn journal(folder: &Path) -> Arc<dyn Journal> {
    EmbeddedJournal::open(EmbeddedOptions::small(folder)).expect("the folder is ours")
}

pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(since.as_nanos() as u64)
}

/// Appends what a stage says.
pub async fn say(journal: &dyn Journal, stream: Stream, message: Vec<u8>) {
    let entry = Entry::data(Tenant::default(), now(), 1, message);
    let batch = Batch { entries: vec![(Partition::new(stream, 0), entry)], consumed: None };
    journal.append(batch).await.expect("the journal takes it");
}

pub async fn say_incident(journal: &dyn Journal, incident: &Incident) {
    let message = proto::Incidents { incidents: vec![incident.into()], ..Default::default() };
    say(journal, Stream::Incidents, message.encode_to_vec()).await;
}

/// What lies on the partition of findings of the default tenant.
pub async fn said(journal: &dyn Journal) -> Vec<Feedback> {
    let partitions = journal.partitions(Stream::Findings);
    let partition = Partition::new(Stream::Findings, partition_of_tenant(&Tenant::default(), partitions));
    let mut reader = journal.reader(partition, Offset(0)).expect("it can be read");
    let mut said = Vec::new();
    for (_, entry) in reader.read_now(1 << 20).await.expect("it is read") {
        assert_eq!(entry.kind, EntryKind::Marker);
        let marker = proto::Marker::decode(entry.payload.into_bytes()).expect("it is a marker");
        let Some(proto::marker::Says::Feedback(feedback)) = marker.says else { panic!("feedback") };
        said.push(Feedback::try_from(&feedback).expect("it is feedback"));
    }
    said
}

/// As correlate says it on the incidents stream.
pub async fn tell(journal: &dyn Journal, feedback: &Feedback) {
    let message = proto::Incidents { feedback: vec![feedback.into()], ..Default::default() };
    say(journal, Stream::Incidents, message.encode_to_vec()).await;
}

pub async fn say_finding(journal: &dyn Journal, finding: &Finding) {
    let message = proto::Findings { findings: vec![finding.into()], ..Default::default() };
    say(journal, Stream::Findings, message.encode_to_vec()).await;
}

pub fn finding(kind: Kind, service: &str, title: &str, ago: Duration, lines: &[&str]) -> Finding {
    let tenant = Tenant::default();
    let window = now().minus(ago).window(Duration::from_secs(10));
    Finding {
        id: Id::finding(&tenant, &service.into(), title, window, kind, false),
        tenant,
        kind,
        service: service.into(),
        series: title.to_owned(),
        window_start: window.start,
        window_end: window.end(),
        surprise: 14.2,
        effect: 9.3,
        observed: 0.412,
        expected: Expected { low: 0.002, high: 0.047 },
        severity: Severity::Critical,
        title: title.to_owned(),
        template: "charge <*> failed: <*>".to_owned(),
        evidence: lines
            .iter()
            .map(|line| Evidence {
                time: window.start,
                service: service.into(),
                instance: format!("{service}-7c9f"),
                line: (*line).to_owned(),
            })
            .collect(),
        provisional: false,
        replaces: Vec::new(),
        labels: Default::default(),
    }
}

pub fn incident(number: u128, revision: u64, severity: Severity, title: &str) -> Incident {
    let started_at = now().minus(Duration::from_secs(260));
    Incident {
        id: Id(number),
        tenant: Tenant::default(),
        status: IncidentStatus::Open,
        severity,
        title: title.to_owned(),
        started_at,
        updated_at: now(),
        resolved_at: None,
        services: vec!["shop/payment".into(), "shop/checkout".into()],
        findings: Vec::new(),
        causes: Vec::new(),
        changes: Vec::new(),
        runbook_url: String::new(),
        links: Default::default(),
        revision,
        provisional: false,
    }
}

/// One of each that the page has to show.
pub fn gallery() -> Vec<Incident> {
    let mut worst =
        incident(1, 1, Severity::Critical, "41 % of payment's requests fail since its release 2.14.1");
    worst.findings = vec![
        finding(
            Kind::ErrorShare,
            "shop/payment",
            "errors of payment: 41.2 %, expected at most 4.7 %",
            Duration::from_secs(250),
            &[
                "ERROR [PaymentService] charge 88121 failed: java.lang.IllegalStateException: currency must not be null",
                "ERROR [PaymentService] charge 88124 failed: java.lang.IllegalStateException: currency must not be null\n\tat com.shop.payment.Charge.convert(Charge.java:87)",
            ],
        ),
        finding(
            Kind::NewPattern,
            "shop/payment",
            "a line never seen before: charge <*> failed: <*>",
            Duration::from_secs(240),
            &[HOSTILE],
        ),
        finding(
            Kind::Dip,
            "shop/orders",
            "orders a second: 3.1, expected at least 9.8",
            Duration::from_secs(200),
            &[],
        ),
    ];
    worst.causes = vec![Cause {
        service: "shop/payment".into(),
        reason: "first to change, and its callers followed".into(),
        score: 0.92,
    }];
    worst.changes = vec![Change {
        time: worst.started_at.minus(Duration::from_secs(40)),
        service: "shop/payment".into(),
        what: "service.version 2.14.0 became 2.14.1".into(),
    }];
    worst.runbook_url = "https://runbooks.example/payment".into();
    let mut disk = incident(2, 1, Severity::Warning, "the disk of orders-db is full at 14:20 +- 25 min");
    disk.services = vec!["shop/orders-db".into()];
    let mut forecast = finding(
        Kind::WillRunOut,
        "shop/orders-db",
        "system.filesystem.utilization /var",
        Duration::from_secs(600),
        &[],
    );
    (forecast.observed, forecast.expected) = (0.874, Expected { low: 0.61, high: 0.66 });
    disk.findings = vec![forecast];
    disk.provisional = true;
    let mut over = incident(3, 4, Severity::Warning, "report-job did not run at 13:00");
    over.status = IncidentStatus::Resolved;
    over.resolved_at = Some(now());
    over.services = vec!["shop/report-job".into()];
    over.findings = vec![finding(
        Kind::Silence,
        "shop/report-job",
        "nothing came for 17 min",
        Duration::from_secs(900),
        &[],
    )];
    vec![worst, disk, over]
}
