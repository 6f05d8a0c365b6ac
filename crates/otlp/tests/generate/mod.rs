//! Random OTLP requests, made with opentelemetry-proto's types.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use opentelemetry_proto::tonic::{
    common::v1::{
        AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
    },
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
        Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
        exemplar, exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
        summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status, TracesData,
        span::{Event, Link},
    },
};
use proptest::{collection::vec, option, prelude::*};

/// The receive time of all tests.
pub(crate) const NOW_NS: u64 = 1_790_000_000_000_000_000;

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z]{0,12}", 1 => "\\PC{0,20}", 1 => "[ -~]{120,300}", 1 => Just("\u{0}\"\\\n\u{1F600}".to_owned())]
}

pub(crate) fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        4 => text().prop_map(|text| Some(Value::StringValue(text))),
        1 => any::<bool>().prop_map(|value| Some(Value::BoolValue(value))),
        1 => any::<i64>().prop_map(|value| Some(Value::IntValue(value))),
        1 => double().prop_map(|value| Some(Value::DoubleValue(value))),
        1 => vec(any::<u8>(), 0..9).prop_map(|value| Some(Value::BytesValue(value))),
        1 => Just(None),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(("[a-z]{0,6}", option::of(inner)), 0..4).prop_map(|pairs| {
                let values =
                    pairs.into_iter().map(|(key, value)| KeyValue { key, value, key_strindex: 0 }).collect();
                Value::KvlistValue(KeyValueList { values })
            }),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

/// No NaN: prost's messages could not be compared; NaN has tests of its own.
pub(crate) fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("comparable", |number| !number.is_nan()),
        Just(f64::INFINITY),
        Just(0.0),
        Just(1e300),
    ]
}

pub(crate) fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(("[a-z.]{0,10}", option::of(any_value())), 0..4).prop_map(|pairs| {
        pairs.into_iter().map(|(key, value)| KeyValue { key, value, key_strindex: 0 }).collect()
    })
}

pub(crate) fn resource() -> impl Strategy<Value = Option<Resource>> {
    let identity = ("(cart|pay|auth)?", "[ab]?", attributes(), any::<bool>());
    option::weighted(
        0.9,
        identity.prop_map(|(service, instance, mut attributes, entity)| {
            for (key, value) in [("service.name", service), ("service.instance.id", instance)] {
                if !value.is_empty() {
                    attributes.push(KeyValue {
                        key: key.to_owned(),
                        value: Some(AnyValue { value: Some(Value::StringValue(value)) }),
                        key_strindex: 0,
                    });
                }
            }
            let reference = EntityRef {
                r#type: "service".into(),
                id_keys: vec!["service.name".into()],
                ..EntityRef::default()
            };
            Resource {
                attributes,
                dropped_attributes_count: 3,
                entity_refs: if entity { vec![reference] } else { vec![] },
            }
        }),
    )
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    option::of((text(), attributes()).prop_map(|(name, attributes)| InstrumentationScope {
        name,
        version: "1.2".into(),
        attributes,
        dropped_attributes_count: 0,
    }))
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(vec![]), vec(any::<u8>(), length)]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 4 => 946_684_800_000_000_000..NOW_NS]
}

pub(crate) fn log_record() -> impl Strategy<Value = LogRecord> {
    (time(), time(), 0..25i32, text(), option::of(any_value()), attributes(), id(16), id(8), any::<u32>())
        .prop_map(|(time, observed, severity, level, body, attributes, trace_id, span_id, flags)| LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: observed,
            severity_number: severity,
            severity_text: level.clone(),
            body,
            attributes,
            dropped_attributes_count: flags,
            flags,
            trace_id,
            span_id,
            event_name: level,
        })
}

pub(crate) fn logs() -> impl Strategy<Value = LogsData> {
    let scopes = vec((scope(), vec(log_record(), 0..5)), 0..3).prop_map(|scopes| {
        scopes
            .into_iter()
            .map(|(scope, log_records)| ScopeLogs { scope, log_records, schema_url: "https://x".into() })
            .collect::<Vec<_>>()
    });
    vec((resource(), scopes, text()), 0..6).prop_map(|resources| LogsData {
        resource_logs: resources
            .into_iter()
            .map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url })
            .collect(),
    })
}

fn exemplar() -> impl Strategy<Value = Exemplar> {
    (attributes(), any::<i64>(), id(8), id(16)).prop_map(|(filtered_attributes, value, span_id, trace_id)| {
        Exemplar {
            filtered_attributes,
            time_unix_nano: 7,
            span_id,
            trace_id,
            value: Some(exemplar::Value::AsInt(value)),
        }
    })
}

fn number_point() -> impl Strategy<Value = NumberDataPoint> {
    let value = option::of(prop_oneof![
        any::<i64>().prop_map(number_data_point::Value::AsInt),
        double().prop_map(number_data_point::Value::AsDouble)
    ]);
    (attributes(), time(), value, vec(exemplar(), 0..2), 0..2u32).prop_map(
        |(attributes, time, value, exemplars, flags)| NumberDataPoint {
            attributes,
            start_time_unix_nano: time / 2,
            time_unix_nano: time,
            exemplars,
            flags,
            value,
        },
    )
}

