//! Measures durable appends beside the plainest durable write there is, in one run.
//!
//! `cargo run --release -p foreshock-journal --example append [DIRECTORY] [SECONDS]`

use std::{
    collections::VecDeque,
    fs,
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use foreshock_journal::{
    Batch, EmbeddedJournal, EmbeddedOptions, Entry, Journal, JournalError, Offset, Partition, Stream,
    embedded::Retention,
};
use foreshock_model::{Tenant, Timestamp};

/// A request of 1000 log records.
const PAYLOAD_BYTES: usize = 348_000;
const RECORDS: u32 = 1000;
/// Appends a producer has under way at once.
const DEPTH: usize = 4;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What one way of writing came to.
struct Measured {
    bytes: u64,
    wall: Duration,
    cpu: Duration,
    syncs: u64,
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| "append-bench".to_owned());
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let (directory, length) = (Path::new(&directory), Duration::from_secs(seconds));
    fs::create_dir_all(directory)?;
    let ceiling = plain_writes(&directory.join("plain"), length)?;
    print("write + fdatasync of 1 MiB, O_DIRECT", &ceiling, &ceiling);
    for producers in [1, 4] {
        let measured = journal(&directory.join(format!("journal-{producers}")), producers, length)?;
        print(&format!("journal, {producers} producers of 348 KB"), &measured, &ceiling);
    }
    let measured = catch_up(&directory.join("journal-behind"))?;
    print("12 readers behind, from disk, 4 with data", &measured, &ceiling);
    fs::remove_dir_all(directory)?;
    Ok(())
}

fn print(what: &str, measured: &Measured, ceiling: &Measured) {
    let rate = |m: &Measured| m.bytes as f64 / 1e6 / m.wall.as_secs_f64();
    let cpu = |m: &Measured| m.cpu.as_secs_f64() / (m.bytes as f64 / 348.0 / 1e6);
    println!(
        "{what:<40} {:>7.0} MB/s ({:>4.2} of the ceiling)  {:.3} CPU-s per million records of 348 B (+{:.3})  {} syncs",
        rate(measured),
        rate(measured) / rate(ceiling),
        cpu(measured),
        cpu(measured) - cpu(ceiling),
        measured.syncs
    );
}

/// The ceiling: one thread, aligned blocks into a file written once before, a sync after each.
fn plain_writes(path: &Path, length: Duration) -> Outcome<Measured> {
    const BLOCK: usize = 1 << 20;
    const FILE: u64 = 1 << 30;
    let direct = i32::try_from(rustix::fs::OFlags::DIRECT.bits())?;
    let mut file =
        fs::OpenOptions::new().create(true).truncate(true).write(true).custom_flags(direct).open(path)?;
    let mut memory = vec![0x5a; BLOCK + 4096];
    let start = memory.as_ptr().align_offset(4096);
    let block = &mut memory[start..start + BLOCK];
    for _ in 0..FILE / BLOCK as u64 {
        file.write_all(block)?;
    }
    file.sync_all()?;
    let (began, cpu) = (Instant::now(), cpu_time()?);
    let mut syncs = 0;
    while began.elapsed() < length {
        file.seek(SeekFrom::Start(syncs * BLOCK as u64 % FILE))?;
        file.write_all(block)?;
        file.sync_data()?;
        syncs += 1;
    }
    let measured =
        Measured { bytes: syncs * BLOCK as u64, wall: began.elapsed(), cpu: cpu_time()? - cpu, syncs };
    fs::remove_file(path)?;
    Ok(measured)
}

