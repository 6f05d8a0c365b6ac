//! What receiving costs: CPU seconds of the receiver a million records, with a journal that answers at once.
//!
//! `cargo run --release -p foreshock-ingest --example receive [SECONDS]`. The receiver runs in a process of its
//! own, so that its CPU time is told from the clients'. Requests are encoded before the clock starts.
//!
//! `receive serve [DIR]` only receives, for a load from outside: over the embedded journal in DIR where one is given.
//! It prints its gRPC and HTTP addresses and ends when its standard input does.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::{BufMut, Bytes, BytesMut};
use foreshock_ingest::{Ingest, IngestConfig, IngestMetrics, TenantsConfig};
use foreshock_journal::{
    Batch, BoxFuture, EmbeddedJournal, EmbeddedOptions, Figures, Health, Journal, JournalError, Offset,
    Partition, PartitionStat, Pending, Reader, SnapshotKey, Stream, WriteSnapshot,
};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const CONNECTIONS: usize = 4;
const STREAMS: usize = 4;

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match env::args().nth(1).as_deref() {
        Some("serve") => runtime.block_on(serve()),
        seconds => {
            let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(5);
            runtime.block_on(measure(Duration::from_secs(seconds)))
        }
    }
}

async fn serve() -> Result<(), Error> {
    let config = IngestConfig {
        grpc_address: ([127, 0, 0, 1], 0).into(),
        http_address: ([127, 0, 0, 1], 0).into(),
        ..IngestConfig::default()
    };
    let metrics = Arc::new(IngestMetrics::new());
    let journal: Arc<dyn Journal> = match env::args().nth(2) {
        Some(directory) => EmbeddedJournal::open(EmbeddedOptions::new(directory))?,
        None => Arc::new(AtOnce),
    };
    let ingest = Ingest::bind(&config, &TenantsConfig::default(), journal, metrics).await?;
    println!("{} {}", ingest.grpc_address()?, ingest.http_address()?);
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    // The parent's end of the pipe closes when it is done.
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        stop.cancel();
    });
    Ok(ingest.run(shutdown).await?)
}

async fn measure(length: Duration) -> Result<(), Error> {
    println!("transport   records a request x resources   records/s   server CPU-s/M   client CPU-s/M");
    for (resources, records) in [(1, 1000), (100, 10), (1, 100)] {
        let bodies: Vec<Bytes> = (0..32).map(|seed| request(seed, resources, records).into()).collect();
        println!("{} bytes a record", bodies[0].len() / (resources * records));
        for transport in ["grpc", "http"] {
            let server = Server::start()?;
            let address = if transport == "grpc" { server.grpc } else { server.http };
            let bodies =
                bodies.iter().map(|body| if transport == "grpc" { framed(body) } else { body.clone() });
            let bodies: Arc<Vec<Bytes>> = Arc::new(bodies.collect());
            load(address, transport, &bodies, Duration::from_secs(1)).await?;
            let (server_before, client_before) =
                (cpu_seconds(server.child.id())?, cpu_seconds(std::process::id())?);
            let began = Instant::now();
            let requests = load(address, transport, &bodies, length).await?;
            let wall = began.elapsed().as_secs_f64();
            let millions = (requests * (resources * records) as u64) as f64 / 1e6;
            println!(
                "{transport:<11} {:>5} x {resources:<24} {:>9.0} {:>16.3} {:>16.3}",
                records,
                millions * 1e6 / wall,
                (cpu_seconds(server.child.id())? - server_before) / millions,
                (cpu_seconds(std::process::id())? - client_before) / millions,
            );
            server.stop()?;
        }
    }
    Ok(())
}

/// Closed loop over some connections; returns the requests that were answered.
async fn load(
    address: SocketAddr,
    transport: &'static str,
    bodies: &Arc<Vec<Bytes>>,
    length: Duration,
) -> Result<u64, Error> {
    let answered = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + length;
    let mut clients = Vec::new();
    let connections = if transport == "grpc" { CONNECTIONS } else { CONNECTIONS * STREAMS };
    for connection in 0..connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (bodies, answered) = (Arc::clone(bodies), Arc::clone(&answered));
        if transport == "grpc" {
            let (sender, driver) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .max_frame_size(1 << 20)
                .initial_stream_window_size(8 << 20)
                .initial_connection_window_size(8 << 20)
                .handshake(TokioIo::new(stream))
                .await?;
            tokio::spawn(driver);
            for stream in 0..STREAMS {
                let (mut sender, bodies, answered) =
                    (sender.clone(), Arc::clone(&bodies), Arc::clone(&answered));
                clients.push(tokio::spawn(async move {
                    for n in connection * 7 + stream.. {
                        let body = Full::new(bodies[n % bodies.len()].clone());
                        let request = Request::post(format!("http://r{LOGS}"))
                            .header("content-type", "application/grpc")
                            .header("te", "trailers")
                            .body(body)?;
                        let answer = sender.send_request(request).await?.into_body().collect().await?;
                        let status = answer.trailers().and_then(|trailers| trailers.get("grpc-status"));
                        if status.is_none_or(|status| status != "0") {
                            return Err("a request was refused".into());
                        }
                        answered.fetch_add(1, Relaxed);
                        if Instant::now() >= until {
                            break;
                        }
                    }
                    Ok::<(), Error>(())
                }));
            }
        } else {
            let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(driver);
            clients.push(tokio::spawn(async move {
                for n in connection * 7.. {
                    let request = Request::post("/v1/logs")
                        .header("host", "r")
                        .header("content-type", "application/x-protobuf")
                        .body(Full::new(bodies[n % bodies.len()].clone()))?;
                    let response = sender.send_request(request).await?;
                    if response.status() != 200 {
                        return Err("a request was refused".into());
                    }
                    response.into_body().collect().await?;
                    answered.fetch_add(1, Relaxed);
                    if Instant::now() >= until {
                        break;
                    }
                }
                Ok(())
            }));
        }
    }
    for client in clients {
        client.await??;
    }
    Ok(answered.load(Relaxed))
}

