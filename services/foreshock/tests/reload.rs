//! SIGHUP: a changed configuration is taken while everything runs, or refused whole.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
};

use foreshock_journal::{Batch, EmbeddedJournal, EmbeddedOptions, Entry, Journal, Partition, Stream};
use foreshock_model::{Id, Incident, IncidentStatus, Severity, Tenant, Timestamp, proto};
use prost::Message;
use support::{DEADLINE, Running, foreshock};

/// A directory with a configuration and a file of tokens.
struct Site {
    directory: tempfile::TempDir,
}

impl Site {
    fn new(configuration: &str, tokens: &str) -> Self {
        let site = Self { directory: tempfile::tempdir().unwrap() };
        site.configure(configuration);
        fs::write(site.path("tokens"), tokens).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the configuration; `TOKENS` in it stands for the file of tokens.
    fn configure(&self, configuration: &str) {
        let tokens = self.path("tokens");
        fs::write(self.path("f.toml"), configuration.replace("TOKENS", tokens.to_str().unwrap())).unwrap();
    }

    fn run(&self) -> Running {
        let mut command: Command = foreshock();
        command.env("FORESHOCK_LOG", "info").stderr(File::create(self.path("log")).unwrap());
        command.arg("--log-format").arg("json");
        command.arg("run").arg("--config").arg(self.path("f.toml"));
        Running::with(&self.path("data"), &mut command)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }
}

/// The status that a line sent with this token is answered with.
fn status(running: &Running, token: &str) -> String {
    let address = running.address("OTLP/HTTP");
    let body = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}"#;
    let answer = running.request(
        &address,
        &format!(
            "POST /v1/logs HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    answer.split(' ').nth(1).unwrap().to_owned()
}

const TENANT: &str = "[tenants.acme]\ntoken_file = \"TOKENS\"\n";

#[test]
fn a_new_token_is_taken_after_the_signal_and_one_that_has_gone_is_not() {
    let site = Site::new(TENANT, "alpha\n");
    let running = site.run();
    assert_eq!((status(&running, "alpha"), status(&running, "beta")), ("200".into(), "401".into()));

    fs::write(site.path("tokens"), "beta\n").unwrap();
    running.signal("-HUP");
    running.until_metric("foreshock_config_reloads_total{outcome=\"applied\"} 1.0");
    assert_eq!((status(&running, "alpha"), status(&running, "beta")), ("401".into(), "200".into()));

    // What can't change while everything runs is named.
    site.configure(&format!("{TENANT}[detect.budget]\npages_a_week = 9.0\n[ingest.limits]\nmax_depth = 3\n"));
    running.signal("-HUP");
    running.until_metric("foreshock_config_reloads_total{outcome=\"applied\"} 2.0");
    let log = site.log();
    assert!(log.contains("\"key\":\"detect.budget.pages_a_week\""), "{log}");
    assert!(!log.contains("max_depth"), "{log}");
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn a_configuration_with_faults_is_refused_whole_each_is_told_and_the_one_before_holds() {
    let site = Site::new(TENANT, "alpha\n");
    let running = site.run();

    // A token that is good and four faults: form, value, a file that is not there, a route without receiver.
    site.configure(&format!(
        "{TENANT}[tenants.other]\ntoken_file = \"/nowhere/tokens\"\n[worker]\nthreads = \"many\"\n\
         [ingest.limits]\nmax_depth = 0\n[[notify.routes]]\nname = \"x\"\n"
    ));
    fs::write(site.path("tokens"), "beta\n").unwrap();
    running.signal("-HUP");
    running.until_metric("foreshock_config_reloads_total{outcome=\"refused\"} 1.0");
    assert_eq!((status(&running, "alpha"), status(&running, "beta")), ("200".into(), "401".into()));
    let log = site.log();
    for fault in ["f.toml:6:11: ", "/nowhere/tokens", "max_depth", "exactly one receiver"] {
        assert!(log.lines().any(|line| line.contains("\"ERROR\"") && line.contains(fault)), "{fault}: {log}");
    }

    fs::remove_file(site.path("f.toml")).unwrap();
    running.signal("-HUP");
    running.until_metric("foreshock_config_reloads_total{outcome=\"refused\"} 2.0");
    assert_eq!(status(&running, "alpha"), "200");
    running.until_metric("foreshock_config_reloads_total{outcome=\"applied\"} 0.0");
    assert_eq!(running.terminate(), Some(0));
}

/// An incident that pages, on the journal before anything runs.
async fn append_incident(data_dir: &Path) {
    let options = EmbeddedOptions::new(data_dir.join("journal"));
    let journal = EmbeddedJournal::open(options).unwrap();
    let started_at = Timestamp::from_secs(1_760_000_400);
    let incident = Incident {
        id: Id(7),
        tenant: Tenant::default(),
        status: IncidentStatus::Open,
        severity: Severity::Critical,
        title: "payment fails".into(),
        started_at,
        updated_at: started_at,
        resolved_at: None,
        services: vec!["payment".into()],
        findings: vec![],
        causes: vec![],
        changes: vec![],
        runbook_url: String::new(),
        links: Default::default(),
        revision: 1,
        provisional: false,
    };
    let message = proto::Incidents { incidents: vec![(&incident).into()], ..Default::default() };
    let entry = Entry::data(Tenant::default(), started_at, 1, message.encode_to_vec());
    let entries = vec![(Partition::new(Stream::Incidents, 0), entry)];
    journal.append(Batch { entries, consumed: None }).await.unwrap();
    journal.close().await;
}

/// A webhook that takes one incident.
fn webhook() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, received) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let head: Vec<String> =
            reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let length =
            head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap()];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
        sender.send(String::from_utf8(body).unwrap()).unwrap();
    });
    (url, received)
}

#[tokio::test]
async fn a_route_that_is_new_after_the_signal_is_told_what_nobody_could_be_told_before() {
    // Nobody listens on port 1.
    let site = Site::new("[[notify.routes]]\nname = \"gone\"\nwebhook.url = \"http://127.0.0.1:1/\"\n", "");
    append_incident(&site.path("data")).await;
    let running = site.run();
    running.until_metric("foreshock_notify_queue{route=\"gone\",receiver=\"webhook\"} 1.0");

    let (url, received) = webhook();
    site.configure(&format!("[[notify.routes]]\nname = \"here\"\nwebhook.url = \"{url}\"\n"));
    running.signal("-HUP");
    let told = received.recv_timeout(DEADLINE).unwrap();
    assert!(told.contains("payment fails"), "{told}");
    running.until_metric("foreshock_config_reloads_total{outcome=\"applied\"} 1.0");
    running.until_metric("foreshock_notify_delivered_total{route=\"here\",receiver=\"webhook\"} 1.0");
    assert_eq!(running.terminate(), Some(0));
}
