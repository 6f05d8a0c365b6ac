//! What the checking walk takes, refuses and splits.

mod generate;

use std::collections::BTreeMap;

use bytes::Bytes;
use foreshock_model::{Tenant, Timestamp, partition_of};
use foreshock_otlp::{CheckLimits, Checked, Malformed, Part, Signal, check, views};
use generate::NOW_NS;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    metrics::v1::{MetricsData, metric::Data},
    resource::v1::Resource,
    trace::v1::TracesData,
};
use proptest::{collection::vec, prelude::*, sample::Index};
use prost::Message;

const PARTITIONS: u16 = 4;
const YEAR_2200_NS: u64 = 7_258_118_400_000_000_000;

fn checked(signal: Signal, body: &Bytes) -> Result<Checked, Malformed> {
    check(signal, &Tenant::default(), body, &CheckLimits::default(), Timestamp(NOW_NS), PARTITIONS)
}

fn whole(part: &Part) -> Vec<u8> {
    part.payload.concat()
}

/// The resources by partition, in order, as a splitter that decodes everything would have them.
fn expected_split<R: Clone>(
    resources: &[R],
    of: impl Fn(&R) -> (Option<Resource>, u64),
) -> BTreeMap<u16, Vec<R>> {
    let mut split: BTreeMap<u16, (Vec<R>, u64)> = BTreeMap::new();
    for group in resources {
        let (resource, records) = of(group);
        let raw = resource.unwrap_or_default().encode_to_vec();
        let key = views::Resource::new(&raw).identity().key(&Tenant::default());
        let entry = split.entry(partition_of(&key.0, PARTITIONS)).or_default();
        entry.0.push(group.clone());
        entry.1 += records;
    }
    split.retain(|_, (_, records)| *records > 0);
    split.into_iter().map(|(partition, (groups, _))| (partition, groups)).collect()
}

fn log_count(group: &ResourceLogs) -> u64 {
    group.scope_logs.iter().map(|scope| scope.log_records.len() as u64).sum()
}

fn points(data: &Option<Data>) -> usize {
    match data {
        None => 0,
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
    }
}

/// A request of one resource and scope.
fn request(records: Vec<LogRecord>) -> LogsData {
    let scope_logs = vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }];
    LogsData { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
}

fn line(text: &str) -> LogRecord {
    LogRecord { body: Some(value(text)), time_unix_nano: NOW_NS, ..LogRecord::default() }
}

fn value(text: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text.to_owned())) }
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend(bytes);
    out
}

/// A request whose one scope holds these records, as bytes.
fn raw_request(records: &[Vec<u8>]) -> Bytes {
    let scope: Vec<u8> = records.iter().flat_map(|record| field(2, record)).collect();
    field(1, &field(2, &scope)).into()
}

