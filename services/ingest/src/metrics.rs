//! Figures of the receiver since its start. Counting takes one atomic addition a request and figure, never one
//! a record; rendering is the binary's.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use foreshock_otlp::Signal;
use hdrhistogram::Histogram;

use crate::{Reason, budget::Budget};

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    HttpProtobuf,
    /// OTLP/HTTP with JSON.
    HttpJson,
}

impl Transport {
    /// Every transport there is.
    pub const ALL: [Self; 3] = [Self::Grpc, Self::HttpProtobuf, Self::HttpJson];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http_protobuf",
            Self::HttpJson => "http_json",
        }
    }
}

/// The receiver's figures, shared by all its tasks.
#[derive(Debug)]
pub struct IngestMetrics {
    traffic: [[TrafficCounters; Transport::ALL.len()]; Signal::ALL.len()],
    refused: [AtomicU64; Reason::ALL.len()],
    /// Counts the bytes in flight; set when the receiver starts.
    budget: OnceLock<Arc<Budget>>,
    connections_opened: AtomicU64,
    connections_closed: AtomicU64,
    /// Nanoseconds from the first header to the durable answer.
    ack_latency: Mutex<Histogram<u64>>,
}

#[derive(Debug, Default)]
struct TrafficCounters {
    requests: AtomicU64,
    bytes: AtomicU64,
    records: AtomicU64,
    acknowledged_records: AtomicU64,
    rejected_records: AtomicU64,
}

/// Traffic of one signal over one transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests that were read whole.
    pub requests: u64,
    /// Their uncompressed bytes.
    pub bytes: u64,
    /// Log records, data points and spans in them.
    pub records: u64,
    /// Those that are durable and acknowledged.
    pub acknowledged_records: u64,
    /// Those that were refused one by one, by partial success.
    pub rejected_records: u64,
}

/// The figures at one moment.
#[derive(Clone, Debug)]
pub struct IngestSnapshot {
    /// One row a signal and transport.
    pub traffic: Vec<(Signal, Transport, Traffic)>,
    /// Requests refused whole, by reason.
    pub refused: Vec<(Reason, u64)>,
    /// Bytes received and not yet durable.
    pub in_flight_bytes: u64,
    /// Connections accepted since the start.
    pub connections_opened: u64,
    /// Connections open now.
    pub connections_open: u64,
    /// Nanoseconds from the first header of an acknowledged request to its answer.
    pub ack_latency_ns: Histogram<u64>,
}

impl IngestMetrics {
    /// All at zero.
    pub fn new() -> Self {
        let latency = Histogram::new_with_bounds(1_000, 600_000_000_000, 2).expect("the bounds are valid");
        Self {
            traffic: Default::default(),
            refused: Default::default(),
            budget: OnceLock::new(),
            connections_opened: AtomicU64::new(0),
            connections_closed: AtomicU64::new(0),
            ack_latency: Mutex::new(latency),
        }
    }

    /// The figures as they are now; each is exact, together they may be a request apart.
    pub fn snapshot(&self) -> IngestSnapshot {
        let mut traffic = Vec::with_capacity(Signal::ALL.len() * Transport::ALL.len());
        for (signal, row) in Signal::ALL.into_iter().zip(&self.traffic) {
            for (transport, counters) in Transport::ALL.into_iter().zip(row) {
                traffic.push((signal, transport, counters.read()));
            }
        }
        let closed = self.connections_closed.load(Relaxed);
        let opened = self.connections_opened.load(Relaxed);
        IngestSnapshot {
            traffic,
            refused: Reason::ALL.into_iter().zip(self.refused.iter().map(|n| n.load(Relaxed))).collect(),
            in_flight_bytes: self.budget.get().map_or(0, |budget| budget.held_bytes()),
            connections_opened: opened,
            connections_open: opened.saturating_sub(closed),
            ack_latency_ns: self.ack_latency.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    pub(crate) fn received(&self, signal: Signal, transport: Transport, bytes: u64, records: u64) {
        let counters = self.counters(signal, transport);
        counters.requests.fetch_add(1, Relaxed);
        counters.bytes.fetch_add(bytes, Relaxed);
        counters.records.fetch_add(records, Relaxed);
    }

    pub(crate) fn answered(
        &self,
        signal: Signal,
        transport: Transport,
        acknowledged: u64,
        rejected: u64,
        latency: Duration,
    ) {
        let counters = self.counters(signal, transport);
        counters.acknowledged_records.fetch_add(acknowledged, Relaxed);
        counters.rejected_records.fetch_add(rejected, Relaxed);
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.ack_latency.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(nanos);
    }

    pub(crate) fn refused(&self, reason: Reason) {
        self.refused[reason as usize].fetch_add(1, Relaxed);
    }

    /// Figures shared by several receivers show the bytes of the first.
    pub(crate) fn watch(&self, budget: &Arc<Budget>) {
        let _ = self.budget.set(Arc::clone(budget));
    }

    pub(crate) fn connection_opened(&self) {
        self.connections_opened.fetch_add(1, Relaxed);
    }

    pub(crate) fn connection_closed(&self) {
        self.connections_closed.fetch_add(1, Relaxed);
    }

    fn counters(&self, signal: Signal, transport: Transport) -> &TrafficCounters {
        &self.traffic[signal as usize][transport as usize]
    }
}

impl Default for IngestMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl TrafficCounters {
    fn read(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            records: self.records.load(Relaxed),
            acknowledged_records: self.acknowledged_records.load(Relaxed),
            rejected_records: self.rejected_records.load(Relaxed),
        }
    }
}
