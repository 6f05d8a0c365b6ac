//! What the checking walk costs a log record, beside prost's full decode in the same run.
//!
//! 1000 lines of 200 bytes a request, 348 bytes each on the wire, values varied; as 1 resource x 1000 and 100 x 10.
//! Run with `cargo run --release -p foreshock-otlp --example walk`.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use foreshock_model::{Tenant, Timestamp};
use foreshock_otlp::{CheckLimits, Signal, check, views};
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message;

const BODIES: usize = 64;
const RECORDS: usize = 1000;
const RUN: Duration = Duration::from_secs(2);
const NOW_NS: u64 = 1_790_000_000_000_000_000;

fn main() {
    println!("{:<26}{:>12}{:>12}{:>12}{:>12}", "", "bytes each", "ns each", "prost ns", "ratio");
    for (resources, partitions) in [(1, 4), (100, 1), (100, 4)] {
        let bodies: Vec<Bytes> = (0..BODIES).map(|seed| request(seed, resources)).collect();
        let bytes = bodies.iter().map(Bytes::len).sum::<usize>() / BODIES / RECORDS;
        let tenant = Tenant::default();
        let limits = CheckLimits::default();
        let checked = time(&bodies, |body| {
            let checked = check(Signal::Logs, &tenant, body, &limits, Timestamp(NOW_NS), partitions);
            assert_eq!(black_box(checked).expect("a sound request").accepted, RECORDS as u64);
        });
        let prost = time(&bodies, |body| {
            black_box(ExportLogsServiceRequest::decode(body.clone()).expect("a sound request"));
        });
        let viewed = time(&bodies, |body| assert_eq!(view(body), RECORDS * 208));
        let name = format!("check {resources} x {}, {partitions} parts", RECORDS / resources);
        println!("{name:<26}{bytes:>12}{checked:>12.1}{prost:>12.1}{:>12.1}", prost / checked);
        println!(
            "{:<26}{bytes:>12}{viewed:>12.1}{prost:>12.1}{:>12.1}",
            "views with attributes",
            prost / viewed
        );
    }
}

/// Nanoseconds of CPU a record: the best of short rounds, so that a busy machine spoils it less.
fn time(bodies: &[Bytes], mut work: impl FnMut(&Bytes)) -> f64 {
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed() < RUN {
        let before = cpu_ns();
        bodies.iter().for_each(&mut work);
        best = best.min((cpu_ns() - before) as f64 / (bodies.len() * RECORDS) as f64);
    }
    best
}

/// CPU time of this thread, as Linux counts it.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let on_cpu = stat.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
    on_cpu.expect("Linux counts the CPU time of a thread in /proc/thread-self/schedstat")
}

fn view(body: &Bytes) -> usize {
    let mut seen = 0;
    for resource in views::logs(body) {
        for scope in resource.expect("a sound resource").scopes() {
            for record in scope.expect("a sound scope").records() {
                let record = record.expect("a sound record");
                seen += record.body.as_str().map_or(0, str::len);
                seen += record.attributes().map(|(key, _)| key.len()).sum::<usize>() / 4;
            }
        }
    }
    black_box(seen)
}

fn request(seed: usize, resources: usize) -> Bytes {
    let resource_logs = (0..resources)
        .map(|resource| ResourceLogs {
            resource: Some(Resource {
                attributes: vec![
                    attribute("service.name", format!("shop-{}", resource % 17)),
                    attribute("service.instance.id", format!("{seed:04}-{resource:06}")),
                    attribute("host.name", format!("host-{resource:03}")),
                ],
                ..Resource::default()
            }),
            scope_logs: vec![ScopeLogs {
                log_records: (0..RECORDS / resources).map(|index| record(seed * 1000 + index)).collect(),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        })
        .collect();
    ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
}

fn record(index: usize) -> LogRecord {
    let mut line =
        format!("GET /cart/{index}/items took {} ms for user-{}, status 200, ", index % 977, index * 31);
    while line.len() < 200 {
        line.push_str("all is well ");
    }
    line.truncate(200);
    LogRecord {
        time_unix_nano: NOW_NS - index as u64,
        observed_time_unix_nano: NOW_NS,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(text(line)),
        attributes: vec![
            attribute("http.route", "/cart/{id}/items".to_owned()),
            attribute("thread.name", format!("worker-{:02}", index % 40)),
            attribute("code.ns", format!("c{:03}", index % 300)),
            attribute("logger", format!("shop.cart.Items{:03}", index % 7)),
        ],
        ..LogRecord::default()
    }
}

fn attribute(key: &str, value: String) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(text(value)), ..KeyValue::default() }
}

fn text(value: String) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(value)) }
}
