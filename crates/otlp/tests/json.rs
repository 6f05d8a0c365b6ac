//! OTLP JSON, both ways, and single records.

mod generate;

use foreshock_model::Timestamp;
use foreshock_otlp::{
    CheckLimits, Signal, check,
    json::{JsonError, from_json, json_lines, to_json},
    response, response_json, split_records,
};
use generate::NOW_NS;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceResponse, logs::v1::LogsData, metrics::v1::MetricsData,
    trace::v1::TracesData,
};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};

const MAX_BYTES: usize = 64 << 20;

fn there_and_back(signal: Signal, bytes: &[u8]) -> Vec<u8> {
    let mut json = Vec::new();
    to_json(signal, bytes, &mut json).expect("sound");
    from_json(signal, &json, MAX_BYTES)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&json)))
}

fn read(signal: Signal, json: &Value) -> Result<Vec<u8>, JsonError> {
    from_json(signal, json.to_string().as_bytes(), MAX_BYTES)
}

fn log(record: Value) -> Value {
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [record] }] }] })
}

fn point(point: Value) -> Value {
    let metric = json!({ "name": "m", "histogram": { "dataPoints": [point], "aggregationTemporality": 2 } });
    json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [metric] }] }] })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn json_says_what_the_protobuf_says(
        logs in generate::logs(), metrics in generate::metrics(), traces in generate::traces(),
    ) {
        let back = there_and_back(Signal::Logs, &logs.encode_to_vec());
        prop_assert_eq!(LogsData::decode(&*back).expect("decodes"), logs);
        let back = there_and_back(Signal::Metrics, &metrics.encode_to_vec());
        prop_assert_eq!(MetricsData::decode(&*back).expect("decodes"), metrics);
        let back = there_and_back(Signal::Traces, &traces.encode_to_vec());
        prop_assert_eq!(TracesData::decode(&*back).expect("decodes"), traces);
    }

    #[test]
    fn single_records_are_all_records_in_order_each_with_its_resource_and_scope(
        logs in generate::logs(), metrics in generate::metrics(),
    ) {
        let mut expected = Vec::new();
        for group in &logs.resource_logs {
            for scope in &group.scope_logs {
                for record in &scope.log_records {
                    let mut single = (group.clone(), scope.clone());
                    single.1.log_records = vec![record.clone()];
                    single.0.scope_logs = vec![single.1];
                    expected.push(LogsData { resource_logs: vec![single.0] });
                }
            }
        }
        let bytes = logs.encode_to_vec();
        let singles: Vec<_> = split_records(Signal::Logs, &bytes)
            .map(|single| LogsData::decode(&*single.expect("sound")).expect("decodes"))
            .collect();
        prop_assert_eq!(singles, expected);

        let bytes = metrics.encode_to_vec();
        let count = |bytes: &[u8]| {
            let body = bytes::Bytes::copy_from_slice(bytes);
            let limits = CheckLimits::default();
            check(Signal::Metrics, &Default::default(), &body, &limits, Timestamp(NOW_NS), 1).expect("sound").accepted
        };
        let singles: Vec<_> = split_records(Signal::Metrics, &bytes).collect::<Result<_, _>>().expect("sound");
        prop_assert!(singles.iter().all(|single| count(single) == 1));
        prop_assert_eq!(singles.len() as u64, count(&bytes));
    }

    #[test]
    fn random_json_never_panics(text in "[\\[\\]{}:,\"a-z0-9]{0,60}", at in 0usize..400, byte in any::<u8>()) {
        let _ = from_json(Signal::Logs, text.as_bytes(), MAX_BYTES);
        let mut json = log(json!({ "timeUnixNano": "5", "body": { "stringValue": "x" }, "traceId": "00" })).to_string().into_bytes();
        let at = at % json.len();
        json[at] = byte;
        let _ = from_json(Signal::Logs, &json, MAX_BYTES);
    }
}

#[test]
fn json_is_written_in_the_specifications_form() {
    let record = json!({
        "timeUnixNano": "1544712660300000000", "severityNumber": 10, "severityText": "Info",
        "body": { "kvlistValue": { "values": [
            { "key": "n", "value": { "intValue": "-3" } },
            { "key": "d", "value": { "doubleValue": 0.5 } },
            { "key": "nan", "value": { "doubleValue": "NaN" } },
            { "key": "b", "value": { "bytesValue": "/+8=" } },
            { "key": "t", "value": { "boolValue": true } },
            { "key": "e", "value": {} },
            { "key": "l", "value": { "arrayValue": { "values": [{ "stringValue": "" }] } } },
        ] } },
        "flags": 1, "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
    });
    let bytes = read(Signal::Logs, &log(record.clone())).expect("as in the specification");
    let mut json = Vec::new();
    to_json(Signal::Logs, &bytes, &mut json).expect("sound");
    assert_eq!(serde_json::from_slice::<Value>(&json).expect("JSON"), log(record));
}

