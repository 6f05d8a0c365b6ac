//! What can go wrong, by what a caller can do about it.

use foreshock_journal::JournalError;

/// Why notify ended or did not start.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The configuration can't be run; each problem says what to do.
    #[error("the configuration of notify is wrong: {}", .0.join("; "))]
    Config(Vec<String>),
    /// No HTTP client could be made for a route.
    #[error("route {route}: {reason}")]
    Client {
        /// The route.
        route: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The journal failed for good.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The receiver did not take the test.
    #[error("route {route}: the receiver did not take it: {reason}")]
    NotTaken {
        /// The route.
        route: String,
        /// What it said, or why it could not be reached.
        reason: String,
    },
    /// There is no such route.
    #[error("no route is called {0:?}; see notify.routes in the configuration")]
    NoRoute(String),
}
