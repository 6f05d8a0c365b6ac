//! Why the receiver could not start, or ended before it was told to.

use std::{io, net::SocketAddr, path::PathBuf};

use foreshock_model::Tenant;

/// Why the receiver does not run.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The address is taken or not this machine's.
    #[error("can't listen on {address}: {source}; free the port or set ingest.{key}")]
    Bind {
        /// What was configured.
        address: SocketAddr,
        /// The configuration's key.
        key: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the configuration can't be read.
    #[error("{key}: can't read {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The configuration's key.
        key: String,
        /// What the system said.
        source: io::Error,
    },
    /// Certificate, key and client CA do not make a TLS server.
    #[error("{path} of ingest.tls can't be used: {reason}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A token that can't be one.
    #[error("{source_key}: the token of tenant {tenant} can't be used: {reason}")]
    Token {
        /// Whose.
        tenant: Tenant,
        /// Where it was configured.
        source_key: String,
        /// Why not.
        reason: &'static str,
    },
    /// A setting under which nothing could be received.
    #[error("ingest.{key} can't be {value}: {reason}")]
    Setting {
        /// The configuration's key.
        key: &'static str,
        /// What was configured.
        value: u64,
        /// Why not.
        reason: &'static str,
    },
}
