//! Clients that are slow, silent, deaf, or many.

use std::time::{Duration, Instant};

use bytes::Bytes;
use foreshock_ingest::Reason;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::harness::*;

const UNAVAILABLE: i32 = 14;

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_given_up() {
    let change = |config: &mut foreshock_ingest::IngestConfig| {
        config.connections.body_grace = Duration::from_millis(300);
    };
    let server = Server::with(change, "{}").await;
    let bytes = framed(false, &logs(&["slow"]));
    let trickle = |feed: tokio::sync::mpsc::Sender<Bytes>, bytes: Bytes| async move {
        for byte in bytes {
            // The pace is the point of this test.
            tokio::time::sleep(Duration::from_millis(100)).await;
            if feed.send(vec![byte].into()).await.is_err() {
                return;
            }
        }
    };
    let began = Instant::now();
    let (feed, body) = fed();
    let feeding = tokio::spawn(trickle(feed, bytes.clone()));
    let answer = call(server.grpc, LOGS, &[], body).await;
    assert_eq!((answer.code, answer.retry), (UNAVAILABLE, Some(1.0)), "{answer:?}");
    feeding.await.unwrap();
    let (feed, body) = fed();
    let feeding = tokio::spawn(trickle(feed, bytes));
    let answer = send(server.http, "/v1/logs", &[("content-type", PROTOBUF)], body).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    feeding.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(server.refused(Reason::TooSlow), 2);
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn a_slow_body_that_keeps_its_pace_is_taken() {
    let change = |config: &mut foreshock_ingest::IngestConfig| {
        config.connections.body_grace = Duration::from_millis(1_500);
        config.connections.min_body_bytes_per_second = 10;
    };
    let server = Server::with(change, "{}").await;
    let bytes = framed(false, &logs(&["steady"]));
    let (feed, body) = fed();
    let feeding = tokio::spawn(async move {
        for byte in bytes {
            tokio::time::sleep(Duration::from_millis(30)).await;
            feed.send(vec![byte].into()).await.unwrap();
        }
    });
    assert_eq!(call(server.grpc, LOGS, &[], body).await.code, 0);
    feeding.await.unwrap();
    server.unharmed(vec!["steady".to_owned()]).await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_half_a_header_is_closed() {
    let change = |config: &mut foreshock_ingest::IngestConfig| {
        config.connections.header_timeout = Duration::from_millis(200);
    };
    let server = Server::with(change, "{}").await;
    for address in [server.grpc, server.http] {
        for beginning in
            [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", b"POST /v1/logs HTTP/1.1\r\nhost: x\r\nx-half"]
        {
            let mut stream = connect(address).await;
            stream.write_all(beginning).await.unwrap();
            let mut rest = Vec::new();
            // Closed or reset, with or without a last word.
            let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed in time");
        }
    }
    eventually("all are closed", || server.metrics.snapshot().connections_open == 0).await;
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn an_http2_client_that_stops_in_the_middle_of_a_frame_is_closed() {
    let change = |config: &mut foreshock_ingest::IngestConfig| {
        config.connections.keepalive_interval = Duration::from_millis(200);
        config.connections.keepalive_timeout = Duration::from_millis(200);
    };
    let server = Server::with(change, "{}").await;
    let mut stream = connect(server.grpc).await;
    // Preface, empty SETTINGS, and the beginning of a HEADERS frame of a mebibyte.
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\x0f\0\0\x01\x04\0\0\0\x01half")
        .await
        .unwrap();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed in time");
    eventually("it is closed", || server.metrics.snapshot().connections_open == 0).await;
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn frames_that_never_end_do_not_fill_the_memory() {
    let change = |config: &mut foreshock_ingest::IngestConfig| {
        config.connections.read_ahead_limit_bytes = 1 << 20;
    };
    let server = Server::with(change, "{}").await;
    let mut beginning =
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\x0f\xff\xff\0\0\0\0\0\x01".to_vec();
    beginning.resize(600_000, 0);
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = connect(server.grpc).await;
        // Those that are closed at once may be so while they send.
        let _ = stream.write_all(&beginning).await;
        held.push(stream);
    }
    // Each holds 600 kB, of which 64 KiB are free: one fits beside another's beginning.
    let few = || {
        server.metrics.snapshot().connections_opened == 8 && server.metrics.snapshot().connections_open < 3
    };
    eventually("those that do not fit are closed", few).await;
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed_and_holds_little() {
    let change = |config: &mut foreshock_ingest::IngestConfig| {
        config.connections.write_timeout = Duration::from_millis(300);
    };
    let server = Server::with(change, "{}").await;
    let mut stream = connect(server.http).await;
    // Answers of some 200 bytes each; none is ever read, so the socket's buffers fill.
    let request = b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\nnot json!";
    let many = request.repeat(1_000);
    let sending = async {
        loop {
            if stream.write_all(&many).await.is_err() {
                return;
            }
        }
    };
    timeout(PATIENCE, sending).await.expect("closed in time");
    eventually("it is closed", || server.metrics.snapshot().connections_open == 0).await;
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn an_early_refusal_reaches_a_client_that_sends_everything_first() {
    let server = Server::with(|config| config.limits.max_request_bytes = 1 << 20, "{}").await;
    let mut stream = connect(server.http).await;
    let length = 4 << 20;
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // As simple clients do: the answer is not looked at before the last byte is sent.
    stream.write_all(&vec![0; length]).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("answered in time").unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    server.unharmed(Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_connections_are_served_side_by_side() {
    const CONNECTIONS: usize = 2_000;
    let server = Server::start().await;
    let mut senders = Vec::new();
    for n in 0..CONNECTIONS {
        let stream = connect(server.grpc).await;
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        tokio::spawn(connection);
        senders.push((n, sender));
    }
    let calls: Vec<_> = senders
        .into_iter()
        .map(|(n, mut sender)| {
            tokio::spawn(async move {
                let body = whole(framed(false, &logs(&[&n.to_string()])));
                let response = sender.send_request(grpc_request(LOGS, &[], body)).await.unwrap();
                (read_grpc(response).await.code, sender)
            })
        })
        .collect();
    let mut open = Vec::new();
    for call in calls {
        let (code, sender) = timeout(PATIENCE, call).await.expect("answered in time").unwrap();
        assert_eq!(code, 0);
        open.push(sender);
    }
    assert_eq!(server.metrics.snapshot().connections_open, CONNECTIONS as u64);
    server.unharmed((0..CONNECTIONS).map(|n| n.to_string()).collect()).await;
}

#[tokio::test]
async fn connections_above_the_limit_wait_for_a_place() {
    let server = Server::with(|config| config.connections.max_connections = 2, "{}").await;
    let held: Vec<_> = [connect(server.grpc).await, connect(server.grpc).await].into();
    eventually("both are accepted", || server.metrics.snapshot().connections_open == 2).await;
    let address = server.grpc;
    let third = tokio::spawn(async move { export(address, LOGS, &logs(&["third"])).await });
    // The other port has places of its own.
    assert_eq!(post(server.http, "/v1/logs", PROTOBUF, logs(&["http"])).await.status, 200);
    assert!(!third.is_finished());
    drop(held);
    assert_eq!(third.await.unwrap().code, 0);
    server.unharmed(vec!["third".to_owned(), "http".to_owned()]).await;
}
