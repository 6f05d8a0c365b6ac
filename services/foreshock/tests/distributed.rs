//! Each service a process of its own on a real Kafka: the demo's incident arrives at a webhook and at Alertmanager, and
//! stands on the console.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use foreshock_kafka_testing::{Kafka, Port};
use support::{DEADLINE, foreshock, text};

/// One process. Ended by a signal when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A service that is up, and the lines with its addresses.
struct Service {
    _process: Process,
    printed: Vec<String>,
}

impl Service {
    fn start(name: &str, config: &Path) -> Self {
        let mut child =
            foreshock().arg(name).arg("--config").arg(config).stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            printed.push(line);
            if printed.last().is_some_and(|line| line.contains("/metrics")) {
                break;
            }
        }
        Self { _process: Process(child), printed }
    }

    fn address(&self, name: &str) -> String {
        let line = self.printed.iter().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned()
    }
}

fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + 2 * DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

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
    let applied = foreshock().args(["topics", "apply", "--config"]).arg(&config).output().unwrap();
    assert!(applied.status.success(), "{}", text(&applied.stderr));

    let ingest = Service::start("ingest", &config);
    let _others = ["worker", "worker", "notify"].map(|name| Service::start(name, &config));
    let console = Service::start("console", &config);
    let to = format!("http://{}", ingest.address("OTLP/gRPC"));
    let shop = ["demo", "--speed", "400", "--hours", "1.5", "--fault", "bad-release", "--to", &to];
    let played = foreshock().args(shop).output().unwrap();
    assert!(played.status.success(), "{}", text(&played.stderr));

    until("the page at the webhook", || {
        told.lock().unwrap().iter().any(|body| body.contains(r#""severity":"critical""#))
    });
    if alertmanager.is_some() {
        until("the alert at Alertmanager", || {
            get(&alerts_at, "/api/v2/alerts").is_ok_and(|answer| answer.contains(r#""severity":"critical""#))
        });
    }
    until("the incident on the console", || {
        get(&console.address("console"), "/api/v1/incidents")
            .is_ok_and(|answer| answer.contains(r#""severity":"critical""#))
    });

    // What lies on the topics says the same as a replay of it.
    let replayed = foreshock().args(["replay", "--incidents", "--config"]).arg(&config).output().unwrap();
    assert!(replayed.status.success(), "{}", text(&replayed.stderr));
    assert!(text(&replayed.stdout).contains(r#""severity":"critical""#));
    let stat = foreshock().args(["journal", "stat", "--config"]).arg(&config).output().unwrap();
    assert_eq!(text(&stat.stdout).lines().count(), 1 + 3 * 4 + 3 * 4 + 3, "{}", text(&stat.stdout));
}
