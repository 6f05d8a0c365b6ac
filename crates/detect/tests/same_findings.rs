//! The same telemetry gives the same final findings and incidents, byte for byte, however it is partitioned, cut
//! into entries, and wherever the stages were saved and restored.

use std::collections::BTreeMap;

use bytes::Bytes;
use foreshock_detect::{
    Clock, DetectConfig, InputKind,
    pipeline::{Entry, Partitions, Pipeline, Seen},
};
use foreshock_model::{Identity, Tenant, Timestamp, partition_of};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    metrics::v1::{
        AggregationTemporality, Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics,
        Sum, metric::Data, number_data_point,
    },
    resource::v1::Resource,
};
use proptest::prelude::*;
use prost::Message;

const START: u64 = 1_750_000_020;
const MINUTES: u64 = 45;

/// xorshift64*: the tests' own noise.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }
}

/// One line of one instance.
#[derive(Clone)]
struct Line {
    nanos: u64,
    service: &'static str,
    instance: &'static str,
    text: String,
}

/// Three services with two instances each; after half an hour one begins to fail with lines never seen, and one
/// falls silent.
fn telemetry(seed: u64) -> Vec<Line> {
    let mut noise = Noise(seed | 1);
    let mut lines = Vec::new();
    for second in 0..MINUTES * 60 {
        let failing = second >= 33 * 60;
        for service in ["shop/cart", "orders", "auth"] {
            if service == "auth" && second >= 36 * 60 {
                continue;
            }
            for instance in ["a", "b"] {
                for _ in 0..noise.below(4) {
                    let nanos = (START + second) * 1_000_000_000 + noise.below(1_000_000_000);
                    let n = noise.below(10_000);
                    let text = match noise.below(20) {
                        0 => format!("WARN slow query took {n} ms on table orders"),
                        1..6 => format!("INFO cache hit for key user:{n}"),
                        6 if failing && service == "orders" => {
                            format!("ERROR cannot reach 10.0.0.{}: refused", n % 250)
                        }
                        7..12 if failing && service == "orders" => {
                            format!("ERROR payment {n} declined by gateway")
                        }
                        _ => format!("INFO request {n} served in {} ms", n % 97),
                    };
                    lines.push(Line { nanos, service, instance, text });
                }
            }
        }
    }
    lines.sort_by_key(|line| line.nanos);
    lines
}

fn resource(service: &str, instance: &str) -> Resource {
    let attribute = |key: &str, value: &str| KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.into())) }),
        ..Default::default()
    };
    let (namespace, name) = service.split_once('/').unwrap_or(("", service));
    let mut attributes = vec![attribute("service.name", name), attribute("service.instance.id", instance)];
    if !namespace.is_empty() {
        attributes.push(attribute("service.namespace", namespace));
    }
    Resource { attributes, ..Default::default() }
}

fn partition(service: &str, instance: &str, partitions: u16) -> u16 {
    let (namespace, name) = service.split_once('/').unwrap_or(("", service));
    let mut identity = Identity::default();
    identity.note("service.name", name);
    identity.note("service.instance.id", instance);
    if !namespace.is_empty() {
        identity.note("service.namespace", namespace);
    }
    partition_of(&identity.key(&Tenant::default()).0, partitions)
}

fn logs(lines: &[Line]) -> Bytes {
    let records = lines.iter().map(|line| LogRecord {
        time_unix_nano: line.nanos,
        body: Some(AnyValue { value: Some(Value::StringValue(line.text.clone())) }),
        ..Default::default()
    });
    let data = LogsData {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource(lines[0].service, lines[0].instance)),
            scope_logs: vec![ScopeLogs { log_records: records.collect(), ..Default::default() }],
            ..Default::default()
        }],
    };
    data.encode_to_vec().into()
}

/// A gauge with noise that jumps, and a counter that is reset.
fn metrics(nanos: u64, minute: u64, instance: &str, noise: &mut Noise) -> Bytes {
    let point = |value: f64| NumberDataPoint {
        time_unix_nano: nanos,
        start_time_unix_nano: START * 1_000_000_000,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..Default::default()
    };
    let queue = 50.0 + noise.below(10) as f64 + if minute >= 35 { 400.0 } else { 0.0 };
    let served = ((minute % 20) * 100 + noise.below(10)) as f64;
    let metric = |name: &str, data| Metric { name: name.into(), data: Some(data), ..Default::default() };
    let data = MetricsData {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource("orders", instance)),
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![
                    metric("queue.length", Data::Gauge(Gauge { data_points: vec![point(queue)] })),
                    metric(
                        "requests.served",
                        Data::Sum(Sum {
                            data_points: vec![point(served)],
                            aggregation_temporality: AggregationTemporality::Cumulative.into(),
                            is_monotonic: true,
                        }),
                    ),
                ],
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    data.encode_to_vec().into()
}