/// The bodies' texts of what was kept.
fn kept(checked: &Checked) -> Vec<String> {
    let mut texts = Vec::new();
    for part in &checked.parts {
        let data = LogsData::decode(&*whole(part)).expect("what is kept decodes");
        let records = data.resource_logs.iter().flat_map(|r| &r.scope_logs).flat_map(|s| &s.log_records);
        texts.extend(records.map(|record| match record.body.as_ref().and_then(|body| body.value.as_ref()) {
            Some(Value::StringValue(text)) => text.clone(),
            other => format!("{other:?}"),
        }));
    }
    texts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn sound_logs_are_kept_whole_each_resource_on_its_keys_partition(data in generate::logs()) {
        let body = Bytes::from(data.encode_to_vec());
        let checked = checked(Signal::Logs, &body).expect("sound");
        prop_assert_eq!((checked.rejected, checked.reasons.as_str()), (0, ""));
        prop_assert_eq!(checked.accepted, data.resource_logs.iter().map(log_count).sum::<u64>());
        let split: BTreeMap<_, _> = checked
            .parts
            .iter()
            .map(|part| (part.partition, LogsData::decode(&*whole(part)).expect("decodes").resource_logs))
            .collect();
        prop_assert_eq!(split, expected_split(&data.resource_logs, |group| (group.resource.clone(), log_count(group))));
        for part in &checked.parts {
            prop_assert_eq!(part.partition, partition_of(&part.key.0, PARTITIONS));
        }
    }

    #[test]
    fn sound_metrics_are_kept_whole(data in generate::metrics()) {
        let body = Bytes::from(data.encode_to_vec());
        let checked = checked(Signal::Metrics, &body).expect("sound");
        let count = |group: &opentelemetry_proto::tonic::metrics::v1::ResourceMetrics| {
            group.scope_metrics.iter().flat_map(|s| &s.metrics).map(|m| points(&m.data) as u64).sum::<u64>()
        };
        prop_assert_eq!((checked.rejected, checked.reasons.as_str()), (0, ""));
        prop_assert_eq!(checked.accepted, data.resource_metrics.iter().map(count).sum::<u64>());
        let split: BTreeMap<_, _> = checked
            .parts
            .iter()
            .map(|part| (part.partition, MetricsData::decode(&*whole(part)).expect("decodes").resource_metrics))
            .collect();
        prop_assert_eq!(split, expected_split(&data.resource_metrics, |group| (group.resource.clone(), count(group))));
    }

    #[test]
    fn sound_traces_are_kept_whole(data in generate::traces()) {
        let body = Bytes::from(data.encode_to_vec());
        let checked = checked(Signal::Traces, &body).expect("sound");
        let count = |group: &opentelemetry_proto::tonic::trace::v1::ResourceSpans| {
            group.scope_spans.iter().map(|s| s.spans.len() as u64).sum::<u64>()
        };
        prop_assert_eq!((checked.rejected, checked.reasons.as_str()), (0, ""));
        let split: BTreeMap<_, _> = checked
            .parts
            .iter()
            .map(|part| (part.partition, TracesData::decode(&*whole(part)).expect("decodes").resource_spans))
            .collect();
        prop_assert_eq!(split, expected_split(&data.resource_spans, |group| (group.resource.clone(), count(group))));
    }

    #[test]
    fn refused_log_records_leave_exactly_the_others(mut data in generate::logs(), bad in vec(any::<(bool, u8)>(), 64)) {
        let mut faults = bad.into_iter();
        let mut rejected = 0;
        let mut expected = data.clone();
        for (group, clean) in data.resource_logs.iter_mut().zip(&mut expected.resource_logs) {
            for (scope, clean) in group.scope_logs.iter_mut().zip(&mut clean.scope_logs) {
                clean.log_records.clear();
                for record in &mut scope.log_records {
                    match faults.next() {
                        Some((true, fault)) => {
                            spoil(record, fault);
                            rejected += 1;
                        }
                        _ => clean.log_records.push(record.clone()),
                    }
                }
            }
        }
        let checked = checked(Signal::Logs, &data.encode_to_vec().into()).expect("the envelope is sound");
        prop_assert_eq!(checked.rejected, rejected);
        prop_assert_eq!(checked.reasons.is_empty(), rejected == 0);
        let records = |data: &LogsData| -> Vec<LogRecord> {
            data.resource_logs.iter().flat_map(|r| &r.scope_logs).flat_map(|s| &s.log_records).cloned().collect()
        };
        let mut kept = LogsData::default();
        for part in &checked.parts {
            let part_data = LogsData::decode(&*whole(part)).expect("decodes");
            prop_assert_eq!(records(&part_data).len(), part.records as usize);
            kept.resource_logs.extend(part_data.resource_logs);
        }
        let split = expected_split(&expected.resource_logs, |group| (group.resource.clone(), log_count(group)));
        let expected = LogsData { resource_logs: split.into_values().flatten().collect() };
        prop_assert_eq!(records(&kept), records(&expected));
    }

    #[test]
    fn refused_points_and_spans_leave_exactly_the_others(
        mut metrics in generate::metrics(), mut traces in generate::traces(), bad in vec(any::<bool>(), 64),
    ) {
        let mut faults = bad.iter().copied().chain(std::iter::repeat(false));
        let mut expected = (0, 0);
        for metric in metrics.resource_metrics.iter_mut().flat_map(|r| &mut r.scope_metrics).flat_map(|s| &mut s.metrics) {
            let mut spoil = |time: &mut u64| match faults.next() {
                Some(true) => { *time = YEAR_2200_NS; expected.1 += 1; }
                _ => { *time = NOW_NS - 7; expected.0 += 1; }
            };
            match &mut metric.data {
                None => {}
                Some(Data::Gauge(data)) => data.data_points.iter_mut().for_each(|p| spoil(&mut p.time_unix_nano)),
                Some(Data::Sum(data)) => data.data_points.iter_mut().for_each(|p| spoil(&mut p.time_unix_nano)),
                Some(Data::Histogram(data)) => data.data_points.iter_mut().for_each(|p| spoil(&mut p.time_unix_nano)),
                Some(Data::ExponentialHistogram(data)) => {
                    data.data_points.iter_mut().for_each(|p| spoil(&mut p.time_unix_nano));
                }
                Some(Data::Summary(data)) => data.data_points.iter_mut().for_each(|p| spoil(&mut p.time_unix_nano)),
            }
        }
        let result = checked(Signal::Metrics, &metrics.encode_to_vec().into()).expect("the envelope is sound");
        prop_assert_eq!((result.accepted, result.rejected), expected);
        let mut left = 0;
        for part in &result.parts {
            let again = checked(Signal::Metrics, &whole(part).into()).expect("sound");
            prop_assert_eq!((again.accepted, again.rejected), (u64::from(part.records), 0));
            let data = MetricsData::decode(&*whole(part)).expect("decodes");
            let metrics = data.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
            left += metrics.map(|metric| points(&metric.data) as u64).sum::<u64>();
        }
        prop_assert_eq!(left, expected.0);

        let mut faults = bad.into_iter();
        let mut clean = Vec::new();
        for span in traces.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans) {
            if faults.next() == Some(true) { span.parent_span_id = vec![1; 7]; } else { clean.push(span.clone()); }
        }
        let result = check(
            Signal::Traces, &Tenant::default(), &traces.encode_to_vec().into(), &CheckLimits::default(), Timestamp(NOW_NS), 1,
        ).expect("the envelope is sound");
        let kept: Vec<_> = result.parts.iter().map(|part| TracesData::decode(&*whole(part)).expect("decodes"))
            .flat_map(|data| data.resource_spans).flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect();
        prop_assert_eq!(kept, clean);
    }

    #[test]
    fn what_is_mutated_never_panics_and_what_is_kept_decodes(
        logs in generate::logs(), metrics in generate::metrics(), traces in generate::traces(),
        mutations in vec((any::<Index>(), 0..5u8, any::<u8>()), 1..4),
    ) {
        let bodies = [
            (Signal::Logs, logs.encode_to_vec()),
            (Signal::Metrics, metrics.encode_to_vec()),
            (Signal::Traces, traces.encode_to_vec()),
        ];
        for (signal, mut body) in bodies {
            for (at, kind, byte) in &mutations {
                if body.is_empty() { break; }
                let at = at.index(body.len());
                match kind {
                    0 => body[at] ^= 1 << (byte % 8),
                    1 => body.truncate(at),
                    2 => body[at] = body[at].wrapping_add(*byte),
                    3 => body.insert(at, *byte),
                    _ => { body.remove(at); }
                }
            }
            assert_never_worse_than_prost(signal, &body.into());
        }
    }

    #[test]
    fn random_bytes_never_panic(body in vec(any::<u8>(), 0..200), signal in 0..3usize) {
        let body = Bytes::from(body);
        assert_never_worse_than_prost(Signal::ALL[signal], &body);
        assert_never_worse_than_prost(Signal::ALL[signal], &field(1, &field(2, &field(2, &body))).into());
    }
}

