//! Feedback reaches correlate as markers among the findings it reads, and moves what pages.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{collections::BTreeMap, sync::Arc};

use foreshock_detect::{
    Decision, DetectConfig, FeedbackLimits, Input, InputId, InputKind, NextWindow, Outputs, Stage,
    correlate::Correlate,
};
use foreshock_model::{
    BASE_WINDOW, Expected, Feedback, Finding, Id, Incident, JudgedSeries, Kind, Severity, Tenant, Timestamp,
    Verdict, Window, proto,
};
use prost::Message;

const START: u64 = 1_710_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(START + seconds)
}

fn input(stream: &str) -> InputId {
    InputId { stream: stream.into(), partition: 0 }
}

fn spike(series: &str, surprise: f64, end: Timestamp) -> Finding {
    finding(Kind::Spike, series, surprise, end)
}

fn finding(kind: Kind, series: &str, surprise: f64, end: Timestamp) -> Finding {
    let (tenant, service) = (Tenant::default(), "shop".into());
    let window = Window { start: end.minus(BASE_WINDOW), length: BASE_WINDOW };
    Finding {
        id: Id::finding(&tenant, &service, series, window, kind, false),
        tenant,
        kind,
        service,
        series: series.into(),
        window_start: window.start,
        window_end: end,
        surprise,
        effect: 2.0,
        observed: 2.0,
        expected: Expected { low: 0.0, high: 1.0 },
        severity: Severity::Critical,
        title: format!("{series} is odd"),
        template: String::new(),
        evidence: Vec::new(),
        provisional: false,
        replaces: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// What a person says of an incident of these series.
fn said(incident: Id, verdict: Verdict, series: &[(&str, f64)]) -> Feedback {
    let series = series.iter().map(|(series, surprise)| JudgedSeries {
        service: "shop".into(),
        series: (*series).into(),
        kind: Kind::Spike,
        surprise: *surprise,
        window_seconds: 10,
        lasted_seconds: 40,
        left_seconds: 0,
    });
    Feedback {
        incident,
        tenant: Tenant::default(),
        verdict,
        by: "ada".into(),
        note: String::new(),
        said_at: Timestamp(1),
        from: Timestamp(0),
        until: Timestamp(0),
        series: series.collect(),
    }
}

/// A partition of findings on the way into correlate, with what came out.
struct Partition {
    config: Arc<DetectConfig>,
    correlate: Correlate,
    next: NextWindow,
    entries: Vec<(InputKind, bytes::Bytes)>,
    sequence: u64,
    incidents: Vec<Incident>,
    told: Vec<Feedback>,
    /// Saved and restored before every entry.
    restarts: bool,
}

impl Partition {
    fn new(config: DetectConfig) -> Self {
        let config = Arc::new(config);
        Self {
            correlate: fresh(&config),
            config,
            next: NextWindow::new(vec![input("foreshock_summaries")]),
            entries: Vec::new(),
            sequence: 0,
            incidents: Vec::new(),
            told: Vec::new(),
            restarts: false,
        }
    }

    fn entry(&mut self, kind: InputKind, payload: Vec<u8>) {
        if self.restarts {
            let mut bytes = Vec::new();
            self.correlate.save(&mut bytes).unwrap();
            self.correlate = fresh(&self.config);
            self.correlate.restore(&mut bytes.as_slice()).unwrap();
        }
        let payload = bytes::Bytes::from(payload);
        self.next.pass(kind, &payload);
        let (offset, tenant, received) = (self.entries.len() as u64, Tenant::default(), Timestamp(7));
        let mut out = Outputs::default();
        let entry = Input { offset, tenant: &tenant, received, kind, payload: &payload };
        self.correlate.apply(entry, &mut out);
        assert!(out.poison.is_empty(), "{:?}", out.poison);
        for (_, message) in &out.messages {
            self.incidents.extend(message.incidents.iter().map(|i| Incident::try_from(i).unwrap()));
            self.told.extend(message.feedback.iter().map(|f| Feedback::try_from(f).unwrap()));
        }
        self.entries.push((kind, payload));
    }

    /// A window, closed everywhere, with its findings.
    fn close(&mut self, end: Timestamp, findings: &[Finding]) {
        self.sequence += 1;
        let source = proto::Source {
            stage: "detect".into(),
            stream: "foreshock_summaries".into(),
            partition: 0,
            offset: self.sequence,
            sequence: self.sequence,
            partitions: 1,
        };
        let message = proto::Findings {
            source: Some(source),
            watermark: end.nanos(),
            findings: findings.iter().map(Into::into).collect(),
            ..Default::default()
        };
        self.entry(InputKind::Data, message.encode_to_vec());
    }

    fn say(&mut self, feedback: &Feedback) {
        let marker = proto::Marker { says: Some(proto::marker::Says::Feedback(feedback.into())) };
        self.entry(InputKind::Marker, marker.encode_to_vec());
    }

    /// What is decided over a finding alone, at a time of its own. `None`: information.
    fn decide(&mut self, finding: &Finding) -> Decision {
        self.correlate.ask(finding.id);
        self.close(finding.window_end, std::slice::from_ref(finding));
        self.correlate.take_decisions().remove(0)
    }
}

fn fresh(config: &Arc<DetectConfig>) -> Correlate {
    Correlate::new(config.clone(), input("foreshock_findings"), vec![input("foreshock_summaries")], 1)
}

#[test]
fn what_was_expected_pages_no_more_until_it_is_over_and_something_worse_does() {
    let mut partition = Partition::new(DetectConfig::default());
    assert_eq!(partition.decide(&spike("load", 9.0, at(10))).severity, Severity::Critical);
    let incident = partition.incidents[0].id;
    partition.say(&said(incident, Verdict::Expected, &[("load", 9.0)]));
    // It holds from the next window on.
    let same = partition.decide(&spike("load", 9.0, at(20)));
    assert_eq!(same.severity, Severity::Info);
    let prior = same.prior.unwrap();
    assert_eq!((prior.verdict, prior.incident, prior.judged), (Verdict::Expected, incident, 9.0));
    assert_eq!(prior.until, at(20).plus(FeedbackLimits::default().lasts(Verdict::Expected)));
    assert_eq!(same.thresholds.page, 12.0);
    assert_eq!(partition.decide(&spike("load", 11.9, at(7_230))).severity, Severity::Warning);
    assert_eq!(partition.decide(&spike("load", 12.1, at(7_240))).severity, Severity::Critical);
    // Another series and another kind of the same are as they were.
    let other = partition.decide(&spike("errors", 9.0, at(14_400)));
    assert_eq!((other.severity, other.prior), (Severity::Critical, None));
    let dip = partition.decide(&finding(Kind::Dip, "load", 9.0, at(21_600)));
    assert_eq!((dip.severity, dip.prior), (Severity::Critical, None));

    let until = prior.until.nanos() / 1_000_000_000 - START;
    assert_eq!(partition.decide(&spike("load", 9.0, at(until - 10))).severity, Severity::Info);
    let over = partition.decide(&spike("load", 9.0, at(until)));
    assert_eq!((over.severity, over.prior), (Severity::Critical, None));
    let told: Vec<Verdict> = partition.told.iter().map(|said| said.verdict).collect();
    assert_eq!((told[0], *told.last().unwrap()), (Verdict::Expected, Verdict::None));
}

#[test]
fn what_was_not_useful_is_a_warning_and_what_is_taken_back_pages_as_before() {
    let mut partition = Partition::new(DetectConfig::default());
    partition.decide(&spike("load", 9.0, at(10)));
    let incident = partition.incidents[0].id;
    partition.say(&said(incident, Verdict::NotUseful, &[("load", 9.0)]));
    assert_eq!(partition.decide(&spike("load", 9.0, at(20))).severity, Severity::Warning);
    assert_eq!(partition.decide(&spike("load", 10.1, at(30))).severity, Severity::Critical);
    partition.say(&said(incident, Verdict::None, &[]));
    let back = partition.decide(&spike("load", 9.0, at(40)));
    assert_eq!((back.severity, back.prior), (Severity::Critical, None));
}

#[test]
fn what_was_useful_pages_a_little_sooner_and_all_else_pays_for_it() {
    let mut partition = Partition::new(DetectConfig::default());
    let before = partition.decide(&spike("load", 5.0, at(10)));
    let incident = partition.incidents[0].id;
    partition.say(&said(incident, Verdict::Useful, &[("load", 5.0)]));
    let useful = partition.decide(&spike("load", 4.5, at(20)));
    // Of ten streams, which a tenant is held to at least, a series may be four.
    let by = |weight: f64| before.thresholds.page - weight.log10();
    assert!((useful.thresholds.page - by(1.75)).abs() < 1e-9, "{useful:?} {before:?}");
    assert_eq!((before.severity, useful.severity), (Severity::Critical, Severity::Critical));
    let other = partition.decide(&spike("errors", 4.5, at(30)));
    assert!((other.thresholds.page - by(0.5)).abs() < 1e-9, "{other:?}");
    assert_eq!(other.severity, Severity::Warning);
}

#[test]
fn an_error_line_that_a_person_expects_is_not_told_for_being_new() {
    let mut partition = Partition::new(DetectConfig::default());
    let line = |end| finding(Kind::NewPattern, "p1", 3.5, end);
    assert_eq!(partition.decide(&line(at(10))).severity, Severity::Warning);
    let mut word = said(partition.incidents[0].id, Verdict::Expected, &[("p1", 3.5)]);
    word.series[0].kind = Kind::NewPattern;
    partition.say(&word);
    assert_eq!(partition.decide(&line(at(20))).severity, Severity::Info);
}

/// A history with words of every kind, at places where time has come to different points.
fn history(restarts: bool) -> Partition {
    let config = FeedbackLimits { incidents: 2, ..FeedbackLimits::default() };
    let mut partition = Partition {
        restarts,
        ..Partition::new(DetectConfig { feedback: config, ..DetectConfig::default() })
    };
    for (step, verdict) in Verdict::ALL.into_iter().cycle().take(40).enumerate() {
        let step = step as u64;
        // Every third step time does not move, every fifth it moves by a day.
        let day = 86_400 * (step / 5);
        let end = at(day + 10 * (step - step / 3) + 10);
        let series = format!("s{}", step % 7);
        partition.close(end, &[spike(&series, 5.0 + (step % 6) as f64, end)]);
        let incident = partition.incidents.last().unwrap().id;
        partition.say(&said(incident, verdict, &[(&series, 6.0), ("s3", 5.5)]));
    }
    partition.close(at(40 * 86_400), &[]);
    partition
}

#[test]
fn a_state_restored_before_any_entry_decides_as_if_nothing_had_happened() {
    let (whole, restarted) = (history(false), history(true));
    assert_eq!(whole.incidents, restarted.incidents);
    assert_eq!(whole.told, restarted.told);
    assert!(whole.told.len() > 20, "{}", whole.told.len());
}

#[test]
fn words_that_name_their_window_and_come_long_before_it_give_the_same() {
    let then = history(false);
    let config = DetectConfig {
        feedback: FeedbackLimits { incidents: 2, ..FeedbackLimits::default() },
        ..DetectConfig::default()
    };
    let mut next = NextWindow::new(vec![input("foreshock_summaries")]);
    let (mut words, mut rest) = (Vec::new(), Vec::new());
    for (kind, payload) in &then.entries {
        if *kind == InputKind::Marker {
            let marker = proto::Marker::decode(payload.clone()).unwrap();
            let Some(proto::marker::Says::Feedback(mut word)) = marker.says else { panic!("feedback") };
            word.from = next.end().nanos();
            words.push(proto::Marker { says: Some(proto::marker::Says::Feedback(word)) });
        } else {
            rest.push(payload.clone());
        }
        next.pass(*kind, payload);
    }
    let mut again = Partition::new(config);
    words.iter().for_each(|word| again.entry(InputKind::Marker, word.encode_to_vec()));
    rest.into_iter().for_each(|payload| again.entry(InputKind::Data, payload.to_vec()));
    assert_eq!(then.incidents, again.incidents);
    assert_eq!(then.told, again.told);
}
