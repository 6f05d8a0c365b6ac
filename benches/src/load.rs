//! Sends payloads for a while, as fast as they are acknowledged or at a fixed rate.
//!
//! Closed loop: so many connections with so many requests each on their way. Open loop: requests are due at fixed
//! times, and a latency counts from when the request was due, not from when there was room to send it: a receiver
//! that stalls can't hide it (no coordinated omission).

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use foreshock_shipper::Signal;
use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    payload::Payload,
    process::Usage,
    report::{ProcessReport, Refused, Report},
    transport::{Answer, Transport},
};

/// How to send.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Which export service.
    pub signal: Signal,
    /// Requests on their way at the same time, a connection.
    pub in_flight: usize,
    /// Records a second; `None`: as fast as they are acknowledged.
    pub rate: Option<f64>,
    /// For how long.
    pub duration: Duration,
    /// Ends earlier once so many bytes were acknowledged.
    pub most_bytes: Option<u64>,
    /// Number of the first request.
    pub first_number: u64,
    /// Send the payloads as they are: no copy, no numbers, no fresh times.
    pub is_fixed: bool,
    /// Where to write the number and records of each acknowledged request, a line each.
    pub acked: Option<PathBuf>,
    /// Processes to watch.
    pub pids: Vec<u32>,
}

/// After a refusal without a delay of the receiver's.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest delay that is honoured: a run must end.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

struct Shared {
    options: LoadOptions,
    payloads: Vec<Payload>,
    next: AtomicU64,
    acknowledged_bytes: AtomicU64,
    began: Instant,
    /// Between two requests, at a fixed rate.
    interval: Option<Duration>,
    acked: Option<Mutex<BufWriter<File>>>,
}

#[derive(Debug)]
struct Tally {
    latency: Histogram<u64>,
    acknowledged_requests: u64,
    acknowledged_records: u64,
    acknowledged_bytes: u64,
    rejected: u64,
    refused: Vec<Refused>,
    per_second: Vec<u64>,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            // Microseconds up to ten minutes, three digits.
            latency: Histogram::new_with_bounds(1, 600_000_000, 3)?,
            acknowledged_requests: 0,
            acknowledged_records: 0,
            acknowledged_bytes: 0,
            rejected: 0,
            refused: Vec::new(),
            per_second: Vec::new(),
        })
    }

    fn refuse(&mut self, status: String, has_retry_info: bool, count: u64) {
        match self.refused.iter_mut().find(|r| r.status == status && r.has_retry_info == has_retry_info) {
            Some(refused) => refused.requests += count,
            None => self.refused.push(Refused { status, has_retry_info, requests: count }),
        }
    }

    fn add(&mut self, other: Self) -> anyhow::Result<()> {
        self.latency.add(&other.latency)?;
        self.acknowledged_requests += other.acknowledged_requests;
        self.acknowledged_records += other.acknowledged_records;
        self.acknowledged_bytes += other.acknowledged_bytes;
        self.rejected += other.rejected;
        for refused in other.refused {
            self.refuse(refused.status, refused.has_retry_info, refused.requests);
        }
        if self.per_second.len() < other.per_second.len() {
            self.per_second.resize(other.per_second.len(), 0);
        }
        self.per_second.iter_mut().zip(other.per_second).for_each(|(sum, records)| *sum += records);
        Ok(())
    }
}

