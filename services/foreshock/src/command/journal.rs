//! `foreshock journal stat` and `foreshock journal read`: what lies in the journal, also beside a running Foreshock.

use std::io::{BufWriter, Write, stdout};

use anyhow::Context;
use foreshock_journal::{Entry, EntryKind, Offset, Partition, Stream};
use foreshock_otlp::{Signal, json::json_lines};

use crate::{
    cli::{Journal, JournalRead, Place},
    outcome::Usage,
    replay::Looked,
};

mod message;

const READ_BYTES: usize = 4 << 20;

pub(super) fn run(command: Journal) -> anyhow::Result<()> {
    match command {
        Journal::Stat(place) => stat(&place),
        Journal::Read(read) => read_stream(&read),
    }
}

fn open(place: &Place) -> anyhow::Result<Looked> {
    let config = super::config::load(place.config.as_deref())?;
    super::observe::open(&config, place)
}

/// A figure, or a dash where it is not known.
fn figure(known: Option<u64>) -> String {
    known.map_or_else(|| "-".to_owned(), |figure| figure.to_string())
}

fn stat(place: &Place) -> anyhow::Result<()> {
    let mut looked = open(place)?;
    let mut out = BufWriter::new(stdout().lock());
    writeln!(
        out,
        "{:<28} {:>10} {:>10} {:>12} {:>14}  consumers",
        "partition", "first", "next", "records", "bytes"
    )?;
    for row in looked.journal.stat()? {
        let consumers: Vec<String> =
            row.consumers.iter().map(|(consumer, next)| format!("{consumer}={next}")).collect();
        writeln!(
            out,
            "{:<28} {:>10} {:>10} {:>12} {:>14}  {}",
            row.partition.to_string(),
            row.first.0,
            row.next.0,
            figure(row.records),
            figure(row.bytes),
            consumers.join(" ")
        )?;
    }
    Ok(out.flush()?)
}

fn read_stream(read: &JournalRead) -> anyhow::Result<()> {
    let stream = Stream::parse(&read.stream).ok_or_else(|| {
        let names: Vec<&str> = Stream::ALL.into_iter().map(Stream::name).collect();
        Usage(format!("{:?} is not a stream; these are: {}", read.stream, names.join(", ")))
    })?;
    let mut looked = open(&read.place)?;
    let journal = &mut looked.journal;
    let partitions = journal.partitions(stream);
    if let Some(partition) = read.partition.filter(|partition| *partition >= partitions) {
        return Err(
            Usage(format!("{} has no partition {partition}; it has {partitions}", stream.name())).into()
        );
    }
    let chosen = read.partition.map_or(0..partitions, |partition| partition..partition + 1);
    let rows = journal.stat()?;
    let mut left = read.limit.unwrap_or(u64::MAX);
    let mut out = BufWriter::new(stdout().lock());
    for partition in chosen.map(|index| Partition::new(stream, index)) {
        let Some(row) = rows.iter().find(|row| row.partition == partition) else { continue };
        // What comes while we print is the next reader's.
        let mut position = read.from.map_or(row.first, Offset).max(row.first);
        while position < row.next && left > 0 {
            let fetched = journal.read(partition, position, READ_BYTES)?;
            let Some((last, _)) = fetched.last() else { break };
            position = last.next();
            for (offset, entry) in fetched {
                if left == 0 {
                    break;
                }
                print(&mut out, partition, offset, entry, &mut left)
                    .with_context(|| format!("printing offset {offset} of {partition}"))?;
            }
        }
    }
    Ok(out.flush()?)
}

/// Prints an entry: telemetry as a line a record, ours as a line a message. Ticks, markers and skips are left out
/// of telemetry, as other readers do not see them either.
fn print(
    out: &mut impl Write,
    partition: Partition,
    offset: Offset,
    entry: Entry,
    left: &mut u64,
) -> anyhow::Result<()> {
    if entry.kind != EntryKind::Data {
        return Ok(());
    }
    let payload = entry.payload.into_bytes();
    let signal = match partition.stream {
        Stream::Logs => Signal::Logs,
        Stream::Metrics => Signal::Metrics,
        Stream::Spans => Signal::Traces,
        stream => {
            *left -= 1;
            let line = message::line(stream, partition.index, offset, entry.received, &payload)?;
            return Ok(writeln!(out, "{line}")?);
        }
    };
    for line in json_lines(signal, &payload).take(usize::try_from(*left).unwrap_or(usize::MAX)) {
        out.write_all(&line?)?;
        out.write_all(b"\n")?;
        *left -= 1;
    }
    Ok(())
}
