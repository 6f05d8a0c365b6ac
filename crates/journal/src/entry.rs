//! Streams, partitions, offsets, and the entries that lie in them.

use std::fmt;

use bytes::Bytes;
use foreshock_model::{Tenant, Timestamp};

/// A named set of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// OTLP LogsData.
    Logs,
    /// OTLP MetricsData.
    Metrics,
    /// OTLP TracesData.
    Spans,
    /// foreshock.v1 Summaries.
    Summaries,
    /// foreshock.v1 Findings.
    Findings,
    /// foreshock.v1 Incidents.
    Incidents,
    /// foreshock.v1 Control.
    Control,
    /// foreshock.v1 Delivery.
    Deliveries,
    /// foreshock.v1 Poison.
    Poison,
}

impl Stream {
    /// Every stream there is.
    pub const ALL: [Self; 9] = [
        Self::Logs,
        Self::Metrics,
        Self::Spans,
        Self::Summaries,
        Self::Findings,
        Self::Incidents,
        Self::Control,
        Self::Deliveries,
        Self::Poison,
    ];

    /// The streams that hold what was received.
    pub const TELEMETRY: [Self; 3] = [Self::Logs, Self::Metrics, Self::Spans];

    /// Its name outside; on Kafka the topic, behind the configured prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logs => "otlp_logs",
            Self::Metrics => "otlp_metrics",
            Self::Spans => "otlp_spans",
            Self::Summaries => "foreshock_summaries",
            Self::Findings => "foreshock_findings",
            Self::Incidents => "foreshock_incidents",
            Self::Control => "foreshock_control",
            Self::Deliveries => "foreshock_deliveries",
            Self::Poison => "foreshock_poison",
        }
    }

    /// Reads its name, with or without `otlp_` or `foreshock_`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| {
            let full = stream.name();
            full == name || full.split_once('_').is_some_and(|(_, short)| short == name)
        })
    }

    /// Whether it holds what was received rather than what a stage made.
    pub fn is_telemetry(self) -> bool {
        Self::TELEMETRY.contains(&self)
    }
}

/// One partition of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Of which stream.
    pub stream: Stream,
    /// From 0.
    pub index: u16,
}

impl Partition {
    /// Partition `index` of `stream`.
    pub const fn new(stream: Stream, index: u16) -> Self {
        Self { stream, index }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream.name(), self.index)
    }
}

/// The place of an entry in its partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl Offset {
    /// The one after.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// Telemetry, or a message of one of our own streams.
    Data,
    /// The owner's word that time has come as far as the entry's receive time. No payload.
    Tick,
    /// The owner's word to the stage that reads the partition: foreshock.v1 Marker.
    Marker,
    /// The owner's word that the source the payload names is not waited for.
    Skip,
}

/// The bytes of an entry: one piece, or the slices of a request that belong to one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// One piece. Readers always hand out this.
    Whole(Bytes),
    /// Slices that count as if they were one after the other.
    Slices(Vec<Bytes>),
}

impl Payload {
    /// How many bytes.
    pub fn len(&self) -> usize {
        self.slices().iter().map(Bytes::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its pieces in order.
    pub fn slices(&self) -> &[Bytes] {
        match self {
            Self::Whole(bytes) => std::slice::from_ref(bytes),
            Self::Slices(slices) => slices,
        }
    }

    /// As one piece; copies only where it is not one already.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Slices(slices) => slices.concat().into(),
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Whole(bytes.into())
    }
}

/// One entry of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub tenant: Tenant,
    /// When it was received; of a tick, the time it tells.
    pub received: Timestamp,
    /// What it is for.
    pub kind: EntryKind,
    /// Telemetry records in it, 0 where a foreign writer did not count them; 1 for a message of our own, 0 for
    /// ticks, markers and skips.
    pub records: u32,
    /// Its bytes.
    pub payload: Payload,
    /// What other writers choose the partition by. Kept with the entry where other programs read the stream (on
    /// Kafka); readers here never see it.
    pub key: Option<[u8; 16]>,
}

impl Entry {
    /// Telemetry or a message of our own.
    pub fn data(tenant: Tenant, received: Timestamp, records: u32, payload: impl Into<Payload>) -> Self {
        Self { tenant, received, kind: EntryKind::Data, records, payload: payload.into(), key: None }
    }

    /// With what other writers choose its partition by.
    #[must_use]
    pub fn keyed(self, key: [u8; 16]) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The owner's word that time has come as far as `now`.
    pub fn tick(now: Timestamp) -> Self {
        let payload = Payload::Whole(Bytes::new());
        Self {
            tenant: Tenant::default(),
            received: now,
            kind: EntryKind::Tick,
            records: 0,
            payload,
            key: None,
        }
    }

    /// The owner's word of `now`, a foreshock.v1 Marker.
    pub fn marker(now: Timestamp, payload: impl Into<Payload>) -> Self {
        let payload = payload.into();
        Self {
            tenant: Tenant::default(),
            received: now,
            kind: EntryKind::Marker,
            records: 0,
            payload,
            key: None,
        }
    }
}

/// Entries read from one partition, in order, with their offsets.
pub type Fetched = Vec<(Offset, Entry)>;
