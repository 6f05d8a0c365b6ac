//! What is good goes in, whole and once, by every transport, encoding and signal.

use crate::harness::*;
use foreshock_journal::Stream;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, logs_service_client::LogsServiceClient,
};
use prost::Message;
use tonic::codec::CompressionEncoding;

#[tokio::test]
async fn every_signal_over_every_transport_is_kept_as_it_was_sent() {
    let server = Server::start().await;
    let bodies = [
        (LOGS, "/v1/logs", Stream::Logs, logs(&["a", "b"])),
        (METRICS, "/v1/metrics", Stream::Metrics, gauge(&[1.0, 2.0])),
        (TRACES, "/v1/traces", Stream::Spans, spans(&[&[1; 16], &[2; 16]])),
    ];
    for (method, path, stream, body) in bodies {
        let before = server.journal.entries().len();
        let answers = [
            export(server.grpc, method, &body).await,
            call(server.grpc, method, &[("grpc-encoding", "gzip")], whole(framed(true, &gzip(&body)))).await,
            call(server.grpc, method, &[("grpc-encoding", "zstd")], whole(framed(true, &zstd(&body)))).await,
            // A client that names its encoding may still send a message as it is.
            call(server.grpc, method, &[("grpc-encoding", "gzip")], whole(framed(false, &body))).await,
        ];
        for answer in answers {
            assert_eq!(answer.code, 0, "{answer:?}");
            assert_eq!(answer.partial_success(), None);
        }
        let kind = ("content-type", PROTOBUF);
        let answers = [
            send(server.http, path, &[kind], whole(body.clone())).await,
            send(server.http, path, &[kind, ("content-encoding", "gzip")], whole(gzip(&body))).await,
            send(server.http, path, &[kind, ("content-encoding", "zstd")], whole(zstd(&body))).await,
        ];
        for answer in answers {
            assert_eq!((answer.status, answer.header("content-type")), (200, PROTOBUF), "{answer:?}");
            assert!(answer.body.is_empty());
        }
        let kept = server.journal.entries().split_off(before);
        assert_eq!(kept.len(), 7);
        for (partition, entry) in kept {
            assert_eq!((partition.stream, entry.records), (stream, 2));
            assert_eq!(entry.payload.into_bytes(), body);
        }
    }
    let traffic = server.metrics.snapshot().traffic;
    assert_eq!(traffic.iter().map(|(_, _, row)| row.acknowledged_records).sum::<u64>(), 42);
    server.stop().await;
}

#[tokio::test]
async fn a_client_made_by_tonic_is_understood() {
    let server = Server::start().await;
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", server.grpc)).unwrap();
    let channel = channel.connect().await.unwrap();
    let request = ExportLogsServiceRequest::decode(logs(&["from tonic"]).as_slice()).unwrap();
    for encoding in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let mut client = LogsServiceClient::new(channel.clone());
        if let Some(encoding) = encoding {
            client = client.send_compressed(encoding);
        }
        let response = client.export(request.clone()).await.unwrap();
        assert_eq!(response.into_inner().partial_success, None);
    }
    server.unharmed(vec!["from tonic".to_owned(); 3]).await;
}

#[tokio::test]
async fn a_request_of_several_partitions_is_one_batch_of_one_entry_each() {
    let server = Server::start().await;
    let services: Vec<String> = (0..40).map(|n| format!("service-{n}")).collect();
    let message = request(services.iter().map(|name| records(name, vec![record(name)])).collect());
    assert_eq!(export(server.grpc, LOGS, &message).await.code, 0);
    let entries = server.journal.entries();
    let mut partitions: Vec<u16> = entries.iter().map(|(partition, _)| partition.index).collect();
    partitions.sort_unstable();
    assert_eq!(partitions, [0, 1, 2, 3]);
    assert_eq!(server.journal.batches(), 1);
    assert_eq!(server.journal.records(), 40);
    let received: Vec<_> = entries.iter().map(|(_, entry)| entry.received).collect();
    assert!(received.iter().all(|at| *at == received[0]));
    server.unharmed(services).await;
}

#[tokio::test]
async fn what_is_above_the_journals_largest_entry_is_one_batch_of_several_entries_in_order() {
    let server = Server::start().await;
    server.journal.limit_entries(10_000);
    let lines = |service: usize| (0..300).map(move |n| format!("{service} {n:0100}"));
    let group = |service| {
        let of_service = lines(service).map(|line| record(&line)).collect();
        records(&format!("service-{service}"), of_service)
    };
    let message = request((0..8).map(group).collect());
    let answer = export(server.grpc, LOGS, &message).await;
    assert_eq!((answer.code, answer.partial_success()), (0, None), "{answer:?}");
    assert_eq!(server.journal.batches(), 1);
    let entries = server.journal.entries();
    assert!(entries.len() >= message.len() / 10_000, "{}", entries.len());
    assert!(entries.iter().all(|(_, entry)| entry.payload.len() <= 10_000));
    let kept = server.journal.log_bodies();
    for service in 0..8 {
        let prefix = format!("{service} ");
        let of_service: Vec<_> = kept.iter().filter(|line| line.starts_with(&prefix)).cloned().collect();
        assert_eq!(of_service, lines(service).collect::<Vec<_>>());
    }
    server.unharmed((0..8).flat_map(lines).collect()).await;
}

#[tokio::test]
async fn receive_times_never_go_back() {
    let server = Server::start().await;
    let calls = (0..50).map(|n| {
        let address = server.grpc;
        tokio::spawn(async move { export(address, LOGS, &logs(&[&n.to_string()])).await.code })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 0);
    }
    let before = server.journal.entries().last().unwrap().1.received;
    assert_eq!(export(server.grpc, LOGS, &logs(&["last"])).await.code, 0);
    assert!(server.journal.entries().last().unwrap().1.received >= before);
    assert_eq!(server.journal.records(), 51);
}
