//! No part is above the limit, and all parts together are what was sent.

mod generate;

use std::fmt::Debug;

use bytes::Bytes;
use foreshock_model::{Tenant, Timestamp, partition_of};
use foreshock_otlp::{CheckLimits, Checked, Part, Signal, check, views};
use generate::NOW_NS;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    metrics::v1::{
        Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data,
        number_data_point,
    },
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, TracesData},
};
use proptest::{collection::vec, prelude::*, sample::Index};
use prost::Message;

const PARTITIONS: u16 = 4;
const YEAR_2200_NS: u64 = 7_258_118_400_000_000_000;

/// A request's records, each with its resource, scope and metric around it.
trait Request: Message + Default + Clone + PartialEq + Debug {
    const SIGNAL: Signal;

    /// A request for each record, in order.
    fn one_by_one(&self) -> Vec<Self>;

    /// Of the first record.
    fn resource(&self) -> Option<Resource>;
}

impl Request for LogsData {
    const SIGNAL: Signal = Signal::Logs;

    fn one_by_one(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for group in &self.resource_logs {
            for scope in &group.scope_logs {
                all.extend(scope.log_records.iter().map(|record| {
                    let scope = ScopeLogs { log_records: vec![record.clone()], ..scope.clone() };
                    let group = ResourceLogs { scope_logs: vec![scope], ..group.clone() };
                    Self { resource_logs: vec![group] }
                }));
            }
        }
        all
    }

    fn resource(&self) -> Option<Resource> {
        self.resource_logs[0].resource.clone()
    }
}

impl Request for TracesData {
    const SIGNAL: Signal = Signal::Traces;

    fn one_by_one(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for group in &self.resource_spans {
            for scope in &group.scope_spans {
                all.extend(scope.spans.iter().map(|span| {
                    let scope = ScopeSpans { spans: vec![span.clone()], ..scope.clone() };
                    let group = ResourceSpans { scope_spans: vec![scope], ..group.clone() };
                    Self { resource_spans: vec![group] }
                }));
            }
        }
        all
    }

    fn resource(&self) -> Option<Resource> {
        self.resource_spans[0].resource.clone()
    }
}

impl Request for MetricsData {
    const SIGNAL: Signal = Signal::Metrics;

    fn one_by_one(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for group in &self.resource_metrics {
            for scope in &group.scope_metrics {
                for metric in &scope.metrics {
                    all.extend(metric.data.iter().flat_map(points_one_by_one).map(|data| {
                        let metric = Metric { data: Some(data), ..metric.clone() };
                        let scope = ScopeMetrics { metrics: vec![metric], ..scope.clone() };
                        let group = ResourceMetrics { scope_metrics: vec![scope], ..group.clone() };
                        Self { resource_metrics: vec![group] }
                    }));
                }
            }
        }
        all
    }

    fn resource(&self) -> Option<Resource> {
        self.resource_metrics[0].resource.clone()
    }
}

fn points_one_by_one(data: &Data) -> Vec<Data> {
    macro_rules! each {
        ($kind:ident, $data:expr) => {{
            let one = |point: &_| {
                let mut one = $data.clone();
                one.data_points = vec![Clone::clone(point)];
                Data::$kind(one)
            };
            $data.data_points.iter().map(one).collect()
        }};
    }
    match data {
        Data::Gauge(data) => each!(Gauge, data),
        Data::Sum(data) => each!(Sum, data),
        Data::Histogram(data) => each!(Histogram, data),
        Data::ExponentialHistogram(data) => each!(ExponentialHistogram, data),
        Data::Summary(data) => each!(Summary, data),
    }
}

fn checked(signal: Signal, body: &Bytes, part_bytes: usize) -> Checked {
    let limits = CheckLimits { part_bytes, ..CheckLimits::default() };
    check(signal, &Tenant::default(), body, &limits, Timestamp(NOW_NS), PARTITIONS)
        .expect("the envelope is sound")
}

fn size(part: &Part) -> usize {
    part.payload.iter().map(Bytes::len).sum()
}

fn decoded<R: Request>(part: &Part) -> R {
    R::decode(&*part.payload.concat()).expect("a part decodes")
}

fn partition(resource: Option<Resource>) -> u16 {
    let raw = resource.unwrap_or_default().encode_to_vec();
    partition_of(&views::Resource::new(&raw).identity().key(&Tenant::default()).0, PARTITIONS)
}

