//! What the tests of notify share.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

pub mod correlate;
pub mod memory;
pub mod receiver;

use std::{sync::Arc, time::Duration};

use foreshock_journal::{EntryKind, Journal, Stream};
use foreshock_model::proto;
use foreshock_notify::{Config, Metrics, NotifyError, Retry, run};
use memory::Memory;
use prost::Message;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// A configuration with short waits and these routes, as JSON has them.
pub fn config(routes: Value) -> Config {
    Config {
        routes: serde_json::from_value(routes).unwrap(),
        retry: Retry {
            first: Duration::from_millis(20),
            longest: Duration::from_millis(200),
            give_up_after: Duration::from_secs(60),
        },
        ..Config::default()
    }
}

pub fn webhook(url: &str) -> Config {
    config(json!([{"name": "hook", "webhook": {"url": url, "timeout": "2s"}}]))
}

/// A run of the service.
pub struct Service {
    pub metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), NotifyError>>,
}

impl Service {
    pub fn start(config: Config, journal: Arc<dyn Journal>) -> Self {
        let metrics = Arc::new(Metrics::new(&config));
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run(config, journal, metrics.clone(), shutdown.clone()));
        Self { metrics, shutdown, task }
    }

    /// Ends it as kill -9 would: no code of its own runs any more.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        timeout(Duration::from_secs(20), self.task).await.expect("it ends").unwrap().unwrap();
    }
}

/// The records of the deliveries stream.
pub fn deliveries(journal: &Memory) -> Vec<proto::Delivery> {
    let entries = journal.entries(Stream::Deliveries).into_iter();
    let entries = entries.filter(|entry| entry.kind == EntryKind::Data);
    entries.map(|entry| proto::Delivery::decode(entry.payload.into_bytes()).unwrap()).collect()
}

/// Waits until the journal is as wanted.
pub async fn until(journal: &Memory, what: &str, fits: impl Fn(&Memory) -> bool) {
    let mut grown = journal.watch();
    let reached = timeout(Duration::from_secs(20), async {
        loop {
            grown.mark_unchanged();
            if fits(journal) {
                return;
            }
            grown.changed().await.unwrap();
        }
    });
    reached.await.unwrap_or_else(|_| panic!("{what} did not come: {:#?}", deliveries(journal)));
}