/// Runs the load over the given connections.
pub async fn run(
    connections: Vec<Transport>,
    payloads: Vec<Payload>,
    options: LoadOptions,
) -> anyhow::Result<Report> {
    anyhow::ensure!(!payloads.is_empty() && !connections.is_empty(), "nothing to send, or nobody to send it");
    let payloads = match options.is_fixed {
        true => payloads.into_iter().map(|payload| payload.fixed(unix_nanos())).collect(),
        false => payloads,
    };
    let records_a_request = f64::from(payloads[0].records.max(1));
    let acked = match &options.acked {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("{} can't be written", path.display()))?;
            Some(Mutex::new(BufWriter::new(file)))
        }
        None => None,
    };
    let before = usage(&options.pids)?;
    let own_before = Usage::own()?;
    let shared = Arc::new(Shared {
        interval: options.rate.map(|rate| Duration::from_secs_f64(records_a_request / rate)),
        began: Instant::now(),
        next: AtomicU64::new(0),
        acknowledged_bytes: AtomicU64::new(0),
        acked,
        payloads,
        options,
    });
    let workers: Vec<_> = connections
        .iter()
        .flat_map(|connection| std::iter::repeat_n(connection, shared.options.in_flight.max(1)))
        .map(|connection| tokio::spawn(work(connection.clone(), Arc::clone(&shared))))
        .collect();
    let mut tally = Tally::new()?;
    for worker in workers {
        tally.add(worker.await.context("a worker panicked")??)?;
    }
    let seconds = shared.began.elapsed().as_secs_f64();
    if let Some(acked) = &shared.acked {
        acked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .flush()
            .context("writing acknowledged numbers")?;
    }
    let after = usage(&shared.options.pids)?;
    let processes = shared
        .options
        .pids
        .iter()
        .zip(before.into_iter().zip(after))
        .map(|(pid, (before, after))| ProcessReport { pid: *pid, usage: after.since(before) })
        .collect();
    let own = Usage::own()?.since(own_before);
    let percentile = |quantile: f64| tally.latency.value_at_quantile(quantile) as f64 / 1e3;
    tally.refused.sort_by_key(|refused| std::cmp::Reverse(refused.requests));
    Ok(Report {
        seconds,
        acknowledged_requests: tally.acknowledged_requests,
        acknowledged_records: tally.acknowledged_records,
        acknowledged_bytes: tally.acknowledged_bytes,
        records_a_second: tally.acknowledged_records as f64 / seconds,
        rejected_records: tally.rejected,
        latency_ms: [0.5, 0.9, 0.99, 0.999, 1.0].map(percentile),
        refused: tally.refused,
        processes,
        own,
        per_second: tally.per_second,
        next_number: shared.options.first_number + shared.next.load(Ordering::Relaxed),
    })
}

fn usage(pids: &[u32]) -> anyhow::Result<Vec<Usage>> {
    let of =
        |pid: &u32| Usage::of(*pid).with_context(|| format!("process {pid} can't be watched; is it there?"));
    pids.iter().map(of).collect()
}

/// The present, in Unix nanoseconds.
pub fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

async fn work(connection: Transport, shared: Arc<Shared>) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    let options = &shared.options;
    let until = shared.began + options.duration;
    loop {
        let is_enough = |most| shared.acknowledged_bytes.load(Ordering::Relaxed) >= most;
        if options.most_bytes.is_some_and(is_enough) {
            return Ok(tally);
        }
        let turn = shared.next.fetch_add(1, Ordering::Relaxed);
        let due = match shared.interval {
            Some(interval) => {
                let due = shared.began + interval.mul_f64(turn as f64);
                if due >= until {
                    return Ok(tally);
                }
                sleep_until(due).await;
                due
            }
            None => Instant::now(),
        };
        if Instant::now() >= until && shared.interval.is_none() {
            return Ok(tally);
        }
        // An open loop that fell behind ends some time after its last request was due.
        if Instant::now() >= until + 2 * LONGEST_PAUSE {
            tally.refuse("not sent in time".to_owned(), false, 1);
            continue;
        }
        let payload = &shared.payloads[turn as usize % shared.payloads.len()];
        let number = options.first_number + turn;
        let body = match options.is_fixed {
            true => payload.as_is(),
            false => payload.stamped(number, unix_nanos()),
        };
        let answer = connection.send(options.signal, body).await;
        let now = Instant::now();
        match answer {
            Answer::Accepted { rejected } => {
                let waited = u64::try_from((now - due).as_micros()).unwrap_or(u64::MAX);
                tally.latency.saturating_record(waited.max(1));
                tally.acknowledged_requests += 1;
                tally.acknowledged_records += u64::from(payload.records).saturating_sub(rejected);
                tally.acknowledged_bytes += payload.plain_bytes() as u64;
                shared.acknowledged_bytes.fetch_add(payload.plain_bytes() as u64, Ordering::Relaxed);
                tally.rejected += rejected;
                let second = (now - shared.began).as_secs() as usize;
                if tally.per_second.len() <= second {
                    tally.per_second.resize(second + 1, 0);
                }
                tally.per_second[second] += u64::from(payload.records);
                if let Some(acked) = &shared.acked {
                    let mut acked = acked.lock().unwrap_or_else(PoisonError::into_inner);
                    writeln!(acked, "{number:016x} {}", payload.records)?;
                }
            }
            Answer::Refused { status, retry_after } => {
                tally.refuse(status, retry_after.is_some(), 1);
                // At a fixed rate the next request comes when it is due, whatever was said to this one.
                if shared.interval.is_none() {
                    let pause = retry_after.unwrap_or(PAUSE).min(LONGEST_PAUSE);
                    sleep(pause.min(until.saturating_duration_since(now))).await;
                }
            }
        }
    }
}
