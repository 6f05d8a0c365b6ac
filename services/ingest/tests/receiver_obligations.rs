//! What OTLP asks of any receiver, tested from outside: these tests know an address and nothing else.
//!
//! `OTLP_RECEIVER=HOST:GRPC_PORT,HTTP_PORT` tests another receiver; it must accept requests without a token, up
//! to 64 MiB. `OTLP_RECEIVER_THROTTLED`, of the same form, is one that refuses everything for now. Without them
//! receivers of our own are started.

#![allow(clippy::unwrap_used)]

mod harness;

use std::{env, net::SocketAddr};

use foreshock_ingest::IngestConfig;
use harness::*;
use serde_json::{Value, json};
use tokio::net::lookup_host;

const INVALID_ARGUMENT: i32 = 3;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNAVAILABLE: i32 = 14;

/// A receiver of which only the addresses are known.
struct Receiver {
    grpc: SocketAddr,
    http: SocketAddr,
    /// Where it is our own.
    own: Option<Server>,
}

impl Receiver {
    async fn accepting() -> Self {
        match addresses("OTLP_RECEIVER").await {
            Some((grpc, http)) => Self { grpc, http, own: None },
            None => Self::own(|_| {}).await,
        }
    }

    /// One that refuses for now; `None`, said aloud, where another receiver is tested and none was given.
    async fn throttled() -> Option<Self> {
        if let Some((grpc, http)) = addresses("OTLP_RECEIVER_THROTTLED").await {
            return Some(Self { grpc, http, own: None });
        }
        if env::var_os("OTLP_RECEIVER").is_some() {
            eprintln!(
                "SKIPPED: set OTLP_RECEIVER_THROTTLED=HOST:GRPC_PORT,HTTP_PORT to test what throttling says"
            );
            return None;
        }
        let receiver = Self::own(|_| {}).await;
        receiver.own.as_ref().unwrap().journal.be(Mood::Overloaded);
        Some(receiver)
    }

    async fn own(change: impl FnOnce(&mut IngestConfig)) -> Self {
        let server = Server::with(change, "{}").await;
        Self { grpc: server.grpc, http: server.http, own: Some(server) }
    }

    /// What our own one keeps is what it acknowledged.
    fn kept(&self, records: u64) {
        if let Some(server) = &self.own {
            assert_eq!(server.journal.records(), records);
        }
    }
}

async fn addresses(variable: &str) -> Option<(SocketAddr, SocketAddr)> {
    let text = env::var(variable).ok()?;
    let form = || panic!("{variable}={text:?} is not HOST:GRPC_PORT,HTTP_PORT");
    let (Some((grpc, http_port)), Some((host, _))) = (text.split_once(','), text.rsplit_once(':')) else {
        form()
    };
    let mut found = Vec::new();
    for address in [grpc.to_owned(), format!("{host}:{http_port}")] {
        found.push(lookup_host(&address).await.unwrap_or_else(|_| form()).next().unwrap_or_else(|| form()));
    }
    Some((found[0], found[1]))
}

fn signals() -> [(&'static str, &'static str, Vec<u8>); 3] {
    [
        (LOGS, "/v1/logs", logs(&["one"])),
        (METRICS, "/v1/metrics", gauge(&[1.0])),
        (TRACES, "/v1/traces", spans(&[&[1; 16]])),
    ]
}

/// One log line in JSON as the specification writes it, with fields no version knows and both ways to write a
/// 64-bit number.
fn json_logs(line: &str, time: Value) -> Value {
    json!({ "resourceLogs": [{
        "fieldOfTomorrow": { "deep": [1, 2, { "er": null }] },
        "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "cart" } }] },
        "scopeLogs": [{
            "scope": { "name": "test" },
            "logRecords": [{
                "timeUnixNano": time,
                "severityNumber": 9,
                "severityText": "INFO",
                "traceId": "5B8EFFF798038103D269B633813FC60C",
                "spanId": "eee19b7ec3c1b174",
                "body": { "stringValue": line },
                "attributes": [{ "key": "n", "value": { "intValue": "42" } }, { "key": "m", "value": { "intValue": 7 } }],
                "unknown": "field"
            }]
        }]
    }]})
}

