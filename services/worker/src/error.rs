//! Why the worker ended.

use std::io;

use foreshock_journal::{JournalError, Partition};

/// Why the worker, or one of its partitions, can't go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The threads could not be made.
    #[error(
        "the worker's threads could not be started: {0}; lower worker.threads or raise the process limit"
    )]
    Threads(#[source] io::Error),
    /// The journal refused for good.
    #[error("stage {stage} of {partition} can't go on: {source}")]
    Journal {
        /// Which stage.
        stage: &'static str,
        /// Reading what.
        partition: Partition,
        /// What the journal said.
        source: JournalError,
    },
    /// A stage has no place among those who share its partitions.
    #[error("stage {stage} can't take its share of the partitions: {source}")]
    Group {
        /// Which stage.
        stage: &'static str,
        /// What the journal said.
        source: JournalError,
    },
    /// Code of ours failed.
    #[error("{task} broke off: {reason}; restart, and report this")]
    Broken {
        /// What it was doing.
        task: String,
        /// The panic's words.
        reason: String,
    },
}
