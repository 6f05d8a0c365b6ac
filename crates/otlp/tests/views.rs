//! The views show what prost decodes.

mod generate;

use foreshock_model::Timestamp;
use foreshock_otlp::{
    Signal, count_records, split_records,
    views::{self, AnyValue, Attributes, MetricData, Number, SpanKind, StatusCode, Temporality},
};
use opentelemetry_proto::tonic::{
    common::v1::{self as common, any_value::Value},
    metrics::v1::{metric::Data, number_data_point},
};
use proptest::prelude::*;
use prost::Message;

fn owned(value: &AnyValue<'_>) -> common::AnyValue {
    let value = match value {
        AnyValue::Empty => None,
        AnyValue::Text(text) => Some(Value::StringValue((*text).to_owned())),
        AnyValue::Bool(value) => Some(Value::BoolValue(*value)),
        AnyValue::Int(value) => Some(Value::IntValue(*value)),
        AnyValue::Double(value) => Some(Value::DoubleValue(*value)),
        AnyValue::Bytes(bytes) => Some(Value::BytesValue(bytes.to_vec())),
        AnyValue::Array(values) => Some(Value::ArrayValue(common::ArrayValue {
            values: values.clone().map(|value| owned(&value)).collect(),
        })),
        AnyValue::Map(pairs) => Some(Value::KvlistValue(common::KeyValueList {
            values: pairs.clone().map(|(key, value)| pair(key, &value)).collect(),
        })),
    };
    common::AnyValue { value }
}

fn pair(key: &str, value: &AnyValue<'_>) -> common::KeyValue {
    common::KeyValue { key: key.to_owned(), value: Some(owned(value)), key_strindex: 0 }
}

/// A view does not tell an absent value from an empty one.
fn filled(value: &Option<common::AnyValue>) -> common::AnyValue {
    let mut value = value.clone().unwrap_or_default();
    match &mut value.value {
        Some(Value::ArrayValue(list)) => {
            list.values.iter_mut().for_each(|element| *element = filled(&Some(element.clone())));
        }
        Some(Value::KvlistValue(pairs)) => {
            pairs.values.iter_mut().for_each(|pair| pair.value = Some(filled(&pair.value)));
        }
        _ => {}
    }
    value
}

fn assert_attributes(view: Attributes<'_>, prost: &[common::KeyValue]) {
    let view: Vec<_> = view.map(|(key, value)| pair(key, &value)).collect();
    let prost: Vec<_> = prost
        .iter()
        .map(|pair| common::KeyValue { value: Some(filled(&pair.value)), ..pair.clone() })
        .collect();
    assert_eq!(view, prost);
}

