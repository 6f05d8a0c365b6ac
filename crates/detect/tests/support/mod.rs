//! Telemetry to feed a pipeline with.
#![allow(dead_code, reason = "each test takes what it needs")]

use bytes::Bytes;
use foreshock_detect::{
    InputKind,
    pipeline::{Entry, Pipeline},
};
use foreshock_model::{Finding, Kind, Tenant, Timestamp};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
        number_data_point,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData},
};
use prost::Message;

pub(crate) const START: u64 = 1_750_000_020;

/// Streams as the pipeline counts them.
pub(crate) const LOGS: usize = 0;
pub(crate) const METRICS: usize = 1;
pub(crate) const SPANS: usize = 2;

/// So many seconds after the start, in nanoseconds.
pub(crate) fn at(seconds: u64) -> u64 {
    (START + seconds) * 1_000_000_000
}

pub(crate) fn resource(service: &str, instance: &str) -> Option<Resource> {
    let attribute = |key: &str, value: &str| KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.into())) }),
        ..Default::default()
    };
    let attributes = vec![attribute("service.name", service), attribute("service.instance.id", instance)];
    Some(Resource { attributes, ..Default::default() })
}

/// Lines of one instance: time in nanoseconds and text.
pub(crate) fn logs(service: &str, instance: &str, lines: impl IntoIterator<Item = (u64, String)>) -> Bytes {
    let records = lines.into_iter().map(|(nanos, text)| LogRecord {
        time_unix_nano: nanos,
        body: Some(AnyValue { value: Some(Value::StringValue(text)) }),
        ..Default::default()
    });
    let scope = ScopeLogs { log_records: records.collect(), ..Default::default() };
    let resource = resource(service, instance);
    let logs = ResourceLogs { resource, scope_logs: vec![scope], ..Default::default() };
    LogsData { resource_logs: vec![logs] }.encode_to_vec().into()
}

/// One point of each of `names`.
pub(crate) fn gauges(service: &str, nanos: u64, names: &[&str]) -> Bytes {
    let points: Vec<(&str, f64)> = names.iter().map(|name| (*name, 1.0)).collect();
    gauges_of(service, "a", nanos, &points)
}

/// One point of each metric of an instance.
pub(crate) fn gauges_of(service: &str, instance: &str, nanos: u64, points: &[(&str, f64)]) -> Bytes {
    let metric = |(name, value): &(&str, f64)| Metric {
        name: (*name).into(),
        data: Some(Data::Gauge(Gauge {
            data_points: vec![NumberDataPoint {
                time_unix_nano: nanos,
                value: Some(number_data_point::Value::AsDouble(*value)),
                ..Default::default()
            }],
        })),
        ..Default::default()
    };
    let scope = ScopeMetrics { metrics: points.iter().map(metric).collect(), ..Default::default() };
    let resource = resource(service, instance);
    let metrics = ResourceMetrics { resource, scope_metrics: vec![scope], ..Default::default() };
    MetricsData { resource_metrics: vec![metrics] }.encode_to_vec().into()
}

/// One span of each of `names`.
pub(crate) fn spans(service: &str, nanos: u64, names: &[&str]) -> Bytes {
    let span = |name: &&str| Span {
        name: (*name).into(),
        start_time_unix_nano: nanos - 1_000_000,
        end_time_unix_nano: nanos,
        ..Default::default()
    };
    let scope = ScopeSpans { spans: names.iter().map(span).collect(), ..Default::default() };
    let spans =
        ResourceSpans { resource: resource(service, "a"), scope_spans: vec![scope], ..Default::default() };
    TracesData { resource_spans: vec![spans] }.encode_to_vec().into()
}

pub(crate) fn feed(pipeline: &mut Pipeline, tenant: &Tenant, stream: usize, payload: &Bytes) {
    let received = Timestamp::default();
    pipeline.feed(stream, 0, Entry { tenant, received, kind: InputKind::Data, payload });
}

/// What Foreshock said of itself: service, series and how much, once each, in order of windows.
pub(crate) fn degraded(findings: &[Finding]) -> Vec<(String, String, f64)> {
    let mut own: Vec<&Finding> = findings.iter().filter(|finding| finding.kind == Kind::Degraded).collect();
    own.sort_by_key(|finding| (finding.window_end, finding.service.clone(), finding.series.clone()));
    own.into_iter().map(|f| (f.service.to_string(), f.series.clone(), f.observed)).collect()
}
