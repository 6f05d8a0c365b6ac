//! One request over gRPC or HTTP, and what was said to it.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use foreshock_shipper::{ClientOptions, OtlpClient, Signal};
use http::{HeaderName, Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Acknowledged, but for that many records.
    Accepted {
        /// Records not kept.
        rejected: u64,
    },
    /// Not acknowledged.
    Refused {
        /// The status: a gRPC code, an HTTP status, or `transport` where no answer came.
        status: String,
        /// When to come again, where the receiver said so (RetryInfo, Retry-After).
        retry_after: Option<Duration>,
    },
}

/// A connection to a receiver.
#[derive(Clone, Debug)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc(OtlpClient),
    /// OTLP/HTTP with protobuf, without TLS.
    Http {
        /// HTTP/1.1, a pool of connections.
        client: Client<HttpConnector, Full<Bytes>>,
        /// Where requests go, without the path.
        to: String,
        /// `Bearer ...`.
        authorization: Option<String>,
        /// How the bodies that are handed over are compressed already: `gzip`.
        encoding: Option<&'static str>,
        /// How long a request may take.
        deadline: Duration,
    },
}

impl Transport {
    /// Over gRPC.
    pub fn grpc(options: &ClientOptions) -> anyhow::Result<Self> {
        Ok(Self::Grpc(OtlpClient::new(options)?))
    }

    /// Over HTTP; of the options the address, token and deadline count. `encoding`: what the bodies are compressed
    /// with already.
    pub fn http(options: &ClientOptions, encoding: Option<&'static str>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self::Http {
            client: Client::builder(TokioExecutor::new()).build(connector),
            to: options.to.trim_end_matches('/').to_owned(),
            authorization: options.token.as_ref().map(|token| format!("Bearer {token}")),
            encoding,
            deadline: options.deadline,
        }
    }

    /// Sends once.
    pub async fn send(&self, signal: Signal, body: Bytes) -> Answer {
        match self {
            Self::Grpc(client) => match client.attempt(signal, body).await {
                Ok(accepted) => Answer::Accepted { rejected: accepted.rejected },
                Err(refusal) => {
                    let status = match refusal.is_transport {
                        true => "transport".to_owned(),
                        false => format!("{:?}", refusal.code),
                    };
                    Answer::Refused { status, retry_after: refusal.retry_after }
                }
            },
            Self::Http { client, to, authorization, encoding, deadline } => {
                let headers = [
                    (header::AUTHORIZATION, authorization.as_deref()),
                    (header::CONTENT_ENCODING, *encoding),
                ];
                let sent = post(client, to, headers, signal, body);
                match tokio::time::timeout(*deadline, sent).await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(_)) | Err(_) => {
                        Answer::Refused { status: "transport".to_owned(), retry_after: None }
                    }
                }
            }
        }
    }
}

async fn post(
    client: &Client<HttpConnector, Full<Bytes>>,
    to: &str,
    headers: [(HeaderName, Option<&str>); 2],
    signal: Signal,
    body: Bytes,
) -> anyhow::Result<Answer> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("{to}{}", signal.http_path()))
        .header(header::CONTENT_TYPE, "application/x-protobuf");
    for (name, value) in headers {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let response = client.request(request.body(Full::new(body))?).await.context("no answer")?;
    let status = response.status();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let body = response.into_body().collect().await?.to_bytes();
    if status.is_success() {
        return Ok(Answer::Accepted { rejected: rejected(&body)? });
    }
    Ok(Answer::Refused { status: status.as_u16().to_string(), retry_after })
}

/// `rejected_*` of an answer: the three kinds of answers look alike on the wire.
fn rejected(body: &[u8]) -> anyhow::Result<u64> {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
    let response: ExportLogsServiceResponse = prost::Message::decode(body)?;
    let partial = response.partial_success.unwrap_or_default();
    Ok(u64::try_from(partial.rejected_log_records).unwrap_or(0))
}
