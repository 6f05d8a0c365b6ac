//! Each service a process of its own on a real Kafka: the demo's incident arrives at a webhook and at Alertmanager, and
//! stands on the console.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use foreshock_kafka_testing::{Kafka, Port};
use support::{
    alone::{Process, Service, get, incidents_due, output, until},
    foreshock, text,
};

/// Notes what is posted. Its thread ends with the test.
fn webhook() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let notes = Arc::clone(&notes);
            std::thread::spawn(move || answer(stream, &notes));
        }
    });
    (address, told)
}

fn answer(mut stream: TcpStream, notes: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        notes.lock().unwrap().push(text(&body));
        if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
            return;
        }
    }
}

/// Debian's own. In CI it has to be there.
fn alertmanager(directory: &Path, port: &Port) -> Option<Process> {
    let settings = directory.join("alertmanager.yml");
    fs::write(&settings, "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n").unwrap();
    let started = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", settings.display()))
        .arg(format!("--storage.path={}", directory.join("alertmanager").display()))
        .arg(format!("--web.listen-address={}", port.address()))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(child) => Some(Process(child)),
        Err(error) => {
            let said = format!("NOT TESTED against Alertmanager: {error}; install prometheus-alertmanager");
            assert!(std::env::var_os("CI").is_none(), "{said}");
            eprintln!("{said}");
            None
        }
    }
}

#[test]
fn the_incident_of_the_demo_arrives_everywhere() {
    let kafka = Kafka::shared().bootstrap();
    let directory = tempfile::tempdir().unwrap();
    let (hook, told) = webhook();
    let port = Port::reserve().unwrap();
    let alerts_at = port.address().to_string();
    let alertmanager = alertmanager(directory.path(), &port);
    let config = directory.path().join("foreshock.toml");
    let settings = format!(
        r#"
[journal]
kind = "kafka"
[journal.kafka]
brokers = "{kafka}"
topic_prefix = "distributed."
telemetry_partitions = 4
stage_partitions = 4
replication = 1
min_insync_replicas = 1
[detect]
clock = "event"
[[notify.routes]]
name = "hook"
webhook.url = "http://{hook}/"
[[notify.routes]]
name = "alerts"
alertmanager.url = "http://{alerts_at}"
"#
    );
    fs::write(&config, settings).unwrap();

    let early = foreshock().arg("worker").arg("--config").arg(&config).output().unwrap();
    assert_eq!(early.status.code(), Some(1));
    assert!(text(&early.stderr).contains("foreshock topics apply"), "{}", text(&early.stderr));
    output(foreshock().args(["topics", "apply"]), &config);

    let ingest = Service::start("ingest", &config);
    let _others = ["worker", "worker", "notify"].map(|name| Service::start(name, &config));
    let console = Service::start("console", &config);
    let to = format!("http://{}", ingest.address("OTLP/gRPC"));
    let shop = ["demo", "--speed", "400", "--fault", "bad-release", "--to", &to];
    let played = foreshock().args(shop).output().unwrap();
    assert!(played.status.success(), "{}", text(&played.stderr));

    let due = incidents_due(&config);
    until("every incident at the webhook", || {
        let told = told.lock().unwrap();
        due.iter().all(|id| told.iter().any(|body| body.contains(id)))
    });
    if alertmanager.is_some() {
        // Those that are over already are not among its alerts any more.
        until("as many alerts at Alertmanager", || {
            let page = get(&alerts_at, "/metrics").unwrap_or_default();
            let received =
                page.lines().filter(|line| line.starts_with("alertmanager_alerts_received_total{"));
            let received: f64 =
                received.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
            received >= due.len() as f64
        });
    }
    until("every incident on the console", || {
        get(&console.address("console"), "/api/v1/incidents")
            .is_ok_and(|answer| due.iter().all(|id| answer.contains(id)))
    });

    let stat = output(foreshock().args(["journal", "stat"]), &config);
    assert_eq!(stat.lines().count(), 1 + 3 * 4 + 3 * 4 + 3, "{stat}");
}
