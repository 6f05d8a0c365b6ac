//! Clients that send any bytes at all, on hyper's connections.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

use super::PATIENCE;

pub const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
pub const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
pub const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub const PROTOBUF: &str = "application/x-protobuf";
pub const JSON: &str = "application/json";

pub type AnyBody = BoxBody<Bytes, std::convert::Infallible>;

/// An answer to a gRPC call.
#[derive(Debug)]
pub struct GrpcAnswer {
    pub http_status: u16,
    /// -1 where there is none.
    pub code: i32,
    pub message: String,
    /// Seconds of RetryInfo, where there is one.
    pub retry: Option<f64>,
    /// The message without its five bytes.
    pub body: Option<Bytes>,
}

impl GrpcAnswer {
    /// Rejected records and message of `partial_success`; `None` where that is unset.
    pub fn partial_success(&self) -> Option<(i64, String)> {
        partial_success(self.body.as_ref().expect("a message"))
    }
}

pub fn partial_success(response: &[u8]) -> Option<(i64, String)> {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
    let response = ExportLogsServiceResponse::decode(response).unwrap();
    response.partial_success.map(|partial| (partial.rejected_log_records, partial.error_message))
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct HttpAnswer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl HttpAnswer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Code, message and retry delay of the google.rpc.Status that every error body is.
    pub fn rpc_status(&self) -> (i32, String, Option<f64>) {
        if self.header("content-type") == JSON {
            let status: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
            let delay = status["details"][0]["retryDelay"]
                .as_str()
                .map(|delay| delay.strip_suffix('s').unwrap().parse().unwrap());
            let code = i32::try_from(status["code"].as_i64().unwrap()).unwrap();
            return (code, status["message"].as_str().unwrap().to_owned(), delay);
        }
        assert_eq!(self.header("content-type"), PROTOBUF);
        read_status(&self.body)
    }
}

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

fn read_status(bytes: &[u8]) -> (i32, String, Option<f64>) {
    let status = RpcStatus::decode(bytes).unwrap();
    let info = status.details.iter().find(|any| any.type_url == "type.googleapis.com/google.rpc.RetryInfo");
    let delay = info.and_then(|any| RetryInfo::decode(any.value.as_slice()).unwrap().delay);
    (status.code, status.message, delay.map(|delay| delay.seconds as f64 + f64::from(delay.nanos) / 1e9))
}

/// Five bytes and the message.
pub fn framed(compressed: bool, message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(5 + message.len());
    bytes.put_u8(compressed.into());
    bytes.put_u32(u32::try_from(message.len()).unwrap());
    bytes.put_slice(message);
    bytes.freeze()
}

pub fn whole(bytes: impl Into<Bytes>) -> AnyBody {
    Full::new(bytes.into()).boxed()
}

/// A body that is fed by hand.
pub fn fed() -> (mpsc::Sender<Bytes>, AnyBody) {
    let (feed, frames) = mpsc::channel(1);
    let frames = ReceiverStream::new(frames).map(|bytes| Ok(Frame::data(bytes)));
    (feed, BodyExt::boxed(StreamBody::new(frames)))
}

/// Sends a request over HTTP/2 on a stream of its own.
pub async fn http2<S>(stream: S, request: Request<AnyBody>) -> Result<Response<Incoming>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

/// Sends a request over HTTP/1.1 on a stream of its own.
pub async fn http1<S>(stream: S, request: Request<AnyBody>) -> Result<HttpAnswer, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(HttpAnswer { status: head.status.as_u16(), headers: head.headers, body })
}

pub fn grpc_request(path: &str, headers: &[(&str, &str)], body: AnyBody) -> Request<AnyBody> {
    let mut request = Request::post(format!("http://receiver{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

pub async fn read_grpc(response: Response<Incoming>) -> GrpcAnswer {
    let (head, body) = response.into_parts();
    let collected = body.collect().await.expect("the answer is whole");
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let message = collected.to_bytes();
    let field =
        |name: &str| trailers.get(name).or(head.headers.get(name)).map(|v| v.to_str().unwrap().to_owned());
    let details = field("grpc-status-details-bin").map(|text| decode_base64(&text));
    let status = details.map(|details| read_status(&details));
    let code = field("grpc-status").map_or(-1, |code| code.parse().unwrap());
    if let Some((inner, ..)) = &status {
        assert_eq!(*inner, code, "status and details agree");
    }
    GrpcAnswer {
        http_status: head.status.as_u16(),
        code,
        message: field("grpc-message").unwrap_or_default(),
        retry: status.and_then(|(_, _, delay)| delay),
        body: message.get(5..).map(Bytes::copy_from_slice),
    }
}

/// Standard alphabet, with or without padding.
fn decode_base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').map(digit).collect();
    let bits: Vec<u8> =
        digits.iter().flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)).collect()
}

pub async fn connect(address: SocketAddr) -> TcpStream {
    timeout(PATIENCE, TcpStream::connect(address)).await.expect("connects in time").unwrap()
}

/// A gRPC call with these headers and this body, over a connection of its own.
pub async fn call(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: AnyBody) -> GrpcAnswer {
    let answer = async {
        read_grpc(http2(connect(address).await, grpc_request(path, headers, body)).await.unwrap()).await
    };
    timeout(PATIENCE, answer).await.expect("answers in time")
}

/// Export of a message.
pub async fn export(address: SocketAddr, path: &str, message: &[u8]) -> GrpcAnswer {
    call(address, path, &[], whole(framed(false, message))).await
}

pub fn http_request(path: &str, headers: &[(&str, &str)], body: AnyBody) -> Request<AnyBody> {
    let mut request = Request::post(path).header("host", "receiver");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// A POST with these headers.
pub async fn send(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: AnyBody) -> HttpAnswer {
    let answer = async { http1(connect(address).await, http_request(path, headers, body)).await.unwrap() };
    timeout(PATIENCE, answer).await.expect("answers in time")
}

/// A POST.
pub async fn post(address: SocketAddr, path: &str, content_type: &str, body: impl Into<Bytes>) -> HttpAnswer {
    send(address, path, &[("content-type", content_type)], whole(body)).await
}
