//! A webhook as an on-call tool would have it: takes incidents, keeps the newest state of each.

use std::net::SocketAddr;

use anyhow::Context;
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use foreshock_model::Incident;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

/// Incidents that wait to be looked at; above it the sender is asked to come again.
const WAITING: usize = 256;

/// A listening receiver. Ends when it is dropped.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    pub(super) incidents: mpsc::Receiver<Incident>,
    server: JoinHandle<()>,
}

impl Receiver {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the demo's webhook can't listen")?;
        let address = listener.local_addr()?;
        let (sender, incidents) = mpsc::channel(WAITING);
        let hook = Router::new().route("/", post(take)).with_state(sender);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, hook).await {
                tracing::error!("the demo's webhook ended: {error}");
            }
        });
        Ok(Self { address, incidents, server })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(sender): State<mpsc::Sender<Incident>>, Json(incident): Json<Incident>) -> StatusCode {
    match sender.try_send(incident) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
