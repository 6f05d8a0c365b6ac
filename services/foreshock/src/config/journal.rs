//! The section `[journal]`.

use std::{path::Path, time::Duration};

use foreshock_journal::EmbeddedOptions;
use serde::{Deserialize, Serialize};

use super::KafkaConfig;

/// Which journal it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// In one directory, for one process.
    #[default]
    Embedded,
    /// On Apache Kafka, for many.
    Kafka,
}

/// Where and how long entries are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JournalConfig {
    /// Which it is.
    pub(crate) kind: Kind,
    /// Partitions of logs, metrics and spans each. Fixed when the journal is made.
    pub(crate) telemetry_partitions: u16,
    /// Partitions of summaries, findings and incidents each. Fixed when the journal is made.
    pub(crate) stage_partitions: u16,
    /// Telemetry older than this many hours may go.
    pub(crate) retention_hours: u32,
    /// Bytes of telemetry above which the oldest goes.
    pub(crate) retention_bytes: u64,
    /// Hours that summaries, findings, incidents and deliveries are kept.
    pub(crate) stages_retention_hours: u32,
    /// Bytes of them above which the oldest go.
    pub(crate) stages_retention_bytes: u64,
    /// Bytes of a segment file.
    pub(crate) segment_bytes: u64,
    /// Bytes that may wait to be written.
    pub(crate) queue_bytes: u64,
    /// Bytes of what was written last that are held in memory for readers.
    pub(crate) cache_bytes: u64,
    /// What Kafka needs to know.
    pub(crate) kafka: KafkaConfig,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            kind: Kind::Embedded,
            telemetry_partitions: 4,
            stage_partitions: 4,
            retention_hours: 7 * 24,
            retention_bytes: 20 << 30,
            stages_retention_hours: 30 * 24,
            stages_retention_bytes: 4 << 30,
            segment_bytes: 128 << 20,
            queue_bytes: 128 << 20,
            cache_bytes: 64 << 20,
            kafka: KafkaConfig::default(),
        }
    }
}

impl JournalConfig {
    /// As the journal takes it.
    pub(crate) fn options(&self, directory: &Path) -> EmbeddedOptions {
        let hours = |hours: u32| Duration::from_secs(u64::from(hours) * 3600);
        let mut options = EmbeddedOptions::new(directory);
        options.telemetry_partitions = self.telemetry_partitions;
        options.stage_partitions = self.stage_partitions;
        options.telemetry_retention.age = hours(self.retention_hours);
        options.telemetry_retention.bytes = self.retention_bytes;
        options.stages_retention.age = hours(self.stages_retention_hours);
        options.stages_retention.bytes = self.stages_retention_bytes;
        options.segment_bytes = self.segment_bytes;
        options.queue_bytes = self.queue_bytes;
        options.cache_bytes = self.cache_bytes;
        options
    }

    /// What is wrong with the values, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.kafka.problems();
        for (key, partitions) in
            [("telemetry_partitions", self.telemetry_partitions), ("stage_partitions", self.stage_partitions)]
        {
            if !(1..=1024).contains(&partitions) {
                problems.push(format!("journal.{key} is {partitions}; take 1 to 1024"));
            }
        }
        // A request of 64 MiB must fit a segment with its frames.
        if self.segment_bytes < 112 << 20
            || !self.segment_bytes.is_multiple_of(4096)
            || self.segment_bytes > 3 << 30
        {
            problems.push(format!(
                "journal.segment_bytes is {}; take a multiple of 4096 from 117440512 to 3221225472",
                self.segment_bytes
            ));
        }
        for (key, bytes) in [
            ("retention_bytes", self.retention_bytes),
            ("stages_retention_bytes", self.stages_retention_bytes),
        ] {
            if bytes < self.segment_bytes.saturating_mul(2) {
                problems.push(format!("journal.{key} is {bytes}; take at least two segments"));
            }
        }
        if self.queue_bytes < 100 << 20 {
            problems.push(format!(
                "journal.queue_bytes is {}; take at least 104857600, so that the largest request fits",
                self.queue_bytes
            ));
        }
        problems
    }
}
