//! A webhook that notes every incident it is told of, in the order of arrival, and refuses now and then.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// Every so-manieth request is refused, so that retries are part of the run.
const REFUSED_EACH: u64 = 9;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// The incident.
    pub(super) incident: String,
    /// Its revision.
    pub(super) revision: u64,
    /// The incident as it was told.
    pub(super) body: Value,
    /// Whether it was answered with success.
    pub(super) accepted: bool,
}

#[derive(Debug, Default)]
struct Notes {
    told: Vec<Told>,
    requests: u64,
    /// Requests without a key, or with one that is not their body's.
    wrong: u64,
}

/// A listening webhook. Ends when dropped.
pub(super) struct Webhook {
    pub(super) address: SocketAddr,
    notes: Arc<Mutex<Notes>>,
    server: JoinHandle<()>,
}

impl Webhook {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the webhook can't listen")?;
        let address = listener.local_addr()?;
        let notes = Arc::<Mutex<Notes>>::default();
        let server = tokio::spawn(accept(listener, Arc::clone(&notes)));
        Ok(Self { address, notes, server })
    }

    /// What it was told, and the number of requests that were not as they should be.
    pub(super) fn told(&self) -> (Vec<Told>, u64) {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        (notes.told.clone(), notes.wrong)
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, notes: Arc<Mutex<Notes>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let notes = Arc::clone(&notes);
        let service = service_fn(move |request| answer(request, Arc::clone(&notes)));
        // A sender that is killed breaks its connection: that is what the run is about.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    request: Request<Incoming>,
    notes: Arc<Mutex<Notes>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let Ok(body) = request.into_body().collect().await else {
        // Cut off in the middle: nothing was told.
        return Ok(status(StatusCode::BAD_REQUEST));
    };
    let read = read(key.as_deref(), &body.to_bytes());
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    notes.requests += 1;
    let accepted = !notes.requests.is_multiple_of(REFUSED_EACH);
    match read {
        Some((incident, revision, body)) => notes.told.push(Told { incident, revision, body, accepted }),
        None => notes.wrong += 1,
    }
    Ok(status(if accepted { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }))
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// Incident, revision and body, where the key names the incident in the body.
fn read(key: Option<&str>, body: &[u8]) -> Option<(String, u64, Value)> {
    let (incident, revision) = key?.rsplit_once('-')?;
    let told: Value = serde_json::from_slice(body).ok()?;
    (told.get("id")?.as_str()? == incident).then_some(())?;
    Some((incident.to_owned(), revision.parse().ok()?, told))
}
