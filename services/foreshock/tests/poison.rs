//! What no stage can read, on every topic that one reads, on a real Kafka: set aside with its coordinates, and counted;
//! the partition goes on.
#![allow(clippy::unwrap_used)]

mod support;

use std::{collections::BTreeSet, path::Path};

use foreshock_kafka_testing::Kafka;
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};
use support::{
    DEADLINE,
    alone::{Service, output, until_within},
    foreshock, text,
};

/// Each topic, and the consumer that reads it.
const TOPICS: [(&str, &str); 6] = [
    ("otlp_logs", "reduce"),
    ("otlp_metrics", "reduce"),
    ("otlp_spans", "reduce"),
    ("foreshock_summaries", "detect"),
    ("foreshock_findings", "correlate"),
    ("foreshock_incidents", "notify"),
];
const PREFIX: &str = "poison.";
/// Where the poison lies, of two partitions of each topic.
const PARTITION: i32 = 1;

/// What can't be read.
fn poison() -> Vec<Vec<u8>> {
    // The numbers of a generator with a fixed seed; the first tag has a wire type that does not exist.
    let mut state = 0x2545_f491_u32;
    let mut random = vec![0xff_u8];
    random.extend((0..4096).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    }));
    let json =
        br#"{"resourceLogs":[{"resource":{},"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a"}}]}]}]}"#;
    // Groups within groups, which a reader that goes down by calling itself does not survive.
    let nested = vec![0x0b; 900_000];
    // A message that says it is 2^63 bytes long.
    let huge = vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3];
    vec![random, json.to_vec(), nested, huge]
}

/// A log record whose body is a list within a list, 5,000 deep: sound on the wire, and deeper than ingest lets pass.
fn deep() -> Vec<u8> {
    let field = |number: u8, bytes: Vec<u8>| {
        let mut message = vec![number << 3 | 2];
        let mut length = bytes.len();
        while length >= 0x80 {
            message.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap());
        message.extend(bytes);
        message
    };
    // AnyValue.array_value is field 5, ArrayValue.values field 1.
    let value = (0..5_000).fold(Vec::new(), |inner, _| field(5, field(1, inner)));
    // Of a LogRecord the body.
    field(1, field(2, field(2, field(5, value))))
}

/// The sum of a metric over those of its rows whose labels hold this.
fn figure(service: &Service, metric: &str, label: &str) -> u64 {
    let rows = service.metric_of(metric, label);
    assert!(!rows.is_empty(), "{metric} is there");
    rows.iter().sum::<f64>() as u64
}

/// The offset that a consumer goes on from; none while it is not known, as while the brokers have not yet chosen who
/// keeps a new group's offsets.
fn committed(config: &Path, topic: &str, consumer: &str) -> Option<u64> {
    let stat = foreshock().args(["journal", "stat", "--config"]).arg(config).output().unwrap();
    let stat = text(&stat.stdout);
    let row = stat.lines().find(|line| line.starts_with(&format!("{topic}-{PARTITION} ")))?;
    let offset = row.split_whitespace().find_map(|word| word.strip_prefix(&format!("{consumer}=")))?;
    offset.parse().ok()
}

#[test]
fn poison_on_any_topic_is_set_aside_with_its_coordinates_and_counted_and_the_partition_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("foreshock.toml");
    let brokers = Kafka::shared().bootstrap();
    std::fs::write(
        &config,
        format!(
            r#"
[journal]
kind = "kafka"
[journal.kafka]
brokers = "{brokers}"
topic_prefix = "{PREFIX}"
telemetry_partitions = 2
stage_partitions = 2
replication = 1
min_insync_replicas = 1
[[notify.routes]]
name = "nobody"
webhook.url = "http://127.0.0.1:9/"
"#
        ),
    )
    .unwrap();
    output(foreshock().args(["topics", "apply"]), &config);

    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
    let mut expected = BTreeSet::new();
    for (topic, stage) in TOPICS {
        let name = format!("{PREFIX}{topic}");
        for (offset, payload) in poison().iter().enumerate() {
            let record = BaseRecord::<(), [u8]>::to(&name).partition(PARTITION).payload(payload);
            producer.send(record).map_err(|(error, _)| error).unwrap();
            expected.insert((stage.to_owned(), topic.to_owned(), 1, offset as u64, payload.len() as u64));
        }
    }
    let logs = format!("{PREFIX}otlp_logs");
    let record_deep = deep();
    let record = BaseRecord::<(), [u8]>::to(&logs).partition(PARTITION).payload(&record_deep);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(DEADLINE).unwrap();

    let worker = Service::start("worker", &config);
    let notify = Service::start("notify", &config);
    let poisons = poison().len() as u64;
    for (topic, stage) in TOPICS {
        // What comes after them is taken as well: ticks on telemetry, words of the stage before on most others.
        let goes_on = if topic == "foreshock_incidents" { poisons } else { poisons + 2 };
        until_within(DEADLINE, &format!("{stage} goes on in {topic}"), || {
            committed(&config, topic, stage).is_some_and(|next| next >= goes_on)
        });
    }
    let lines = output(foreshock().args(["journal", "read", "foreshock_poison"]), &config);
    let found: Vec<_> = lines
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{line}");
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            let number = |key: &str| line[key].as_u64().unwrap();
            (
                text("stage"),
                text("stream"),
                number("of_partition"),
                number("of_offset"),
                number("payload_bytes"),
            )
        })
        .collect();
    assert_eq!(found.len(), expected.len(), "each once: {found:?}");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(figure(&worker, "foreshock_stage_poison_total", ""), 5 * poisons);
    assert_eq!(figure(&worker, "foreshock_stage_panics_total", ""), 0);
    assert_eq!(figure(&notify, "foreshock_notify_poison_total", ""), poisons);
    // A value that lies too deep is no reason to lose the line it is in.
    assert_eq!(figure(&worker, "foreshock_stage_records_total", r#"stage="reduce""#), 1);
}
