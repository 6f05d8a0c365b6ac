//! What can't be read, what is too much, and single bad records: the right status, nothing acknowledged that is
//! not kept, the server unharmed.

use std::iter;

use foreshock_ingest::Reason;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{RngSeed, TestRunner},
};
use prost::{Message, encoding::encode_varint};

use crate::harness::*;

const INVALID_ARGUMENT: i32 = 3;
const RESOURCE_EXHAUSTED: i32 = 8;

/// The message is refused for good over gRPC (`code`) and over HTTP (`status`), without advice to send it again.
async fn refused_for_good(server: &Server, message: &[u8], code: i32, status: u16) {
    let answer = export(server.grpc, LOGS, message).await;
    assert_eq!((answer.code, answer.retry), (code, None), "{answer:?}");
    assert!(!answer.message.is_empty());
    let answer = post(server.http, "/v1/logs", PROTOBUF, message.to_vec()).await;
    assert_eq!(answer.status, status, "{answer:?}");
    let (inner, text, retry) = answer.rpc_status();
    assert_eq!((inner, retry), (code, None));
    assert!(!text.is_empty());
    assert_eq!(answer.header("retry-after"), "");
}

/// Of the message's records `rejected` are refused, over both transports; the rest is kept.
async fn partly_refused(server: &Server, message: &[u8], rejected: i64, why: &str) {
    let answer = export(server.grpc, LOGS, message).await;
    assert_eq!(answer.code, 0, "{answer:?}");
    let over_http = post(server.http, "/v1/logs", PROTOBUF, message.to_vec()).await;
    assert_eq!(over_http.status, 200, "{over_http:?}");
    for (count, text) in [answer.partial_success().unwrap(), partial_success(&over_http.body).unwrap()] {
        assert_eq!(count, rejected, "{text}");
        assert!(text.to_lowercase().contains(why), "{text:?} should name {why:?}");
    }
}

fn twice(bodies: &[&str]) -> Vec<String> {
    bodies.iter().chain(bodies).map(|body| (*body).to_owned()).collect()
}

/// A length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

/// A request of one resource with the bytes of these log records.
fn raw_request(log_records: &[Vec<u8>]) -> Vec<u8> {
    let scope: Vec<u8> = log_records.iter().flat_map(|record| field(2, record)).collect();
    field(1, &field(2, &scope))
}

