//! From records to entries of the telemetry streams: what a shipper sends together, and when.
//!
//! A source's records stay in order, and wait a bounded time, so that none is late.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use foreshock_model::{Identity, Tenant, Timestamp, partition_of};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    metrics::v1::{
        AggregationTemporality, Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics,
        Sum, metric::Data, number_data_point,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData, span::SpanKind, status::StatusCode},
};
use prost::Message;

use super::{
    chance::Chance,
    telemetry::{Body, Record, Signal, Source, Telemetry},
};

/// The longest that a record waits to be sent.
const LONGEST_WAIT: u64 = 2_500;

/// One entry of a telemetry stream.
pub(crate) struct Request {
    pub(crate) signal: Signal,
    pub(crate) partition: u16,
    pub(crate) tenant: Tenant,
    pub(crate) sent: Timestamp,
    pub(crate) payload: Bytes,
}

/// How records are put together.
pub(crate) struct Habit {
    /// Records of a source in a request, at most.
    pub(crate) most: u64,
    /// How often a request takes along what waits for the same partition, in percent.
    pub(crate) merges: u64,
}

pub(crate) struct Shipper<'t> {
    telemetry: &'t Telemetry,
    next: usize,
    habit: Habit,
    chance: Chance,
    /// By source: what waits.
    open: BTreeMap<usize, Waiting<'t>>,
    due: VecDeque<Request>,
}

struct Waiting<'t> {
    records: Vec<&'t Record>,
    most: u64,
    until: Timestamp,
}

impl<'t> Shipper<'t> {
    pub(crate) fn new(telemetry: &'t Telemetry, habit: Habit, chance: Chance) -> Self {
        let (open, due) = (BTreeMap::new(), VecDeque::new());
        Self { telemetry, next: 0, habit, chance, open, due }
    }

    /// The next request, in the order they are sent; `partitions` are those of a stream at present.
    pub(crate) fn next(&mut self, partitions: u16) -> Option<Request> {
        while self.due.is_empty() {
            let Some(record) = self.telemetry.records.get(self.next) else {
                let source = *self.open.keys().next()?;
                let last = self.telemetry.records.last().map(|record| record.time).unwrap_or_default();
                self.send(source, last, partitions);
                continue;
            };
            self.next += 1;
            self.take(record, partitions);
        }
        self.due.pop_front()
    }

    fn take(&mut self, record: &'t Record, partitions: u16) {
        let (most, wait) = (self.chance.between(1, self.habit.most), self.chance.below(LONGEST_WAIT));
        let until = record.time.plus(Duration::from_millis(wait));
        let fresh = || Waiting { records: Vec::new(), most, until };
        self.open.entry(record.source).or_insert_with(fresh).records.push(record);
        let is_due = |waiting: &Waiting<'_>| {
            waiting.records.len() as u64 >= waiting.most || waiting.until <= record.time
        };
        let due: Vec<usize> =
            self.open.iter().filter(|(_, waiting)| is_due(waiting)).map(|(source, _)| *source).collect();
        due.into_iter().for_each(|source| self.send(source, record.time, partitions));
    }

    fn send(&mut self, source: usize, sent: Timestamp, partitions: u16) {
        let of = &self.telemetry.sources[source];
        let partition = of.partition(partitions);
        let mut together = vec![source];
        if self.chance.percent(self.habit.merges) {
            let joins = |other: &usize| {
                let other = &self.telemetry.sources[*other];
                other.signal == of.signal
                    && other.tenant == of.tenant
                    && other.partition(partitions) == partition
            };
            together.extend(self.open.keys().copied().filter(|other| *other != source).filter(joins));
        }
        let parts: Vec<(&Source, Vec<&Record>)> = together
            .iter()
            .filter_map(|source| Some((&self.telemetry.sources[*source], self.open.remove(source)?.records)))
            .collect();
        if !parts.is_empty() {
            let (signal, tenant) = (of.signal, of.tenant.clone());
            self.due.push_back(Request { signal, partition, tenant, sent, payload: encode(signal, parts) });
        }
    }
}

