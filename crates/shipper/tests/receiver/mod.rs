//! An OTLP receiver that answers as a test tells it to, on a port of its own.
#![allow(dead_code)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use foreshock_shipper::retry_info_details;
use opentelemetry_proto::tonic::{
    collector::logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
};
use tonic::{
    Code, Request, Response, Status,
    codec::CompressionEncoding,
    transport::{Server, server::TcpIncoming},
};

/// What to say to one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Accept,
    /// Keep all but that many.
    Partly(i64, &'static str),
    Refuse(Code),
    /// Refuse, and say when to come again.
    RefuseFor(Code, Duration),
    Never,
}

/// One line as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrived {
    pub(crate) text: String,
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) resource: Vec<KeyValue>,
    pub(crate) time: u64,
    pub(crate) observed: u64,
}

#[derive(Default)]
struct State {
    script: VecDeque<Answer>,
    /// Refuse requests that hold this line.
    poison: Option<String>,
    requests: Vec<(Instant, Option<String>)>,
    lines: Vec<Arrived>,
}

#[derive(Clone, Default)]
pub(crate) struct Receiver {
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Starts one; it ends with the test's runtime.
    pub(crate) async fn start() -> (Self, String) {
        let receiver = Self::default();
        let url = receiver.listen("127.0.0.1:0").await;
        (receiver, url)
    }

    pub(crate) async fn listen(&self, address: &str) -> String {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = LogsServiceServer::new(self.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd);
        tokio::spawn(Server::builder().serve_with_incoming(service, TcpIncoming::from(listener)));
        url
    }

    pub(crate) fn will(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().script.extend(answers);
    }

    pub(crate) fn refuse_requests_with(&self, line: &str) {
        self.state.lock().unwrap().poison = Some(line.to_owned());
    }

    /// When requests came, and with which authorization.
    pub(crate) fn requests(&self) -> Vec<(Instant, Option<String>)> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Lines of accepted requests.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.state.lock().unwrap().lines.clone()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.arrived().into_iter().map(|line| line.text).collect()
    }

    /// Waits until that many lines have arrived.
    pub(crate) async fn has(&self, lines: usize) {
        wait_until(&format!("{lines} lines"), || self.texts().len() >= lines, || self.texts()).await;
    }
}

/// Waits for a condition, up to 20 s.
pub(crate) async fn wait_until<T: std::fmt::Debug>(
    what: &str,
    is_so: impl Fn() -> bool,
    otherwise: impl Fn() -> T,
) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "{what} did not come to be: {:?}", otherwise());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let authorization =
            request.metadata().get("authorization").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let request = request.into_inner();
        let mut lines = Vec::new();
        for resource in request.resource_logs {
            let attributes = resource.resource.unwrap_or_default().attributes;
            for record in resource.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
                let Some(Value::StringValue(text)) = record.body.and_then(|body| body.value) else {
                    panic!()
                };
                lines.push(Arrived {
                    text,
                    attributes: record.attributes,
                    resource: attributes.clone(),
                    time: record.time_unix_nano,
                    observed: record.observed_time_unix_nano,
                });
            }
        }
        let answer = {
            let mut state = self.state.lock().unwrap();
            state.requests.push((Instant::now(), authorization));
            match &state.poison {
                Some(poison) if lines.iter().any(|line| line.text == *poison) => {
                    Answer::Refuse(Code::InvalidArgument)
                }
                _ => state.script.pop_front().unwrap_or(Answer::Accept),
            }
        };
        let partial_success = match answer {
            Answer::Accept => None,
            Answer::Partly(rejected, message) => Some(ExportLogsPartialSuccess {
                rejected_log_records: rejected,
                error_message: message.to_owned(),
            }),
            Answer::Refuse(code) => return Err(Status::new(code, "as the test says")),
            Answer::RefuseFor(code, delay) => {
                let details = retry_info_details(code, "as the test says", delay);
                return Err(Status::with_details(code, "as the test says", details));
            }
            Answer::Never => std::future::pending().await,
        };
        self.state.lock().unwrap().lines.extend(lines);
        Ok(Response::new(ExportLogsServiceResponse { partial_success }))
    }
}
