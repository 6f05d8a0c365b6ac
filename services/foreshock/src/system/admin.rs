//! /livez, /readyz and /metrics.
//!
//! Ready means that telemetry can be taken: the journal is open and writable. How far detection is behind has no say.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use anyhow::Context;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use foreshock_journal::{Health, Journal};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Figures, exposition};

/// What the pages are made of.
#[derive(Clone)]
pub(super) struct Shown {
    figures: Figures,
    journal: Arc<OnceLock<Arc<dyn Journal>>>,
}

impl Shown {
    /// The journal is open from now on.
    pub(super) fn opened(&self, journal: Arc<dyn Journal>) {
        // Opened once a process; a second one would change nothing.
        let _ = self.journal.set(journal);
    }
}

/// The server, bound.
pub(super) struct Admin {
    listener: TcpListener,
    address: SocketAddr,
    shown: Shown,
}

impl Admin {
    pub(super) async fn bind(address: SocketAddr, figures: Figures) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|source| {
            let said = format!("can't listen on {address}: {source}; free the port or set admin.address");
            anyhow::Error::new(source).context(said)
        })?;
        let address = listener.local_addr().context("the address of the admin pages")?;
        Ok(Self { listener, address, shown: Shown { figures, journal: Arc::default() } })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn state(&self) -> Shown {
        self.shown.clone()
    }

    pub(super) async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let pages = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self.shown);
        tokio::select! {
            served = async { axum::serve(self.listener, pages).await } => served.context("the admin pages ended"),
            () = stop.cancelled() => Ok(()),
        }
    }
}

async fn ready(State(shown): State<Shown>) -> Response {
    let health = shown.journal.get().map_or(Health::Recovering, |journal| journal.health());
    match health {
        Health::Writable => (StatusCode::OK, "ok\n".to_owned()),
        Health::Recovering => (StatusCode::SERVICE_UNAVAILABLE, "the journal recovers\n".to_owned()),
        Health::Unwritable(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
    .into_response()
}

async fn metrics(State(shown): State<Shown>) -> Response {
    let journal = shown.journal.get().cloned();
    // Asking the journal what lies in it may read files.
    let text =
        tokio::task::spawn_blocking(move || exposition::render(&shown.figures, journal.as_deref())).await;
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
