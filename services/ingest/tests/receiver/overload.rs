//! More than fits, and a journal that can't be written: refused with the advice to send again, nothing lost.

use foreshock_ingest::Reason;

use crate::harness::*;

const UNAVAILABLE: i32 = 14;
const RESOURCE_EXHAUSTED: i32 = 8;

#[tokio::test]
async fn while_the_journal_refuses_senders_are_told_to_come_back_and_then_all_goes_on() {
    let server = Server::start().await;
    for mood in [Mood::DiskFull, Mood::Overloaded, Mood::Broken] {
        server.journal.be(mood);
        let answer = export(server.grpc, LOGS, &logs(&["lost?"])).await;
        assert_eq!((answer.code, answer.retry), (UNAVAILABLE, Some(1.0)), "{answer:?}");
        let answer = post(server.http, "/v1/logs", PROTOBUF, logs(&["lost?"])).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{answer:?}");
        let (code, text, retry) = answer.rpc_status();
        assert_eq!((code, retry), (UNAVAILABLE, Some(1.0)), "{text}");
    }
    assert_eq!(server.refused(Reason::Journal), 6);
    server.journal.be(Mood::Accept);
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn a_request_the_journal_can_never_take_is_refused_for_good() {
    let server = Server::start().await;
    server.journal.be(Mood::TooLarge);
    let answer = export(server.grpc, LOGS, &logs(&["one"])).await;
    assert_eq!((answer.code, answer.retry), (RESOURCE_EXHAUSTED, None), "{answer:?}");
    assert_eq!(post(server.http, "/v1/logs", PROTOBUF, logs(&["one"])).await.status, 413);
    server.journal.be(Mood::Accept);
    server.unharmed(Vec::new()).await;
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let server = Server::start().await;
    server.journal.be(Mood::Hold);
    let address = server.grpc;
    let waiting = tokio::spawn(async move { export(address, LOGS, &logs(&["held"])).await });
    eventually("the append is held", || server.journal.held() == 1).await;
    assert!(!waiting.is_finished());
    assert!(server.metrics.snapshot().in_flight_bytes > 0);
    server.journal.be(Mood::Accept);
    assert_eq!(waiting.await.unwrap().code, 0);
    server.unharmed(vec!["held".to_owned()]).await;
}

#[tokio::test]
async fn above_the_memory_limit_requests_are_refused_until_what_was_taken_is_durable() {
    const REQUESTS: usize = 40;
    let server = Server::with(
        |config| {
            config.memory_limit_bytes = 1 << 20;
            config.limits.max_request_bytes = 1 << 20;
        },
        "{}",
    )
    .await;
    server.journal.be(Mood::Hold);
    let line = "x".repeat(100_000);
    let calls: Vec<_> = (0..REQUESTS)
        .map(|n| {
            let (address, body) = (server.grpc, format!("{n}{line}"));
            tokio::spawn(async move { (export(address, LOGS, &logs(&[&body])).await, body) })
        })
        .collect();
    let settled = |server: &Server| server.refused(Reason::Overloaded) as usize + server.journal.held();
    eventually("each is held or refused", || settled(&server) == REQUESTS).await;
    assert_eq!(server.journal.held(), 10);
    assert!(server.metrics.snapshot().in_flight_bytes <= 1 << 20);
    // Over HTTP the same holds.
    let answer = post(server.http, "/v1/logs", PROTOBUF, logs(&[&line])).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{answer:?}");
    server.journal.be(Mood::Accept);
    let mut kept = Vec::new();
    for call in calls {
        let (answer, body) = call.await.unwrap();
        match answer.code {
            0 => kept.push(body),
            code => assert_eq!((code, answer.retry), (UNAVAILABLE, Some(1.0)), "{answer:?}"),
        }
    }
    assert_eq!(kept.len(), 10);
    server.unharmed(kept).await;
}

#[tokio::test]
async fn what_is_decompressed_counts_too() {
    let server = Server::with(
        |config| {
            config.memory_limit_bytes = 4 << 20;
            config.limits.max_request_bytes = 4 << 20;
        },
        "{}",
    )
    .await;
    server.journal.be(Mood::Hold);
    let line = "x".repeat(900_000);
    let three = gzip(&logs(&[&line, &line, &line]));
    assert!(three.len() < 100_000);
    let (address, packed) = (server.grpc, three.clone());
    let first = tokio::spawn(async move {
        call(address, LOGS, &[("grpc-encoding", "gzip")], whole(framed(true, &packed))).await
    });
    eventually("the first is held", || server.journal.held() == 1).await;
    let second = call(server.grpc, LOGS, &[("grpc-encoding", "gzip")], whole(framed(true, &three))).await;
    assert_eq!((second.code, second.retry), (UNAVAILABLE, Some(1.0)), "{second:?}");
    server.journal.be(Mood::Accept);
    assert_eq!(first.await.unwrap().code, 0);
    server.unharmed(vec![line; 3]).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_its_answer_leaves_its_bytes_counted_until_they_are_durable() {
    let server = Server::start().await;
    server.journal.be(Mood::Hold);
    let (grpc, http) = (server.grpc, server.http);
    let over_grpc = tokio::spawn(async move { export(grpc, LOGS, &logs(&["left"])).await });
    let over_http = tokio::spawn(async move { post(http, "/v1/logs", PROTOBUF, logs(&["left"])).await });
    eventually("both are held", || server.journal.held() == 2).await;
    let before = server.metrics.snapshot().in_flight_bytes;
    over_grpc.abort();
    over_http.abort();
    eventually("the connections are gone", || server.metrics.snapshot().connections_open == 0).await;
    assert_eq!(server.metrics.snapshot().in_flight_bytes, before);
    server.journal.be(Mood::Accept);
    // Kept, never acknowledged: the sender will send it again, which OTLP allows.
    server.unharmed(vec!["left".to_owned(); 2]).await;
}