#[tokio::test]
async fn full_success_over_grpc_leaves_partial_success_unset() {
    let receiver = Receiver::accepting().await;
    for (method, _, body) in signals() {
        for message in [&body[..], &[]] {
            let answer = export(receiver.grpc, method, message).await;
            assert_eq!(
                (answer.http_status, answer.code, answer.partial_success()),
                (200, 0, None),
                "{answer:?}"
            );
        }
    }
    receiver.kept(3);
}

#[tokio::test]
async fn full_success_over_http_is_answered_in_kind_and_leaves_partial_success_unset() {
    let receiver = Receiver::accepting().await;
    for (_, path, body) in signals() {
        for message in [body, Vec::new()] {
            let answer = post(receiver.http, path, PROTOBUF, message).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, PROTOBUF), "{answer:?}");
            assert_eq!(partial_success(&answer.body), None);
        }
        let answer = post(receiver.http, path, JSON, "{}").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, JSON), "{answer:?}");
        let response: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(response.get("partialSuccess"), None);
    }
    receiver.kept(3);
}

#[tokio::test]
async fn json_is_read_with_unknown_fields_and_numbers_of_either_form() {
    let receiver = Receiver::accepting().await;
    let times = [json!(now_ns()), json!(now_ns().to_string()), Value::Null];
    for (n, time) in times.into_iter().enumerate() {
        let body = json_logs(&n.to_string(), time).to_string();
        for content_type in [JSON, "application/json; charset=utf-8"] {
            let answer = post(receiver.http, "/v1/logs", content_type, body.clone()).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, JSON), "{answer:?}");
            let response: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(response.get("partialSuccess"), None, "{response}");
        }
    }
    receiver.kept(6);
    if let Some(server) = &receiver.own {
        assert_eq!(server.journal.log_bodies(), ["0", "0", "1", "1", "2", "2"]);
        let first = server.journal.entries()[0].1.payload.clone().into_bytes();
        let trace_id =
            [0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c];
        assert!(first.windows(16).any(|window| window == trace_id), "ids are hexadecimal");
    }
}

#[tokio::test]
async fn gzip_is_understood_over_both_transports() {
    let receiver = Receiver::accepting().await;
    for (method, path, body) in signals() {
        let packed = gzip(&body);
        let answer =
            call(receiver.grpc, method, &[("grpc-encoding", "gzip")], whole(framed(true, &packed))).await;
        assert_eq!(answer.code, 0, "{answer:?}");
        let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
        assert_eq!(send(receiver.http, path, &headers, whole(packed)).await.status, 200);
    }
    let headers = [("content-type", JSON), ("content-encoding", "gzip")];
    let packed = gzip(json_logs("packed", json!(now_ns())).to_string().as_bytes());
    assert_eq!(send(receiver.http, "/v1/logs", &headers, whole(packed)).await.status, 200);
    receiver.kept(7);
}

