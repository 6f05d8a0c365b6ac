//! What can go wrong, by what a caller can do about it.

use std::{io, net::SocketAddr};

use foreshock_journal::JournalError;

/// Why the console ended or did not start.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The configuration can't be run; each problem says what to do.
    #[error("the configuration of the console is wrong: {}", .0.join("; "))]
    Config(Vec<String>),
    /// The address can't be listened on.
    #[error("the console can't listen on {address}: {source}; stop what listens there or set console.listen")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The journal failed for good.
    #[error(transparent)]
    Journal(#[from] JournalError),
}
