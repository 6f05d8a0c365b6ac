//! A real Apache Kafka for tests and benches: brokers of their own, on ports and in a folder of their own, that can
//! be killed, stopped and cut off, and that never outlive the process that started them.
//!
//! Runs the very scripts behind `make kafka-up` (deploy/kafka), with the same settings. Knows nothing of Kafka's
//! protocol and links no client: what a test says to the broker is the test's business. Everything here blocks: an
//! async test starts its broker before it needs its runtime, or in `spawn_blocking`.
//!
//! ```no_run
//! use foreshock_kafka_testing::{Kafka, Listener, Options};
//!
//! // Most tests: one broker for all tests of a binary, topics told apart by their prefix.
//! let brokers = Kafka::shared().bootstrap();
//!
//! // A test that disturbs has brokers of its own.
//! let mut kafka = Kafka::start(Options {
//!     brokers: 3,
//!     listeners: vec![Listener::proxied("WORKERS")],
//!     ..Options::default()
//! })?;
//! let brokers = kafka.bootstrap_of("WORKERS");
//! kafka.proxy("WORKERS").cut();
//! kafka.proxy("WORKERS").restore();
//! kafka.kill(2)?;
//! kafka.restart(2)?;
//! # Ok::<(), foreshock_kafka_testing::Error>(())
//! ```
#![forbid(unsafe_code)]

mod attendant;
mod kafka;
mod node;
mod options;
mod port;
mod proxy;
mod scripts;

use std::{io, path::PathBuf};

pub use crate::{
    kafka::Kafka,
    options::{Listener, Options},
    port::Port,
    proxy::Proxy,
};

/// Why there is no Kafka, or not as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A script of deploy/kafka failed; what it says names the Debian package where one is missing.
    #[error("deploy/kafka/{script} failed: {said}")]
    Script {
        /// Its name.
        script: &'static str,
        /// What it wrote to stderr.
        said: String,
    },
    /// A broker did not come up.
    #[error("node {node} of Kafka is not up: {said}; the end of its log:\n{log}")]
    NotUp {
        /// Its number.
        node: usize,
        /// What it was that did not happen.
        said: String,
        /// The last lines of the broker's log; the log itself goes with the broker.
        log: String,
    },
    /// Options that no Kafka can have.
    #[error("{0}")]
    Options(String),
    /// The machine is in the way.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What came of it.
        source: io::Error,
    },
}

/// `map_err(io("what was tried"))`
fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { what: what.into(), source }
}

/// Where the scripts lie.
fn scripts() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/kafka"))
}
