//! What the shop says, read as a receiver would read it.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, time::Duration};

use foreshock_demo::{Fault, Label, Request, Shop, ShopOptions};
use foreshock_model::Timestamp;
use foreshock_shipper::Signal;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{Metric, metric::Data, number_data_point},
    resource::v1::Resource,
    trace::v1::span::SpanKind,
};
use proptest::prelude::*;
use prost::Message;

const MINUTE: Duration = Duration::from_secs(60);

/// Noon of a day in November.
fn noon() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-23T12:00:00Z").unwrap()
}

fn attribute(attributes: &[KeyValue], key: &str) -> String {
    let value = attributes.iter().find(|a| a.key == key).and_then(|a| a.value.clone()?.value);
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Line {
    service: String,
    instance: String,
    version: String,
    /// Own time, or when it was observed.
    at: Timestamp,
    text: String,
}

fn of(resource: &Option<Resource>, key: &str) -> String {
    attribute(&resource.as_ref().unwrap().attributes, key)
}

fn lines(request: &Request) -> Vec<Line> {
    let logs = ExportLogsServiceRequest::decode(request.body.clone()).unwrap();
    let mut lines = Vec::new();
    for resource in logs.resource_logs {
        for record in resource.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            let Some(Value::StringValue(text)) = record.body.and_then(|body| body.value) else {
                panic!("no text")
            };
            // A file shipper sees a line 40 ms after it was written.
            let observed = Timestamp(record.observed_time_unix_nano).minus(Duration::from_millis(40));
            lines.push(Line {
                service: of(&resource.resource, "service.name"),
                instance: of(&resource.resource, "service.instance.id"),
                version: of(&resource.resource, "service.version"),
                at: if record.time_unix_nano > 0 { Timestamp(record.time_unix_nano) } else { observed },
                text,
            });
        }
    }
    lines
}

/// One number of one series.
#[derive(Clone, Debug, PartialEq)]
struct Point {
    service: String,
    instance: String,
    metric: String,
    at: Timestamp,
    value: f64,
    attributes: Vec<KeyValue>,
}

fn numbers(metric: &Metric) -> Vec<(u64, f64, Vec<KeyValue>)> {
    let points = match metric.data.as_ref().unwrap() {
        Data::Gauge(gauge) => &gauge.data_points,
        Data::Sum(sum) => &sum.data_points,
        _ => return Vec::new(),
    };
    let value = |point: &opentelemetry_proto::tonic::metrics::v1::NumberDataPoint| match point.value.unwrap()
    {
        number_data_point::Value::AsDouble(value) => value,
        number_data_point::Value::AsInt(value) => value as f64,
    };
    points.iter().map(|point| (point.time_unix_nano, value(point), point.attributes.clone())).collect()
}

fn points(request: &Request) -> Vec<Point> {
    let metrics = ExportMetricsServiceRequest::decode(request.body.clone()).unwrap();
    let mut all = Vec::new();
    for resource in metrics.resource_metrics {
        for metric in resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            for (at, value, attributes) in numbers(&metric) {
                all.push(Point {
                    service: of(&resource.resource, "service.name"),
                    instance: of(&resource.resource, "service.instance.id"),
                    metric: metric.name.clone(),
                    at: Timestamp(at),
                    value,
                    attributes,
                });
            }
        }
    }
    all
}

/// A run, read.
#[derive(Default)]
struct Run {
    lines: Vec<Line>,
    points: Vec<Point>,
    spans: u64,
    label: Option<Label>,
}

fn run(seed: u64, options: ShopOptions, length: Duration) -> Run {
    let mut shop = Shop::new(seed, options);
    let until = shop.now().plus(length);
    let mut read = Run::default();
    while shop.now() < until {
        for request in shop.step() {
            let before = read.lines.len() as u64;
            match request.signal {
                Signal::Logs => {
                    read.lines.extend(lines(&request));
                    assert_eq!(read.lines.len() as u64 - before, u64::from(request.records));
                }
                Signal::Metrics => read.points.extend(points(&request)),
                Signal::Traces => read.spans += u64::from(request.records),
            }
        }
    }
    read.label = shop.label();
    read
}

fn with_fault(fault: Fault) -> ShopOptions {
    let mut options = ShopOptions::new(noon()).with_fault(fault);
    options.fault_after = 20 * MINUTE;
    options
}

