//! Where Foreshock is blind or sees only a part it says so itself, from the entries of its partitions alone.

mod support;

use std::sync::Arc;

use bytes::Bytes;
use foreshock_detect::{
    Clock, DetectConfig, Input, InputId, InputKind, Limits, OWN_SERVICE, Outputs, Stage,
    detect::Detect,
    pipeline::{Entry, Partitions, Pipeline, Seen},
};
use foreshock_model::{Finding, IncidentStatus, Kind, Severity, Tenant, Timestamp, proto};
use prost::Message;
use support::{LOGS, METRICS, SPANS, at, degraded, feed, gauges, logs, spans};

fn config(limits: Limits) -> DetectConfig {
    DetectConfig { clock: Clock::Event, limits, ..DetectConfig::default() }
}

fn line(second: u64, text: &str) -> [(u64, String); 1] {
    [(at(second), text.to_owned())]
}

/// Feeds entries to the default tenant's pipeline and says what came of it.
fn run(limits: Limits, entries: &[(usize, Bytes)]) -> Seen {
    let mut pipeline = Pipeline::new(config(limits), Partitions::default());
    for (stream, payload) in entries {
        feed(&mut pipeline, &Tenant::default(), *stream, payload);
    }
    pipeline.finish();
    pipeline.take()
}

fn said(service: &str, series: &str, observed: f64) -> (String, String, f64) {
    (service.to_owned(), series.to_owned(), observed)
}