/// Every part is within the limit and what it says it is, and together they hold what was sent, in the order of
/// each partition, without the records that are bad or that are above the limit all alone.
fn assert_all_is_kept_below<R: Request>(request: &R, limit: usize, is_bad: impl Fn(&R) -> bool) {
    let body = Bytes::from(request.encode_to_vec());
    let checked = checked(R::SIGNAL, &body, limit);
    let mut found = Vec::new();
    for part in &checked.parts {
        assert!(size(part) <= limit, "{} above {limit}", size(part));
        assert!(part.payload.iter().all(|piece| !piece.is_empty()));
        let records = decoded::<R>(part).one_by_one();
        assert_eq!(records.len(), part.records as usize);
        assert_eq!(partition_of(&part.key.0, PARTITIONS), part.partition);
        found.extend(records.into_iter().map(|record| (part.partition, record)));
    }
    let sent: Vec<R> = request.one_by_one();
    let (bad, good): (Vec<R>, Vec<R>) = sent.into_iter().partition(is_bad);
    let (fitting, large): (Vec<R>, Vec<R>) = good.into_iter().partition(|one| one.encoded_len() <= limit);
    let mut expected: Vec<_> = fitting.into_iter().map(|one| (partition(one.resource()), one)).collect();
    expected.sort_by_key(|(partition, _)| *partition);
    assert_eq!(checked.accepted, expected.len() as u64);
    assert_eq!(checked.rejected, (bad.len() + large.len()) as u64);
    let told = format!("above the journal's limit of {limit} bytes for one record");
    assert_eq!(checked.reasons.contains(&told), !large.is_empty(), "{}", checked.reasons);
    assert_eq!(found, expected);
}

/// Mostly far below the body's size, sometimes above.
fn limit(body_bytes: usize, (a, b): (Index, Index)) -> usize {
    a.index(body_bytes + 2).min(b.index(body_bytes + 2))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn logs_are_kept_below_any_limit(mut logs in generate::logs(), at in any::<(Index, Index)>(), bad in vec(any::<bool>(), 16)) {
        let records = logs.resource_logs.iter_mut().flat_map(|r| &mut r.scope_logs).flat_map(|s| &mut s.log_records);
        for (record, _) in records.zip(bad).filter(|(_, bad)| *bad) {
            record.time_unix_nano = YEAR_2200_NS;
        }
        let is_bad = |one: &LogsData| one.resource_logs[0].scope_logs[0].log_records[0].time_unix_nano == YEAR_2200_NS;
        assert_all_is_kept_below(&logs, limit(logs.encoded_len(), at), is_bad);
    }

    #[test]
    fn metrics_are_kept_below_any_limit(metrics in generate::metrics(), at in any::<(Index, Index)>()) {
        assert_all_is_kept_below(&metrics, limit(metrics.encoded_len(), at), |_| false);
    }

    #[test]
    fn traces_are_kept_below_any_limit(traces in generate::traces(), at in any::<(Index, Index)>()) {
        assert_all_is_kept_below(&traces, limit(traces.encoded_len(), at), |_| false);
    }

    #[test]
    fn what_is_mutated_is_kept_or_refused_below_a_limit_as_without_one(
        logs in generate::logs(), metrics in generate::metrics(), at in any::<(Index, Index)>(),
        mutations in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        for (signal, mut body) in [(Signal::Logs, logs.encode_to_vec()), (Signal::Metrics, metrics.encode_to_vec())] {
            for (at, byte) in &mutations {
                if !body.is_empty() {
                    let at = at.index(body.len());
                    body[at] = *byte;
                }
            }
            let limits = CheckLimits::default();
            let body = Bytes::from(body);
            let whole = check(signal, &Tenant::default(), &body, &limits, Timestamp(NOW_NS), PARTITIONS);
            let Ok(whole) = whole else { continue };
            let limit = limit(body.len(), at);
            let divided = checked(signal, &body, limit);
            prop_assert_eq!(divided.accepted + divided.rejected, whole.accepted + whole.rejected);
            prop_assert_eq!(divided.accepted, divided.parts.iter().map(|part| u64::from(part.records)).sum::<u64>());
            for part in &divided.parts {
                prop_assert!(size(part) <= limit);
                let again = checked(signal, &part.payload.concat().into(), usize::MAX);
                prop_assert_eq!((again.accepted, again.rejected), (u64::from(part.records), 0), "{}", again.reasons);
                prop_assert_eq!(again.parts.len(), 1);
                prop_assert_eq!(again.parts[0].partition, part.partition);
            }
        }
    }
}

fn text(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) })
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: text(value), key_strindex: 0 }
}

fn resource(attributes: Vec<KeyValue>) -> Option<Resource> {
    Some(Resource { attributes, ..Resource::default() })
}

fn line(body: &str) -> LogRecord {
    LogRecord { time_unix_nano: NOW_NS, body: text(body), ..LogRecord::default() }
}