fn histogram_point() -> impl Strategy<Value = HistogramDataPoint> {
    (
        attributes(),
        time(),
        option::of(double()),
        vec(any::<u64>(), 0..6),
        vec(double(), 0..6),
        vec(exemplar(), 0..2),
    )
        .prop_map(|(attributes, time, sum, bucket_counts, explicit_bounds, exemplars)| {
            HistogramDataPoint {
                attributes,
                start_time_unix_nano: 1,
                time_unix_nano: time,
                count: bucket_counts.iter().fold(0, |sum: u64, n| sum.wrapping_add(*n)),
                sum,
                bucket_counts,
                explicit_bounds,
                exemplars,
                flags: 0,
                min: sum,
                max: None,
            }
        })
}

fn exponential_point() -> impl Strategy<Value = ExponentialHistogramDataPoint> {
    let buckets = || {
        option::of((any::<i32>(), vec(any::<u64>(), 0..6)))
            .prop_map(|buckets| buckets.map(|(offset, bucket_counts)| Buckets { offset, bucket_counts }))
    };
    (attributes(), time(), any::<i32>(), buckets(), buckets(), double()).prop_map(
        |(attributes, time, scale, positive, negative, sum)| ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: 0,
            time_unix_nano: time,
            count: 9,
            sum: Some(sum),
            scale,
            zero_count: 2,
            positive,
            negative,
            flags: 1,
            exemplars: vec![],
            min: None,
            max: Some(sum),
            zero_threshold: 0.5,
        },
    )
}

fn summary_point() -> impl Strategy<Value = SummaryDataPoint> {
    (attributes(), time(), vec((double(), double()), 0..3)).prop_map(|(attributes, time, quantiles)| {
        SummaryDataPoint {
            attributes,
            start_time_unix_nano: 0,
            time_unix_nano: time,
            count: 3,
            sum: 1.5,
            quantile_values: quantiles
                .into_iter()
                .map(|(quantile, value)| ValueAtQuantile { quantile, value })
                .collect(),
            flags: 0,
        }
    })
}

fn metric() -> impl Strategy<Value = Metric> {
    let data = prop_oneof![
        vec(number_point(), 0..4).prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (vec(number_point(), 0..4), 0..3i32, any::<bool>()).prop_map(
            |(data_points, temporality, is_monotonic)| {
                Data::Sum(Sum { data_points, aggregation_temporality: temporality, is_monotonic })
            }
        ),
        (vec(histogram_point(), 0..4), 0..3i32).prop_map(|(data_points, temporality)| {
            Data::Histogram(Histogram { data_points, aggregation_temporality: temporality })
        }),
        (vec(exponential_point(), 0..4), 0..3i32).prop_map(|(data_points, temporality)| {
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points,
                aggregation_temporality: temporality,
            })
        }),
        vec(summary_point(), 0..4).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ];
    (text(), text(), option::weighted(0.95, data), attributes()).prop_map(|(name, unit, data, metadata)| {
        Metric { name, description: unit.clone(), unit, metadata, data }
    })
}

pub(crate) fn metrics() -> impl Strategy<Value = MetricsData> {
    let scopes = vec((scope(), vec(metric(), 0..4)), 0..3).prop_map(|scopes| {
        scopes
            .into_iter()
            .map(|(scope, metrics)| ScopeMetrics { scope, metrics, schema_url: String::new() })
            .collect::<Vec<_>>()
    });
    vec((resource(), scopes), 0..5).prop_map(|resources| MetricsData {
        resource_metrics: resources
            .into_iter()
            .map(|(resource, scope_metrics)| ResourceMetrics {
                resource,
                scope_metrics,
                schema_url: String::new(),
            })
            .collect(),
    })
}

fn span() -> impl Strategy<Value = Span> {
    let event = (text(), attributes()).prop_map(|(name, attributes)| Event {
        time_unix_nano: 5,
        name,
        attributes,
        dropped_attributes_count: 1,
    });
    let link = (id(16), id(8), attributes()).prop_map(|(trace_id, span_id, attributes)| Link {
        trace_id,
        span_id,
        trace_state: "a=b".into(),
        attributes,
        dropped_attributes_count: 0,
        flags: 256,
    });
    let status = option::of((text(), 0..3i32).prop_map(|(message, code)| Status { message, code }));
    (id(16), id(8), id(8), text(), 0..6i32, time(), attributes(), vec(event, 0..3), vec(link, 0..2), status)
        .prop_map(
            |(trace_id, span_id, parent_span_id, name, kind, time, attributes, events, links, status)| Span {
                trace_id,
                span_id,
                trace_state: "k=v".into(),
                parent_span_id,
                flags: 1,
                name,
                kind,
                start_time_unix_nano: time,
                end_time_unix_nano: time,
                attributes,
                dropped_attributes_count: 0,
                events,
                dropped_events_count: 2,
                links,
                dropped_links_count: 0,
                status,
            },
        )
}

pub(crate) fn traces() -> impl Strategy<Value = TracesData> {
    let scopes = vec((scope(), vec(span(), 0..4)), 0..3).prop_map(|scopes| {
        scopes
            .into_iter()
            .map(|(scope, spans)| ScopeSpans { scope, spans, schema_url: String::new() })
            .collect::<Vec<_>>()
    });
    vec((resource(), scopes), 0..5).prop_map(|resources| TracesData {
        resource_spans: resources
            .into_iter()
            .map(|(resource, scope_spans)| ResourceSpans { resource, scope_spans, schema_url: String::new() })
            .collect(),
    })
}