#[tokio::test]
async fn what_can_not_be_read_is_bad_data_in_the_encoding_it_came_in_and_is_not_to_be_sent_again() {
    let receiver = Receiver::accepting().await;
    let cut = logs(&["cut short"]);
    let cut = &cut[..cut.len() - 4];
    let answer = export(receiver.grpc, LOGS, cut).await;
    assert_eq!((answer.code, answer.retry), (INVALID_ARGUMENT, None), "{answer:?}");
    let answers = [
        (PROTOBUF, post(receiver.http, "/v1/logs", PROTOBUF, cut.to_vec()).await),
        (JSON, post(receiver.http, "/v1/logs", JSON, r#"{"resourceLogs": [{"#).await),
        (JSON, post(receiver.http, "/v1/logs", JSON, r#"{"resourceLogs": 7}"#).await),
    ];
    for (kind, answer) in answers {
        assert_eq!((answer.status, answer.header("content-type")), (400, kind), "{answer:?}");
        assert_eq!(answer.header("retry-after"), "");
        let (_, message, retry) = answer.rpc_status();
        assert!(!message.is_empty() && retry.is_none(), "{message} {retry:?}");
    }
    receiver.kept(0);
}

#[tokio::test]
async fn the_size_limit_holds_before_and_after_decompression_and_too_much_is_not_to_be_sent_again() {
    let receiver = Receiver::accepting().await;
    let line = "x".repeat(1 << 19);
    let message = logs(&vec![line.as_str(); 140]);
    assert!(message.len() > 65 << 20);
    let packed = gzip(&message);
    let frames =
        [(vec![], framed(false, &message)), (vec![("grpc-encoding", "gzip")], framed(true, &packed))];
    for (headers, frame) in frames {
        let answer = call(receiver.grpc, LOGS, &headers, whole(frame)).await;
        assert_eq!((answer.code, answer.retry), (RESOURCE_EXHAUSTED, None), "{answer:?}");
    }
    let kind = ("content-type", PROTOBUF);
    let answers = [
        send(receiver.http, "/v1/logs", &[kind], whole(message)).await,
        send(receiver.http, "/v1/logs", &[kind, ("content-encoding", "gzip")], whole(packed)).await,
    ];
    for answer in answers {
        assert_eq!((answer.status, answer.header("retry-after")), (413, ""), "{answer:?}");
        assert_eq!(answer.rpc_status().2, None);
    }
    receiver.kept(0);
}

#[tokio::test]
async fn a_request_just_within_the_size_limit_is_taken() {
    let receiver = Receiver::accepting().await;
    let line = "x".repeat(1 << 19);
    let message = logs(&vec![line.as_str(); 120]);
    assert!((59 << 20..64 << 20).contains(&message.len()));
    let answer = export(receiver.grpc, LOGS, &message).await;
    assert_eq!((answer.code, answer.partial_success()), (0, None), "{answer:?}");
    assert_eq!(post(receiver.http, "/v1/logs", PROTOBUF, message).await.status, 200);
    receiver.kept(240);
}

#[tokio::test]
async fn throttling_says_when_to_come_back() {
    let Some(receiver) = Receiver::throttled().await else { return };
    for (method, path, body) in signals() {
        let answer = export(receiver.grpc, method, &body).await;
        assert_eq!(answer.code, UNAVAILABLE, "{answer:?}");
        assert!(answer.retry.is_some_and(|seconds| seconds >= 0.0), "RetryInfo: {answer:?}");
        let answer = post(receiver.http, path, PROTOBUF, body).await;
        assert!(matches!(answer.status, 429 | 503), "{answer:?}");
        assert!(answer.header("retry-after").parse::<u64>().is_ok(), "{answer:?}");
        assert_eq!(answer.header("content-type"), PROTOBUF);
        assert!(!answer.rpc_status().1.is_empty());
    }
    let body = json_logs("one", json!(now_ns())).to_string();
    let answer = post(receiver.http, "/v1/logs", JSON, body).await;
    assert!(matches!(answer.status, 429 | 503), "{answer:?}");
    assert_eq!(answer.header("content-type"), JSON);
    assert!(!answer.rpc_status().1.is_empty());
    receiver.kept(0);
}

#[tokio::test]
async fn a_wrong_content_type_or_path_is_refused() {
    let receiver = Receiver::accepting().await;
    let answer = post(receiver.http, "/v1/logs", "text/plain", logs(&["one"])).await;
    assert_eq!(answer.status, 415, "{answer:?}");
    assert_eq!(post(receiver.http, "/v1/nothing", PROTOBUF, logs(&["one"])).await.status, 404);
    let answer = call(receiver.grpc, "/no.Such/Method", &[], whole(framed(false, &[]))).await;
    assert_eq!(answer.code, 12, "{answer:?}");
    receiver.kept(0);
}

#[tokio::test]
async fn calls_on_one_connection_are_served_side_by_side() {
    let receiver = Receiver::accepting().await;
    let io = hyper_util::rt::TokioIo::new(connect(receiver.grpc).await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    // The first call sends no body until the others are answered.
    let (feed, body) = fed();
    let mut first = sender.clone();
    let first = tokio::spawn(async move { first.send_request(grpc_request(LOGS, &[], body)).await.unwrap() });
    for n in 0..20 {
        let mut sender = sender.clone();
        let body = whole(framed(false, &logs(&[&n.to_string()])));
        let response = sender.send_request(grpc_request(LOGS, &[], body)).await.unwrap();
        assert_eq!(read_grpc(response).await.code, 0);
    }
    feed.send(framed(false, &logs(&["first"]))).await.unwrap();
    drop(feed);
    assert_eq!(read_grpc(first.await.unwrap()).await.code, 0);
    receiver.kept(21);
}