/// Lines of 200 bytes whose words and numbers vary, with two attributes: some 348 bytes a record on the wire.
fn request(seed: u64, resources: usize, records: usize) -> Vec<u8> {
    let text = |text: String| Some(AnyValue { value: Some(Value::StringValue(text)) });
    let attribute =
        |key: &str, value: String| KeyValue { key: key.into(), value: text(value), ..Default::default() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    let record = |n: u64| {
        let n = (seed << 32 | n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut line = format!(
            "GET /api/v1/orders/{n:016x} took {} ms for user-{:05} from 10.2.{}.{}",
            n % 997,
            n % 65_521,
            n % 251,
            n % 241
        );
        while line.len() < 200 {
            line.push_str(" the order was looked up in the cache");
        }
        line.truncate(200);
        LogRecord {
            time_unix_nano: now,
            observed_time_unix_nano: now,
            severity_number: 9,
            severity_text: "INFO".into(),
            body: text(line),
            attributes: vec![
                attribute("http.request.method", "GET".into()),
                attribute("thread.name", format!("worker-{}", n % 64)),
            ],
            trace_id: n.to_be_bytes().repeat(2),
            span_id: n.to_le_bytes().to_vec(),
            ..Default::default()
        }
    };
    let resource = |at: usize| ResourceLogs {
        resource: Some(Resource {
            attributes: vec![
                attribute("service.name", "orders".into()),
                attribute("service.instance.id", format!("orders-{at}")),
            ],
            ..Default::default()
        }),
        scope_logs: vec![ScopeLogs {
            log_records: (0..records).map(|n| record((at * records + n) as u64)).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    ExportLogsServiceRequest { resource_logs: (0..resources).map(resource).collect() }.encode_to_vec()
}

fn framed(message: &Bytes) -> Bytes {
    let mut bytes = BytesMut::with_capacity(5 + message.len());
    bytes.put_u8(0);
    bytes.put_u32(message.len() as u32);
    bytes.put_slice(message);
    bytes.freeze()
}

/// User and system time of a process.
fn cpu_seconds(pid: u32) -> Result<f64, Error> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').ok_or("no process name")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

struct Server {
    child: Child,
    grpc: SocketAddr,
    http: SocketAddr,
}

impl Server {
    fn start() -> Result<Self, Error> {
        let mut child = Command::new(env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let (grpc, http) = line.trim().split_once(' ').ok_or("no addresses")?;
        Ok(Self { child, grpc: grpc.parse()?, http: http.parse()? })
    }

    fn stop(mut self) -> Result<(), Error> {
        if let Some(mut stdin) = self.child.stdin.take() {
            stdin.write_all(b"\n")?;
        }
        self.child.wait()?;
        Ok(())
    }
}

/// A journal that keeps nothing and says so at once.
struct AtOnce;

impl Journal for AtOnce {
    fn partitions(&self, _: Stream) -> u16 {
        4
    }

    fn append(&self, batch: Batch) -> Pending {
        Pending::ready(Ok(batch.entries.iter().map(|_| Offset(0)).collect()))
    }

    fn reader(&self, partition: Partition, _: Offset) -> Result<Box<dyn Reader>, JournalError> {
        Err(JournalError::NoPartition(partition))
    }

    fn committed(&self, _: &str, _: Partition) -> Result<Option<Offset>, JournalError> {
        Ok(None)
    }

    fn save_snapshot(&self, _: &SnapshotKey, _: Offset, _: WriteSnapshot<'_>) -> Result<(), JournalError> {
        Err(JournalError::Closed)
    }

    fn load_snapshot(&self, _: &SnapshotKey) -> Result<Option<(Offset, Box<dyn Read + Send>)>, JournalError> {
        Ok(None)
    }

    fn stat(&self) -> Result<Vec<PartitionStat>, JournalError> {
        Ok(Vec::new())
    }

    fn health(&self) -> Health {
        Health::Writable
    }

    fn figures(&self) -> Figures {
        Figures::default()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