/// Makes a record one that is to be refused.
fn spoil(record: &mut LogRecord, fault: u8) {
    let attribute = |value| KeyValue { key: "k".into(), value: Some(value), key_strindex: 0 };
    match fault % 6 {
        0 => record.time_unix_nano = YEAR_2200_NS,
        1 => record.observed_time_unix_nano = 1,
        2 => record.trace_id = vec![1; 15],
        3 => record.span_id = vec![1; 9],
        4 => record.attributes = vec![attribute(value("x")); 1025],
        _ => record.attributes.push(attribute(value(&"x".repeat(300_000)))),
    }
}

fn assert_never_worse_than_prost(signal: Signal, body: &Bytes) {
    let decodes = |bytes: &[u8]| match signal {
        Signal::Logs => LogsData::decode(bytes).is_ok(),
        Signal::Metrics => MetricsData::decode(bytes).is_ok(),
        Signal::Traces => TracesData::decode(bytes).is_ok(),
    };
    walk_views(signal, body);
    let Ok(checked) = checked(signal, body) else { return };
    assert_eq!(checked.accepted, checked.parts.iter().map(|part| u64::from(part.records)).sum::<u64>());
    if checked.reasons.is_empty() {
        assert!(decodes(body), "taken in full, and prost can't decode it: {body:?}");
    }
    for part in &checked.parts {
        let part_bytes = Bytes::from(whole(part));
        assert!(decodes(&part_bytes), "kept, and prost can't decode it: {part_bytes:?}");
        walk_views(signal, &part_bytes);
        let again = self::checked(signal, &part_bytes).expect("what was kept is sound");
        assert_eq!((again.accepted, again.rejected), (u64::from(part.records), 0), "{}", again.reasons);
    }
}