fn nanos(time: Option<Timestamp>) -> u64 {
    time.map_or(0, Timestamp::nanos)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn as_many_records_are_counted_as_a_payload_can_be_split_into(
        logs in generate::logs(), metrics in generate::metrics(), spans in generate::traces()
    ) {
        for (signal, payload) in [
            (Signal::Logs, logs.encode_to_vec()),
            (Signal::Metrics, metrics.encode_to_vec()),
            (Signal::Traces, spans.encode_to_vec()),
        ] {
            prop_assert_eq!(count_records(signal, &payload), split_records(signal, &payload).count() as u64);
        }
    }

    #[test]
    fn log_views_equal_prosts_decode(data in generate::logs()) {
        let bytes = data.encode_to_vec();
        let resources: Vec<_> = views::logs(&bytes).collect::<Result<_, _>>().expect("sound");
        prop_assert_eq!(resources.len(), data.resource_logs.len());
        for (view, prost) in resources.iter().zip(&data.resource_logs) {
            assert_attributes(view.resource.attributes(), &prost.resource.clone().unwrap_or_default().attributes);
            prop_assert_eq!(view.schema_url, &prost.schema_url);
            let scopes: Vec<_> = view.scopes().collect::<Result<_, _>>().expect("sound");
            prop_assert_eq!(scopes.len(), prost.scope_logs.len());
            for (view, prost) in scopes.iter().zip(&prost.scope_logs) {
                let scope = prost.scope.clone().unwrap_or_default();
                prop_assert_eq!((view.scope.name, view.scope.version), (&*scope.name, &*scope.version));
                assert_attributes(view.scope.attributes(), &scope.attributes);
                let records: Vec<_> = view.records().collect::<Result<_, _>>().expect("sound");
                prop_assert_eq!(records.len(), prost.log_records.len());
                for (view, prost) in records.iter().zip(&prost.log_records) {
                    prop_assert_eq!(nanos(view.time), prost.time_unix_nano);
                    prop_assert_eq!(nanos(view.observed), prost.observed_time_unix_nano);
                    prop_assert_eq!(view.severity_number, prost.severity_number);
                    prop_assert_eq!(view.severity_text, &prost.severity_text);
                    prop_assert_eq!(owned(&view.body), filled(&prost.body));
                    prop_assert_eq!((view.trace_id, view.span_id), (&*prost.trace_id, &*prost.span_id));
                    prop_assert_eq!(view.event_name, &prost.event_name);
                    assert_attributes(view.attributes(), &prost.attributes);
                }
            }
        }
    }

    #[test]
    fn span_views_equal_prosts_decode(data in generate::traces()) {
        let bytes = data.encode_to_vec();
        let mut prost = data.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
        for resource in views::spans(&bytes) {
            for scope in resource.expect("sound").scopes() {
                for view in scope.expect("sound").records() {
                    let (view, prost) = (view.expect("sound"), prost.next().expect("as many"));
                    prop_assert_eq!(view.trace_id, &prost.trace_id);
                    prop_assert_eq!(view.span_id, &prost.span_id);
                    prop_assert_eq!(view.parent_span_id, &prost.parent_span_id);
                    prop_assert_eq!(view.name, &prost.name);
                    prop_assert_eq!(view.kind as i32, prost.kind);
                    prop_assert_eq!(nanos(view.start), prost.start_time_unix_nano);
                    prop_assert_eq!(nanos(view.end), prost.end_time_unix_nano);
                    let status = prost.status.clone().unwrap_or_default();
                    prop_assert_eq!((view.status as i32, view.status_message), (status.code, &*status.message));
                    assert_attributes(view.attributes(), &prost.attributes);
                }
            }
        }
        prop_assert!(prost.next().is_none());
    }

    #[test]
    fn metric_views_equal_prosts_decode(data in generate::metrics()) {
        let bytes = data.encode_to_vec();
        let mut prost = data.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
        for resource in views::metrics(&bytes) {
            for scope in resource.expect("sound").scopes() {
                for view in scope.expect("sound").records() {
                    let (view, prost) = (view.expect("sound"), prost.next().expect("as many"));
                    prop_assert_eq!((view.name, view.unit), (&*prost.name, &*prost.unit));
                    assert_metric(view.data, prost.data.as_ref());
                }
            }
        }
        prop_assert!(prost.next().is_none());
    }
}

