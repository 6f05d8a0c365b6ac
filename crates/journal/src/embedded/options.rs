//! What can be set about an embedded journal.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use foreshock_model::Timestamp;

use super::{
    disk::Disk,
    layout::{BLOCK, Counts, Volume},
    storage::{RETRY_AFTER, Storage},
};
use crate::Stream;

const MIB: u64 = 1 << 20;

/// How long and how much of a volume is kept. Whole segments go, oldest first, and never one that a consumer or a
/// snapshot still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Entries older than this may go.
    pub age: Duration,
    /// Bytes of segment files above which the oldest go.
    pub bytes: u64,
}

/// Settings of an [`EmbeddedJournal`](super::EmbeddedJournal).
#[derive(Clone)]
pub struct EmbeddedOptions {
    /// Where it lies; made where it is not there.
    pub directory: PathBuf,
    /// Partitions of each telemetry stream. Fixed when the journal is made.
    pub telemetry_partitions: u16,
    /// Partitions of summaries, findings and incidents each. Fixed when the journal is made.
    pub stage_partitions: u16,
    /// Size of a segment file.
    pub segment_bytes: u64,
    /// What is kept of the telemetry.
    pub telemetry_retention: Retention,
    /// What is kept of everything else.
    pub stages_retention: Retention,
    /// Bytes that may wait to be written, a volume.
    pub queue_bytes: u64,
    /// Bytes of what was written last that are held for readers, both volumes together.
    pub cache_bytes: u64,
    /// The largest batch, frames included.
    pub max_batch_bytes: u64,
    /// Shortest time between two tries of a device that failed.
    pub retry_after: Duration,
    /// Tells the time, for retention by age.
    pub clock: fn() -> Timestamp,
    /// The file system; another one in tests.
    pub storage: Arc<dyn Storage>,
}

impl EmbeddedOptions {
    /// The defaults, in a directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            telemetry_partitions: 4,
            stage_partitions: 4,
            segment_bytes: 128 * MIB,
            telemetry_retention: Retention { age: Duration::from_secs(7 * 86_400), bytes: 20 << 30 },
            stages_retention: Retention { age: Duration::from_secs(30 * 86_400), bytes: 4 << 30 },
            queue_bytes: 128 * MIB,
            cache_bytes: 64 * MIB,
            max_batch_bytes: 96 * MIB,
            retry_after: RETRY_AFTER,
            clock: system_clock,
            storage: Arc::new(Disk),
        }
    }

    /// Small files and limits: opens and closes fast, for tests on a temporary directory.
    pub fn small(directory: impl Into<PathBuf>) -> Self {
        Self {
            segment_bytes: MIB,
            queue_bytes: 8 * MIB,
            cache_bytes: MIB,
            max_batch_bytes: 512 << 10,
            ..Self::new(directory)
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts(Stream::ALL.map(|stream| match stream {
            Stream::Logs | Stream::Metrics | Stream::Spans => self.telemetry_partitions,
            Stream::Summaries | Stream::Findings | Stream::Incidents => self.stage_partitions,
            Stream::Control | Stream::Deliveries | Stream::Poison => 1,
        }))
    }

    pub(super) fn retention(&self, volume: Volume) -> Retention {
        match volume {
            Volume::Telemetry => self.telemetry_retention,
            Volume::Stages => self.stages_retention,
        }
    }

    /// A volume's share of the cache: telemetry is what is large.
    pub(super) fn volume_cache_bytes(&self, volume: Volume) -> u64 {
        match volume {
            Volume::Telemetry => self.cache_bytes / 4 * 3,
            Volume::Stages => self.cache_bytes / 4,
        }
    }

    /// Why the settings can't be used, if they can't.
    pub(super) fn problem(&self) -> Option<String> {
        // Headers and the largest checkpoint come before the first batch of a segment.
        let largest =
            self.max_batch_bytes.saturating_add(super::checkpoint::MAX_BYTES).saturating_add(4 * BLOCK);
        if self.telemetry_partitions == 0 || self.stage_partitions == 0 {
            Some("a stream needs at least one partition; raise journal.partitions".to_owned())
        } else if self.telemetry_partitions > 1024 || self.stage_partitions > 1024 {
            Some("a stream has at most 1024 partitions; lower journal.partitions".to_owned())
        } else if !self.segment_bytes.is_multiple_of(BLOCK) || self.segment_bytes >= u64::from(u32::MAX) {
            Some(format!(
                "journal.segment_bytes is {}; use a multiple of {BLOCK} below 4 GiB",
                self.segment_bytes
            ))
        } else if largest > self.segment_bytes {
            Some(format!(
                "a batch of {} bytes does not fit a segment of {}; set journal.segment_bytes to {} or more",
                self.max_batch_bytes,
                self.segment_bytes,
                largest.next_multiple_of(BLOCK)
            ))
        } else {
            None
        }
    }
}

fn system_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
