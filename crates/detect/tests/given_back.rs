//! What a process gives back when it ends wakes nobody; the same fall of anything else does.

mod support;

use std::collections::BTreeMap;

use foreshock_detect::{
    Clock, DetectConfig,
    pipeline::{Partitions, Pipeline},
};
use foreshock_model::{Severity, Tenant, Timestamp};
use support::{METRICS, START, at, feed, gauges_of};

const MINUTES: u64 = 1_000;
/// From here on half of it is gone.
const FALLS: u64 = 900;

/// The gravest that is told of each gauge.
fn gravest(names: [&str; 3]) -> BTreeMap<String, Severity> {
    let tenant = Tenant::default();
    let config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
    let mut pipeline = Pipeline::new(config, Partitions { telemetry: 1, summaries: 1, findings: 1 });
    let mut gravest = BTreeMap::new();
    for minute in 0..MINUTES {
        let level = if minute < FALLS { 400.0 } else { 200.0 };
        for (n, name) in (1..).zip(names) {
            let value = level + ((minute * 37 * n) % 11) as f64;
            // A service each: one of them is not to answer for the others.
            feed(&mut pipeline, &tenant, METRICS, &gauges_of(name, "1", at(minute * 60), &[(name, value)]));
        }
        pipeline.tick(Timestamp::from_secs(START + (minute + 1) * 60));
        for finding in pipeline.take().findings.into_iter().filter(|finding| !finding.provisional) {
            let so_far = gravest.entry(finding.service.as_str().to_owned()).or_insert(finding.severity);
            *so_far = (*so_far).max(finding.severity);
        }
    }
    gravest
}

#[test]
fn memory_that_is_given_back_is_a_warning_and_orders_that_fall_page() {
    let gravest = gravest(["process.memory.usage", "orders.open", "jvm.memory.limit"]);
    assert_eq!(gravest["process.memory.usage"], Severity::Warning);
    assert_eq!(gravest["orders.open"], Severity::Critical);
    assert_eq!(gravest["jvm.memory.limit"], Severity::Critical);
}
