//! Sends twice what a running Foreshock can take, and then looks whether it stayed within its memory and kept its word.
//!
//! What is checked: the server's resident memory never came above a limit that follows from its configuration; every
//! refused request was told when to come again, and nothing else went wrong; every acknowledged record is in the
//! journal, once, and no record of a refused request is; the stages catch up without a hole. A run in which nothing
//! was refused shows nothing, and says so.

mod memory;
mod records;
mod verdict;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use foreshock_shipper::{ClientOptions, Signal};
use tokio::time::{Instant, sleep};

use self::memory::MemoryLimit;
use crate::{
    aftermath::{ensure_room, metrics_page, settle, size, total},
    load::{self, LoadOptions},
    payload::{self, PayloadOptions},
    process::Usage,
    random::Random,
    remains::Remains,
    report::Report,
    server::{self, Server, Start},
    transport::Transport,
};
pub use verdict::Verdict;

/// Resources of a request and records of one: several, so that all partitions are written, and a multiple of 64 in
/// all, so that a request's records are whole words of a bitmap.
const RESOURCES: usize = 8;
const RECORDS: usize = 128;
/// Requests on their way over all connections: far more than the memory limit lets in.
const IN_FLIGHT: usize = 512;
/// The closed loop that finds the sustainable rate keeps few on their way.
const CLOSED_IN_FLIGHT: usize = 16;
/// Shares of the bytes, in percent: before anything is measured, for the sustainable rate, and in all. The rest of
/// the journal is for the stages.
const WARM_UP_PERCENT: u64 = 5;
const MEASURE_PERCENT: u64 = 20;
const LOAD_PERCENT: u64 = 95;
/// The closed loop needs no longer than this.
const LONGEST_MEASURE: Duration = Duration::from_secs(5);
/// How many times the sustainable rate.
const FACTOR: f64 = 2.0;
/// The overload, and the catching up, end within this.
const PATIENCE: Duration = Duration::from_secs(900);
/// One request may take this long.
const DEADLINE: Duration = Duration::from_secs(60);
/// Entries that ticks and the stages' own messages leave unread at any moment.
const CAUGHT_UP_ENTRIES: u64 = 64;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Segment files that are there beyond what was written: in each volume the one that is written, and its spares.
const SEGMENTS_BEYOND: u64 = 6;
const SEGMENT_BYTES: u64 = 128 << 20;
/// A journal has that many files' size however little is written.
const LEAST_FILES: u64 = 8 * SEGMENT_BYTES;

/// How to run.
#[derive(Clone, Debug)]
pub struct OverloadOptions {
    /// The `foreshock` program.
    pub program: PathBuf,
    /// An empty directory for the journal, the configuration and the server's log.
    pub directory: PathBuf,
    /// Bytes that may be written. The journal's files are as large at most, or eight segments where that is more.
    pub journal_bytes: u64,
    /// Connections to make.
    pub connections: usize,
}

/// Overloads a server of its own, and says what was found. An error: the run itself could not be carried through.
pub async fn run(options: &OverloadOptions) -> anyhow::Result<Verdict> {
    let journal_limit = options.journal_bytes.max(LEAST_FILES);
    let written = options.journal_bytes.min(journal_limit - SEGMENTS_BEYOND * SEGMENT_BYTES);
    ensure_room(&options.directory, journal_limit)?;
    let memory_limit = MemoryLimit::new(options.connections);
    let port = server::free_port(&mut Random(std::process::id().into()))?;
    let how = prepare(options, port, journal_limit, &memory_limit)?;
    let journal = options.directory.join("data/journal");
    let mut server = Server::start(&how)?;
    server.greeted().await?;
    let pid = server.pid()?;

    let mut sender = Sender::new(port, pid, options);
    let share = |percent: u64| written / 100 * percent;
    let warm_up = sender.closed(share(WARM_UP_PERCENT)).await?;
    let closed = sender.closed(share(MEASURE_PERCENT)).await?;
    anyhow::ensure!(closed.acknowledged_records > 0, "nothing was acknowledged in the closed loop: {closed}");
    tracing::info!(records_a_second = closed.records_a_second, "sustainable");
    let rest = share(LOAD_PERCENT).saturating_sub(warm_up.acknowledged_bytes + closed.acknowledged_bytes);
    let overload = sender.open(closed.records_a_second * FACTOR, rest).await?;

    let began = Instant::now();
    catch_up(server.admin()?).await?;
    settle(&Remains::Embedded(journal.clone()), PATIENCE).await?;
    let catching_up = began.elapsed();
    let page = metrics_page(server.admin()?).await?;
    let holes = total(&page, "source_holes")?;
    let peak_bytes = Usage::of(pid).context("the server's memory")?.peak_bytes;
    let status = server.terminate().await?;
    anyhow::ensure!(status.success(), "the server ended with {status} on SIGTERM");

    let Sender { next_number: numbers, acked, .. } = sender;
    let journal_bytes = size(&journal);
    let began = Instant::now();
    let presence = tokio::task::spawn_blocking(move || records::compare(&journal, numbers, &acked)).await??;
    Ok(Verdict {
        closed,
        overload,
        memory_limit,
        peak_bytes,
        journal_bytes,
        journal_limit,
        reasons: reasons(&page),
        presence,
        holes,
        catching_up,
        checking: began.elapsed(),
    })
}

