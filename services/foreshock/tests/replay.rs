//! `foreshock replay` gives, byte for byte, what the worker put on the journal.
#![allow(clippy::unwrap_used)]

mod support;

use std::{path::Path, process::Output};

use foreshock_detect::Clock;
use foreshock_journal::{Batch, Entry, Stream};
use foreshock_model::{Finding, Timestamp, proto};
use foreshock_worker::{WorkerMetrics, marked_partition};
use prost::Message;
use support::history::{
    LENGTH, QUIET, START, assert_same, caught_up, command, explain, found, open, play, replay, replayed,
    shop, work,
};

/// Every finding is made again from the journal with its numbers, by its own id or by that of its incident.
fn assert_explained(data_dir: &Path, findings: &[String], incidents: &[String]) {
    let field = |line: &String, field: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value[field].clone()
    };
    let ids: Vec<String> =
        findings.iter().map(|line| field(line, "id").as_str().unwrap().to_owned()).collect();
    let explained = explain(data_dir, "live", &ids, true);
    assert_eq!(explained.len(), ids.len());
    for line in &explained {
        assert_eq!(
            (field(line, "is_equal"), field(line, "differs")),
            (true.into(), serde_json::json!([])),
            "{line}"
        );
        let kind = field(line, "reported")["kind"].clone();
        let (workings, decision) = (field(line, "workings"), field(line, "decision"));
        assert!(
            kind == "degraded" || !workings["before"].is_null() || !workings["after"].is_null(),
            "{line}"
        );
        assert!(decision["thresholds"]["page"].as_f64().unwrap() > 3.0, "{line}");
    }
    let critical = incidents.iter().rfind(|line| field(line, "severity") == "critical").unwrap();
    let text =
        explain(data_dir, "live", &[field(critical, "id").as_str().unwrap().to_owned()], false).join("\n");
    assert!(text.contains("equal to what was reported") && text.contains("the baseline before it"), "{text}");
    assert!(text.contains(" matters as critical at most: critical"), "{text}");
    let unknown = command(data_dir, "live", "explain", &[&"0".repeat(32)]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no final finding and no incident 0000"));
    assert_eq!(command(data_dir, "live", "explain", &["x"]).status.code(), Some(2));
}

/// The same configuration says the same; one with another budget makes pages of warnings.
fn assert_held_against_another(data_dir: &Path, to: &str) {
    let file = data_dir.join("other.toml");
    let file = file.to_str().unwrap();
    std::fs::write(file, "").unwrap();
    assert_eq!(replayed(data_dir, "live", &["--to", to, "--against", file, "--json"]), Vec::<String>::new());
    std::fs::write(file, "[detect.budget]\npages_a_week = 5000\n").unwrap();
    let differences = replayed(data_dir, "live", &["--to", to, "--against", file, "--json"]);
    let differences: Vec<serde_json::Value> =
        differences.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        !differences.is_empty() && differences.iter().all(|one| one["what"] == "incident"),
        "{differences:?}"
    );
    let worse =
        |one: &serde_json::Value| one["fields"]["severity"] == serde_json::json!(["warning", "critical"]);
    assert!(differences.iter().any(|one| one["way"] == "comes" || worse(one)), "{differences:?}");
    let table = replayed(data_dir, "live", &["--to", to, "--against", file]).join("\n");
    assert!(table.starts_with("incidents ") && table.contains("findings "), "{table}");
}

/// The owner's word that a stage lags.
fn lag(now: Timestamp) -> Entry {
    let lagging = proto::Lagging {
        stage: "reduce".to_owned(),
        stream: Stream::Logs.name().to_owned(),
        partition: 0,
        seconds: 75.0,
        since: now.nanos(),
    };
    let marker = proto::Marker { says: Some(proto::marker::Says::Lagging(lagging)) };
    Entry::marker(now, marker.encode_to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_event_clock_a_replay_says_what_a_worker_said_that_crashed_in_between() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    let mut shop = shop(START);
    let journal = open(data_dir);
    let marker = (marked_partition(&*journal), lag(START.plus(QUIET)));
    journal.append(Batch { entries: vec![marker], consumed: None }).await.unwrap();
    play(&mut shop, &journal, START.plus(LENGTH / 2)).await;
    let began = |metrics: &WorkerMetrics| {
        let figures = metrics.all().into_iter().filter(|(stage, ..)| *stage == "detect");
        figures.map(|(.., figures)| figures.figures().latest).max() > Some(START.plus(LENGTH / 4).nanos())
    };
    work(&journal, Clock::Event, true, began).await;
    drop(journal);

    let journal = open(data_dir);
    play(&mut shop, &journal, START.plus(LENGTH)).await;
    work(&journal, Clock::Event, false, |metrics| caught_up(&journal, metrics, START.plus(LENGTH))).await;

    let (findings, incidents) = found(data_dir, Timestamp::MAX);
    assert_same("findings", &replayed(data_dir, "event", &[]), &findings);
    assert!(incidents.iter().any(|incident| incident.contains("foreshock.lag.reduce.otlp_logs-0")));
    assert_same("incidents", &replayed(data_dir, "event", &["--incidents"]), &incidents);

    let (from, to) = (START.plus(QUIET), START.plus(QUIET * 2));
    let stretch = replayed(data_dir, "event", &["--from", &from.to_rfc3339(), "--to", &to.to_rfc3339()]);
    let inside = |line: &&String| {
        let finding: Finding = serde_json::from_str(line).unwrap();
        (from..=to).contains(&finding.window_end)
    };
    let findings: Vec<String> = findings.iter().filter(inside).cloned().collect();
    assert_same("findings of the stretch", &stretch, &findings);
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_live_clock_a_replay_beside_the_running_journal_says_what_the_worker_said() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    let journal = open(data_dir);
    play(&mut shop(START), &journal, START.plus(LENGTH)).await;
    // Ticks tell the present, long after: then every window of the telemetry is closed everywhere.
    let after = START.plus(LENGTH * 2);
    let closed = |metrics: &WorkerMetrics| {
        let rows = metrics.all();
        let detect = rows.iter().filter(|(stage, ..)| *stage == "detect");
        rows.len() == 13 && detect.clone().all(|(.., figures)| figures.figures().latest >= after.nanos())
    };
    work(&journal, Clock::Live, false, closed).await;
    let (findings, incidents) = found(data_dir, START.plus(LENGTH));
    let to = START.plus(LENGTH).to_rfc3339();
    assert_same("findings", &replayed(data_dir, "live", &["--to", &to]), &findings);
    assert_same("incidents", &replayed(data_dir, "live", &["--to", &to, "--incidents"]), &incidents);
    assert_explained(data_dir, &findings, &incidents);
    assert_held_against_another(data_dir, &to);
    journal.close().await;
}

#[test]
fn a_time_that_is_none_and_a_journal_that_is_not_there_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let wrong = replay(directory.path(), "live", &["--from", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", said(&wrong));
    assert!(said(&wrong).contains("\"yesterday\" is not a time"), "{}", said(&wrong));
    let turned =
        replay(directory.path(), "live", &["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"]);
    assert_eq!(turned.status.code(), Some(2), "{}", said(&turned));
    let nothing = replay(directory.path(), "live", &[]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(said(&nothing).contains("there is no journal in it"), "{}", said(&nothing));
}
