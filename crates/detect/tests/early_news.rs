//! What is told before its window is closed, where an incident stands already.

mod support;

use foreshock_detect::{
    Clock, DetectConfig,
    pipeline::{Partitions, Pipeline},
};
use foreshock_model::{Incident, IncidentStatus, ServiceName, Tenant, Timestamp};
use support::{LOGS, at, feed, logs};

const QUIET_SECONDS: u64 = 600;

/// Two services that no trace links, ten minutes of ordinary lines.
fn two_services() -> Pipeline {
    let config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
    let mut pipeline = Pipeline::new(config, Partitions::default());
    ordinary(&mut pipeline, 0..QUIET_SECONDS);
    assert_eq!(pipeline.take().incidents, []);
    pipeline
}

fn ordinary(pipeline: &mut Pipeline, seconds: std::ops::Range<u64>) {
    for second in seconds {
        for service in ["billing", "ledger"] {
            let lines = (0..4).map(|n| {
                let line = format!("INFO request {} served in {} ms", second * 7 + n, (second * 13 + n) % 97);
                (at(second) + n * 200_000_000, line)
            });
            feed(pipeline, &Tenant::default(), LOGS, &logs(service, "a", lines));
        }
        pipeline.tick(Timestamp(at(second)));
    }
}

/// An error never seen; returns what was told at once.
fn error(pipeline: &mut Pipeline, second: u64, service: &str, text: &str) -> Vec<Incident> {
    let line = [(at(second) + 900_000_000, format!("ERROR {text}"))];
    feed(pipeline, &Tenant::default(), LOGS, &logs(service, "a", line));
    pipeline.take().incidents
}

fn services(incident: &Incident) -> Vec<&str> {
    incident.services.iter().map(ServiceName::as_str).collect()
}

#[test]
fn a_new_error_that_belongs_to_a_standing_incident_is_told_at_once_as_news_of_it() {
    let mut pipeline = two_services();
    let first = error(&mut pipeline, QUIET_SECONDS, "ledger", "ledger is sealed: write refused");
    ordinary(&mut pipeline, QUIET_SECONDS + 1..QUIET_SECONDS + 30);
    let closed = pipeline.take().incidents;
    let ([early], [whole]) = (&first[..], &closed[..]) else { panic!("{first:#?} {closed:#?}") };
    assert_eq!((early.id, early.provisional, early.revision), (whole.id, true, 0));
    assert!(!whole.provisional);

    let news = error(&mut pipeline, QUIET_SECONDS + 30, "billing", "invoice printer is on fire");
    let [news] = &news[..] else { panic!("told at once: {news:#?}") };
    assert_eq!((news.id, news.provisional, news.revision), (whole.id, true, whole.revision + 1));
    assert_eq!(services(news), ["ledger", "billing"]);
    assert!(news.findings.iter().any(|finding| finding.template.contains("printer")));
    let again = error(&mut pipeline, QUIET_SECONDS + 31, "billing", "invoice printer is on fire");
    assert_eq!(again, [], "it is told already");

    ordinary(&mut pipeline, QUIET_SECONDS + 32..QUIET_SECONDS + 60);
    let closed = pipeline.take().incidents;
    let [last] = &closed[..] else { panic!("one final revision: {closed:#?}") };
    assert_eq!((last.id, last.provisional), (whole.id, false));
    assert!(last.revision > news.revision);
    assert!(services(last).contains(&"billing"));
}

#[test]
fn early_incidents_that_turn_out_to_be_one_say_so() {
    let mut pipeline = two_services();
    let mut early = error(&mut pipeline, QUIET_SECONDS, "ledger", "ledger is sealed: write refused");
    early.extend(error(&mut pipeline, QUIET_SECONDS, "billing", "invoice printer is on fire"));
    assert_eq!(early.len(), 2, "each is told at once");
    ordinary(&mut pipeline, QUIET_SECONDS + 1..QUIET_SECONDS + 30);
    let closed = pipeline.take().incidents;
    let [whole, other] = &closed[..] else { panic!("{closed:#?}") };
    assert!(!whole.provisional && whole.services.len() == 2);
    assert_eq!((other.status, other.provisional), (IncidentStatus::Resolved, true));
    assert!(other.title.starts_with("Now part of ") && other.title.contains(&whole.id.to_string()));
}
