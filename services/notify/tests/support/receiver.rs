//! A webhook receiver on a port of its own, that answers as the test says and keeps what it was sent.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub headers: HeaderMap,
    pub text: String,
    pub body: serde_json::Value,
    pub at: std::time::Instant,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap()
    }

    pub fn revision(&self) -> u64 {
        self.body["revision"].as_u64().unwrap()
    }
}

type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;
type Script = dyn Fn(usize, &Request) -> Answer + Send + Sync;

#[derive(Clone)]
struct Kept {
    requests: Arc<Mutex<Vec<Request>>>,
    grown: watch::Sender<usize>,
    script: Arc<Script>,
}

pub struct Receiver {
    pub address: SocketAddr,
    kept: Kept,
    server: JoinHandle<()>,
}

impl Receiver {
    /// `script` is given the request's number from 0 and the request.
    pub async fn start(script: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Self {
        let kept = Kept { requests: Arc::default(), grown: watch::Sender::new(0), script: Arc::new(script) };
        let router = Router::new().fallback(take).with_state(kept.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, kept, server }
    }

    /// Takes everything.
    pub async fn agreeable() -> Self {
        Self::start(|_, _| answer(200)).await
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.kept.requests.lock().unwrap().clone()
    }

    /// Waits until what was received fits; panics with it after 20 s.
    pub async fn until(&self, what: &str, fits: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        let mut grown = self.kept.grown.subscribe();
        let reached = timeout(Duration::from_secs(20), async {
            loop {
                grown.mark_unchanged();
                let requests = self.requests();
                if fits(&requests) {
                    return requests;
                }
                grown.changed().await.unwrap();
            }
        });
        reached.await.unwrap_or_else(|_| panic!("{what} did not come; received: {:#?}", self.requests()))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(kept): State<Kept>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request = Request {
        path: uri.path().to_owned(),
        headers,
        text: String::from_utf8(body.to_vec()).unwrap(),
        body: serde_json::from_slice(&body).unwrap(),
        at: std::time::Instant::now(),
    };
    let number = {
        let mut requests = kept.requests.lock().unwrap();
        requests.push(request.clone());
        requests.len() - 1
    };
    kept.grown.send_modify(|count| *count += 1);
    (kept.script)(number, &request).await
}

pub fn answer(status: u16) -> Answer {
    Box::pin(async move { StatusCode::from_u16(status).unwrap().into_response() })
}

pub fn answer_with(status: u16, name: &'static str, value: String) -> Answer {
    Box::pin(async move { (StatusCode::from_u16(status).unwrap(), [(name, value)], "no").into_response() })
}

/// An answer that never comes.
pub fn silence() -> Answer {
    Box::pin(std::future::pending())
}
