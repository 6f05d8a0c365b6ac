//! The journal in one directory, without a server: the default.
//!
//! ```text
//! LOCK                     who writes here
//! telemetry/ 0..1.seg      one log of what was received, all partitions interleaved
//! stages/    0..1.seg      one log of everything else
//! snapshots/ *.snap        states of stages
//! damaged/   *.bin         what was found damaged, kept for people
//! ```
//! Why so: docs/decisions/0001-one-log-many-partitions.md.

mod buffer;
mod catalog;
mod checkpoint;
mod codec;
mod damage;
mod disk;
mod failure;
mod fetch;
mod figures;
mod frame;
mod group;
mod index;
mod journal;
mod layout;
mod observer;
mod options;
mod queue;
mod reader;
mod recovery;
mod retention;
mod scan;
mod segment;
mod shared;
mod snapshot;
mod stat;
pub mod storage;
mod sync;
mod tail;
mod writer;

pub use disk::Disk;
pub use journal::EmbeddedJournal;
pub use observer::EmbeddedReader;
pub use options::{EmbeddedOptions, Retention};