fn assert_metric(view: MetricData<'_>, prost: Option<&Data>) {
    match (view, prost) {
        (MetricData::None, None) => {}
        (MetricData::Gauge(view), Some(Data::Gauge(prost))) => assert_numbers(view, &prost.data_points),
        (MetricData::Sum { points, monotonic, temporality }, Some(Data::Sum(prost))) => {
            assert_eq!(monotonic, prost.is_monotonic);
            assert_eq!(temporality as i32, prost.aggregation_temporality);
            assert_numbers(points, &prost.data_points);
        }
        (MetricData::Histogram { points, temporality }, Some(Data::Histogram(prost))) => {
            assert_eq!(temporality as i32, prost.aggregation_temporality);
            let points: Vec<_> = points.collect::<Result<_, _>>().expect("sound");
            assert_eq!(points.len(), prost.data_points.len());
            for (view, prost) in points.iter().zip(&prost.data_points) {
                assert_attributes(view.attributes(), &prost.attributes);
                assert_eq!((nanos(view.time), view.count), (prost.time_unix_nano, prost.count));
                assert_eq!((view.sum, view.min, view.max), (prost.sum, prost.min, prost.max));
                assert_eq!(view.bounds().collect::<Vec<_>>(), prost.explicit_bounds);
                assert_eq!(view.bucket_counts().collect::<Vec<_>>(), prost.bucket_counts);
            }
        }
        (
            MetricData::ExponentialHistogram { points, temporality },
            Some(Data::ExponentialHistogram(prost)),
        ) => {
            assert_eq!(temporality as i32, prost.aggregation_temporality);
            let points: Vec<_> = points.collect::<Result<_, _>>().expect("sound");
            assert_eq!(points.len(), prost.data_points.len());
            for (view, prost) in points.iter().zip(&prost.data_points) {
                assert_attributes(view.attributes(), &prost.attributes);
                assert_eq!(
                    (view.count, view.scale, view.zero_count),
                    (prost.count, prost.scale, prost.zero_count)
                );
                assert_eq!(
                    (view.sum, view.max, view.zero_threshold),
                    (prost.sum, prost.max, prost.zero_threshold)
                );
                assert_eq!(view.no_recorded_value, prost.flags & 1 != 0);
                for (view, prost) in [(view.positive, &prost.positive), (view.negative, &prost.negative)] {
                    let prost = prost.clone().unwrap_or_default();
                    assert_eq!((view.offset, view.counts().collect()), (prost.offset, prost.bucket_counts));
                }
            }
        }
        (MetricData::Summary(points), Some(Data::Summary(prost))) => {
            let points: Vec<_> = points.collect::<Result<_, _>>().expect("sound");
            assert_eq!(points.len(), prost.data_points.len());
            for (view, prost) in points.iter().zip(&prost.data_points) {
                assert_eq!((view.count, view.sum), (prost.count, prost.sum));
                let quantiles: Vec<_> = view.quantiles().map(|q| (q.quantile, q.value)).collect();
                assert_eq!(
                    quantiles,
                    prost.quantile_values.iter().map(|q| (q.quantile, q.value)).collect::<Vec<_>>()
                );
            }
        }
        (view, prost) => panic!("{view:?} is not {prost:?}"),
    }
}

fn assert_numbers(
    points: views::Points<'_, views::NumberDataPoint<'_>>,
    prost: &[opentelemetry_proto::tonic::metrics::v1::NumberDataPoint],
) {
    let points: Vec<_> = points.collect::<Result<_, _>>().expect("sound");
    assert_eq!(points.len(), prost.len());
    for (view, prost) in points.iter().zip(prost) {
        assert_attributes(view.attributes(), &prost.attributes);
        assert_eq!((nanos(view.time), nanos(view.start)), (prost.time_unix_nano, prost.start_time_unix_nano));
        let value = prost.value.filter(|_| prost.flags & 1 == 0).map(|value| match value {
            number_data_point::Value::AsInt(number) => Number::Int(number),
            number_data_point::Value::AsDouble(number) => Number::Double(number),
        });
        assert_eq!(view.value, value);
    }
}

#[test]
fn enums_of_the_views_have_the_numbers_of_the_wire() {
    assert_eq!([SpanKind::Unspecified as i32, SpanKind::Server as i32, SpanKind::Consumer as i32], [0, 2, 5]);
    assert_eq!([StatusCode::Unset as i32, StatusCode::Ok as i32, StatusCode::Error as i32], [0, 1, 2]);
    assert_eq!([Temporality::Delta as i32, Temporality::Cumulative as i32], [1, 2]);
}

#[test]
fn structured_bodies_are_rendered_as_json() {
    let body = common::AnyValue {
        value: Some(Value::KvlistValue(common::KeyValueList {
            values: vec![
                common::KeyValue {
                    key: "msg".into(),
                    value: Some(common::AnyValue { value: Some(Value::StringValue("a \"b\"".into())) }),
                    key_strindex: 0,
                },
                common::KeyValue {
                    key: "list".into(),
                    value: Some(common::AnyValue {
                        value: Some(Value::ArrayValue(common::ArrayValue {
                            values: vec![
                                common::AnyValue { value: Some(Value::IntValue(-3)) },
                                common::AnyValue { value: Some(Value::DoubleValue(f64::NAN)) },
                                common::AnyValue::default(),
                            ],
                        })),
                    }),
                    key_strindex: 0,
                },
            ],
        })),
    }
    .encode_to_vec();
    let view = AnyValue::read(&body).expect("sound");
    assert_eq!(view.to_text(), r#"{"msg":"a \"b\"","list":[-3,"NaN",null]}"#);
}