/// Touches everything a view can show.
fn walk_views(signal: Signal, payload: &[u8]) {
    fn count<'a, R: views::Record<'a>>(resources: views::Resources<'a, R>, mut see: impl FnMut(R)) {
        for resource in resources.flatten() {
            let _ = resource.resource.identity();
            for scope in resource.scopes().flatten() {
                scope.records().flatten().for_each(&mut see);
            }
        }
    }
    let attributes =
        |attributes: views::Attributes<'_>| attributes.for_each(|(_, value)| drop(value.to_text()));
    match signal {
        Signal::Logs => count(views::logs(payload), |record| {
            record.body.to_text();
            attributes(record.attributes());
        }),
        Signal::Traces => count(views::spans(payload), |span| attributes(span.attributes())),
        Signal::Metrics => count(views::metrics(payload), |metric| match metric.data {
            views::MetricData::None => {}
            views::MetricData::Gauge(points) | views::MetricData::Sum { points, .. } => {
                points.flatten().for_each(|point| attributes(point.attributes()));
            }
            views::MetricData::Histogram { points, .. } => {
                points.flatten().for_each(|point| {
                    point.bounds().chain(point.bucket_counts().map(|count| count as f64)).for_each(drop);
                });
            }
            views::MetricData::ExponentialHistogram { points, .. } => {
                points
                    .flatten()
                    .for_each(|point| point.positive.counts().chain(point.negative.counts()).for_each(drop));
            }
            views::MetricData::Summary(points) => {
                points
                    .flatten()
                    .flat_map(|point| point.quantiles())
                    .map(|quantile| quantile.value)
                    .for_each(drop);
            }
        }),
    }
    foreshock_otlp::json::json_lines(signal, payload).for_each(drop);
    let _ = foreshock_otlp::json::to_json(signal, payload, &mut Vec::new());
}

#[test]
fn a_request_for_one_partition_is_the_body_itself() {
    let body = Bytes::from(request(vec![line("a"), line("b")]).encode_to_vec());
    let checked = checked(Signal::Logs, &body).expect("sound");
    assert_eq!(checked.parts.len(), 1);
    assert_eq!(checked.parts[0].payload.len(), 1);
    assert_eq!(checked.parts[0].payload[0].as_ptr(), body.as_ptr());
    assert_eq!(checked.parts[0].payload[0].len(), body.len());
}

#[test]
fn an_empty_request_has_nothing_to_keep_and_nothing_to_refuse() {
    for signal in Signal::ALL {
        let checked = checked(signal, &Bytes::new()).expect("sound");
        assert_eq!(checked, Checked { accepted: 0, rejected: 0, reasons: String::new(), parts: vec![] });
    }
}

