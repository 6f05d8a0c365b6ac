//! The journal on Apache Kafka: a stream is a topic, an entry a message.
//!
//! ```text
//! append.rs        what stands for itself: an idempotent producer, acknowledged by all replicas in sync
//! transaction.rs   a stage's outputs and offsets in one transaction, fenced by the group's generation
//! group.rs         which partitions are ours, taken over and given away
//! turn.rs          which of several processes of one name serves
//! tap.rs reader.rs partitions read at given offsets, committed records alone
//! snapshot.rs      states on a compacted topic
//! topics.rs        what `foreshock topics` makes
//! asked.rs         clients that are only asked, polled all the while; token.rs: what lets them in
//! ```
//! Why so: docs/decisions/0008-exactly-once-on-kafka.md.

mod append;
mod asked;
mod context;
mod counters;
mod failure;
mod group;
mod journal;
mod message;
mod names;
mod options;
mod reader;
mod snapshot;
mod tap;
mod token;
pub mod topics;
mod transaction;
mod turn;

pub use journal::KafkaJournal;
pub use options::{KafkaOptions, OWN_MESSAGE_BYTES};
