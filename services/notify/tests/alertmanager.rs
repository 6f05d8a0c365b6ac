//! Against Debian's own Alertmanager (package prometheus-alertmanager).
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use foreshock_model::{Severity, Timestamp};
use serde_json::{Value, json};
use support::{
    Service, config,
    correlate::{Correlate, incident, resolved},
    memory::Memory,
};
use tempfile::TempDir;

struct Alertmanager {
    process: Child,
    url: String,
    client: reqwest::Client,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts one; `None`, said aloud, where it is not installed. In CI that is a failure.
    async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("alertmanager.yml");
        std::fs::write(&settings, "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let started = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = match started {
            Ok(process) => process,
            Err(error) => {
                let message = format!(
                    "NOT TESTED against Alertmanager: {error}; install the package prometheus-alertmanager (deploy/test-tools)"
                );
                assert!(std::env::var_os("CI").is_none(), "{message}");
                eprintln!("{message}");
                return None;
            }
        };
        // A client of its own for http alone; the service makes the provider of TLS known.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let this = Self { process, url, client, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(30);
        while this.client.get(format!("{}/-/ready", this.url)).send().await.is_err() {
            assert!(Instant::now() < deadline, "Alertmanager did not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(this)
    }

    /// What goes on there: alerts that have not ended.
    async fn alerts(&self) -> Vec<Value> {
        let answer = self.client.get(format!("{}/api/v2/alerts", self.url)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// Asks again until what goes on fits; panics with it after 15 s.
    async fn until(&self, what: &str, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let alerts = self.alerts().await;
            if fits(&alerts) {
                return alerts;
            }
            assert!(Instant::now() < deadline, "{what} did not come: {alerts:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn routes(url: &str, resend: &str) -> Value {
    json!([{"name": "am", "alertmanager": {"url": url, "resend": resend}}])
}

fn severities(alerts: &[Value]) -> Vec<&str> {
    alerts.iter().map(|alert| alert["labels"]["severity"].as_str().unwrap()).collect()
}

fn ends_at(alert: &Value) -> Timestamp {
    Timestamp::parse_rfc3339(alert["endsAt"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn an_alert_appears_with_its_labels_changes_its_severity_and_ends_across_restarts() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    // With so long a resend nothing ends by running out while the test lasts.
    let config = config(routes(&alertmanager.url, "10m"));
    let service = Service::start(config.clone(), journal.clone());
    let mut first = incident(1, 1);
    first.severity = Severity::Warning;
    correlate.says(&first).await;
    let alerts = alertmanager.until("the alert", |alerts| alerts.len() == 1).await;
    assert_eq!(
        alerts[0]["labels"],
        json!({"alertname": "ForeshockErrorShare", "service": "payment", "severity": "warning",
               "tenant": "default", "foreshock_id": first.id.to_string()})
    );
    let annotations = &alerts[0]["annotations"];
    assert_eq!(annotations["summary"], "payment fails");
    assert!(annotations["description"].as_str().unwrap().contains("charge 17 failed"));
    assert_eq!(annotations["dashboard_url"], format!("http://127.0.0.1:7700/#{}", first.id));
    let lasts = ends_at(&alerts[0]).since(support::correlate::now());
    assert!(lasts > Duration::from_secs(29 * 60) && lasts <= Duration::from_secs(30 * 60), "{lasts:?}");

    // Its most affected service changes: that is not its identity.
    let mut second = incident(1, 2);
    second.services.reverse();
    correlate.says(&second).await;
    let alerts = alertmanager.until("critical alone", |alerts| severities(alerts) == ["critical"]).await;
    assert_eq!(alerts[0]["labels"]["service"], "payment");

    // Killed; the severity falls, and the next run still knows what there is to end.
    service.kill().await;
    let mut third = incident(1, 3);
    third.severity = Severity::Warning;
    correlate.says(&third).await;
    let service = Service::start(config.clone(), journal.clone());
    alertmanager.until("warning alone", |alerts| severities(alerts) == ["warning"]).await;
    service.stop().await;

    correlate.says(&resolved(1, 4)).await;
    let service = Service::start(config, journal.clone());
    alertmanager.until("the end", <[Value]>::is_empty).await;
    service.stop().await;
}

#[tokio::test]
async fn an_open_incident_is_sent_again_before_it_runs_out_and_runs_out_when_nobody_sends() {
    let Some(alertmanager) = Alertmanager::start().await else { return };
    let journal = Memory::new();
    let correlate = Correlate::new(journal.clone());
    let config = config(routes(&alertmanager.url, "400ms"));
    let service = Service::start(config.clone(), journal.clone());
    correlate.says(&incident(1, 1)).await;
    let alerts = alertmanager.until("the alert", |alerts| alerts.len() == 1).await;
    let first_end = ends_at(&alerts[0]);
    // Three resends and more after the first would have run out, it is there.
    let later =
        |alerts: &[Value]| alerts.iter().any(|a| ends_at(a).since(first_end) > Duration::from_secs(2));
    alertmanager.until("the resend", later).await;
    // Another run keeps it up, though nothing new is said.
    service.stop().await;
    let restarted = support::correlate::now();
    let service = Service::start(config, journal.clone());
    let later =
        |alerts: &[Value]| alerts.iter().any(|a| ends_at(a).since(restarted) > Duration::from_secs(2));
    alertmanager.until("the resend after the restart", later).await;
    service.kill().await;
    alertmanager.until("its running out", <[Value]>::is_empty).await;
}
