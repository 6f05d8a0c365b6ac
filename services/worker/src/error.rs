//! Why the worker ended.

use std::io;

use foreshock_detect::words_of_panic;
use foreshock_journal::{JournalError, Partition};
use tokio::task::JoinError;

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
    /// Whose turn it is can't be told.
    #[error("whose turn it is among the processes of this name can't be told: {0}")]
    Turn(#[source] JournalError),
    /// Another process of our name serves now, as this one was not heard of.
    #[error("another process of this journal.kafka.instance serves now, as this one was not heard of")]
    Replaced,
    /// Code of ours failed.
    #[error("{task} broke off: {reason}; restart, and report this")]
    Broken {
        /// What it was doing.
        task: String,
        /// The panic's words.
        reason: String,
    },
}

impl WorkerError {
    /// Whether it ended because another of its name serves now.
    pub(crate) fn is_replaced(&self) -> bool {
        matches!(self, Self::Replaced | Self::Group { source: JournalError::Replaced { .. }, .. })
    }

    /// Of a task that was to end by itself.
    pub(crate) fn broken(task: String, error: JoinError) -> Self {
        let reason = match error.try_into_panic() {
            Ok(panic) => words_of_panic(&*panic),
            Err(error) => error.to_string(),
        };
        Self::Broken { task, reason }
    }
}
