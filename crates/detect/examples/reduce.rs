//! Prints what a log record costs in the stage reduce: requests encoded ahead, one core, no journal.
//!
//! `cargo run --release -p foreshock-detect --example reduce -- [RESOURCES RECORDS [PASSES]]`: without arguments the
//! shapes 1 x 1000, 100 x 10 and 1 x 100. With PASSES, under `valgrind --tool=callgrind`, the difference of two runs
//! counts the instructions of a record where other processes spoil the clock.

use std::{env, fmt::Write as _, fs, hint::black_box, process::ExitCode, sync::Arc, time::Instant};

use bytes::Bytes;
use foreshock_detect::{DetectConfig, Input, InputId, InputKind, Outputs, Stage, reduce::Reduce};
use foreshock_model::{Tenant, Timestamp};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message;

/// Records in memory that one pass goes over.
const POOL_RECORDS: usize = 64_000;
const START: u64 = 1_750_000_000_000_000_000;

fn main() -> ExitCode {
    let numbers: Option<Vec<usize>> = env::args().skip(1).map(|word| word.parse().ok()).collect();
    match numbers.as_deref() {
        Some([]) => [(1, 1000), (100, 10), (1, 100)].iter().for_each(|(r, n)| measure(*r, *n, 50)),
        Some([resources, records]) => measure(*resources, *records, 50),
        Some([resources, records, passes]) => measure(*resources, *records, *passes),
        _ => {
            eprintln!("usage: reduce [RESOURCES RECORDS [PASSES]]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn measure(resources: usize, records: usize, passes: usize) {
    let each = resources * records;
    let pool: Vec<Bytes> = (0..POOL_RECORDS.div_ceil(each)).map(|n| request(n, resources, records)).collect();
    let input = InputId { stream: "otlp_logs".to_owned(), partition: 0 };
    let mut stage = Reduce::new(Arc::new(DetectConfig::default()), input, Vec::new(), 4);
    let (tenant, mut out, mut offset) = (Tenant::default(), Outputs::default(), 0);
    let mut pass = || {
        for payload in &pool {
            let received = Timestamp(START);
            let input = Input { offset, tenant: &tenant, received, kind: InputKind::Data, payload };
            stage.apply(input, &mut out);
            offset += 1;
        }
        black_box(out.messages.drain(..).count());
    };
    pass();
    let start = (Instant::now(), cpu_seconds());
    (0..passes).for_each(|_| pass());
    let seconds = match (start.1, cpu_seconds()) {
        (Some(from), Some(to)) => to - from,
        _ => start.0.elapsed().as_secs_f64(),
    };
    let ns = seconds * 1e9 / (pool.len() * each * passes).max(1) as f64;
    println!("{resources} x {records}: {ns:.1} ns a record");
}

/// CPU time of this thread, where the kernel tells: other processes don't spoil the figure then.
fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

fn text(text: String) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(text)) })
}

fn attribute(key: &str, value: String) -> KeyValue {
    KeyValue { key: key.to_owned(), value: text(value), ..Default::default() }
}

fn request(index: usize, resources: usize, records: usize) -> Bytes {
    let mut noise = Noise(index as u64);
    let resource_logs = (0..resources).map(|within| {
        let number = index * resources + within;
        let log_records = (0..records).map(|_| LogRecord {
            time_unix_nano: START - noise.below(1_000_000_000),
            observed_time_unix_nano: START,
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: text(line(&mut noise)),
            attributes: vec![
                attribute("log.file.path", "/var/log/service/service.log".to_owned()),
                attribute("thread.name", format!("worker-{}", noise.below(16))),
            ],
            ..Default::default()
        });
        let scope = ScopeLogs { log_records: log_records.collect(), ..Default::default() };
        let attributes = vec![
            attribute("service.name", format!("service-{:03}", number % 20)),
            attribute("service.instance.id", format!("service-{number:05}")),
            attribute("host.name", format!("host-{:04}", number % 977)),
        ];
        ResourceLogs {
            resource: Some(Resource { attributes, ..Default::default() }),
            scope_logs: vec![scope],
            ..Default::default()
        }
    });
    LogsData { resource_logs: resource_logs.collect() }.encode_to_vec().into()
}

/// One of 24 patterns with varied values, about 200 bytes long.
fn line(noise: &mut Noise) -> String {
    const VERBS: [&str; 6] = ["Processed", "Accepted", "Stored", "Forwarded", "Indexed", "Released"];
    const THINGS: [&str; 4] = ["order", "shipment", "invoice", "reservation"];
    let mut line = format!(
        "{} {} {} of customer {} in {} ms, amount {}.{:02} EUR, from 10.{}.{}.{}:{} seq={:016x}.{}",
        VERBS[noise.below(6) as usize],
        THINGS[noise.below(4) as usize],
        noise.below(10_000_000),
        noise.below(100_000),
        noise.below(4000),
        noise.below(900),
        noise.below(100),
        noise.below(256),
        noise.below(256),
        noise.below(256),
        1024 + noise.below(60_000),
        noise.below(1_000_000),
        noise.below(1000),
    );
    while line.len() < 200 {
        // Writing to a String never fails.
        let _ = write!(line, " ref={:08x}", noise.below(1 << 32));
    }
    line
}

/// splitmix64: values that differ, the same in every run.
struct Noise(u64);

impl Noise {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % n
    }
}
