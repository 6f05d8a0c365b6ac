//! Tokens and quotas.

use std::time::Duration;

use foreshock_ingest::Reason;

use crate::harness::*;

const UNAUTHENTICATED: i32 = 16;
const UNAVAILABLE: i32 = 14;

#[tokio::test]
async fn without_a_known_token_nothing_is_taken_and_with_one_it_is_the_tenants() {
    let tenants = r#"{"acme": {"token": "alpha"}, "other": {"token": "beta"}}"#;
    let server = Server::with(|_| {}, tenants).await;
    let message = logs(&["one"]);
    for wrong in [None, Some("Bearer gamma"), Some("Bearer alph"), Some("Basic alpha"), Some("Bearer")] {
        let authorization = wrong.map(|value| ("authorization", value));
        let headers: Vec<_> = authorization.into_iter().collect();
        let answer = call(server.grpc, LOGS, &headers, whole(framed(false, &message))).await;
        assert_eq!((answer.code, answer.retry), (UNAUTHENTICATED, None), "{answer:?}");
        let headers: Vec<_> = authorization.into_iter().chain([("content-type", JSON)]).collect();
        let answer = send(server.http, "/v1/logs", &headers, whole("{}")).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"), "{answer:?}");
        assert_eq!(answer.rpc_status().0, UNAUTHENTICATED);
    }
    assert_eq!(server.refused(Reason::Unauthenticated), 10);
    assert_eq!(server.journal.batches(), 0);
    for (token, tenant) in [("Bearer alpha", "acme"), ("bearer beta", "other")] {
        let frame = whole(framed(false, &message));
        let answer = call(server.grpc, LOGS, &[("authorization", token)], frame).await;
        assert_eq!(answer.code, 0, "{answer:?}");
        let headers = [("authorization", token), ("content-type", PROTOBUF)];
        let answer = send(server.http, "/v1/logs", &headers, whole(message.clone())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let entries = server.journal.entries();
        let last_two = entries[entries.len() - 2..].iter();
        assert!(last_two.map(|(_, entry)| entry.tenant.as_str()).eq([tenant, tenant]));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_tenant_over_its_quota_is_told_when_to_come_back_and_the_others_are_not() {
    let tenants = r#"{
        "busy": {"token": "alpha", "max_records_per_second": 2},
        "large": {"token": "gamma", "max_bytes_per_second": 100},
        "other": {"token": "beta"}
    }"#;
    let server = Server::with(|_| {}, tenants).await;
    for token in ["Bearer alpha", "Bearer gamma"] {
        let ten = logs(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        let first = call(server.grpc, LOGS, &[("authorization", token)], whole(framed(false, &ten))).await;
        assert_eq!(first.code, 0, "{first:?}");
        let second = call(server.grpc, LOGS, &[("authorization", token)], whole(framed(false, &ten))).await;
        assert_eq!(second.code, UNAVAILABLE, "{second:?}");
        let retry = second.retry.expect("RetryInfo");
        assert!(retry > 0.5 && retry <= 30.0, "{retry}");
        let headers = [("authorization", token), ("content-type", PROTOBUF)];
        let third = send(server.http, "/v1/logs", &headers, whole(ten)).await;
        assert_eq!(third.status, 429, "{third:?}");
        assert!(third.header("retry-after").parse::<u64>().unwrap() >= 1);
        assert_eq!(third.rpc_status().0, UNAVAILABLE);
    }
    let one = whole(framed(false, &logs(&["one"])));
    assert_eq!(call(server.grpc, LOGS, &[("authorization", "Bearer beta")], one).await.code, 0);
    assert_eq!(server.refused(Reason::Quota), 4);
    assert_eq!(server.journal.records(), 21);
    server.stop().await;
}

#[tokio::test]
async fn a_quota_that_was_used_up_fills_again() {
    let server = Server::with(|_| {}, r#"{"default": {"max_records_per_second": 20}}"#).await;
    let thirty: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    let thirty: Vec<&str> = thirty.iter().map(String::as_str).collect();
    assert_eq!(export(server.grpc, LOGS, &logs(&thirty)).await.code, 0);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut refusals = 0;
    while export(server.grpc, LOGS, &logs(&["again"])).await.code != 0 {
        refusals += 1;
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(refusals > 0);
    assert_eq!(server.journal.records(), 31);
    server.stop().await;
}
