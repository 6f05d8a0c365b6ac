//! A histogram whose values are spread otherwise than they were, where its p95 and its rate are as ever.

mod support;

use bytes::Bytes;
use foreshock_detect::{
    Asked, Clock, DetectConfig,
    pipeline::{Partitions, Pipeline},
};
use foreshock_model::{Finding, Kind, Severity, Tenant, Timestamp};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Histogram,
    HistogramDataPoint, Metric, MetricsData, ResourceMetrics, ScopeMetrics,
    exponential_histogram_data_point::Buckets, metric::Data,
};
use prost::Message;
use support::{METRICS, START, at, feed, resource};

/// The default bounds of OpenTelemetry for durations, in seconds.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const SCALE: i32 = 4;
const DAYS: u64 = 4;
/// From this minute on values are another way.
const THEN: u64 = DAYS * 1_440;
const MINUTES: u64 = THEN + 150;

/// In (0, 1): by a hash, so that every run is the same.
fn uniform(of: u64) -> f64 {
    let mut z = of.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ (z >> 27)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// What becomes of a duration, and a number by chance.
type Then = fn(f64, f64) -> f64;

/// Durations of a minute in seconds, about 60 ms.
fn durations(minute: u64, then: Then) -> impl Iterator<Item = f64> {
    let requests = 60 + (uniform(minute) * 12.0) as u64;
    (0..requests).map(move |request| {
        let of = (minute * 100 + request) * 16;
        let normal = (0..12).map(|n| uniform(of + n)).sum::<f64>() - 6.0;
        let seconds = 0.06 * (0.4 * normal).exp();
        if minute < THEN { seconds } else { then(seconds, uniform(of + 12)) }
    })
}

/// One instance that reports the same durations as a cumulative explicit histogram in seconds and, milliseconds since the last report, as an
/// exponential one.
#[derive(Default)]
struct Meter {
    explicit: [u64; BOUNDS.len() + 1],
}

impl Meter {
    fn report(&mut self, minute: u64, then: Then) -> Bytes {
        let mut exponential = [0_u64; 400];
        for seconds in durations(minute, then) {
            self.explicit[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
            let index = ((seconds * 1e3).log2() * f64::from(1 << SCALE)).ceil() - 1.0;
            exponential[(index + 100.0) as usize] += 1;
        }
        let (nanos, start_time_unix_nano) = (at(minute * 60), at(0) - 60_000_000_000);
        let explicit = Data::Histogram(Histogram {
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            data_points: vec![HistogramDataPoint {
                start_time_unix_nano,
                time_unix_nano: nanos,
                count: self.explicit.iter().sum(),
                explicit_bounds: BOUNDS.to_vec(),
                bucket_counts: self.explicit.to_vec(),
                ..Default::default()
            }],
        });
        let exponential = Data::ExponentialHistogram(ExponentialHistogram {
            aggregation_temporality: AggregationTemporality::Delta.into(),
            data_points: vec![ExponentialHistogramDataPoint {
                time_unix_nano: nanos,
                count: exponential.iter().sum(),
                scale: SCALE,
                positive: Some(Buckets { offset: -100, bucket_counts: exponential.to_vec() }),
                ..Default::default()
            }],
        });
        let metric = |name: &str, unit: &str, data| Metric {
            name: name.into(),
            unit: unit.into(),
            data: Some(data),
            ..Default::default()
        };
        let metrics = vec![metric("served", "s", explicit), metric("charged", "ms", exponential)];
        let scope = ScopeMetrics { metrics, ..Default::default() };
        let resource = resource("checkout", "a");
        let metrics = ResourceMetrics { resource, scope_metrics: vec![scope], ..Default::default() };
        MetricsData { resource_metrics: vec![metrics] }.encode_to_vec().into()
    }
}

/// Runs it all, and asks for `asked`; restarted every so many minutes, on other partitions then. The final findings above information, and the workings.
fn run(then: Then, restarts: u64, asked: Option<&Finding>) -> (Vec<Finding>, Vec<serde_json::Value>) {
    let config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
    let others = if restarts > 0 { (3, 2) } else { (1, 1) };
    let partitions = Partitions { telemetry: 1, summaries: others.0, findings: others.1 };
    let mut pipeline = Pipeline::new(config.clone(), partitions);
    let ask = |pipeline: &mut Pipeline| asked.into_iter().for_each(|of| pipeline.ask(&Asked::from(of)));
    ask(&mut pipeline);
    let mut meter = Meter::default();
    let (mut findings, mut workings) = (Vec::new(), Vec::new());
    for minute in 0..MINUTES {
        feed(&mut pipeline, &Tenant::default(), METRICS, &meter.report(minute, then));
        pipeline.tick(Timestamp::from_secs(START + (minute + 1) * 60));
        findings.extend(pipeline.take().findings);
        workings.extend(pipeline.take_workings().0);
        if restarts > 0 && minute % restarts == 0 {
            pipeline.restart(config.clone(), partitions);
            // Nobody remembers who asked.
            ask(&mut pipeline);
        }
    }
    findings.retain(|finding| !finding.provisional && finding.severity > Severity::Info);
    (findings, workings.iter().map(|of| serde_json::to_value(of).expect("JSON")).collect())
}

fn shapes(findings: &[Finding], series: &str) -> Vec<Finding> {
    let of = |finding: &&Finding| finding.kind == Kind::DistributionMoved && finding.series == series;
    findings.iter().filter(of).cloned().collect()
}

/// Half of what is slower than 20 and faster than 80 ms is answered in an eighth of the time: the slowest tenth is as it was.
const CACHED: Then = |seconds, chance| if seconds < 0.08 && chance < 0.5 { seconds / 8.0 } else { seconds };

#[test]
fn a_mode_that_comes_below_the_p95_is_told_of_both_forms_of_histogram_within_minutes() {
    let (findings, _) = run(CACHED, 0, None);
    for (series, unit) in [("served@a", "s"), ("charged@a", "ms")] {
        let told = shapes(&findings, series);
        let first = told.first().unwrap_or_else(|| panic!("{series} in {unit} is told: {findings:#?}"));
        println!("{}, {:.1}, {:?}", first.title, first.surprise, first.expected);
        let minutes = (first.window_end.nanos() - at(THEN * 60)) / 60_000_000_000;
        assert!(minutes <= 10, "{series}: {minutes}");
        assert_eq!(first.severity, Severity::Warning);
        let name = series.trim_end_matches("@a");
        let begins = format!("checkout: {name} has another shape: ");
        assert!(first.title.starts_with(&begins), "{}", first.title);
        assert!(first.title.contains(" % now take ") && first.title.ends_with(" before"), "{}", first.title);
        assert!(first.observed > first.expected.high, "{first:#?}");
        assert!(told.len() <= 60, "what lasts is how things are: {}", told.len());
    }
}

#[test]
fn what_the_p95_tells_is_not_told_again_as_a_shape() {
    let (findings, _) = run(|seconds, _| 3.0 * seconds, 0, None);
    for series in ["served", "charged"] {
        let quantile = format!("{series}.p95@a");
        assert!(findings.iter().any(|finding| finding.series == quantile), "{findings:#?}");
        assert_eq!(shapes(&findings, &format!("{series}@a")), []);
    }
}

#[test]
fn what_is_told_follows_from_the_telemetry_alone_and_is_made_again_when_asked_for() {
    let (findings, none) = run(CACHED, 0, None);
    assert_eq!(none.len(), 0);
    let first = shapes(&findings, "served@a").remove(0);
    let (again, workings) = run(CACHED, 977, Some(&first));
    assert_eq!(again, findings);
    let [workings] = &workings[..] else { panic!("{workings:#?}") };
    assert_eq!(workings["finding"], serde_json::to_value(&first).expect("JSON"));
    assert!(workings["before"]["histogram"]["watch"]["reference"].is_array(), "{workings:#?}");
    assert_ne!(workings["before"], workings["after"]);
}