#[test]
fn ten_thousand_levels_are_refused_and_the_neighbours_kept() {
    let mut deep = value("bottom").encode_to_vec();
    for level in 0..10_000 {
        // Lists and pairs in turn: AnyValue.array_value.values, AnyValue.kvlist_value.values.value.
        deep =
            if level % 2 == 0 { field(5, &field(1, &deep)) } else { field(6, &field(1, &field(2, &deep))) };
    }
    let body = raw_request(&[line("before").encode_to_vec(), field(5, &deep), line("after").encode_to_vec()]);
    let checked = checked(Signal::Logs, &body).expect("the envelope is sound");
    assert_eq!((checked.accepted, checked.rejected), (2, 1));
    assert_eq!(kept(&checked), ["before", "after"]);
    assert_eq!(
        checked.reasons,
        "1 of 3 log records refused, the others are kept: AnyValue is nested deeper than 32 levels (1)"
    );
    walk_views(Signal::Logs, &body);
    let names: Vec<u8> = b"{\"a\":".repeat(10_000);
    assert!(foreshock_otlp::json::from_json(Signal::Logs, &names, 1 << 20).is_err());
    let lists =
        [br#"{"resourceLogs":[{"resource":"#.to_vec(), br#"{"arrayValue":{"values":["#.repeat(10_000)]
            .concat();
    assert!(foreshock_otlp::json::from_json(Signal::Logs, &lists, 1 << 20).is_err());
}

#[test]
fn values_as_deep_as_the_limit_are_taken_and_prost_reads_them() {
    for (deepest, taken) in [(30, true), (31, true), (32, false)] {
        let mut deep = value("bottom").encode_to_vec();
        for _ in 0..deepest {
            deep = field(6, &field(1, &field(2, &deep)));
        }
        let body = raw_request(&[field(5, &deep)]);
        let checked = checked(Signal::Logs, &body).expect("the envelope is sound");
        assert_eq!(checked.accepted == 1, taken, "{}", checked.reasons);
        assert!(!taken || LogsData::decode(&*body).is_ok());
        // Further from the root there is a level less: Gauge.data_points.exemplars.filtered_attributes.value.
        let attribute = field(7, &[field(1, b"k"), field(2, &deep)].concat());
        let body = Bytes::from(field(1, &field(2, &field(2, &field(5, &field(1, &field(5, &attribute)))))));
        let checked = self::checked(Signal::Metrics, &body).expect("the envelope is sound");
        assert_eq!(checked.accepted == 1, deepest < 31, "{}", checked.reasons);
        assert!(checked.accepted == 0 || MetricsData::decode(&*body).is_ok());
    }
}

#[test]
fn times_that_are_absurd_are_refused_and_no_time_is_taken() {
    const DAY_NS: u64 = 24 * 3600 * 1_000_000_000;
    // 1900 as a signed number of nanoseconds.
    let year_1900 = (-2_208_988_800_000_000_000i64).cast_unsigned();
    for (nanos, taken) in [
        (0, true),
        (1, false),
        (946_684_799_999_999_999, false),
        (946_684_800_000_000_000, true),
        (NOW_NS + DAY_NS, true),
        (NOW_NS + DAY_NS + 1, false),
        (YEAR_2200_NS, false),
        (year_1900, false),
    ] {
        let record = LogRecord { time_unix_nano: nanos, ..line("x") };
        let checked = checked(Signal::Logs, &request(vec![record]).encode_to_vec().into()).expect("sound");
        assert_eq!(checked.accepted == 1, taken, "{nanos}: {}", checked.reasons);
    }
}

#[test]
fn a_record_that_is_not_protobuf_is_refused_alone() {
    let mut lying = line("lying").encode_to_vec();
    let at = lying.len() - 6;
    lying[at] = 0x7f;
    for (bad, reason) in [
        (lying, "is not protobuf (a length goes beyond the end)"),
        (vec![0x08, 1], "LogRecord.timeUnixNano has the wrong wire type"),
        (vec![0x0b], "LogRecord is not protobuf (it holds a group"),
        (field(3, &[0xff]), "LogRecord.severityText is not valid UTF-8"),
        (field(5, &field(1, &[0xc3])), "AnyValue.stringValue is not valid UTF-8"),
        (
            field(6, &[field(1, &[0x80]), field(2, &field(1, b"v"))].concat()),
            "KeyValue.key is not valid UTF-8",
        ),
        (field(9, &[1; 15]), "LogRecord.traceId has not 16 bytes"),
        ([field(5, &field(1, b"a")), field(5, &field(1, b"b"))].concat(), "LogRecord.body is there twice"),
        (field(5, &field(1, &vec![b'x'; 1 << 20])), "LogRecord is larger than 1048576 bytes"),
    ] {
        let body = raw_request(&[line("before").encode_to_vec(), bad, line("after").encode_to_vec()]);
        let checked = checked(Signal::Logs, &body).expect("the envelope is sound");
        assert_eq!((checked.accepted, checked.rejected), (2, 1), "{reason}");
        assert!(checked.reasons.contains(reason), "{} has not {reason}", checked.reasons);
        assert_eq!(kept(&checked), ["before", "after"]);
    }
}

#[test]
fn a_bad_resource_or_scope_takes_its_records_with_it_and_no_others() {
    let good = ResourceLogs {
        scope_logs: vec![ScopeLogs { log_records: vec![line("good")], ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    }
    .encode_to_vec();
    let records = [field(2, &line("x").encode_to_vec()), field(2, &line("y").encode_to_vec())].concat();
    let bad_resource = [field(1, &field(1, &field(1, &[0xff]))), field(2, &records)].concat();
    let bad_scope =
        [field(2, &[records.clone(), field(1, &field(1, &[0xff]))].concat()), good.clone()].concat();
    let body = Bytes::from([field(1, &bad_resource), field(1, &good), field(1, &bad_scope)].concat());
    let checked = checked(Signal::Logs, &body).expect("the envelope is sound");
    assert_eq!((checked.accepted, checked.rejected), (2, 4));
    assert_eq!(kept(&checked), ["good", "good"]);
}

#[test]
fn a_broken_envelope_refuses_the_request_and_says_where() {
    let sound = request(vec![line("a")]).encode_to_vec();
    let mut scope = field(2, &line("b").encode_to_vec());
    scope.extend([0x12, 0x7f]);
    let body = Bytes::from([sound.clone(), field(1, &field(2, &scope))].concat());
    let error = checked(Signal::Logs, &body).expect_err("broken");
    assert_eq!(error.path(), "resourceLogs[1].scopeLogs[0]");
    assert!((sound.len()..=body.len()).contains(&error.offset()), "{error}");
    assert!(error.to_string().contains("ExportLogsServiceRequest"), "{error}");
    for broken in
        [vec![0x08, 1], vec![0x0a, 5, 0], vec![0x0b], field(1, &[0x08, 1]), field(1, &field(2, &[0x10, 1]))]
    {
        assert!(checked(Signal::Logs, &broken.clone().into()).is_err(), "{broken:?}");
    }
}

#[test]
fn fields_that_otlp_does_not_have_are_kept() {
    let record = [line("a").encode_to_vec(), vec![0xf8, 0x07, 1]].concat();
    let refused = field(9, &[1]);
    let scope = [field(2, &record), field(2, &refused), field(15, b"scope")].concat();
    let body = Bytes::from(field(1, &[field(2, &scope), field(14, b"resource")].concat()));
    let checked = checked(Signal::Logs, &body).expect("sound");
    assert_eq!((checked.accepted, checked.rejected), (1, 1));
    let scope = [field(2, &record), field(15, b"scope")].concat();
    assert_eq!(whole(&checked.parts[0]), field(1, &[field(2, &scope), field(14, b"resource")].concat()));
}

#[test]
fn a_metric_that_is_bad_itself_is_refused_with_all_its_points() {
    let point = |nanos: u64| [vec![0x19], nanos.to_le_bytes().to_vec()].concat();
    let gauge = field(5, &[field(1, &point(NOW_NS)), field(1, &point(NOW_NS))].concat());
    let good = [field(1, b"good"), gauge.clone()].concat();
    let named_badly = [field(1, &[0xff]), gauge.clone()].concat();
    let of_two_kinds = [gauge.clone(), field(7, &field(1, &point(NOW_NS)))].concat();
    let truncated = [gauge, vec![0x0a, 9]].concat();
    let scope: Vec<u8> =
        [named_badly, good, of_two_kinds, truncated].iter().flat_map(|m| field(2, m)).collect();
    let checked =
        checked(Signal::Metrics, &field(1, &field(2, &scope)).into()).expect("the envelope is sound");
    assert_eq!((checked.accepted, checked.rejected), (2, 7), "{}", checked.reasons);
}

#[test]
fn nan_and_infinity_are_values_like_others() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let point = [vec![0x21], number.to_le_bytes().to_vec()].concat();
        let body = field(1, &field(2, &field(2, &field(5, &field(1, &point)))));
        assert_eq!(checked(Signal::Metrics, &body.into()).expect("sound").accepted, 1);
    }
}
