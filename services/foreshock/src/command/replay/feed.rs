//! The telemetry partitions of a journal and the skips on its inner streams, fed to the stages side by side.
//!
//! Within a partition the order is the journal's. Between partitions it is free, so the one whose time is furthest
//! behind goes next: windows close as early as they can, and little waits in memory.

use std::collections::VecDeque;

use bytes::Bytes;
use foreshock_detect::{
    InputKind,
    pipeline::{self, Pipeline},
};
use foreshock_journal::{EmbeddedReader, Entry, EntryKind, Fetched, Offset, Partition, Stream};
use foreshock_model::{BASE_WINDOW, Timestamp};

/// Payload bytes read from a partition at once.
const READ_BYTES: usize = 1 << 20;

/// A journal on its way into a pipeline.
pub(super) struct Feed {
    journal: EmbeddedReader,
    /// The telemetry partitions that still hold something.
    partitions: Vec<Source>,
    /// By receive time, the earliest first.
    skips: VecDeque<(Partition, Timestamp, Bytes)>,
    warnings: Vec<String>,
}

/// One telemetry partition and how far it was read.
struct Source {
    partition: Partition,
    /// In [`pipeline::TELEMETRY`].
    stream: usize,
    position: Offset,
    /// Read and not fed yet; begins at `position`.
    ahead: VecDeque<(Offset, Entry)>,
    /// What is written later is the next replay's.
    end: Offset,
    /// When what was fed last was received.
    received: Timestamp,
}

impl Feed {
    /// Over what lies in the journal at present.
    pub(super) fn new(mut journal: EmbeddedReader) -> anyhow::Result<Self> {
        let (mut partitions, mut warnings) = (Vec::new(), Vec::new());
        let mut skips = Vec::new();
        for row in journal.stat() {
            let name = row.partition.stream.name();
            if let Some(stream) = pipeline::TELEMETRY.iter().position(|telemetry| *telemetry == name) {
                if row.first > Offset(0) {
                    warnings.push(format!(
                        "{} begins at offset {}: retention took what came before, so the first findings differ from those of then",
                        row.partition, row.first
                    ));
                }
                let (position, end) = (row.first, row.next);
                let source = Source {
                    partition: row.partition,
                    stream,
                    position,
                    end,
                    ahead: VecDeque::new(),
                    received: Timestamp::default(),
                };
                partitions.push(source);
            } else if matches!(row.partition.stream, Stream::Summaries | Stream::Findings) {
                read(&mut journal, row.partition, row.first, row.next, &mut skips)?;
            }
        }
        if !skips.is_empty() {
            warnings.push(format!(
                "{} times a partition was given up as it lagged; findings right after may differ from those of then",
                skips.len()
            ));
        }
        skips.sort_by_key(|(_, received, _)| *received);
        Ok(Self { journal, partitions, skips: skips.into(), warnings })
    }

    /// Why the replay may differ from what was found then.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Feeds a stretch of one partition. Returns how far time has come in the furthest behind; `None` at the end.
    pub(super) fn next(&mut self, pipeline: &mut Pipeline) -> anyhow::Result<Option<Timestamp>> {
        self.partitions.retain(|source| source.position < source.end);
        let reached = |source: &Source| pipeline.reached(source.stream, source.partition.index);
        let Some(source) = self.partitions.iter_mut().min_by_key(|source| reached(source)) else {
            self.hand_over_skips(pipeline, Timestamp::MAX);
            return Ok(None);
        };
        let before = pipeline.reached(source.stream, source.partition.index);
        if source.ahead.is_empty() {
            source.ahead = self.journal.read(source.partition, source.position, READ_BYTES)?.into();
        }
        let end = source.end;
        let mut fed = false;
        while let Some((offset, entry)) = source.ahead.pop_front_if(|(offset, _)| *offset < end) {
            fed = true;
            source.position = offset.next();
            source.received = source.received.max(entry.received);
            feed(pipeline, source, entry);
            // A tick is no reason to leave the partition; a window is, for others may be far behind by then.
            if pipeline.reached(source.stream, source.partition.index).since(before) > BASE_WINDOW {
                break;
            }
        }
        if !fed {
            source.position = end;
        }
        let received = self.partitions.iter().map(|source| source.received).min().unwrap_or_default();
        self.hand_over_skips(pipeline, received);
        Ok(Some(before))
    }

    /// Gives up sources where everything that was received before has been fed.
    fn hand_over_skips(&mut self, pipeline: &mut Pipeline, received: Timestamp) {
        while let Some((at, time, payload)) = self.skips.pop_front_if(|(_, time, _)| *time <= received) {
            if at.stream == Stream::Summaries {
                pipeline.skip_at_detect(at.index, time, &payload);
            } else {
                pipeline.skip_at_correlate(at.index, time, &payload);
            }
        }
    }
}

fn feed(pipeline: &mut Pipeline, source: &Source, entry: Entry) {
    let kind = match entry.kind {
        EntryKind::Data => InputKind::Data,
        EntryKind::Tick => InputKind::Tick,
        EntryKind::Marker => InputKind::Marker,
        EntryKind::Skip => InputKind::Skip,
    };
    let payload = entry.payload.into_bytes();
    let entry = pipeline::Entry { tenant: &entry.tenant, received: entry.received, kind, payload: &payload };
    pipeline.feed(source.stream, source.partition.index, entry);
}

/// Collects the skips of a partition.
fn read(
    journal: &mut EmbeddedReader,
    partition: Partition,
    mut position: Offset,
    end: Offset,
    skips: &mut Vec<(Partition, Timestamp, Bytes)>,
) -> anyhow::Result<()> {
    while position < end {
        let fetched: Fetched = journal.read(partition, position, READ_BYTES)?;
        let Some((last, _)) = fetched.last() else { break };
        position = last.next();
        let given_up = fetched.into_iter().filter(|(_, entry)| entry.kind == EntryKind::Skip);
        skips.extend(given_up.map(|(_, entry)| (partition, entry.received, entry.payload.into_bytes())));
    }
    Ok(())
}
