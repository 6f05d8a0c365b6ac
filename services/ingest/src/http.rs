//! OTLP/HTTP: POST to /v1/logs, /v1/metrics and /v1/traces, in protobuf or JSON, answered in kind.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use foreshock_otlp::{Signal, response, response_json};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::{
    body::Arriving,
    compression::{ENCODINGS, Encoding},
    metrics::Transport,
    read_ahead::ReadAhead,
    receiver::{Outcome, Receiver},
    refusal::{Reason, Refusal},
};

/// Answers what comes to the HTTP port.
#[derive(Clone)]
pub(crate) struct HttpService {
    pub(crate) receiver: Arc<Receiver>,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

impl HttpService {
    pub(crate) async fn answer(
        self,
        request: Request<Incoming>,
        read_ahead: Arc<ReadAhead>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let format = format_of(request.headers());
        // An error is told in protobuf where the request's own encoding is not one of ours.
        let spoken = format.unwrap_or(Format::Protobuf);
        let Some(signal) = signal_of(request.uri().path()) else {
            let refusal = Refusal::for_good(
                Reason::Unsupported,
                "nothing is here; send to /v1/logs, /v1/metrics or /v1/traces",
            );
            return Ok(self.refused(&refusal, StatusCode::NOT_FOUND, spoken));
        };
        if request.method() != Method::POST {
            let refusal = Refusal::for_good(Reason::Unsupported, "use POST");
            let mut response = self.refused(&refusal, StatusCode::METHOD_NOT_ALLOWED, spoken);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return Ok(response);
        }
        Ok(match self.export(signal, format, request, &read_ahead).await {
            Ok(outcome) => {
                let body = match spoken {
                    Format::Protobuf => response(outcome.rejected, &outcome.reasons),
                    Format::Json => response_json(signal, outcome.rejected, &outcome.reasons),
                };
                write(StatusCode::OK, spoken, body)
            }
            Err(refusal) => self.refused(&refusal, refusal.http_status(), spoken),
        })
    }

    async fn export(
        &self,
        signal: Signal,
        format: Option<Format>,
        request: Request<Incoming>,
        read_ahead: &ReadAhead,
    ) -> Result<Outcome, Refusal> {
        let (head, body) = request.into_parts();
        let receiver = &self.receiver;
        let mut admission = receiver.admit(&head.headers)?;
        let format = format.ok_or_else(|| {
            Refusal::for_good(
                Reason::Unsupported,
                "send content-type application/x-protobuf or application/json",
            )
        })?;
        let encoding = encoding_of(&head.headers)?;
        let announced =
            head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let limit = admission.rules.max_request_bytes;
        let body = Arriving::new(body, receiver.pace, limit, &mut admission.reservation, read_ahead)
            .whole(announced)
            .await?;
        let body = receiver.decompress(&mut admission, encoding, body).await?;
        let (transport, body) = match format {
            Format::Protobuf => (Transport::HttpProtobuf, body),
            Format::Json => (Transport::HttpJson, receiver.read_json(signal, &mut admission, body).await?),
        };
        receiver.accept(signal, transport, admission, body).await
    }

    fn refused(&self, refusal: &Refusal, status: StatusCode, format: Format) -> Response<Full<Bytes>> {
        self.receiver.count(refusal);
        let body = match format {
            Format::Protobuf => refusal.protobuf(),
            Format::Json => refusal.json(),
        };
        let mut response = write(status, format, body);
        if let Some(seconds) = refusal.retry_after_seconds() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn write(status: StatusCode, format: Format, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let content_type = match format {
        Format::Protobuf => "application/x-protobuf",
        Format::Json => "application/json",
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn signal_of(path: &str) -> Option<Signal> {
    match path {
        "/v1/logs" => Some(Signal::Logs),
        "/v1/metrics" => Some(Signal::Metrics),
        "/v1/traces" => Some(Signal::Traces),
        _ => None,
    }
}

fn format_of(headers: &HeaderMap) -> Option<Format> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-protobuf") {
        Some(Format::Protobuf)
    } else if essence.eq_ignore_ascii_case("application/json") {
        Some(Format::Json)
    } else {
        None
    }
}

fn encoding_of(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let Some(name) = headers.get(CONTENT_ENCODING) else { return Ok(Encoding::Identity) };
    Encoding::parse(name.as_bytes()).ok_or_else(|| {
        Refusal::for_good(
            Reason::Unsupported,
            format!("content-encoding {name:?} is not spoken here; use one of {ENCODINGS}"),
        )
    })
}
