//! The receiver as a whole: bind, serve, drain.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use foreshock_journal::Journal;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;

use crate::{
    IngestConfig, IngestError, IngestMetrics, TenantsConfig,
    budget::Budget,
    connection::Protocol,
    discovery::{self, Health, Routes},
    grpc::GrpcService,
    http::HttpService,
    listener::{Listener, Stop},
    receiver::Receiver,
    rules::{Reload, Rules},
    tls,
};

/// A receiver whose ports are bound. Clients may connect; they are served once it runs.
pub struct Ingest {
    grpc: Listener,
    http: Listener,
    receiver: Arc<Receiver>,
    health: Health,
    routes: Routes,
    drain_notice: Duration,
    drain_timeout: Duration,
}

/// Binds and runs a receiver until `shutdown` is cancelled and what was begun has been answered.
pub async fn run(
    config: IngestConfig,
    tenants: TenantsConfig,
    journal: Arc<dyn Journal>,
    shutdown: CancellationToken,
    metrics: Arc<IngestMetrics>,
) -> Result<(), IngestError> {
    Ingest::bind(&config, &tenants, journal, metrics).await?.run(shutdown).await
}

impl Ingest {
    /// Checks the configuration, loads certificates and tokens, and binds both ports.
    pub async fn bind(
        config: &IngestConfig,
        tenants: &TenantsConfig,
        journal: Arc<dyn Journal>,
        metrics: Arc<IngestMetrics>,
    ) -> Result<Self, IngestError> {
        config.check()?;
        let rules = Rules::load(config, tenants, None)
            .map_err(|problems| problems.into_iter().next().expect("what failed has a reason"))?;
        let tls =
            |protocols: &[&[u8]]| config.tls.as_ref().map(|tls| tls::acceptor(tls, protocols)).transpose();
        let read_ahead = Budget::new(config.connections.read_ahead_limit_bytes);
        let listener = |socket, tls| Listener {
            socket,
            tls,
            connections: config.connections.clone(),
            metrics: Arc::clone(&metrics),
            read_ahead: Arc::clone(&read_ahead),
        };
        let grpc = listener(bind(config.grpc_address, "grpc_address").await?, tls(&[b"h2"])?);
        let http = listener(bind(config.http_address, "http_address").await?, tls(&[b"h2", b"http/1.1"])?);
        let receiver = Arc::new(Receiver::new(config, rules, journal, metrics));
        let (health, routes) = discovery::services().await;
        let (drain_notice, drain_timeout) = (config.drain_notice, config.drain_timeout);
        Ok(Self { grpc, http, receiver, health, routes, drain_notice, drain_timeout })
    }

    /// Where OTLP/gRPC is bound.
    pub fn grpc_address(&self) -> Result<SocketAddr, std::io::Error> {
        self.grpc.socket.local_addr()
    }

    /// Where OTLP/HTTP is bound.
    pub fn http_address(&self) -> Result<SocketAddr, std::io::Error> {
        self.http.socket.local_addr()
    }

    /// What changes its rules while it runs.
    pub fn reload(&self) -> Reload {
        Reload { receiver: Arc::clone(&self.receiver) }
    }

    /// Serves until `shutdown` is cancelled, then drains: health first, then new requests are refused, then
    /// those that were begun are answered, then connections end. Takes `drain_notice` and twice
    /// `drain_timeout` at most.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), IngestError> {
        let Self { grpc, http, receiver, mut health, routes, drain_notice, drain_timeout } = self;
        let stop = Stop { gracefully: CancellationToken::new(), at_once: CancellationToken::new() };
        health.set(ServingStatus::Serving).await;
        let drain = async {
            shutdown.cancelled().await;
            health.set(ServingStatus::NotServing).await;
            sleep(drain_notice).await;
            receiver.refuse_new();
            if timeout_at(Instant::now() + drain_timeout, receiver.finished()).await.is_err() {
                tracing::warn!(
                    "requests were still unanswered after ingest.drain_timeout; their senders will send them again"
                );
            }
            health.end().await;
            stop.gracefully.cancel();
            sleep(drain_timeout).await;
            stop.at_once.cancel();
        };
        let ports = async {
            let grpc_service = GrpcService { receiver: Arc::clone(&receiver), routes };
            let http_service = HttpService { receiver: Arc::clone(&receiver) };
            tokio::join!(
                grpc.serve(Protocol::Grpc(grpc_service), stop.clone()),
                http.serve(Protocol::Http(http_service), stop.clone()),
            )
        };
        // The ports end by the drain's word: gracefully, or at its end.
        tokio::pin!(drain, ports);
        tokio::select! {
            _ = &mut ports => {}
            () = &mut drain => {
                ports.await;
            }
        }
        Ok(())
    }
}

async fn bind(address: SocketAddr, key: &'static str) -> Result<TcpListener, IngestError> {
    TcpListener::bind(address).await.map_err(|source| IngestError::Bind { address, key, source })
}
