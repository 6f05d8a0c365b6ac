//! What climbs slowly, below what a minute or ten would be told for, shows in the hour; a quiet hour shows nothing.

use bytes::Bytes;
use foreshock_detect::{
    Clock, DetectConfig, InputKind,
    pipeline::{Entry, Partitions, Pipeline},
};
use foreshock_model::{Finding, Kind, Severity, Tenant, Timestamp};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message;

/// A full hour.
const START: u64 = 1_749_999_600;
const QUIET_HOURS: u64 = 36;
const CLIMB_HOURS: u64 = 3;
const LINES_A_MINUTE: u64 = 100;
const MINUTES_AN_HOUR: u64 = 60;

/// Errors of a minute where `rate` a minute are usual: never more than one away, and ten minutes add up.
fn errors(minute: u64, rate: f64) -> u64 {
    let whole = |minute: u64| (minute as f64 * rate).floor() as u64;
    let even = whole(minute + 1) - whole(minute);
    match minute % 10 {
        1 => even - 1,
        7 => even + 1,
        _ => even,
    }
}

fn text(value: String) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(value)) })
}

/// A minute of one service: requests served, and of `errors` payments that failed.
fn lines(minute: u64, errors: u64) -> Bytes {
    let record = |n: u64| {
        let failed = n < errors;
        let body = if failed {
            format!("payment {} was declined by the gateway", minute * 1_000 + n)
        } else {
            format!("request {} served in {} ms", minute * 1_000 + n, n % 97)
        };
        LogRecord {
            time_unix_nano: (START + minute * 60) * 1_000_000_000 + n * 500_000_000,
            severity_number: if failed { 17 } else { 9 },
            body: text(body),
            ..Default::default()
        }
    };
    let name = KeyValue { key: "service.name".into(), value: text("checkout".into()), ..Default::default() };
    LogsData {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: vec![name], ..Default::default() }),
            scope_logs: vec![ScopeLogs {
                log_records: (0..LINES_A_MINUTE).map(record).collect(),
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
    .encode_to_vec()
    .into()
}

/// A day and a half at one error a minute, then three hours at `rate` in each: the findings of those hours.
fn findings(rate: [f64; CLIMB_HOURS as usize]) -> Vec<Finding> {
    let tenant = Tenant::default();
    let config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
    let mut pipeline = Pipeline::new(config, Partitions::default());
    for minute in 0..(QUIET_HOURS + CLIMB_HOURS) * MINUTES_AN_HOUR {
        let climbed = (minute / MINUTES_AN_HOUR).checked_sub(QUIET_HOURS);
        let rate = climbed.map_or(1.0, |hour| rate[hour as usize]);
        let payload = lines(minute, errors(minute, rate));
        let (received, kind) = (Timestamp::default(), InputKind::Data);
        pipeline.feed(0, 0, Entry { tenant: &tenant, received, kind, payload: &payload });
    }
    pipeline.tick(Timestamp::from_secs(START + (QUIET_HOURS + CLIMB_HOURS) * 3_600 + 60));
    let seen = pipeline.take();
    assert_eq!(seen.poison, []);
    let climbs = Timestamp::from_secs(START + QUIET_HOURS * 3_600);
    seen.findings
        .into_iter()
        .filter(|finding| !finding.provisional && finding.window_start >= climbs)
        .collect()
}

fn judged_seconds(finding: &Finding) -> u64 {
    finding.window_end.since(finding.window_start).as_secs()
}

#[test]
fn an_error_share_that_about_doubles_over_three_hours_shows_in_the_hour_and_nowhere_else() {
    let findings = findings([1.5, 1.7, 1.9]);
    let told: Vec<_> = findings.iter().map(|f| (f.kind, judged_seconds(f), f.title.as_str())).collect();
    assert!(told.iter().all(|(_, seconds, _)| *seconds == 3_600), "{told:#?}");
    let share = findings.iter().find(|finding| finding.kind == Kind::ErrorShare);
    let share = share.unwrap_or_else(|| panic!("{told:#?}"));
    assert_eq!(share.severity, Severity::Warning, "half a percent more wakes nobody");
    assert!(share.expected.high < share.observed && !share.evidence.is_empty(), "{share:#?}");
}

#[test]
fn hours_like_those_before_them_say_nothing() {
    assert_eq!(findings([1.0, 1.0, 1.0]), []);
}