impl Source {
    fn partition(&self, partitions: u16) -> u16 {
        let (namespace, name) = self.service.split_once('/').unwrap_or(("", self.service));
        let mut identity = Identity::default();
        if !namespace.is_empty() {
            identity.note("service.namespace", namespace);
        }
        identity.note("service.name", name);
        identity.note("service.instance.id", &self.instance);
        partition_of(&identity.key(&self.tenant).0, partitions)
    }

    fn resource(&self) -> Option<Resource> {
        let (namespace, name) = self.service.split_once('/').unwrap_or(("", self.service));
        let mut attributes = vec![
            attribute("service.name", name),
            attribute("service.instance.id", &self.instance),
            attribute("service.version", self.version),
        ];
        if !namespace.is_empty() {
            attributes.push(attribute("service.namespace", namespace));
        }
        Some(Resource { attributes, ..Default::default() })
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

fn encode(signal: Signal, parts: Vec<(&Source, Vec<&Record>)>) -> Bytes {
    let bytes = match signal {
        Signal::Logs => {
            let resource_logs = parts.into_iter().map(|(source, records)| ResourceLogs {
                resource: source.resource(),
                scope_logs: vec![ScopeLogs {
                    log_records: records.into_iter().filter_map(line).collect(),
                    ..Default::default()
                }],
                ..Default::default()
            });
            LogsData { resource_logs: resource_logs.collect() }.encode_to_vec()
        }
        Signal::Metrics => {
            let resource_metrics = parts.into_iter().map(|(source, records)| ResourceMetrics {
                resource: source.resource(),
                scope_metrics: vec![ScopeMetrics {
                    metrics: records.into_iter().filter_map(metric).collect(),
                    ..Default::default()
                }],
                ..Default::default()
            });
            MetricsData { resource_metrics: resource_metrics.collect() }.encode_to_vec()
        }
        Signal::Spans => {
            let resource_spans = parts.into_iter().map(|(source, records)| ResourceSpans {
                resource: source.resource(),
                scope_spans: vec![ScopeSpans {
                    spans: records.into_iter().filter_map(span).collect(),
                    ..Default::default()
                }],
                ..Default::default()
            });
            TracesData { resource_spans: resource_spans.collect() }.encode_to_vec()
        }
    };
    bytes.into()
}

fn line(record: &Record) -> Option<LogRecord> {
    let Body::Line(text) = &record.body else { return None };
    Some(LogRecord {
        time_unix_nano: record.time.nanos(),
        body: Some(AnyValue { value: Some(Value::StringValue(text.clone())) }),
        ..Default::default()
    })
}

fn metric(record: &Record) -> Option<Metric> {
    let points = |value| {
        vec![NumberDataPoint {
            time_unix_nano: record.time.nanos(),
            value: Some(number_data_point::Value::AsDouble(value)),
            ..Default::default()
        }]
    };
    let (name, data) = match record.body {
        Body::Queue(length) => ("queue.length", Data::Gauge(Gauge { data_points: points(length) })),
        Body::Served(count) => (
            "requests.served",
            Data::Sum(Sum {
                data_points: points(count),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            }),
        ),
        _ => return None,
    };
    Some(Metric { name: name.into(), data: Some(data), ..Default::default() })
}

fn span(record: &Record) -> Option<Span> {
    let Body::Span { operation, took_millis, failed, calls } = record.body else { return None };
    let kind = if calls.is_some() { SpanKind::Client } else { SpanKind::Server };
    let code = if failed { StatusCode::Error } else { StatusCode::Unset };
    Some(Span {
        name: operation.into(),
        kind: kind.into(),
        start_time_unix_nano: record.time.nanos() - took_millis * 1_000_000,
        end_time_unix_nano: record.time.nanos(),
        attributes: calls.map(|callee| attribute("peer.service", callee)).into_iter().collect(),
        status: Some(Status { code: code.into(), ..Default::default() }),
        ..Default::default()
    })
}
