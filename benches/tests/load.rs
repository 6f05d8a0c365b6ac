//! The load against a receiver whose behaviour is known.
#![allow(clippy::unwrap_used)]

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use foreshock_benches::{
    load::{self, LoadOptions},
    payload::{self, PayloadOptions, sequence},
    report::Report,
    transport::Transport,
};
use foreshock_shipper::{ClientOptions, Signal, retry_info_details};
use opentelemetry_proto::tonic::{
    collector::logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    common::v1::any_value::Value,
};
use tonic::{
    Code, Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// Keeps what it acknowledges; refuses every `refuse_each`-th request; stands still once, at request `stall_at`.
#[derive(Clone, Default)]
struct Receiver {
    kept: Arc<Mutex<Vec<(u64, u32)>>>,
    count: Arc<AtomicU64>,
    refuse_each: u64,
    stall_at: u64,
    /// Everyone waits while it stands still.
    gate: Arc<tokio::sync::Mutex<()>>,
}

const STALL: Duration = Duration::from_millis(400);

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let count = 1 + self.count.fetch_add(1, Ordering::Relaxed);
        let gate = self.gate.lock().await;
        if count == self.stall_at {
            tokio::time::sleep(STALL).await;
        }
        drop(gate);
        if self.refuse_each > 0 && count.is_multiple_of(self.refuse_each) {
            let details = retry_info_details(Code::Unavailable, "full", Duration::from_millis(1));
            return Err(Status::with_details(Code::Unavailable, "full", details));
        }
        let mut kept = self.kept.lock().unwrap();
        for resource in request.into_inner().resource_logs {
            for record in resource.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
                let Some(Value::StringValue(line)) = record.body.and_then(|body| body.value) else {
                    panic!()
                };
                kept.push(sequence(&line).unwrap());
            }
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

async fn load(receiver: &Receiver, change: impl FnOnce(&mut LoadOptions)) -> Report {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = LogsServiceServer::new(receiver.clone());
    tokio::spawn(Server::builder().serve_with_incoming(service, TcpIncoming::from(listener)));
    let payloads = payload::pool(&PayloadOptions {
        signal: Signal::Logs,
        resources: 2,
        records: 5,
        pool: 3,
        line_bytes: 200,
        services: 2,
        series: 0,
    });
    let connections = (0..2).map(|_| Transport::grpc(&ClientOptions::new(&url)).unwrap()).collect();
    let mut options = LoadOptions {
        signal: Signal::Logs,
        in_flight: 3,
        rate: None,
        duration: Duration::from_millis(500),
        most_bytes: None,
        first_number: 1000,
        is_fixed: false,
        acked: None,
        pids: vec![std::process::id()],
    };
    change(&mut options);
    load::run(connections, payloads, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_names_exactly_what_was_acknowledged() {
    let receiver = Receiver { refuse_each: 7, ..Receiver::default() };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("acked");
    let report = load(&receiver, |options| options.acked = Some(file.clone())).await;
    let kept = receiver.kept.lock().unwrap();
    assert_eq!(report.acknowledged_records, kept.len() as u64);
    assert!(report.acknowledged_requests > 20, "{report}");
    let mut named = HashSet::new();
    for line in std::fs::read_to_string(&file).unwrap().lines() {
        let (number, records) = line.split_once(' ').unwrap();
        let number = u64::from_str_radix(number, 16).unwrap();
        assert!(number >= 1000);
        named.extend((0..records.parse().unwrap()).map(|place: u32| (number, place)));
    }
    assert_eq!(named, kept.iter().copied().collect::<HashSet<_>>());
    assert_eq!(report.refused.len(), 1, "{report}");
    assert_eq!((report.refused[0].status.as_str(), report.refused[0].has_retry_info), ("Unavailable", true));
    let sent = report.acknowledged_requests + report.refused[0].requests;
    assert_eq!(sent, receiver.count.load(Ordering::Relaxed));
    assert!(report.processes[0].usage.peak_bytes > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_once_enough_was_acknowledged_whatever_the_time() {
    let receiver = Receiver::default();
    let report = load(&receiver, |options| {
        options.most_bytes = Some(100_000);
        options.duration = Duration::from_secs(600);
    })
    .await;
    // Beyond it goes what is on its way: at most six requests.
    let each = report.acknowledged_bytes / report.acknowledged_requests;
    assert!((100_000..100_000 + 7 * each).contains(&report.acknowledged_bytes), "{report}");
    assert!(report.next_number >= 1000 + report.acknowledged_requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_fixed_rate_a_stall_shows_in_every_request_that_was_due_meanwhile() {
    let receiver = Receiver { stall_at: 40, ..Receiver::default() };
    // 200 requests a second for a second; about 80 of them are due while the receiver stands still.
    let report = load(&receiver, |options| {
        options.rate = Some(2000.0);
        options.duration = Duration::from_secs(1);
    })
    .await;
    assert_eq!(report.acknowledged_requests, 200, "{report}");
    let [_, p90, p99, _, largest] = report.latency_ms;
    // Only six can be on their way: were latencies counted from sending, 97 % of them would be short.
    assert!(p90 > 100.0 && p99 > 300.0 && largest >= 399.0, "{report}");
}
