//! One instance of several that is not as the others are: its own course hides it, theirs shows it.

mod support;

use foreshock_detect::{
    Clock, DetectConfig,
    pipeline::{Partitions, Pipeline},
};
use foreshock_model::{Finding, Kind, Severity, Tenant, Timestamp};
use support::{METRICS, START, at, feed, gauges_of};

const INSTANCES: [&str; 6] = ["cart-1", "cart-2", "cart-3", "cart-4", "cart-5", "cart-6"];
const MINUTES: u64 = 1_500;
/// From here on one of them is slow.
const SLOW: u64 = 1_200;

/// In [-1, 1]: by a hash, so that every run is the same.
fn noise(of: u64) -> f64 {
    let mut z = of.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ (z >> 27)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// Latency of all instances under a load that wanders by half and jumps now and then; `slow` more at one of them.
fn findings(slow: f64) -> Vec<Finding> {
    let tenant = Tenant::default();
    let config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
    let mut pipeline = Pipeline::new(config, Partitions { telemetry: 1, summaries: 1, findings: 1 });
    let (mut load, mut loads) = (0.0, Vec::new());
    let mut findings = Vec::new();
    for minute in 0..MINUTES {
        load = 0.98 * load + 8.0 * noise(minute) + if minute % 97 == 0 { 30.0 } else { 0.0 };
        loads.push(load);
        for (n, instance) in (0..).zip(INSTANCES) {
            let more = if instance == "cart-3" && minute >= SLOW { slow } else { 0.0 };
            let value = 200.0 + load + 3.0 * noise(1 + minute * 7 + n) + more;
            feed(
                &mut pipeline,
                &tenant,
                METRICS,
                &gauges_of("cart", instance, at(minute * 60), &[("latency", value)]),
            );
        }
        pipeline.tick(Timestamp::from_secs(START + (minute + 1) * 60));
        findings.extend(pipeline.take().findings.into_iter().filter(|finding| !finding.provisional));
    }
    assert_last_values(&pipeline, &loads);
    findings.retain(|finding| finding.kind == Kind::OddOneOut);
    findings
}

/// Every series is known by the value of a minute, one of the last two, and by when that ended.
fn assert_last_values(pipeline: &Pipeline, loads: &[f64]) {
    let views: Vec<_> = pipeline.detect().flat_map(|stage| stage.series(&Tenant::default(), 10)).collect();
    assert_eq!(views.len(), INSTANCES.len());
    for view in views.iter().filter(|view| view.instance != "cart-3") {
        let (end, value) = view.last.expect("it had values");
        let minutes = end.since(Timestamp::from_secs(START)).as_secs() / 60;
        let off = value - 200.0 - loads[minutes as usize - 1];
        assert!(minutes + 1 >= MINUTES && off.abs() <= 3.0, "{view:?}");
    }
}

#[test]
fn a_slow_instance_is_told_beside_its_peers_and_load_that_moves_all_is_not() {
    assert_eq!(findings(0.0), []);
    let told = findings(60.0);
    let first = told.first().expect("it is told");
    assert!(first.window_end.nanos() < at((SLOW + 10) * 60), "{:?}", first.window_end);
    assert_eq!(first.severity, Severity::Warning);
    assert_eq!(first.series, "latency@cart-3");
    let begins = "cart: latency of cart-3 is unlike that of its 5 peers: ";
    assert!(first.title.starts_with(begins), "{}", first.title);
    assert!(first.surprise > 5.0, "{}", first.surprise);
    assert!(told.iter().all(|finding| finding.series == first.series));
    assert!(told.len() <= 40, "what lasts is learned: {}", told.len());
}
