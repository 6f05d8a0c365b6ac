//! The three stages as plain state machines: reduce, detect, correlate.
//!
//! A stage is a pure function of the entries of its partition, in order: no clock, no randomness, no threads, no
//! journal. The same entries give the same outputs, byte for byte, whatever the batch sizes, the partitioning of the
//! telemetry and the points at which the state was saved and restored.
//!
//! Invariants, each with a test that catches its breach:
//! - what is merged is merged exactly, in any order ([`detect`] adds integers; a metric series has one source);
//! - nothing that is put out follows from the order of a hash map;
//! - every map has a limit in [`Limits`]; what is over it is counted and reported;
//! - provisional findings teach nothing and change no final one.

mod config;
pub mod correlate;
mod degraded;
pub mod detect;
mod origin;
pub mod pipeline;
pub mod reduce;
mod session_key;
mod stage;
mod upstream;
mod watermark;
mod workings;
mod zone;

use foreshock_template::Level;

pub use config::{Budget, Clock, DetectConfig, FeedbackLimits, Limits, Quota, Sessions};
pub use correlate::{KindSpending, NextWindow, Prior, Spending, Spread, Thresholds};
pub use degraded::{Folds, OWN_SERVICE};
pub use foreshock_model::partition_of_tenant;
pub use foreshock_stats::Fared;
pub use origin::{Holes, InputId, Origin};
pub use session_key::SessionKey;
pub use stage::{Input, InputKind, Outputs, RestoreError, Stage, Taken, words_of_panic};
pub use watermark::Watermark;
pub use workings::{Asked, Decision, Workings};
pub use zone::{ZoneError, zone};

/// The label of a finding that names the service on the other side of a call: where to look as well.
pub const PEER: &str = "peer";
/// The label of a finding that names the address on the other side of a call.
pub const PEER_ADDRESS: &str = "peer_address";

/// OTLP severity numbers from here on are warnings.
pub(crate) const WARN_LEVEL: u32 = Level::Warn.severity_number() as u32;
/// OTLP severity numbers from here on are errors.
pub(crate) const ERROR_LEVEL: u32 = Level::Error.severity_number() as u32;

/// A hash table whose hashing does not change from run to run. Nothing is put out in its order.
pub(crate) type Table<K, V> = std::collections::HashMap<K, V, foldhash::fast::FixedState>;
