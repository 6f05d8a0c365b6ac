//! Health, reflection, old age and the end.

use std::time::Duration;

use foreshock_ingest::Reason;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, logs_service_client::LogsServiceClient,
};
use prost::Message;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::harness::*;

const UNAVAILABLE: i32 = 14;

async fn channel(server: &Server) -> tonic::transport::Channel {
    let address = format!("http://{}", server.grpc);
    tonic::transport::Channel::from_shared(address).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn a_drain_answers_what_was_begun_and_refuses_the_rest() {
    let server = Server::start().await;
    let mut health = HealthClient::new(channel(&server).await);
    let watched = HealthCheckRequest { service: String::new() };
    let mut watch = health.watch(watched.clone()).await.unwrap().into_inner();
    let serving = watch.message().await.unwrap().unwrap();
    assert_eq!(serving.status(), ServingStatus::Serving);

    server.journal.be(Mood::Hold);
    let address = server.grpc;
    let begun = tokio::spawn(async move { export(address, LOGS, &logs(&["begun"])).await });
    eventually("the request is held", || server.journal.held() == 1).await;
    server.shutdown.cancel();
    let not_serving = watch.message().await.unwrap().unwrap();
    assert_eq!(not_serving.status(), ServingStatus::NotServing);

    // Health turns before requests are refused.
    let mut late = Vec::new();
    loop {
        let n = late.len().to_string();
        let (address, body) = (server.grpc, logs(&[&n]));
        let call = tokio::spawn(async move { export(address, LOGS, &body).await });
        let held = late.len() + 2;
        eventually("held or answered", || call.is_finished() || server.journal.held() == held).await;
        if call.is_finished() {
            let answer = call.await.unwrap();
            assert_eq!((answer.code, answer.retry), (UNAVAILABLE, Some(1.0)), "{answer:?}");
            break;
        }
        late.push(call);
    }
    let answer = post(server.http, "/v1/logs", PROTOBUF, logs(&["too late"])).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{answer:?}");
    assert!(server.refused(Reason::Draining) >= 2);

    assert!(!server.ended.is_finished());
    server.journal.be(Mood::Accept);
    assert_eq!(begun.await.unwrap().code, 0);
    let mut kept = vec!["begun".to_owned()];
    for (n, call) in late.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().code, 0);
        kept.push(n.to_string());
    }
    let mut found = server.journal.log_bodies();
    found.sort();
    kept.sort();
    assert_eq!(found, kept);
    server.stop().await;
}

#[tokio::test]
async fn a_journal_that_never_answers_does_not_hold_up_the_end() {
    let server = Server::with(|config| config.drain_timeout = Duration::from_millis(100), "{}").await;
    server.journal.be(Mood::Hold);
    let address = server.grpc;
    let begun = tokio::spawn(async move {
        http2(connect(address).await, grpc_request(LOGS, &[], whole(framed(false, &logs(&["held"]))))).await
    });
    eventually("the request is held", || server.journal.held() == 1).await;
    server.stop().await;
    // No answer, so the sender keeps it.
    assert!(begun.await.unwrap().is_err());
}

#[tokio::test]
async fn an_old_connection_is_asked_to_end_and_its_requests_are_answered() {
    let server = Server::with(|config| config.connections.max_age = Duration::from_millis(200), "{}").await;
    // tonic connects again by itself. Its client may notice the end of a connection only as it is about to send:
    // it says so with a status that OTLP's senders try again on, and nothing was sent.
    let mut client = LogsServiceClient::new(channel(&server).await);
    let mut acknowledged = Vec::new();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while server.metrics.snapshot().connections_opened < 4 {
        assert!(tokio::time::Instant::now() < deadline, "connections never end");
        let body = acknowledged.len().to_string();
        let request = ExportLogsServiceRequest::decode(logs(&[&body]).as_slice()).unwrap();
        match client.export(request).await {
            Ok(_) => acknowledged.push(body),
            Err(status) => assert!(matches!(status.code(), Code::Cancelled | Code::Unavailable), "{status}"),
        }
    }
    assert!(acknowledged.len() > 10);
    server.unharmed(acknowledged).await;
}

#[tokio::test]
async fn reflection_lists_the_services_and_knows_their_messages() {
    let server = Server::start().await;
    let mut reflection = ServerReflectionClient::new(channel(&server).await);
    let ask = |message_request| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(message_request),
    };
    let service = "opentelemetry.proto.collector.logs.v1.LogsService";
    let questions = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol(service.to_owned())),
        ask(MessageRequest::FileContainingSymbol("opentelemetry.proto.common.v1.AnyValue".to_owned())),
        ask(MessageRequest::FileContainingSymbol("grpc.health.v1.Health".to_owned())),
    ];
    let mut answers =
        reflection.server_reflection_info(tokio_stream::iter(questions)).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("a list of services");
    };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    for name in ["logs.v1.LogsService", "metrics.v1.MetricsService", "trace.v1.TraceService"] {
        assert!(names.contains(&format!("opentelemetry.proto.collector.{name}")), "{names:?}");
    }
    for _ in 0..3 {
        let answer = answers.message().await.unwrap().unwrap().message_response;
        assert!(matches!(answer, Some(MessageResponse::FileDescriptorResponse(_))), "{answer:?}");
    }
    server.stop().await;
}