/// Lines of one resource and scope.
fn lines(resource: Option<Resource>, bodies: impl IntoIterator<Item = String>) -> ResourceLogs {
    let scope = InstrumentationScope { name: "test".to_owned(), ..InstrumentationScope::default() };
    let scope_logs = ScopeLogs {
        scope: Some(scope),
        log_records: bodies.into_iter().map(|body| line(&body)).collect(),
        schema_url: "https://of.the/scope".to_owned(),
    };
    ResourceLogs { resource, scope_logs: vec![scope_logs], schema_url: "https://of.the/resource".to_owned() }
}

/// The lines of each part.
fn bodies(checked: &Checked) -> Vec<Vec<String>> {
    let of = |part: &Part| {
        let records = decoded::<LogsData>(part).one_by_one().into_iter();
        records
            .map(|one| match &one.resource_logs[0].scope_logs[0].log_records[0].body {
                Some(AnyValue { value: Some(Value::StringValue(text)) }) => text.clone(),
                other => format!("{other:?}"),
            })
            .collect()
    };
    checked.parts.iter().map(of).collect()
}

#[test]
fn whole_resources_are_put_together_up_to_the_limit_and_nothing_is_copied() {
    let each = lines(resource(vec![attribute("service.name", "cart")]), ["x".repeat(100)]);
    let request = LogsData { resource_logs: vec![each; 7] };
    let body = Bytes::from(request.encode_to_vec());
    let one = body.len() / 7;
    for (limit, parts) in
        [(7 * one, vec![7]), (7 * one - 1, vec![6, 1]), (3 * one, vec![3, 3, 1]), (one, vec![1; 7])]
    {
        let checked = checked(Signal::Logs, &body, limit);
        assert_eq!(checked.parts.iter().map(|part| part.records).collect::<Vec<_>>(), parts, "{limit}");
        let mut at = body.as_ptr() as usize;
        for part in &checked.parts {
            assert_eq!(part.payload.len(), 1);
            assert_eq!(part.payload[0].as_ptr() as usize, at);
            at += part.payload[0].len();
        }
    }
}

#[test]
fn the_order_of_a_partition_is_kept_where_an_older_part_still_has_room() {
    let of = |service: &str, body: &str| {
        lines(resource(vec![attribute("service.name", service)]), [body.to_owned()])
    };
    let (first, second) = ("cart", "pay");
    let place = |service| partition(of(service, "").resource);
    assert_ne!(place(first), place(second));
    for between in [first, second] {
        let large = "x".repeat(800);
        let request = LogsData {
            resource_logs: vec![
                of(first, "1"),
                of(between, "2"),
                of(first, &large),
                of(second, "3"),
                of(first, "4"),
            ],
        };
        assert_all_is_kept_below(&request, 1_000, |_| false);
        let body = Bytes::from(request.encode_to_vec());
        let parts = checked(Signal::Logs, &body, 1_000).parts;
        assert_eq!(parts.iter().filter(|part| part.partition == place(first)).count(), 3);
    }
}

#[test]
fn a_divided_resource_fills_its_parts_and_its_neighbours_join_them() {
    let cart = || resource(vec![attribute("service.name", "cart")]);
    let numbered = |range: std::ops::Range<u32>| range.map(|n| format!("{n:0100}"));
    let request = LogsData {
        resource_logs: vec![
            lines(cart(), numbered(0..2)),
            lines(cart(), numbered(2..100)),
            lines(cart(), numbered(100..102)),
        ],
    };
    let body = Bytes::from(request.encode_to_vec());
    let checked = checked(Signal::Logs, &body, 2_000);
    let parts = bodies(&checked);
    assert_eq!(parts.concat(), numbered(0..102).collect::<Vec<_>>());
    // A line takes 115 bytes, so 16 go in a part with what is around them, and the last two beside the neighbour's.
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [2, 16, 16, 16, 16, 16, 16, 4]);
    let within = body.as_ptr_range();
    let copied = checked.parts.iter().flat_map(|part| &part.payload);
    let copied: usize = copied.filter(|piece| !within.contains(&piece.as_ptr())).map(Bytes::len).sum();
    assert!(copied < 7 * 100, "{copied} bytes are copied: more than what is around the records");
}

