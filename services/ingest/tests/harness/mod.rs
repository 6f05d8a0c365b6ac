//! What the tests of the receiver share: a journal that obeys, a server on free ports, clients over real sockets.

#![allow(dead_code, unreachable_pub)]

mod client;
mod journal;
mod telemetry;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use foreshock_ingest::{Ingest, IngestConfig, IngestError, IngestMetrics, TenantsConfig};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use client::*;
pub use journal::*;
pub use telemetry::*;

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A receiver of our own, on free ports.
pub struct Server {
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    pub journal: Arc<ObedientJournal>,
    pub metrics: Arc<IngestMetrics>,
    pub shutdown: CancellationToken,
    pub ended: JoinHandle<Result<(), IngestError>>,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(|_| {}, "{}").await
    }

    /// With changes to the default configuration, and tenants as JSON.
    pub async fn with(change: impl FnOnce(&mut IngestConfig), tenants: &str) -> Self {
        let mut config = IngestConfig {
            grpc_address: ([127, 0, 0, 1], 0).into(),
            http_address: ([127, 0, 0, 1], 0).into(),
            ..IngestConfig::default()
        };
        change(&mut config);
        let tenants: TenantsConfig = serde_json::from_str(tenants).unwrap();
        let journal = Arc::new(ObedientJournal::default());
        let metrics = Arc::new(IngestMetrics::new());
        let ingest =
            Ingest::bind(&config, &tenants, Arc::clone(&journal) as _, Arc::clone(&metrics)).await.unwrap();
        let (grpc, http) = (ingest.grpc_address().unwrap(), ingest.http_address().unwrap());
        let shutdown = CancellationToken::new();
        let ended = tokio::spawn(ingest.run(shutdown.clone()));
        Self { grpc, http, journal, metrics, shutdown, ended }
    }

    /// A good request is still taken over both transports, and the journal holds exactly `kept`, which must be
    /// what was acknowledged, and no byte is still counted as in flight.
    pub async fn unharmed(&self, mut kept: Vec<String>) {
        let over_grpc = export(self.grpc, LOGS, &logs(&["still there over gRPC"])).await;
        assert_eq!(over_grpc.code, 0, "{over_grpc:?}");
        let over_http = post(self.http, "/v1/logs", PROTOBUF, logs(&["still there over HTTP"])).await;
        assert_eq!(over_http.status, 200, "{over_http:?}");
        kept.extend(["still there over gRPC".to_owned(), "still there over HTTP".to_owned()]);
        let mut found = self.journal.log_bodies();
        found.sort();
        kept.sort();
        assert_eq!(found, kept);
        eventually("no byte in flight", || self.metrics.snapshot().in_flight_bytes == 0).await;
    }

    pub fn refused(&self, reason: foreshock_ingest::Reason) -> u64 {
        self.metrics.snapshot().refused.iter().find(|(known, _)| *known == reason).unwrap().1
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.ended).await.expect("ends in time").unwrap().unwrap();
    }
}

/// Waits for a condition.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