/// First time and number of the lines of a service that hold a text.
fn first_and_count(run: &Run, service: &str, text: &str, after: Timestamp) -> (Option<Timestamp>, usize) {
    let found: Vec<Timestamp> = run
        .lines
        .iter()
        .filter(|line| line.service == service && line.at >= after && line.text.contains(text))
        .map(|line| line.at)
        .collect();
    (found.iter().min().copied(), found.len())
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let run = |seed| {
        let mut shop = Shop::new(seed, with_fault(Fault::BadRelease));
        (0..300).flat_map(|_| shop.step()).collect::<Vec<Request>>()
    };
    let first = run(1);
    assert!(first == run(1));
    assert!(first != run(2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn the_records_do_not_depend_on_how_long_a_step_is(seed in any::<u64>(), step in 1u64..40) {
        let read = |step: u64| {
            let mut options = ShopOptions::new(noon());
            options.step = Duration::from_secs(step);
            let mut lines = run(seed, options, 2 * MINUTE).lines;
            lines.retain(|line| line.at < noon().plus(2 * MINUTE));
            lines.sort_by(|a, b| (&a.instance, a.at).cmp(&(&b.instance, b.at)));
            lines
        };
        prop_assert!(read(step) == read(120));
    }
}

#[test]
fn a_quiet_hour_has_every_service_and_signal_at_a_believable_rate_and_in_order() {
    let run = run(3, ShopOptions::new(noon()), 60 * MINUTE);
    let rate = run.lines.len() as f64 / 3600.0;
    assert!((80.0..300.0).contains(&rate), "{rate} lines/s");
    let mut by_service: BTreeMap<&str, usize> = BTreeMap::new();
    run.lines.iter().for_each(|line| *by_service.entry(&line.service).or_default() += 1);
    for service in Shop::services() {
        assert!(by_service.get(service).is_some_and(|lines| *lines >= 40), "{service}: {by_service:?}");
        assert!(run.points.iter().any(|point| point.service == service), "{service} measures nothing");
    }
    assert_eq!(by_service.len(), Shop::services().count());
    assert!(run.spans > 10_000, "{} spans", run.spans);
    assert_eq!(run.label, None);

    let mut last: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for line in &run.lines {
        let before = last.insert(&line.instance, line.at);
        assert!(before.is_none_or(|before| before <= line.at), "{line:?} came after one of {before:?}");
        assert!(line.at < noon().plus(60 * MINUTE) && line.at >= noon());
    }
    for point in run.points.iter().filter(|point| point.metric.ends_with("utilization")) {
        assert!((0.0..=1.0).contains(&point.value), "{point:?}");
    }
}

#[test]
fn cumulative_counters_only_rise_while_a_process_lives() {
    let run = run(4, ShopOptions::new(noon()), 40 * MINUTE);
    let mut last: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    let counters = ["nginx.requests", "postgresql.commits", "postfix.messages", "report.rows"];
    for point in run.points.iter().filter(|point| counters.contains(&point.metric.as_str())) {
        let before = last.insert((&point.instance, &point.metric), point.value);
        assert!(before.is_none_or(|before| before <= point.value), "{point:?} after {before:?}");
    }
    assert!(last.len() >= 4);
}

#[test]
fn more_visitors_come_in_the_evening_than_at_night() {
    let count = |hour: &str| {
        let start = Timestamp::parse_rfc3339(&format!("2026-11-23T{hour}:00:00Z")).unwrap();
        run(5, ShopOptions::new(start), 10 * MINUTE).lines.len()
    };
    let (night, evening) = (count("04"), count("19"));
    assert!(evening as f64 > 1.8 * night as f64, "{night} at night, {evening} in the evening");
}

/// What only a fault brings.
const EFFECTS: [(&str, &str); 5] = [
    ("orders-db", "No space left on device"),
    ("orders", "could not extend file"),
    ("payment", "Traceback"),
    ("checkout", "charge failed"),
    ("auth", "198.51.100.20"),
];

#[test]
fn a_quiet_day_has_no_effect_of_any_fault() {
    let mut options = ShopOptions::new(noon());
    options.scale = 0.1;
    let run = run(6, options, 1440 * MINUTE);
    for (service, text) in EFFECTS {
        assert_eq!(first_and_count(&run, service, text, noon()).1, 0, "{service}: {text}");
    }
    let disk: Vec<f64> = run
        .points
        .iter()
        .filter(|p| p.service == "orders-db" && p.metric == "system.filesystem.utilization")
        .map(|p| p.value)
        .collect();
    assert!(disk.iter().all(|used| *used < 0.6));
    let runs = first_and_count(&run, "report-job", "sales report finished", noon()).1;
    assert!((287..=288).contains(&runs), "{runs} reports in a day");
    // The usual release and restarts are there.
    assert!(run.lines.iter().any(|line| line.service == "shipping" && line.version == "1.8.3"));
    assert!(first_and_count(&run, "cart", "Started CartApplication", noon()).1 >= 1);
    // Mishaps: present, but rare.
    for (service, text) in
        [("cart", "Could not merge carts"), ("orders-db", "duplicate key"), ("shipping", "answered 429")]
    {
        let count = first_and_count(&run, service, text, noon()).1;
        assert!((10..600).contains(&count), "{service}: {text}: {count}");
    }
}

#[test]
fn the_failing_release_is_visible_with_the_first_charge_it_fails() {
    let run = run(7, with_fault(Fault::BadRelease), 50 * MINUTE);
    let label = run.label.unwrap();
    assert_eq!(label.starts, noon().plus(20 * MINUTE));
    let (first, count) = first_and_count(&run, "payment", "Could not score order", noon());
    assert_eq!(first, label.visible);
    let charges = first_and_count(&run, "payment", "Authorized", label.visible.unwrap()).1;
    let share = count as f64 / (count + charges) as f64;
    assert!((0.08..0.18).contains(&share), "{share} of charges fail");
    let failed = run.lines.iter().filter(|line| line.text.contains("Could not score"));
    assert!(failed.clone().count() > 0 && failed.clone().all(|line| line.version == "2.15.0"));
    assert!(label.visible.unwrap().since(label.starts) < 2 * MINUTE);
}

#[test]
fn a_silent_job_is_visible_when_its_first_run_is_missing() {
    let run = run(8, with_fault(Fault::SilentJob), 40 * MINUTE);
    let label = run.label.unwrap();
    let visible = label.visible.unwrap();
    let runs: Vec<Timestamp> =
        run.lines.iter().filter(|l| l.text.contains("sales report started")).map(|l| l.at).collect();
    assert_eq!(runs.len(), 4);
    assert!(runs.iter().all(|at| *at < label.starts));
    assert!(visible >= label.starts && visible.since(label.starts) < 5 * MINUTE);
    assert!(visible.since(*runs.last().unwrap()) > 4 * MINUTE);
}

#[test]
fn guessed_passwords_are_visible_with_the_first_from_a_strange_address() {
    let run = run(9, with_fault(Fault::PasswordGuessing), 30 * MINUTE);
    let label = run.label.unwrap();
    let (first, count) = first_and_count(&run, "auth", "from 198.51.100.20", noon());
    assert_eq!(first, label.visible);
    let usual = first_and_count(&run, "auth", "Failed password", noon()).1 - count;
    assert!(count > 20 * usual / 3, "{count} guessed in 10 minutes, {usual} by mistake in 30");
}

#[test]
fn a_slow_database_is_visible_with_the_first_statement_that_suffers() {
    let run = run(10, with_fault(Fault::SlowDatabase), 40 * MINUTE);
    let label = run.label.unwrap();
    let visible = label.visible.unwrap();
    assert!(visible >= label.starts && visible.since(label.starts) < MINUTE / 2);
    let slow = |from: Timestamp| first_and_count(&run, "orders-db", "  statement: ", from).1;
    let after = slow(visible);
    let before = slow(noon()) - after;
    assert!(after > 10 * before.max(3), "{before} slow statements before, {after} after");
    let timeouts = first_and_count(&run, "checkout", "context deadline exceeded", visible).1;
    let orders = first_and_count(&run, "checkout", "order placed", visible).1;
    assert!(timeouts * 100 > orders, "{timeouts} timeouts, {orders} orders");
}

/// The highest value of a gauge before a time, and its first time above that.
fn leaves_normal(
    run: &Run,
    service: &str,
    metric: &str,
    mount: &str,
    quiet_until: Timestamp,
) -> (f64, Timestamp) {
    let gauge = || {
        run.points.iter().filter(|p| {
            p.service == service
                && p.metric == metric
                && attribute(&p.attributes, "system.filesystem.mountpoint") == mount
        })
    };
    let usual = gauge().filter(|p| p.at < quiet_until).map(|p| p.value).fold(0.0, f64::max);
    let first = gauge().find(|p| p.at >= quiet_until && p.value > usual).unwrap().at;
    (usual, first)
}

#[test]
fn a_disk_that_fills_leaves_its_usual_range_about_when_it_says_and_then_writes_fail() {
    let run = run(11, with_fault(Fault::DiskFull), 95 * MINUTE);
    let label = run.label.unwrap();
    let visible = label.visible.unwrap();
    let (usual, first) = leaves_normal(
        &run,
        "orders-db",
        "system.filesystem.utilization",
        "/var/lib/postgresql",
        label.starts,
    );
    assert!(usual < 0.6);
    assert!(first.since(visible).max(visible.since(first)) < 3 * MINUTE, "left at {first}, said {visible}");
    let (full, count) = first_and_count(&run, "orders-db", "No space left", noon());
    let took = full.unwrap().since(label.starts);
    assert!((50 * MINUTE..62 * MINUTE).contains(&took), "{took:?}");
    assert!(count > 100);
    let placed = first_and_count(&run, "checkout", "order placed", full.unwrap().plus(4 * MINUTE)).1;
    assert!(placed < 30, "{placed} orders placed on a full disk");
}

#[test]
fn a_leak_leaves_the_usual_range_about_when_it_says_and_ends_in_a_kill() {
    let run = run(12, with_fault(Fault::MemoryLeak), 110 * MINUTE);
    let label = run.label.unwrap();
    let visible = label.visible.unwrap();
    assert!(visible.since(label.starts) < 8 * MINUTE, "{visible}");
    let (_, first) = leaves_normal(&run, "cart", "k8s.container.memory_limit_utilization", "", label.starts);
    assert!(first.since(visible).max(visible.since(first)) < 5 * MINUTE, "left at {first}, said {visible}");
    let (restarted, _) = first_and_count(&run, "cart", "Started CartApplication", label.starts);
    assert!(restarted.unwrap().since(label.starts) > 40 * MINUTE);
}

#[test]
fn spans_of_a_trace_hang_together_and_name_whom_they_call() {
    let mut shop = Shop::new(13, ShopOptions::new(noon()));
    let mut spans = Vec::new();
    for request in (0..120).flat_map(|_| shop.step()).filter(|request| request.signal == Signal::Traces) {
        let traces = ExportTraceServiceRequest::decode(request.body).unwrap();
        for resource in traces.resource_spans {
            let service = of(&resource.resource, "service.name");
            let of_resource = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.extend(of_resource.map(|span| (service.clone(), span)));
        }
    }
    let mut called: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (service, span) in &spans {
        assert!(
            span.trace_id.len() == 16
                && span.span_id.len() == 8
                && span.end_time_unix_nano > span.start_time_unix_nano
        );
        if span.kind() == SpanKind::Client {
            *called.entry((service.clone(), attribute(&span.attributes, "peer.service"))).or_default() += 1;
        } else {
            let parent = spans.iter().find(|(_, other)| other.span_id == span.parent_span_id);
            let (from, parent) = parent.unwrap_or_else(|| panic!("no parent of {span:?}"));
            assert_eq!(parent.trace_id, span.trace_id);
            assert_eq!(attribute(&parent.attributes, "peer.service"), *service);
            assert_ne!(from, service);
        }
    }
    let calls = |from: &str, to: &str| called.get(&(from.to_owned(), to.to_owned())).copied().unwrap_or(0);
    for (from, to) in [
        ("frontend", "catalog"),
        ("frontend", "checkout"),
        ("checkout", "payment"),
        ("checkout", "orders"),
        ("orders", "orders-db"),
        ("cart", "catalog"),
        ("frontend", "auth"),
    ] {
        assert!(calls(from, to) > 10, "{from} -> {to}: {called:?}");
    }
}

#[test]
fn labels_are_rows_of_a_table() {
    let label = Label { fault: Fault::DiskFull, starts: noon(), visible: None };
    assert_eq!(label.to_csv(), "disk-full,orders-db,2026-11-23T12:00:00.000000000Z,");
    for fault in Fault::ALL {
        assert_eq!(Fault::parse(fault.name()), Some(fault));
        assert!(Shop::services().any(|service| service == fault.service()));
    }
}
