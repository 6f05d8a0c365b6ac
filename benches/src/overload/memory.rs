//! How much memory a server may come to by its configuration, part by part.
//!
//! Each part is either a setting that the run writes down, or a constant of the program with its place. What can't be
//! computed, the program itself and the state of the stages for a load of twenty services, is one allowance.

const MIB: u64 = 1 << 20;

/// The run's settings. Small, so that what is not bounded shows.
const INGEST: u64 = 32 * MIB;
const REQUEST: u64 = 8 * MIB;
const READ_AHEAD: u64 = 256 * MIB;
const CACHE: u64 = 32 * MIB;
const FETCH: u64 = MIB;
const PARTITIONS: u64 = 4;

/// The receiver's window of one HTTP/2 connection (services/ingest/src/connection.rs): what may have come of requests
/// that are not read yet.
const WINDOW: u64 = 8 * MIB;
/// What a connection may read ahead uncounted (services/ingest/src/read_ahead.rs).
const FREE_READ_AHEAD: u64 = 64 << 10;
/// A journal writer's group and the buffers it keeps (crates/journal/src/embedded/writer.rs and buffer.rs); one for
/// the telemetry and one for the stages.
const WRITER: u64 = (4 + 16) * MIB;
const WRITERS: u64 = 2;
/// The buffers that are kept for reading (crates/journal/src/embedded/fetch.rs and buffer.rs), of each volume.
const READERS: u64 = 16 * MIB;
/// Runners: reduce over three streams, detect and correlate over one each.
const RUNNERS: u64 = 5 * PARTITIONS;
/// A runner's fetch that is applied and the one that waits (services/worker/src/runner).
const FETCHES: u64 = 2;
/// A state up to this size is written to memory before it goes to the disk (services/worker/src/snapshot.rs).
const SNAPSHOT: u64 = 16 * MIB;
/// Runners that this load gives a state to: logs alone come, so reduce over one stream, detect and correlate.
const STATEFUL_RUNNERS: u64 = 3 * PARTITIONS;
/// Program, threads, answers, the stages' state for this load, and what the allocator holds beyond that.
const ALLOWANCE: u64 = 64 * MIB;

/// A limit of resident memory and the parts it is the sum of.
#[derive(Clone, Debug)]
pub(super) struct MemoryLimit {
    /// What for, and bytes.
    pub(super) parts: Vec<(String, u64)>,
}

impl MemoryLimit {
    /// For a server that so many connections are made to.
    pub(super) fn new(connections: usize) -> Self {
        let connections = connections as u64;
        let mib = |bytes: u64| bytes / MIB;
        let parts = vec![
            (
                format!("ingest.memory_limit_bytes {} MiB, in buffers up to twice as large", mib(INGEST)),
                2 * INGEST,
            ),
            (
                format!(
                    "{connections} HTTP/2 windows of {} MiB, at most ingest.connections.read_ahead_limit_bytes {} MiB; 64 KiB each",
                    mib(WINDOW),
                    mib(READ_AHEAD)
                ),
                (connections * WINDOW).min(READ_AHEAD) + connections * FREE_READ_AHEAD,
            ),
            (format!("journal.cache_bytes {} MiB, in buffers up to 5/4 as large", mib(CACHE)), CACHE / 4 * 5),
            (format!("journal writers, {WRITERS} of {} MiB", mib(WRITER)), WRITERS * WRITER),
            (format!("journal readers' buffers, {WRITERS} of {} MiB", mib(READERS)), WRITERS * READERS),
            (
                format!("worker.fetch_bytes {} MiB, {FETCHES} each of {RUNNERS} runners", mib(FETCH)),
                FETCHES * RUNNERS * FETCH,
            ),
            (
                format!("snapshots in memory, {} MiB each of {STATEFUL_RUNNERS} runners", mib(SNAPSHOT)),
                STATEFUL_RUNNERS * SNAPSHOT,
            ),
            ("program and stages' state".to_owned(), ALLOWANCE),
        ];
        Self { parts }
    }

    /// The sum.
    pub(super) fn bytes(&self) -> u64 {
        self.parts.iter().map(|(_, bytes)| bytes).sum()
    }

    /// The settings it follows from, as TOML.
    pub(super) fn configuration(&self) -> String {
        format!(
            "ingest.memory_limit_bytes = {INGEST}\n\
             ingest.limits.max_request_bytes = {REQUEST}\n\
             ingest.connections.read_ahead_limit_bytes = {READ_AHEAD}\n\
             journal.cache_bytes = {CACHE}\n\
             journal.telemetry_partitions = {PARTITIONS}\n\
             journal.stage_partitions = {PARTITIONS}\n\
             worker.fetch_bytes = {FETCH}\n"
        )
    }
}
