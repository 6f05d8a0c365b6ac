//! What can be set about the worker.

use std::{num::NonZero, thread, time::Duration};

use serde::{Deserialize, Serialize};

/// The section `[worker]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// Stand by for another process of the same name, and take its place when it ends.
    pub standby: bool,
    /// Threads that run the partitions; 0 takes one for each core.
    pub threads: u16,
    /// Bytes read from a partition at a time.
    pub fetch_bytes: u32,
    /// A state is saved this often, in seconds, if it changed.
    pub snapshot_seconds: u32,
    /// A state is saved sooner after this much input, in MiB: it bounds what a restart has to read again.
    pub snapshot_input_mib: u32,
    /// Saving may take this share of a partition's time, in percent; where it takes more it is done less often.
    pub snapshot_percent: u8,
    /// A shutdown waits this long for the last commits, in seconds.
    pub shutdown_seconds: u32,
    /// A stage that is further behind than this and stays so is told of, in seconds.
    pub lag_told_seconds: u32,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            standby: false,
            threads: 0,
            fetch_bytes: 1 << 20,
            snapshot_seconds: 60,
            snapshot_input_mib: 128,
            snapshot_percent: 2,
            shutdown_seconds: 10,
            lag_told_seconds: 60,
        }
    }
}

impl WorkerConfig {
    /// Threads that run the partitions, at least one.
    pub fn threads(&self) -> usize {
        match self.threads {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            threads => threads.into(),
        }
    }

    /// How long a shutdown waits for the last commits.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_seconds.into())
    }

    /// A stage that is further behind than this is told of.
    pub fn lag_told(&self) -> Duration {
        Duration::from_secs(self.lag_told_seconds.into())
    }

    /// What is wrong with the values, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(1 << 10..=64 << 20).contains(&self.fetch_bytes) {
            problems.push(format!("worker.fetch_bytes is {}; take 1024 to 67108864", self.fetch_bytes));
        }
        if self.snapshot_seconds == 0 {
            problems.push("worker.snapshot_seconds is 0; take at least 1".to_owned());
        }
        if self.lag_told_seconds < 10 {
            problems.push(format!(
                "worker.lag_told_seconds is {}; take at least 10: windows alone take as long",
                self.lag_told_seconds
            ));
        }
        if self.snapshot_input_mib == 0 {
            problems.push("worker.snapshot_input_mib is 0; take at least 1".to_owned());
        }
        if !(1..=50).contains(&self.snapshot_percent) {
            problems.push(format!("worker.snapshot_percent is {}; take 1 to 50", self.snapshot_percent));
        }
        if self.threads > 1024 {
            problems.push(format!("worker.threads is {}; take 0 (one a core) to 1024", self.threads));
        }
        problems
    }
}