#[tokio::test]
async fn a_truncated_request_is_unreadable_at_every_cut_or_holds_what_it_says() {
    let server = Server::start().await;
    let message = logs(&["one", "two"]);
    for cut in 1..message.len() {
        refused_for_good(&server, &message[..cut], INVALID_ARGUMENT, 400).await;
    }
    assert_eq!(server.refused(Reason::Unreadable), 2 * (message.len() as u64 - 1));
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn random_bytes_are_refused_or_kept_as_counted() {
    let server = Server::start().await;
    let config = ProptestConfig { rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let noise = prop::collection::vec(any::<u8>(), 0..400);
    for _ in 0..150 {
        let bytes = noise.new_tree(&mut runner).unwrap().current();
        let answer = export(server.grpc, LOGS, &bytes).await;
        assert!(matches!(answer.code, 0 | INVALID_ARGUMENT), "{answer:?}");
        let answer = post(server.http, "/v1/logs", PROTOBUF, bytes).await;
        assert!(matches!(answer.status, 200 | 400), "{answer:?}");
    }
    let acknowledged: u64 =
        server.metrics.snapshot().traffic.iter().map(|row| row.2.acknowledged_records).sum();
    assert_eq!(server.journal.records(), acknowledged);
    let kept = server.journal.log_bodies();
    server.unharmed(kept).await;
}

#[tokio::test]
async fn a_length_that_lies_is_unreadable() {
    let server = Server::start().await;
    let mut lies = logs(&["one"]);
    lies[1] += 1;
    refused_for_good(&server, &lies, INVALID_ARGUMENT, 400).await;
    // Nearly 2^64 bytes are said to follow.
    let mut huge = vec![0x0a];
    encode_varint(u64::MAX - 1, &mut huge);
    refused_for_good(&server, &huge, INVALID_ARGUMENT, 400).await;
    // The gRPC frame says more, or less, than there is.
    let message = logs(&["one"]);
    for said in [message.len() + 1, message.len() - 1, 0] {
        let mut bytes = framed(false, &message).to_vec();
        bytes[1..5].copy_from_slice(&u32::try_from(said).unwrap().to_be_bytes());
        let answer = call(server.grpc, LOGS, &[], whole(bytes)).await;
        assert_eq!(answer.code, INVALID_ARGUMENT, "{said}: {answer:?}");
    }
    for bytes in [&b""[..], b"\0", b"\0\0\0\0", b"\x02\0\0\0\0", b"\x01\0\0\0\0"] {
        let answer = call(server.grpc, LOGS, &[], whole(bytes)).await;
        assert_eq!(answer.code, INVALID_ARGUMENT, "{bytes:?}: {answer:?}");
    }
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn ten_thousand_levels_of_nesting_cost_one_record() {
    let server = Server::start().await;
    let deepest = text("deep").encode_to_vec();
    // AnyValue.array_value = 5, ArrayValue.values = 1.
    let nested = (0..10_000).fold(deepest, |inner, _| field(5, &field(1, &inner)));
    let deep = field(5, &nested);
    let message = raw_request(&[record("before").encode_to_vec(), deep, record("after").encode_to_vec()]);
    partly_refused(&server, &message, 1, "deep").await;
    server.unharmed(twice(&["before", "after"])).await;
}

#[tokio::test]
async fn invalid_utf8_costs_one_record() {
    let server = Server::start().await;
    let bad = field(5, &field(1, b"caf\xe9"));
    let message = raw_request(&[record("before").encode_to_vec(), bad, record("after").encode_to_vec()]);
    partly_refused(&server, &message, 1, "utf-8").await;
    server.unharmed(twice(&["before", "after"])).await;
}

#[tokio::test]
async fn absurd_times_cost_their_records_and_no_time_is_no_fault() {
    let server = Server::start().await;
    let at = |time_unix_nano, body| LogRecord { time_unix_nano, ..record(body) };
    // 1900 comes from clients that cast a negative number of nanoseconds.
    let year_1900 = (-2_208_988_800_000_000_000_i64).cast_unsigned();
    let year_2200 = 7_258_118_400_000_000_000;
    let message = request(vec![records(
        "cart",
        vec![at(0, "none"), at(year_1900, "1900"), at(now_ns(), "now"), at(year_2200, "2200")],
    )]);
    partly_refused(&server, &message, 2, "time").await;
    server.unharmed(twice(&["none", "now"])).await;
}

#[tokio::test]
async fn empty_requests_succeed_and_keep_nothing() {
    let server = Server::start().await;
    let no_scope = request(vec![records("cart", Vec::new())]);
    for message in [&[][..], &no_scope] {
        for method in [LOGS, METRICS, TRACES] {
            let answer = export(server.grpc, method, message).await;
            assert_eq!((answer.code, answer.partial_success()), (0, None), "{answer:?}");
        }
        for path in ["/v1/logs", "/v1/metrics", "/v1/traces"] {
            let answer = post(server.http, path, PROTOBUF, message.to_vec()).await;
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
        }
    }
    assert_eq!(server.journal.batches(), 0);
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn a_record_above_the_record_limit_costs_itself() {
    let server = Server::start().await;
    let message = logs(&["before", &"x".repeat((1 << 20) + 1), "after"]);
    partly_refused(&server, &message, 1, "bytes").await;
    server.unharmed(twice(&["before", "after"])).await;
}

#[tokio::test]
async fn a_record_above_the_journals_largest_entry_costs_itself() {
    let server = Server::start().await;
    server.journal.limit_entries(10_000);
    let message = logs(&["before", &"x".repeat(10_000), "after"]);
    partly_refused(&server, &message, 1, "above the journal's limit of 10000 bytes for one record").await;
    server.unharmed(twice(&["before", "after"])).await;
}

#[tokio::test]
async fn a_request_of_65_mebibytes_is_too_large_in_every_encoding() {
    let server = Server::start().await;
    let line = "x".repeat(1 << 20 >> 1);
    let message = logs(&vec![line.as_str(); 130]);
    assert!(message.len() > 65 << 20);
    refused_for_good(&server, &message, RESOURCE_EXHAUSTED, 413).await;
    for (encoding, packed) in [("gzip", gzip(&message)), ("zstd", zstd(&message))] {
        too_large_packed(&server, encoding, packed).await;
    }
    // Without a length there is only what comes.
    let (feed, body) = fed();
    let sending = tokio::spawn(async move {
        for chunk in message.chunks(1 << 20) {
            if feed.send(chunk.to_vec().into()).await.is_err() {
                break;
            }
        }
    });
    let answer = send(server.http, "/v1/logs", &[("content-type", PROTOBUF)], body).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    sending.await.unwrap();
    server.unharmed(Vec::new()).await;
}

async fn too_large_packed(server: &Server, encoding: &str, packed: Vec<u8>) {
    let frame = whole(framed(true, &packed));
    let answer = call(server.grpc, LOGS, &[("grpc-encoding", encoding)], frame).await;
    assert_eq!((answer.code, answer.retry), (RESOURCE_EXHAUSTED, None), "{answer:?}");
    let headers = [("content-type", PROTOBUF), ("content-encoding", encoding)];
    let answer = send(server.http, "/v1/logs", &headers, whole(packed)).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(answer.rpc_status().0, RESOURCE_EXHAUSTED);
}

#[tokio::test]
async fn a_gibibyte_from_a_mebibyte_is_too_large() {
    let server = Server::start().await;
    let zeros = vec![0; 16 << 20];
    let gzip_bomb = gzip_best(&zeros).repeat(64);
    let zstd_bomb = zstd(&zeros).repeat(64);
    assert!(gzip_bomb.len() < 3 << 19 && zstd_bomb.len() < 1 << 20);
    too_large_packed(&server, "gzip", gzip_bomb).await;
    too_large_packed(&server, "zstd", zstd_bomb).await;
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn broken_compression_is_unreadable_and_unknown_compression_unsupported() {
    let server = Server::start().await;
    let packed = gzip(&logs(&["one"]));
    for (encoding, body) in [("gzip", &packed[..packed.len() - 3]), ("gzip", b"plain"), ("zstd", &packed[..])]
    {
        let answer = call(server.grpc, LOGS, &[("grpc-encoding", encoding)], whole(framed(true, body))).await;
        assert_eq!(answer.code, INVALID_ARGUMENT, "{answer:?}");
        let headers = [("content-type", PROTOBUF), ("content-encoding", encoding)];
        let answer = send(server.http, "/v1/logs", &headers, whole(body.to_vec())).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let answer = call(server.grpc, LOGS, &[("grpc-encoding", "snappy")], whole(framed(true, &packed))).await;
    assert_eq!(answer.code, 12, "{answer:?}");
    let headers = [("content-type", PROTOBUF), ("content-encoding", "br")];
    let answer = send(server.http, "/v1/logs", &headers, whole(packed)).await;
    assert_eq!(answer.status, 415, "{answer:?}");
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn a_wrong_content_type_method_or_path_is_told_so() {
    let server = Server::start().await;
    let message = logs(&["one"]);
    for content_type in ["text/plain", "application/grpc", "application/protobuf-x", ""] {
        let answer = post(server.http, "/v1/logs", content_type, message.clone()).await;
        assert_eq!(answer.status, 415, "{content_type}: {answer:?}");
        assert!(!answer.rpc_status().1.is_empty());
    }
    let answer = send(server.http, "/v1/logs", &[], whole(message.clone())).await;
    assert_eq!(answer.status, 415, "{answer:?}");
    assert_eq!(post(server.http, "/v1/profiles", PROTOBUF, message.clone()).await.status, 404);
    let mut get = http_request("/v1/logs", &[], whole(""));
    *get.method_mut() = http::Method::GET;
    let answer = http1(connect(server.http).await, get).await.unwrap();
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));

    let mut request = grpc_request(LOGS, &[], whole(framed(false, &message)));
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    let answer = read_grpc(http2(connect(server.grpc).await, request).await.unwrap()).await;
    assert_eq!(answer.http_status, 415, "{answer:?}");
    let unknown = call(server.grpc, "/some.Service/Method", &[], whole(framed(false, &message))).await;
    assert_eq!(unknown.code, 12, "{unknown:?}");
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn ids_of_wrong_length_cost_their_records() {
    let server = Server::start().await;
    let traced = |trace_id: Vec<u8>, span_id: Vec<u8>, body| LogRecord { trace_id, span_id, ..record(body) };
    let message = request(vec![records(
        "cart",
        vec![
            traced(vec![1; 16], vec![1; 8], "right"),
            traced(vec![1; 15], vec![1; 8], "short trace"),
            traced(vec![1; 16], vec![1; 9], "long span"),
            traced(Vec::new(), Vec::new(), "none"),
        ],
    )]);
    partly_refused(&server, &message, 2, "id").await;
    let answer = export(server.grpc, TRACES, &spans(&[&[1; 16], &[1; 4]])).await;
    assert_eq!(answer.partial_success().unwrap().0, 1);
    server.unharmed(twice(&["right", "none"])).await;
}

#[tokio::test]
async fn values_that_are_no_numbers_are_kept_as_they_are() {
    let server = Server::start().await;
    let message = gauge(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5]);
    let answer = export(server.grpc, METRICS, &message).await;
    assert_eq!((answer.code, answer.partial_success()), (0, None), "{answer:?}");
    assert_eq!(server.journal.entries()[0].1.payload.clone().into_bytes(), message);
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    let server = Server::start().await;
    let long = "x".repeat(1 << 20);
    let request = http_request("/v1/logs", &[("content-type", PROTOBUF), ("x-long", &long)], whole(""));
    match http1(connect(server.http).await, request).await {
        Ok(answer) => assert_eq!(answer.status, 431, "{answer:?}"),
        Err(closed) => assert!(!closed.is_parse(), "{closed}"),
    }
    let many: String = iter::repeat_n("a", 60_000).collect();
    let request = grpc_request(LOGS, &[("x-long", &many)], whole(framed(false, &logs(&["one"]))));
    match http2(connect(server.grpc).await, request).await {
        Ok(response) => assert_eq!(response.status(), 431),
        Err(reset) => assert!(!reset.is_timeout(), "{reset}"),
    }
    server.unharmed(Vec::new()).await;
}