fn journal(directory: &Path, producers: u64, length: Duration) -> Outcome<Measured> {
    let mut options = EmbeddedOptions::new(directory);
    // Small enough that segments are recycled from the first seconds on, as they are in service.
    options.telemetry_retention = Retention { age: Duration::from_secs(3600), bytes: 1 << 30 };
    let journal = EmbeddedJournal::open(options)?;
    // Many, so that the source is not in the processor's caches.
    let payloads: Arc<[Bytes]> = (0..128u8).map(|number| Bytes::from(vec![number; PAYLOAD_BYTES])).collect();
    run(&*journal, &payloads, producers, Duration::from_secs(2))?;
    let (began, cpu, before) = (Instant::now(), cpu_time()?, journal.figures());
    let bytes = run(&*journal, &payloads, producers, length)?;
    let after = journal.figures();
    let syncs =
        |figures: &foreshock_journal::Figures| figures.sync_latency.last().map_or(0, |(_, count)| *count);
    let measured = Measured {
        bytes,
        wall: began.elapsed(),
        cpu: cpu_time()? - cpu,
        syncs: syncs(&after) - syncs(&before),
    };
    drop(journal);
    fs::remove_dir_all(directory)?;
    Ok(measured)
}

fn run(
    journal: &dyn Journal,
    payloads: &[Bytes],
    producers: u64,
    length: Duration,
) -> Result<u64, JournalError> {
    let total = AtomicU64::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let produce = |producer: u64| -> Result<(), JournalError> {
            let mut under_way = VecDeque::new();
            let mut number = producer;
            while began.elapsed() < length {
                let payload = payloads[number as usize % payloads.len()].clone();
                let partition = Partition::new(Stream::Logs, (number % 4) as u16);
                let entry = Entry::data(Tenant::default(), Timestamp(number), RECORDS, payload);
                under_way
                    .push_back(journal.append(Batch { entries: vec![(partition, entry)], consumed: None }));
                number += producers;
                if under_way.len() >= DEPTH
                    && let Some(oldest) = under_way.pop_front()
                {
                    oldest.wait()?;
                    total.fetch_add(PAYLOAD_BYTES as u64, Ordering::Relaxed);
                }
            }
            for pending in under_way {
                pending.wait()?;
                total.fetch_add(PAYLOAD_BYTES as u64, Ordering::Relaxed);
            }
            Ok(())
        };
        let threads: Vec<_> = (0..producers).map(|producer| scope.spawn(move || produce(producer))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Err(JournalError::Closed)))
    })?;
    Ok(total.load(Ordering::Relaxed))
}

/// User and system time of this process, to a hundredth of a second.
fn cpu_time() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Readers of all telemetry partitions that begin at the oldest entry, of a journal of 1 GB.
fn catch_up(directory: &Path) -> Outcome<Measured> {
    const BATCHES: u64 = 3_000;
    let journal = EmbeddedJournal::open(EmbeddedOptions::new(directory))?;
    let payload = Bytes::from(vec![7; PAYLOAD_BYTES]);
    for number in 0..BATCHES {
        let partition = Partition::new(Stream::Logs, (number % 4) as u16);
        let entry = Entry::data(Tenant::default(), Timestamp(number), RECORDS, payload.clone());
        journal.append(Batch { entries: vec![(partition, entry)], consumed: None }).wait()?;
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let (began, cpu) = (Instant::now(), cpu_time()?);
    let mut readers = Vec::new();
    let of = |stream| (0..4).map(move |index| Partition::new(stream, index));
    for partition in Stream::TELEMETRY.into_iter().flat_map(of) {
        let mut reader = journal.reader(partition, Offset(0))?;
        readers.push(runtime.spawn(async move {
            let mut bytes = 0;
            loop {
                let fetched = reader.read_now(1 << 20).await?;
                if fetched.is_empty() {
                    return Ok::<u64, JournalError>(bytes);
                }
                bytes += fetched.iter().map(|(_, entry)| entry.payload.len() as u64).sum::<u64>();
            }
        }));
    }
    let mut bytes = 0;
    for reader in readers {
        bytes += runtime.block_on(reader)??;
    }
    let measured = Measured { bytes, wall: began.elapsed(), cpu: cpu_time()? - cpu, syncs: 0 };
    drop(journal);
    fs::remove_dir_all(directory)?;
    Ok(measured)
}
