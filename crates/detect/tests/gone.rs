//! Lines that are missing: after a release, or because the way to us is broken.

mod support;

use bytes::Bytes;
use foreshock_detect::{
    Clock, DetectConfig,
    pipeline::{Partitions, Pipeline},
};
use foreshock_model::{Finding, Kind, Tenant, Timestamp};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message;
use support::{LOGS, at, feed};

const HOURS: u64 = 8;
const RELEASED: u64 = 6;

fn text(value: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(value.into())) })
}

/// A minute of a service; one of its lines is gone after six hours.
fn minute(minute: u64, version: &str) -> Bytes {
    let attribute =
        |key: &str, value: &str| KeyValue { key: key.into(), value: text(value), ..Default::default() };
    let is_gone = minute >= RELEASED * 60;
    let lines = (0..60).filter_map(|second| {
        let line = match second {
            _ if second % 20 == minute % 7 && !is_gone => format!("INFO shelf {minute} was counted"),
            _ if second % 3 == 0 => format!("INFO request {second} served in {} ms", minute % 50),
            _ => return None,
        };
        Some(LogRecord { time_unix_nano: at(minute * 60 + second), body: text(&line), ..Default::default() })
    });
    let scope = ScopeLogs { log_records: lines.collect(), ..Default::default() };
    let attributes = vec![attribute("service.name", "shop"), attribute("service.version", version)];
    let resource = Some(Resource { attributes, ..Default::default() });
    let logs = ResourceLogs { resource, scope_logs: vec![scope], ..Default::default() };
    LogsData { resource_logs: vec![logs] }.encode_to_vec().into()
}

fn run(released: &str) -> Vec<Finding> {
    let config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
    let mut pipeline = Pipeline::new(config, Partitions::default());
    for number in 0..HOURS * 60 {
        let version = if number >= RELEASED * 60 { released } else { "1.0" };
        feed(&mut pipeline, &Tenant::default(), LOGS, &minute(number, version));
    }
    pipeline.tick(Timestamp(at(HOURS * 3_600)));
    let findings = pipeline.take().findings;
    findings.into_iter().filter(|finding| !finding.provisional).collect()
}

#[test]
fn lines_that_are_gone_are_told_with_the_release_before_if_there_was_one() {
    for (released, label) in [("1.0", None), ("1.1", Some("1.1"))] {
        let findings = run(released);
        assert!(!findings.is_empty());
        for finding in &findings {
            assert_eq!(finding.kind, Kind::PatternRateDown, "{finding:#?}");
            assert!(finding.template.contains("was counted"), "{finding:#?}");
            assert_eq!(finding.labels.get("after_version").map(String::as_str), label, "{finding:#?}");
        }
        assert!(findings.len() <= 4, "{findings:#?}");
    }
}
