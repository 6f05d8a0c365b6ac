//! The fixed inputs: what the simulated shop says through all its faults, and the block log of a real file system.

use std::{
    collections::hash_map::DefaultHasher,
    fs::File,
    hash::{Hash, Hasher},
    io::{BufRead, BufReader},
    path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use foreshock_demo::{Fault, Shop, ShopOptions};
use foreshock_model::Timestamp;
use foreshock_otlp::Signal;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message;

/// What one request of a shipper holds.
pub struct Request {
    pub signal: Signal,
    pub body: Bytes,
    pub received: Timestamp,
}

/// Shop time before each fault, and in all for each.
const QUIET: Duration = Duration::from_secs(1800);
const EACH: Duration = Duration::from_secs(4200);
const START: Timestamp = Timestamp::from_secs(1_760_000_400);

/// The shop with one fault after the other.
pub fn shop(faults: &[Fault]) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut start = START;
    for (seed, fault) in (3..).zip(faults) {
        let options = ShopOptions {
            fault: Some(*fault),
            fault_after: QUIET,
            step: Duration::from_secs(5),
            ..ShopOptions::new(start)
        };
        let mut shop = Shop::new(seed, options);
        start = start.plus(EACH);
        while shop.now() < start {
            let said = shop.step();
            let received = shop.now();
            requests.extend(said.into_iter().map(|request| {
                let signal = match request.signal {
                    foreshock_shipper::Signal::Logs => Signal::Logs,
                    foreshock_shipper::Signal::Metrics => Signal::Metrics,
                    foreshock_shipper::Signal::Traces => Signal::Traces,
                };
                Request { signal, body: request.body, received }
            }));
        }
    }
    requests
}

/// Bytes of a line that tell its second. A request holds the lines of one second, so that no line is late, however
/// the instances' lines lie in it.
const SECOND: usize = "081109 203532".len();
/// Resources that the block log is spread over.
const RESOURCES: u64 = 64;

/// Where the shared data lies, where it is there.
pub fn block_log() -> Option<PathBuf> {
    let path =
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/hdfs_raw/hdfs.log.gz"));
    path.exists().then_some(path)
}

/// The lines of the block log, as they are, from 64 instances told apart by the hash of the block.
pub fn blocks(path: PathBuf) -> Vec<Request> {
    let file = flate2::read::MultiGzDecoder::new(File::open(path).expect("it is there"));
    let lines: Vec<String> = BufReader::new(file).lines().map(|line| line.expect("text")).collect();
    let mut received = START;
    let requests = lines.chunk_by(|one, next| one.get(..SECOND) == next.get(..SECOND)).map(|chunk| {
        let mut by_instance: Vec<Vec<LogRecord>> = vec![Vec::new(); RESOURCES as usize];
        for line in chunk {
            by_instance[instance_of(line)].push(record(line));
        }
        received = received.plus(Duration::from_secs(1));
        let resources = (0..).zip(by_instance).filter(|(_, records)| !records.is_empty());
        let request = ExportLogsServiceRequest {
            resource_logs: resources.map(|(instance, records)| resource(instance, records)).collect(),
        };
        Request { signal: Signal::Logs, body: request.encode_to_vec().into(), received }
    });
    requests.collect()
}

fn instance_of(line: &str) -> usize {
    let block = line.split("blk_").nth(1).unwrap_or("");
    let digits = block.split(|c: char| !c.is_ascii_digit() && c != '-').next().unwrap_or("");
    let mut hasher = DefaultHasher::new();
    digits.hash(&mut hasher);
    (hasher.finish() % RESOURCES) as usize
}

fn text(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) })
}

fn record(line: &str) -> LogRecord {
    LogRecord { body: text(line), ..LogRecord::default() }
}

fn resource(instance: usize, log_records: Vec<LogRecord>) -> ResourceLogs {
    let attribute =
        |key: &str, value: &str| KeyValue { key: key.to_owned(), value: text(value), ..KeyValue::default() };
    let attributes = vec![
        attribute("service.name", "hdfs"),
        attribute("service.instance.id", &format!("datanode-{instance}")),
    ];
    ResourceLogs {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    }
}