#[test]
fn json_is_read_in_all_the_forms_that_are_allowed() {
    let strict = log(json!({
        "timeUnixNano": "1544712660300000000", "severityNumber": 9, "traceId": "5b8efff798038103d269b633813fc60c",
        "body": { "intValue": "7" }, "attributes": [{ "key": "b", "value": { "bytesValue": "/+8=" } }],
    }));
    let loose = log(json!({
        "timeUnixNano": 1_544_712_660_300_000_000u64, "severityNumber": "SEVERITY_NUMBER_INFO",
        "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": null, "eventName": null,
        "body": { "intValue": 7.0 }, "attributes": [{ "key": "b", "value": { "bytesValue": "_-8" } }],
        "notOfOtlp": [{ "deeply": { "unknown": [1, 2, null] } }],
    }));
    assert_eq!(
        LogsData::decode(&*read(Signal::Logs, &loose).expect("allowed")).expect("decodes"),
        LogsData::decode(&*read(Signal::Logs, &strict).expect("allowed")).expect("decodes"),
    );
    let numbers = point(json!({
        "count": 3, "sum": "Infinity", "min": "-Infinity", "max": "1.5e3",
        "bucketCounts": [1, "2"], "explicitBounds": ["0.5"], "flags": "1",
    }));
    let bytes = read(Signal::Metrics, &numbers).expect("allowed");
    let mut json = Vec::new();
    to_json(Signal::Metrics, &bytes, &mut json).expect("sound");
    let expected = point(json!({
        "count": "3", "sum": "Infinity", "min": "-Infinity", "max": 1500.0,
        "bucketCounts": ["1", "2"], "explicitBounds": [0.5], "flags": 1,
    }));
    assert_eq!(serde_json::from_slice::<Value>(&json).expect("JSON"), expected);
}

#[test]
fn a_value_that_a_field_cannot_have_is_an_error_that_names_the_field() {
    for (record, names) in [
        (json!({ "traceId": "xyz" }), "LogRecord.traceId"),
        (json!({ "severityNumber": "LOUD" }), "LogRecord.severityNumber"),
        (json!({ "severityNumber": 3_000_000_000u64 }), "LogRecord.severityNumber"),
        (json!({ "timeUnixNano": -1 }), "LogRecord.timeUnixNano"),
        (json!({ "timeUnixNano": "1.5" }), "LogRecord.timeUnixNano"),
        (json!({ "attributes": {} }), "LogRecord.attributes"),
        (json!({ "body": "plain" }), "LogRecord.body"),
        (json!({ "severityText": ["x"] }), "LogRecord.severityText"),
        (json!({ "body": { "boolValue": 1 } }), "AnyValue.boolValue"),
        (json!({ "body": { "bytesValue": "?" } }), "AnyValue.bytesValue"),
    ] {
        let error = read(Signal::Logs, &log(record.clone())).expect_err("refused").to_string();
        assert!(error.contains(names), "{record}: {error}");
    }
    for broken in ["", "[]", "{", "{} {}", "nope", "{\"resourceLogs\": [1]}"] {
        assert!(from_json(Signal::Logs, broken.as_bytes(), MAX_BYTES).is_err(), "{broken}");
    }
    let invalid = b"{\"resourceLogs\":[{\"schemaUrl\":\"\xff\"}]}";
    assert!(from_json(Signal::Logs, invalid, MAX_BYTES).is_err());
}

#[test]
fn json_that_grows_beyond_the_limit_is_refused_before_it_is_all_there() {
    let bounds = "0,".repeat(10_000) + "0";
    let json = point(json!({ "explicitBounds": [] })).to_string().replace("[]", &format!("[{bounds}]"));
    let error = from_json(Signal::Metrics, json.as_bytes(), 1000).expect_err("too large");
    assert!(matches!(error, JsonError::TooLarge { max_bytes: 1000 }), "{error}");
}

#[test]
fn lines_of_single_records_are_objects_of_their_own() {
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "cart" } }] });
    let group = |records: Value| json!({ "resource": resource, "scopeLogs": [{ "scope": { "name": "s" }, "logRecords": records }] });
    let (a, b) = (json!({ "body": { "stringValue": "a" } }), json!({ "body": { "stringValue": "b" } }));
    let bytes = read(Signal::Logs, &json!({ "resourceLogs": [group(json!([a, b]))] })).expect("sound");
    let lines: Vec<Value> = json_lines(Signal::Logs, &bytes)
        .map(|line| serde_json::from_slice(&line.expect("sound")).expect("JSON"))
        .collect();
    assert_eq!(lines, [a, b].map(|record| json!({ "resourceLogs": [group(json!([record]))] })));
}

#[test]
fn answers_leave_partial_success_unset_where_all_is_well() {
    assert!(response(0, "").is_empty());
    assert_eq!(response_json(Signal::Logs, 0, ""), b"{}");
    let partial = ExportLogsServiceResponse::decode(&*response(3, "why")).expect("decodes").partial_success;
    let partial = partial.expect("set");
    assert_eq!((partial.rejected_log_records, &*partial.error_message), (3, "why"));
    for (signal, name) in [
        (Signal::Logs, "rejectedLogRecords"),
        (Signal::Metrics, "rejectedDataPoints"),
        (Signal::Traces, "rejectedSpans"),
    ] {
        let json: Value = serde_json::from_slice(&response_json(signal, 3, "why")).expect("JSON");
        assert_eq!(json, json!({ "partialSuccess": { name: "3", "errorMessage": "why" } }));
    }
}