#[test]
fn a_metric_with_many_points_is_divided_by_its_points_and_says_everything_else_in_each() {
    let point = |n: u64| NumberDataPoint {
        attributes: vec![attribute("queue", &format!("queue-{n}"))],
        time_unix_nano: NOW_NS - n,
        value: Some(number_data_point::Value::AsInt(n.cast_signed())),
        ..NumberDataPoint::default()
    };
    let metric = |data_points| Metric {
        name: "queue.length".to_owned(),
        description: "waiting".to_owned(),
        unit: "{message}".to_owned(),
        metadata: vec![attribute("prometheus.type", "counter")],
        data: Some(Data::Sum(Sum { data_points, aggregation_temporality: 2, is_monotonic: true })),
    };
    let request = |metrics| MetricsData {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(vec![attribute("service.name", "broker")]),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope { name: "jmx".to_owned(), ..Default::default() }),
                metrics,
                schema_url: "https://of.the/scope".to_owned(),
            }],
            schema_url: "https://of.the/resource".to_owned(),
        }],
    };
    let other = Metric { name: "before".to_owned(), ..metric(vec![point(0)]) };
    let sent = request(vec![other.clone(), metric((0..1_000).map(point).collect())]);
    let checked = checked(Signal::Metrics, &sent.encode_to_vec().into(), 4_096);
    assert_eq!((checked.accepted, checked.rejected, checked.reasons.as_str()), (1_001, 0, ""));
    let mut next = 0;
    for (index, part) in checked.parts.iter().enumerate() {
        let here = u64::from(part.records) - u64::from(index == 0);
        let mut metrics = vec![metric((next..next + here).map(point).collect())];
        if index == 0 {
            metrics.insert(0, other.clone());
        }
        assert_eq!(decoded::<MetricsData>(part), request(metrics));
        assert!(next + here == 1_000 || size(part) + point(next + here).encoded_len() + 2 > 4_096);
        next += here;
    }
    assert_eq!(next, 1_000);
}

#[test]
fn a_giant_record_is_refused_alone_with_its_size_and_the_limit() {
    let giants = ["x".repeat(6_000), "x".repeat(7_000)];
    let [first, second] = giants;
    let sent = ["before".to_owned(), first, "between".to_owned(), second, "after".to_owned()];
    let cart = || resource(vec![attribute("service.name", "cart")]);
    let request = LogsData { resource_logs: vec![lines(cart(), sent.clone())] };
    let checked = checked(Signal::Logs, &request.encode_to_vec().into(), 5_000);
    assert_eq!((checked.accepted, checked.rejected), (3, 2));
    assert_eq!(bodies(&checked), [["before", "between", "after"]]);
    let alone = LogsData { resource_logs: vec![lines(cart(), [sent[3].clone()])] };
    assert_eq!(
        checked.reasons,
        format!(
            "2 of 5 log records refused, the others are kept: LogRecord with its resource and scope around it, \
             {} bytes the largest, is above the journal's limit of 5000 bytes for one record; send smaller \
             records or raise max.message.bytes of the topic (2)",
            alone.encoded_len()
        )
    );
}

#[test]
fn a_resource_that_is_above_the_limit_itself_costs_its_records_and_no_others() {
    let giant = resource(vec![attribute("process.command_line", &"x".repeat(6_000))]);
    let numbered = |from: u32| (from..from + 3).map(|n| n.to_string());
    let request = LogsData {
        resource_logs: vec![lines(None, numbered(0)), lines(giant, numbered(3)), lines(None, numbered(6))],
    };
    let checked = checked(Signal::Logs, &request.encode_to_vec().into(), 5_000);
    assert_eq!((checked.accepted, checked.rejected), (6, 3));
    assert_eq!(bodies(&checked), [["0", "1", "2", "6", "7", "8"]]);
    assert!(checked.reasons.contains("above the journal's limit of 5000 bytes"), "{}", checked.reasons);
}

#[test]
fn what_is_around_records_is_not_repeated_without_end() {
    let large: Vec<KeyValue> = (0..3).map(|n| attribute(&format!("k{n}"), &"x".repeat(250_000))).collect();
    let numbered = || (0..200u32).map(|n| format!("{n:06000}"));
    let request = LogsData { resource_logs: vec![lines(resource(large), numbered())] };
    let body = Bytes::from(request.encode_to_vec());
    // Room for one line with its resource: 200 times 750 kB, were there no end.
    let checked = checked(Signal::Logs, &body, 760_000);
    let kept = bodies(&checked).concat();
    assert_eq!(kept, numbered().take(kept.len()).collect::<Vec<_>>());
    assert!(kept.len() >= 10, "{}", kept.len());
    assert!(checked.parts.iter().map(size).sum::<usize>() <= 2 * body.len() + (8 << 20));
    assert_eq!(checked.accepted + checked.rejected, 200);
    assert!(
        checked.reasons.contains("send fewer or smaller attributes of the resource"),
        "{}",
        checked.reasons
    );
}