/// Limits, entries by stream, and what is to be said: service, series and how much.
type Case = (Limits, Vec<(usize, Bytes)>, &'static [(&'static str, &'static str, f64)]);

#[test]
fn what_goes_over_a_limit_is_told_of_the_service_it_belongs_to() {
    let ordinary = || (LOGS, logs("cart", "a", line(0, "INFO ready")));
    let cases: [Case; 6] = [
        (
            Limits { sources: 1, ..Limits::default() },
            vec![
                ordinary(),
                (LOGS, logs("cart", "b", line(1, "INFO ready"))),
                (LOGS, logs("cart", "c", line(2, "INFO ready"))),
            ],
            &[("other", "foreshock.folded.sources", 2.0)],
        ),
        (
            Limits { services: 1, ..Limits::default() },
            vec![
                ordinary(),
                (LOGS, logs("orders", "a", line(1, "INFO ready"))),
                (LOGS, logs("stock", "a", line(2, "INFO ready"))),
            ],
            &[(OWN_SERVICE, "foreshock.folded.services", 2.0)],
        ),
        (
            Limits { shapes: 1, ..Limits::default() },
            vec![ordinary(), (LOGS, logs("cart", "a", line(1, "WARN disk of the cart is slow")))],
            &[("cart", "foreshock.folded.patterns", 1.0), ("cart", "foreshock.folded.shapes", 1.0)],
        ),
        (
            Limits { patterns: 1, ..Limits::default() },
            vec![ordinary(), (LOGS, logs("cart", "a", line(1, "WARN disk of the cart is slow")))],
            &[("cart", "foreshock.folded.patterns", 1.0)],
        ),
        (
            Limits { series: 1, ..Limits::default() },
            vec![(METRICS, gauges("cart", at(0), &["queue", "workers", "heap"]))],
            &[("cart", "foreshock.folded.series", 2.0)],
        ),
        (
            Limits { operations: 1, ..Limits::default() },
            vec![(SPANS, spans("cart", at(0), &["GET /", "PUT /", "POST /"]))],
            // Folded by reduce into one other operation, for which detect has no room.
            &[("cart", "foreshock.folded.operations", 4.0)],
        ),
    ];
    for (limits, entries, expected) in cases {
        let seen = run(limits.clone(), &entries);
        let expected: Vec<_> =
            expected.iter().map(|(service, series, n)| said(service, series, *n)).collect();
        assert_eq!(degraded(&seen.findings), expected, "{limits:?}");
        let own = seen.findings.iter().filter(|finding| finding.kind == Kind::Degraded);
        assert!(own.into_iter().all(|finding| finding.severity == Severity::Warning));
        assert_eq!(degraded(&run(Limits::default(), &entries).findings), []);
    }
}

#[test]
fn instances_that_come_on_several_partitions_are_told_after_a_minute_and_one_that_moves_is_not() {
    let partition_of = |move_every: u64| move |second: u64| (second / move_every % 2) as u16;
    let told = |partition_of: &dyn Fn(u64) -> u16| {
        let partitions = Partitions { telemetry: 2, ..Partitions::default() };
        let mut pipeline = Pipeline::new(config(Limits::default()), partitions);
        for second in 0..150 {
            let payload = logs("cart", "a", line(second, "INFO ready"));
            let entry = Entry {
                tenant: &Tenant::default(),
                received: Timestamp::default(),
                kind: InputKind::Data,
                payload: &payload,
            };
            pipeline.feed(LOGS, partition_of(second), entry);
            pipeline.tick_idle(Timestamp(at(second)));
        }
        degraded(&pipeline.take().findings)
    };
    let scattered = told(&partition_of(1));
    assert!(scattered.len() >= 2, "{scattered:?}");
    assert!(scattered.iter().all(|told| *told == said("cart", "foreshock.scattered", 1.0)), "{scattered:?}");
    assert_eq!(told(&|second| u16::from(second >= 73)), []);
}

#[test]
fn a_lasting_fold_is_one_incident_that_does_not_page() {
    let limits = Limits { services: 1, ..Limits::default() };
    let mut pipeline = Pipeline::new(config(limits), Partitions::default());
    for second in (0..1_800).step_by(5) {
        for service in ["cart", "orders"] {
            let payload = logs(service, "a", line(second, "INFO ready"));
            feed(&mut pipeline, &Tenant::default(), LOGS, &payload);
        }
        pipeline.tick(Timestamp(at(second)));
    }
    let told: Vec<_> =
        pipeline.take().incidents.into_iter().map(|i| (i.severity, i.status, i.provisional)).collect();
    assert_eq!(told, [(Severity::Warning, IncidentStatus::Open, false)]);
}

#[test]
fn entries_that_can_not_be_read_are_told_to_their_tenant_with_the_last_of_them() {
    let acme = Tenant::new("acme").expect("a name");
    let mut pipeline = Pipeline::new(config(Limits::default()), Partitions::default());
    feed(&mut pipeline, &Tenant::default(), LOGS, &logs("cart", "a", line(0, "INFO ready")));
    for _ in 0..3 {
        feed(&mut pipeline, &acme, LOGS, &Bytes::from_static(&[0xff, 0xff]));
    }
    feed(&mut pipeline, &Tenant::default(), LOGS, &logs("cart", "a", line(60, "INFO ready")));
    pipeline.finish();
    let seen = pipeline.take();
    assert_eq!(seen.poison.len(), 3);
    let own: Vec<&Finding> = seen.findings.iter().filter(|f| f.kind == Kind::Degraded).collect();
    let [finding] = own[..] else { panic!("one finding: {own:?}") };
    assert_eq!((finding.tenant.as_str(), finding.service.as_str()), ("acme", OWN_SERVICE));
    assert_eq!((finding.series.as_str(), finding.observed), ("foreshock.unread.otlp_logs-0", 3.0));
    assert!(finding.title.contains("the last at offset 3: "), "{}", finding.title);
    assert!(pipeline.detect().all(|stage| stage.patterns(&acme).is_empty()), "no service is made of it");
}

fn given_up(stage: &str, stream: &str, partition: u32) -> Bytes {
    let source =
        proto::Source { stage: stage.into(), stream: stream.into(), partition, ..Default::default() };
    source.encode_to_vec().into()
}

#[test]
fn a_source_that_is_given_up_is_told_by_detect_and_by_correlate() {
    let partitions = Partitions { telemetry: 1, summaries: 2, findings: 1 };
    let mut pipeline = Pipeline::new(config(Limits::default()), partitions);
    let tenant = Tenant::default();
    let received = Timestamp::default();
    feed(&mut pipeline, &tenant, LOGS, &logs("cart", "a", line(0, "INFO ready")));
    feed(&mut pipeline, &tenant, LOGS, &logs("cart", "a", line(60, "INFO ready")));
    assert_eq!(degraded(&pipeline.take().findings), [], "metrics and spans are behind: nothing is closed");
    for stream in ["otlp_metrics", "otlp_spans"] {
        pipeline.word_to_detect(0, received, InputKind::Skip, &given_up("reduce", stream, 0));
    }
    let told = degraded(&pipeline.take().findings);
    let expected = [
        said(OWN_SERVICE, "foreshock.given_up.otlp_metrics-0", 1.0),
        said(OWN_SERVICE, "foreshock.given_up.otlp_spans-0", 1.0),
    ];
    assert_eq!(told, expected);

    pipeline.word_to_correlate(0, received, InputKind::Skip, &given_up("detect", "foreshock_summaries", 1));
    let incidents = pipeline.take().incidents;
    let [incident] = &incidents[..] else { panic!("one incident: {incidents:?}") };
    let series: Vec<&str> = incident.findings.iter().map(|finding| finding.series.as_str()).collect();
    assert!(series.contains(&"foreshock.given_up.foreshock_summaries-1"), "{series:?}");
    assert_eq!((incident.severity, incident.services.len()), (Severity::Warning, 1));
}

fn summaries(partition: u16) -> InputId {
    InputId { stream: "foreshock_summaries".into(), partition }
}

#[test]
fn a_stage_tells_of_messages_it_can_not_read_and_of_those_it_panicked_over() {
    let source = InputId { stream: "otlp_logs".into(), partition: 0 };
    let mut detect = Detect::new(Arc::new(config(Limits::default())), summaries(3), vec![source], 1);
    let (tenant, mut out) = (Tenant::default(), Outputs::default());
    let input = |offset, payload| Input {
        offset,
        tenant: &tenant,
        received: Timestamp::default(),
        kind: InputKind::Data,
        payload,
    };
    let garbage = Bytes::from_static(&[0xff]);
    detect.apply(input(4, &garbage), &mut out);
    detect.set_aside(input(5, &garbage), "the stage panicked: no luck");
    assert_eq!((out.poison.len(), out.messages.len()), (1, 0));

    let source = proto::Source {
        stage: "reduce".into(),
        stream: "otlp_logs".into(),
        sequence: 1,
        ..Default::default()
    };
    let closing = proto::Summaries { source: Some(source), watermark: at(10), ..Default::default() };
    detect.apply(input(6, &closing.encode_to_vec().into()), &mut out);
    let findings = out.messages.iter().flat_map(|(_, message)| &message.findings);
    let told: Vec<_> = findings.map(|f| (f.series.as_str(), f.observed, f.title.as_str())).collect();
    assert_eq!(
        told,
        [(
            "foreshock.unread.foreshock_summaries-3",
            2.0,
            "Foreshock could not read 2 entries of foreshock_summaries-3 and set them aside on the poison stream; the last at offset 5: the stage panicked: no luck"
        )]
    );
}

fn lagging(seconds: f64, since: u64) -> Bytes {
    let lagging = proto::Lagging {
        stage: "reduce".into(),
        stream: "otlp_logs".into(),
        partition: 2,
        seconds,
        since: at(since),
    };
    proto::Marker { says: Some(proto::marker::Says::Lagging(lagging)) }.encode_to_vec().into()
}

#[test]
fn lag_is_told_at_once_though_no_window_closes_and_is_one_incident_until_it_is_over() {
    let mut pipeline = Pipeline::new(config(Limits::default()), Partitions::default());
    let tenant = Tenant::default();
    let ready = |pipeline: &mut Pipeline, seconds: std::ops::Range<u64>| {
        for second in seconds.step_by(10) {
            feed(pipeline, &tenant, LOGS, &logs("cart", "a", line(second, "INFO ready")));
            pipeline.tick(Timestamp(at(second)));
        }
    };
    ready(&mut pipeline, 0..60);
    assert_eq!(pipeline.take().incidents, []);
    let mark = |pipeline: &mut Pipeline, second| {
        let payload = lagging(second as f64, 120);
        pipeline.word_to_correlate(0, Timestamp(at(second)), InputKind::Marker, &payload);
    };
    mark(&mut pipeline, 120);
    let told = pipeline.take().incidents;
    let [first] = &told[..] else { panic!("one incident: {told:?}") };
    assert!(first.provisional && first.severity == Severity::Warning, "{first:?}");
    assert_eq!(
        first.title,
        "Foreshock is 120 s behind: its stage reduce has not come further in otlp_logs-2; what happens now is judged only then"
    );
    mark(&mut pipeline, 180);
    assert_eq!(pipeline.take().incidents, [], "it is told already");
    ready(&mut pipeline, 60..300);
    let told = pipeline.take().incidents;
    let told: Vec<_> = told.iter().map(|i| (i.id, i.provisional, i.status, i.severity)).collect();
    assert_eq!(told, [(first.id, false, IncidentStatus::Open, Severity::Warning)]);
    ready(&mut pipeline, 300..900);
    let told = pipeline.take().incidents;
    let told: Vec<_> = told.iter().map(|i| (i.id, i.status)).collect();
    assert_eq!(told, [(first.id, IncidentStatus::Resolved)]);
}

#[test]
fn a_marker_before_the_first_window_does_not_walk_through_all_time() {
    let mut pipeline = Pipeline::new(config(Limits::default()), Partitions::default());
    let payload = lagging(900.0, 0);
    pipeline.word_to_correlate(0, Timestamp(at(0)), InputKind::Marker, &payload);
    let told = pipeline.take().incidents;
    assert_eq!(
        told.iter().map(|i| i.severity).collect::<Vec<_>>(),
        [Severity::Critical],
        "nothing is judged"
    );
    feed(&mut pipeline, &Tenant::default(), LOGS, &logs("cart", "a", line(5, "INFO ready")));
    pipeline.tick(Timestamp(at(60)));
    assert!(pipeline.take().incidents.iter().all(|incident| !incident.provisional));
}

#[test]
fn what_foreshock_says_of_itself_is_no_part_of_a_service_s_incident() {
    let mut pipeline =
        Pipeline::new(config(Limits { services: 1, ..Limits::default() }), Partitions::default());
    let tenant = Tenant::default();
    for second in 0..1_500 {
        let burst = if second >= 1_200 { 40 } else { 1 };
        let lines = (0..burst).map(|n| {
            let level = if n == 0 { "INFO" } else { "ERROR" };
            (at(second) + n, format!("{level} request {n} of the cart"))
        });
        feed(&mut pipeline, &tenant, LOGS, &logs("cart", "a", lines));
        if second >= 1_200 {
            feed(&mut pipeline, &tenant, LOGS, &logs("orders", "a", line(second, "INFO ready")));
        }
        pipeline.tick(Timestamp(at(second)));
    }
    let incidents = pipeline.take().incidents;
    let of = |name: &str| incidents.iter().any(|i| i.services.iter().any(|service| service.as_str() == name));
    assert!(of("cart") && of(OWN_SERVICE), "{incidents:#?}");
    assert!(incidents.iter().all(|incident| incident.services.len() == 1), "{incidents:#?}");
}

#[test]
fn what_is_said_does_not_follow_from_where_the_stages_were_saved() {
    let partitions = Partitions { telemetry: 2, summaries: 2, findings: 2 };
    let limits = Limits { services: 1, patterns: 1, sources: 2, ..Limits::default() };
    let run = |restarts: bool| {
        let mut pipeline = Pipeline::new(config(limits.clone()), partitions);
        for second in 0..120 {
            for (partition, service) in [(0, "cart"), (1, "orders"), (0, "stock")] {
                let payload = match second % 40 {
                    7 => Bytes::from_static(&[0xff]),
                    even if even % 2 == 0 => logs(service, "a", line(second, "INFO ready")),
                    _ => logs(service, "a", line(second, "WARN disk of the shop is slow")),
                };
                let entry = Entry {
                    tenant: &Tenant::default(),
                    received: Timestamp::default(),
                    kind: InputKind::Data,
                    payload: &payload,
                };
                pipeline.feed(LOGS, partition, entry);
            }
            pipeline.tick(Timestamp(at(second)));
            if second == 60 {
                pipeline.word_to_correlate(0, Timestamp(at(60)), InputKind::Marker, &lagging(70.0, 60));
            }
            if restarts && second % 7 == 3 {
                pipeline.restart(config(limits.clone()), partitions);
            }
        }
        pipeline.finish();
        let seen = pipeline.take();
        (seen.findings, seen.incidents)
    };
    let (findings, incidents) = run(false);
    assert!(degraded(&findings).len() > 10 && !incidents.is_empty());
    assert_eq!(run(true), (findings, incidents));
}
