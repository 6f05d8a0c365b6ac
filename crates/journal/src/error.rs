//! What can go wrong, by what a caller can do about it.

use std::{io, path::PathBuf};

use crate::{Offset, Partition};

/// Why the journal did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is no room. Passing: the journal goes on by itself when there is room again.
    #[error(
        "the disk of {path} is full: {free_bytes} bytes left, {needed_bytes} needed; free some or lower journal.retention"
    )]
    DiskFull {
        /// The journal's directory.
        path: PathBuf,
        /// What the file system has left.
        free_bytes: u64,
        /// What the journal wanted.
        needed_bytes: u64,
    },
    /// Retention may not remove what a consumer has not read yet, and the limit is reached. Passing.
    #[error(
        "the journal holds its {limit_bytes} bytes and {consumer} has not read the oldest of them; wait for it or raise journal.retention_bytes"
    )]
    HeldBack {
        /// The configured limit.
        limit_bytes: u64,
        /// Who is behind.
        consumer: String,
    },
    /// The device failed a write or a sync. Passing at best: the journal tries a fresh segment by itself.
    #[error(
        "writing {path} failed: {source}; see the kernel's log for the device, the journal goes on in a fresh segment when it can"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More waits to be written than the limit allows. Passing.
    #[error("{queued_bytes} bytes wait to be written, the limit is {limit_bytes}; send again later")]
    Overloaded {
        /// What waits.
        queued_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// A batch that can never be written. Not passing.
    #[error("a batch of {bytes} bytes is above the limit of {limit_bytes}; make it smaller")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// A batch or a name that can never be taken. Not passing.
    #[error("the journal can't take that: {0}")]
    Invalid(String),
    /// Another process writes here.
    #[error("{path} is in use by process {pid}; stop it or give another --data-dir")]
    Locked {
        /// The journal's directory.
        path: PathBuf,
        /// Who holds it; 0 where that can't be told.
        pid: u32,
    },
    /// The directory holds something that this version can't read.
    #[error("{path} is not a journal this version can read: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The offset is not there (any more).
    #[error("{partition} begins at offset {first}, {asked} is not there; read from {first}")]
    OutOfRange {
        /// Where.
        partition: Partition,
        /// What was asked for.
        asked: Offset,
        /// The oldest that is there.
        first: Offset,
    },
    /// The partition is not there.
    #[error("{0} is not there; see the configured number of partitions")]
    NoPartition(Partition),
    /// The partition belongs to another worker now.
    #[error("partition {0} now belongs to another worker")]
    Fenced(Partition),
    /// The brokers did not do what was asked. Passing: it is worth trying again.
    #[error("Kafka failed at {doing}: {reason}")]
    Kafka {
        /// What was asked.
        doing: &'static str,
        /// What the client said.
        reason: String,
    },
    /// Kafka can't be used as it is. Not passing.
    #[error("Kafka can't be used: {0}")]
    Unusable(String),
    /// Another process goes by our name. Not passing.
    #[error(
        "another process has joined as {instance:?}; give each its own journal.kafka.instance, or let them stand by for one another (worker.standby)"
    )]
    Replaced {
        /// The name.
        instance: String,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

impl JournalError {
    /// Whether the same append may succeed later, so that the sender should send again.
    pub fn is_passing(&self) -> bool {
        !matches!(
            self,
            Self::TooLarge { .. }
                | Self::Invalid(_)
                | Self::NoPartition(_)
                | Self::Unreadable { .. }
                | Self::Unusable(_)
                | Self::Replaced { .. }
        )
    }
}
