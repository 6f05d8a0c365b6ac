//! The command as a user runs it: start, send, look, stop.
#![allow(clippy::unwrap_used)]

mod support;

use std::{path::Path, process::Output};

use foreshock_kafka_testing::Port;
use support::{Running, foreshock, text};

fn journal(data_dir: &Path, arguments: &[&str]) -> Output {
    foreshock().arg("journal").args(arguments).arg("--data-dir").arg(data_dir).output().unwrap()
}

#[test]
fn what_is_shipped_is_read_beside_the_running_system_and_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(directory.path());
    assert!(running.get("metrics", "/readyz").starts_with("HTTP/1.1 200"));
    assert!(running.get("metrics", "/livez").starts_with("HTTP/1.1 200"));

    let lines = directory.path().join("shop.log");
    std::fs::write(&lines, "2026-01-01T00:00:00Z INFO first\n2026-01-01T00:00:01Z INFO second\n").unwrap();
    let to = format!("http://{}", running.address("OTLP/gRPC"));
    let shipped = foreshock()
        .args(["ship", "--to", &to, "--state-dir"])
        .arg(directory.path().join("state"))
        .arg(&lines)
        .output()
        .unwrap();
    assert!(shipped.status.success(), "{}", text(&shipped.stderr));
    assert!(text(&shipped.stderr).contains("2 lines accepted"), "{}", text(&shipped.stderr));

    let beside = text(&journal(directory.path(), &["read", "logs"]).stdout);
    assert_eq!(beside.lines().count(), 2, "{beside}");
    assert!(beside.contains("INFO second") && beside.contains("\"shop\""), "{beside}");
    let metrics = running.get("metrics", "/metrics");
    let acknowledged = "foreshock_ingest_acknowledged_records_total{signal=\"logs\",transport=\"grpc\"} 2";
    assert!(metrics.contains(acknowledged), "{metrics}");
    assert!(metrics.contains("foreshock_stage_lag_entries{stage=\"reduce\""), "{metrics}");

    assert_eq!(running.terminate(), Some(0));
    let after = journal(directory.path(), &["read", "logs", "--limit", "1"]);
    assert_eq!(text(&after.stdout).lines().count(), 1);
    let stat = text(&journal(directory.path(), &["stat"]).stdout);
    assert!(stat.lines().any(|row| row.starts_with("otlp_logs-") && row.contains("reduce=")), "{stat}");
}

#[test]
fn a_system_goes_on_where_nobody_reads_what_it_prints() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("foreshock.toml");
    std::fs::write(&file, "[worker]\nthreads = 1\n").unwrap();
    let admin = Port::reserve().unwrap();
    let mut command = foreshock();
    let running =
        Running::unread(directory.path(), command.args(["run", "--config"]).arg(&file), admin.address());
    // Taken only after the greeting.
    running.signal("-HUP");
    running.until_metric("foreshock_config_reloads_total{outcome=\"applied\"} 1.0");
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_second_process_on_the_same_directory_is_refused_with_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(directory.path());
    let second = foreshock().arg("run").arg("--data-dir").arg(directory.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("is in use by process"), "{}", text(&second.stderr));
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn wrong_usage_and_wrong_configuration_exit_with_2_and_say_where() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f.toml");
    std::fs::write(&file, "[worker]\nthreds = 1\n[admin]\naddress = \"nowhere\"\n").unwrap();
    let checked = foreshock().args(["config", "check"]).arg(&file).output().unwrap();
    assert_eq!(checked.status.code(), Some(2));
    let said = text(&checked.stderr);
    assert!(said.contains("f.toml:2:1: ") && said.contains("f.toml:4:11: "), "{said}");

    std::fs::write(&file, "a,b\n1,2\n".repeat(500)).unwrap();
    let checked = foreshock().args(["config", "check"]).arg(&file).output().unwrap();
    let said = text(&checked.stderr);
    assert!(said.lines().count() == 21 && said.lines().last().unwrap().ends_with(" more"), "{said}");
    std::fs::remove_file(&file).unwrap();
    let missing = foreshock().args(["config", "check"]).arg(&file).output().unwrap();
    assert!(text(&missing.stderr).contains("f.toml: No such file") && missing.status.code() == Some(2));
    assert!(text(&missing.stderr).contains("name a file that is there"), "{}", text(&missing.stderr));

    let unknown = journal(directory.path(), &["read", "nonsense"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("otlp_logs"), "{}", text(&unknown.stderr));
    assert_eq!(foreshock().arg("dance").output().unwrap().status.code(), Some(2));
}

#[test]
fn the_printed_default_is_a_good_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let printed = foreshock().args(["config", "default"]).output().unwrap();
    let file = directory.path().join("default.toml");
    std::fs::write(&file, &printed.stdout).unwrap();
    let checked = foreshock().args(["config", "check"]).arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}