fn config() -> DetectConfig {
    DetectConfig { clock: Clock::Event, ..DetectConfig::default() }
}

/// Runs it all; `cut` says after how many lines an entry ends, `restarts` after which entries all is saved and restored.
fn run(seed: u64, partitions: Partitions, mut cut: impl FnMut() -> usize, restarts: &[usize]) -> Seen {
    let tenant = Tenant::default();
    let mut pipeline = Pipeline::new(config(), partitions);
    let mut noise = Noise(seed | 1);
    let mut open: BTreeMap<(&str, &str), (usize, Vec<Line>)> = BTreeMap::new();
    let mut entries = 0;
    let mut minute = 0;
    let mut feed = |pipeline: &mut Pipeline, stream, service: &str, instance: &str, payload: &Bytes| {
        let received = Timestamp::default();
        let entry = Entry { tenant: &tenant, received, kind: InputKind::Data, payload };
        pipeline.feed(stream, partition(service, instance, partitions.telemetry), entry);
        entries += 1;
        if restarts.contains(&entries) {
            pipeline.restart(config(), partitions);
        }
    };
    for line in telemetry(seed) {
        if line.nanos >= (START + minute * 60) * 1_000_000_000 {
            for instance in ["a", "b"] {
                let payload = metrics(line.nanos, minute, instance, &mut noise);
                feed(&mut pipeline, 1, "orders", instance, &payload);
            }
            // Quiet partitions are told the time, as their owner would.
            pipeline.tick(Timestamp(line.nanos));
            minute += 1;
        }
        let key = (line.service, line.instance);
        let own = open.entry(key).or_insert_with(|| (cut(), Vec::new()));
        own.1.push(line.clone());
        // A shipper waits two seconds at most, so that nothing is late.
        for (key, (most, batch)) in &mut open {
            let waited = batch.first().is_some_and(|first| line.nanos - first.nanos > 2_000_000_000);
            if waited || batch.len() >= *most {
                feed(&mut pipeline, 0, key.0, key.1, &logs(batch));
                (*most, *batch) = (cut(), Vec::new());
            }
        }
    }
    for ((service, instance), (_, batch)) in open {
        if !batch.is_empty() {
            feed(&mut pipeline, 0, service, instance, &logs(&batch));
        }
    }
    pipeline.finish();
    assert_eq!(pipeline.holes(), 0);
    pipeline.take()
}

/// The final findings by id and the incidents as they stood at window closes, as JSON.
fn history(seen: &Seen) -> (Vec<String>, Vec<String>) {
    assert_eq!(seen.poison, []);
    let mut findings: Vec<_> = seen.findings.iter().filter(|finding| !finding.provisional).collect();
    findings.sort_by_key(|finding| finding.id);
    let mut incidents: Vec<_> = seen.incidents.iter().filter(|incident| !incident.provisional).collect();
    incidents.sort_by_key(|incident| (incident.id, incident.revision));
    (
        findings.into_iter().map(|f| serde_json::to_string(f).expect("JSON")).collect(),
        incidents.into_iter().map(|i| serde_json::to_string(i).expect("JSON")).collect(),
    )
}

#[test]
fn the_planted_troubles_are_found_and_nothing_else_pages() {
    let (findings, incidents) = history(&run(7, Partitions::default(), || 10, &[]));
    let has = |kind: &str, service: &str| {
        findings.iter().any(|f| f.contains(&format!("\"kind\":\"{kind}\",\"service\":\"{service}\"")))
    };
    assert!(has("new_pattern", "orders"), "{findings:#?}");
    assert!(has("error_share", "orders"), "{findings:#?}");
    assert!(has("silence", "auth"), "{findings:#?}");
    assert!(has("level_shift", "orders"), "{findings:#?}");
    let paging: Vec<_> = incidents.iter().filter(|i| i.contains("\"severity\":\"critical\"")).collect();
    assert!(paging.iter().any(|i| i.contains("orders")), "{incidents:#?}");
    assert!(paging.iter().all(|i| !i.contains("shop/cart")), "{paging:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn findings_do_not_follow_from_partitions_entries_or_restarts(
        seed in 1u64..1_000,
        telemetry in 1u16..17,
        summaries in 1u16..5,
        findings in 1u16..4,
        cuts in proptest::collection::vec(1usize..40, 1..20),
        restarts in proptest::collection::vec(1usize..3_000, 0..5),
    ) {
        let plain = history(&run(seed, Partitions::default(), || 5, &[]));
        let mut next = cuts.iter().cycle().copied();
        let partitions = Partitions { telemetry, summaries, findings };
        let other = history(&run(seed, partitions, || next.next().unwrap_or(1), &restarts));
        prop_assert!(plain.0.len() > 3);
        prop_assert_eq!(plain, other);
    }
}
