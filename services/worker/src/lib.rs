//! Runs the stages over the journal: one runner for each stage and input partition.
//!
//! A runner feeds the entries of one partition, in order, to one state machine of `foreshock-detect` and appends what
//! comes out together with the offset it has come to, in one atomic batch. The state lives in memory; now and then it
//! is written as a snapshot. After a crash the newest snapshot is loaded, the log is replayed in silence up to the
//! committed offset, and the runner goes on: every output is on the journal exactly once.
//!
//! This crate knows nothing of what the stages compute, and never tells them the time: what moves a stage is a record
//! on its partition. The ticks, skips and markers that do so are appended here.

mod ask;
mod backoff;
mod commit;
mod config;
mod crew;
mod error;
mod lag;
mod latency;
mod metrics;
mod poison;
mod recovery;
mod report;
mod runner;
mod sequence;
mod served;
mod service;
mod snapshot;
mod sources;
mod standby;
mod ticks;
mod views;
mod wall;

pub use config::WorkerConfig;
pub use error::WorkerError;
pub use lag::{LagWatch, marked_partition, tell_of_lag};
pub use latency::{Distribution, Latency};
pub use metrics::{PartitionFigures, PartitionMetrics, WorkerMetrics};
pub use report::{LagReport, PartitionLag, resident_bytes};
pub use runner::Runner;
pub use served::{Reading, Served, Sizes};
pub use service::run;
pub use ticks::tick_quiet_partitions;
pub use views::Views;
