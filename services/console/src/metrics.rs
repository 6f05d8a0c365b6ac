//! What the console did since its start, for the metrics page.

use std::sync::atomic::AtomicU64;

/// Counters and gauges of the console.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests to the API.
    pub requests: AtomicU64,
    /// Feedback that the journal took.
    pub feedback: AtomicU64,
    /// Clients that listen to the event stream.
    pub stream_clients: AtomicU64,
    /// Clients let go because they fell behind.
    pub stream_dropped: AtomicU64,
}
