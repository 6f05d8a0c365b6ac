//! Load for an OTLP receiver: acknowledged records a second, latencies, refusals, processor time.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use foreshock_benches::{
    load::{self, LoadOptions},
    payload::{self, PayloadOptions},
    transport::Transport,
};
use foreshock_shipper::{ClientOptions, Compression, Signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    Grpc,
    Http,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Squeeze {
    None,
    Gzip,
    Zstd,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Logs,
    Metrics,
}

/// Sends OTLP requests that were encoded before the clock starts, and says what was acknowledged.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address of the receiver.
    #[arg(long, default_value = "http://127.0.0.1:4317")]
    to: String,
    /// Protocol.
    #[arg(long, value_enum, default_value = "grpc")]
    protocol: Protocol,
    /// Bearer token.
    #[arg(long)]
    token: Option<String>,
    /// Compression. Over gRPC each request is compressed as it is sent, at this client's cost; over HTTP (gzip, with
    /// --fixed) all are compressed before the clock starts.
    #[arg(long, value_enum, default_value = "none")]
    compression: Squeeze,
    /// What to send.
    #[arg(long, value_enum, default_value = "logs")]
    signal: Kind,
    /// Resources a request.
    #[arg(long, default_value_t = 1)]
    resources: usize,
    /// Records a resource.
    #[arg(long, default_value_t = 1000)]
    records: usize,
    /// Services the resources belong to.
    #[arg(long, default_value_t = 20)]
    services: usize,
    /// Distinct payloads, sent in turn (logs).
    #[arg(long, default_value_t = 64)]
    pool: usize,
    /// Bytes of a line.
    #[arg(long, default_value_t = 200)]
    line_bytes: usize,
    /// Series over all requests (metrics).
    #[arg(long, default_value_t = 100_000)]
    series: usize,
    /// Connections.
    #[arg(long, default_value_t = 2)]
    connections: usize,
    /// Requests on their way, a connection.
    #[arg(long, default_value_t = 8)]
    in_flight: usize,
    /// Records a second at a fixed rate (open loop); without it as fast as they are acknowledged (closed loop).
    #[arg(long)]
    rate: Option<f64>,
    /// Seconds to run.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Seconds one request may take.
    #[arg(long, default_value_t = 30.0)]
    deadline: f64,
    /// Send the same bytes again and again: no numbers, no fresh times, no copy.
    #[arg(long)]
    fixed: bool,
    /// Write number and records of each acknowledged request to this file.
    #[arg(long, conflicts_with = "fixed")]
    acked: Option<PathBuf>,
    /// Number of the first request; give each run a range of its own.
    #[arg(long, default_value_t = 1)]
    first_number: u64,
    /// Process whose processor time and memory are measured; may be given several times.
    #[arg(long = "pid")]
    pids: Vec<u32>,
    /// Threads of this client.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    for (name, value) in [("--seconds", arguments.seconds), ("--deadline", arguments.deadline)] {
        anyhow::ensure!(value.is_finite() && value > 0.0, "{name} must be above 0");
    }
    anyhow::ensure!(
        arguments.rate.is_none_or(|rate| rate.is_finite() && rate > 0.0),
        "--rate must be above 0"
    );
    anyhow::ensure!(arguments.resources * arguments.records > 0, "--resources and --records must be above 0");
    let is_ahead = matches!((arguments.protocol, arguments.compression), (Protocol::Http, Squeeze::Gzip));
    anyhow::ensure!(
        matches!(arguments.protocol, Protocol::Grpc)
            || matches!(arguments.compression, Squeeze::None)
            || is_ahead && arguments.fixed,
        "over HTTP only --compression gzip together with --fixed can be sent"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(arguments.threads.max(1))
        .enable_all()
        .build()?;
    let report = runtime.block_on(run(&arguments))?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

async fn run(arguments: &Arguments) -> anyhow::Result<foreshock_benches::report::Report> {
    let signal = match arguments.signal {
        Kind::Logs => Signal::Logs,
        Kind::Metrics => Signal::Metrics,
    };
    let mut payloads = payload::pool(&PayloadOptions {
        signal,
        resources: arguments.resources,
        records: arguments.records,
        pool: arguments.pool,
        line_bytes: arguments.line_bytes,
        services: arguments.services,
        series: arguments.series,
    });
    let encoding = match (arguments.protocol, arguments.compression) {
        (Protocol::Http, Squeeze::Gzip) => {
            let now = load::unix_nanos();
            let compressed = payloads.into_iter().map(|payload| payload.fixed(now).gzipped());
            payloads = compressed.collect::<Result<_, _>>().context("compressing")?;
            Some("gzip")
        }
        _ => None,
    };
    let mut client = ClientOptions::new(&arguments.to);
    client.token.clone_from(&arguments.token);
    client.deadline = Duration::from_secs_f64(arguments.deadline);
    client.compression = match arguments.compression {
        Squeeze::None => Compression::None,
        Squeeze::Gzip => Compression::Gzip,
        Squeeze::Zstd => Compression::Zstd,
    };
    let connections = (0..arguments.connections.max(1))
        .map(|_| match arguments.protocol {
            Protocol::Grpc => Transport::grpc(&client),
            Protocol::Http => Ok(Transport::http(&client, encoding)),
        })
        .collect::<anyhow::Result<Vec<_>>>()
        .context("connecting")?;
    let options = LoadOptions {
        signal,
        in_flight: arguments.in_flight,
        rate: arguments.rate,
        duration: Duration::from_secs_f64(arguments.seconds),
        most_bytes: None,
        first_number: arguments.first_number,
        is_fixed: arguments.fixed,
        acked: arguments.acked.clone(),
        pids: arguments.pids.clone(),
    };
    load::run(connections, payloads, options).await
}
