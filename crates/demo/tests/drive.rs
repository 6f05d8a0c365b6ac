//! The driver against a receiver that takes all three signals, and refuses some requests at first.
#![allow(clippy::unwrap_used)]

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use foreshock_demo::{DriveOptions, Fault, Progress, Shop, ShopOptions, Speed, drive};
use foreshock_model::Timestamp;
use foreshock_shipper::{ClientOptions, OtlpClient, Signal};
use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use prost::Message;
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{Service, http},
    transport::{Server, server::TcpIncoming},
};

#[derive(Default)]
struct Taken {
    requests: u64,
    bodies: Vec<(Signal, Vec<u8>)>,
}

#[derive(Clone, Default)]
struct Receiver {
    taken: Arc<Mutex<Taken>>,
}

impl Receiver {
    fn take(&self, signal: Signal, message: &impl Message) -> Result<(), Status> {
        let mut taken = self.taken.lock().unwrap();
        taken.requests += 1;
        if taken.requests.is_multiple_of(5) {
            return Err(Status::unavailable("now and then"));
        }
        taken.bodies.push((signal, message.encode_to_vec()));
        Ok(())
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.take(Signal::Logs, request.get_ref())?;
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.take(Signal::Metrics, request.get_ref())?;
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.take(Signal::Traces, request.get_ref())?;
        Ok(Response::new(Default::default()))
    }
}

impl Service<http::Request<Body>> for Receiver {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        match Signal::ALL.into_iter().find(|signal| signal.grpc_path() == path) {
            Some(Signal::Metrics) => MetricsServiceServer::new(self.clone()).call(request),
            Some(Signal::Traces) => TraceServiceServer::new(self.clone()).call(request),
            _ => LogsServiceServer::new(self.clone()).call(request),
        }
    }
}

async fn receiver() -> (Receiver, OtlpClient) {
    let receiver = Receiver::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = ClientOptions::new(listener.local_addr().unwrap().to_string());
    options.retry.initial = Duration::from_millis(2);
    tokio::spawn(Server::builder().serve_with_incoming(receiver.clone(), TcpIncoming::from(listener)));
    (receiver, OtlpClient::new(&options).unwrap())
}

fn options() -> ShopOptions {
    let mut options = ShopOptions::new(Timestamp::from_secs(1_780_000_000));
    options.fault = Some(Fault::PasswordGuessing);
    options.fault_after = Duration::from_secs(60);
    options
}

#[tokio::test]
async fn all_the_shop_says_arrives_once_and_in_its_order_though_some_was_refused_at_first() {
    let (receiver, client) = receiver().await;
    let length = Duration::from_secs(180);
    let mut steps = Vec::new();
    let done = drive(
        &mut Shop::new(1, options()),
        &client,
        DriveOptions { speed: Speed::Max, length },
        |progress: &Progress| steps.push(*progress),
    )
    .await
    .unwrap();

    let mut again = Shop::new(1, options());
    let said: Vec<_> = (0..36).flat_map(|_| again.step()).collect();
    let taken = receiver.taken.lock().unwrap();
    for signal in Signal::ALL {
        let wanted: Vec<&[u8]> = said.iter().filter(|r| r.signal == signal).map(|r| &r.body[..]).collect();
        let got: Vec<&[u8]> = taken.bodies.iter().filter(|b| b.0 == signal).map(|b| &b.1[..]).collect();
        assert!(wanted == got, "{signal:?}: {} sent, {} arrived", wanted.len(), got.len());
    }
    let sum = |signal| said.iter().filter(|r| r.signal == signal).map(|r| u64::from(r.records)).sum::<u64>();
    assert_eq!(
        (done.lines, done.points, done.spans, done.rejected),
        (sum(Signal::Logs), sum(Signal::Metrics), sum(Signal::Traces), 0)
    );
    assert!(taken.requests > taken.bodies.len() as u64);
    assert_eq!(steps.last(), Some(&done));
    assert!(steps.windows(2).all(|pair| pair[0].simulated < pair[1].simulated));
    assert_eq!(done.label.and_then(|label| label.visible), again.label().and_then(|label| label.visible));
    assert!(done.label.unwrap().visible.is_some());
}

#[tokio::test]
async fn a_speed_is_kept_and_the_simulated_time_never_runs_ahead_of_the_clock() {
    let (_receiver, client) = receiver().await;
    let began = Instant::now();
    let length = Duration::from_secs(30);
    let mut ahead = Vec::new();
    let start = options().start_at;
    drive(
        &mut Shop::new(1, options()),
        &client,
        DriveOptions { speed: Speed::Times(100.0), length },
        |progress| ahead.push((progress.simulated.since(start), began.elapsed())),
    )
    .await
    .unwrap();
    assert!(ahead.iter().all(|(simulated, real)| simulated.div_f64(100.0) <= *real), "{ahead:?}");

    let now = foreshock_demo::wall_clock();
    for (speed, hours) in [(Speed::Times(1.0), 1), (Speed::Times(60.0), 2), (Speed::Max, 24)] {
        let length = Duration::from_secs(3600 * hours);
        let from = speed.start_at(now, length);
        let real = match speed {
            Speed::Times(times) => length.div_f64(times),
            Speed::Max => Duration::ZERO,
        };
        assert!(from.plus(length) <= now.plus(real), "{speed}");
    }
}

#[test]
fn speeds_are_read_as_people_write_them() {
    assert_eq!(Speed::parse("60"), Ok(Speed::Times(60.0)));
    assert_eq!(Speed::parse("0"), Ok(Speed::Max));
    assert_eq!(Speed::parse("max"), Ok(Speed::Max));
    for wrong in ["", "-1", "fast", "inf", "NaN"] {
        assert!(Speed::parse(wrong).is_err(), "{wrong}");
    }
}