/// The server's configuration, as TOML. What bounds its memory is written down, not left to the defaults.
fn prepare(
    options: &OverloadOptions,
    grpc_port: u16,
    retention: u64,
    limit: &MemoryLimit,
) -> anyhow::Result<Start> {
    // What is written stays below the retention: nothing may be removed.
    let text = format!(
        "ingest.grpc_address = \"127.0.0.1:{grpc_port}\"\n\
         ingest.http_address = \"127.0.0.1:0\"\n\
         console.listen = \"127.0.0.1:0\"\n\
         admin.address = \"127.0.0.1:0\"\n\
         journal.retention_bytes = {retention}\n\
         journal.segment_bytes = {SEGMENT_BYTES}\n\
         {}",
        limit.configuration()
    );
    Start::system(&options.program, &options.directory, &text)
}

/// Sends one load after the other, each request of all of them with a number of its own.
struct Sender<'a> {
    to: String,
    pid: u32,
    options: &'a OverloadOptions,
    next_number: u64,
    /// Where the numbers of acknowledged requests are written down.
    acked: Vec<PathBuf>,
}

impl<'a> Sender<'a> {
    fn new(port: u16, pid: u32, options: &'a OverloadOptions) -> Self {
        Self { to: format!("http://127.0.0.1:{port}"), pid, options, next_number: 0, acked: Vec::new() }
    }

    /// As fast as it is acknowledged, with few requests on their way, until so many bytes are there.
    async fn closed(&mut self, bytes: u64) -> anyhow::Result<Report> {
        self.send(None, CLOSED_IN_FLIGHT, LONGEST_MEASURE, bytes).await
    }

    /// At a fixed rate, whatever is said to it, until so many bytes are acknowledged.
    async fn open(&mut self, rate: f64, bytes: u64) -> anyhow::Result<Report> {
        self.send(Some(rate), IN_FLIGHT, PATIENCE, bytes).await
    }

    async fn send(
        &mut self,
        rate: Option<f64>,
        in_flight: usize,
        duration: Duration,
        bytes: u64,
    ) -> anyhow::Result<Report> {
        let payloads = payload::pool(&PayloadOptions {
            signal: Signal::Logs,
            resources: RESOURCES,
            records: RECORDS,
            pool: 32,
            line_bytes: 200,
            services: 20,
            series: 0,
        });
        let mut client = ClientOptions::new(&self.to);
        client.deadline = DEADLINE;
        let connections =
            (0..self.options.connections).map(|_| Transport::grpc(&client)).collect::<anyhow::Result<_>>()?;
        let acked = self.options.directory.join(format!("acked-{}", self.acked.len()));
        let options = LoadOptions {
            signal: Signal::Logs,
            in_flight: in_flight.div_ceil(self.options.connections),
            rate,
            duration,
            most_bytes: Some(bytes),
            first_number: self.next_number,
            is_fixed: false,
            acked: Some(acked.clone()),
            pids: vec![self.pid],
        };
        let report = load::run(connections, payloads, options).await?;
        self.next_number = report.next_number;
        self.acked.push(acked);
        Ok(report)
    }
}

/// Waits until the stages are about where the journal ends.
async fn catch_up(metrics: &str) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let behind = total(&metrics_page(metrics).await?, "foreshock_stage_lag_entries")?;
        if behind <= CAUGHT_UP_ENTRIES {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < until,
            "the stages are {behind} entries behind after {} s",
            PATIENCE.as_secs()
        );
        sleep(LOOK_EVERY).await;
    }
}

/// The server's own count of refused requests, by reason.
fn reasons(page: &str) -> Vec<(String, u64)> {
    let rows = page.lines().filter(|line| line.starts_with("foreshock_ingest_refused_requests_total"));
    let rows = rows.filter_map(|row| {
        let (labels, count) = row.rsplit_once(' ')?;
        let (_, reason) = labels.split_once("reason=\"")?;
        Some((reason.split('"').next()?.to_owned(), count.parse::<f64>().ok()? as u64))
    });
    rows.filter(|(_, count)| *count > 0).collect()
}
