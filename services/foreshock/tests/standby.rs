//! Workers of one instance: one serves, the other follows its states, takes its place when it is killed or not heard
//! of, and gives way to nobody. A real Kafka.
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, process::Stdio};

use foreshock_kafka_testing::Kafka;
use support::{
    alone::{Process, Service, incidents_due, output, until},
    foreshock,
};

const PARTITIONS: usize = 2;
/// Of all stages: reduce over three streams, detect, correlate.
const SERVED: usize = 5 * PARTITIONS;

/// How many partitions it serves.
fn serves(worker: &Service) -> usize {
    let recovering = worker.metric("foreshock_worker_recovering_partitions").iter().sum::<f64>() as usize;
    worker.metric("foreshock_stage_entries_total").len() - recovering
}

/// How many partitions of another it follows.
fn follows(worker: &Service) -> usize {
    worker.metric("foreshock_worker_followed_partitions").iter().sum::<f64>() as usize
}

#[test]
fn who_stands_by_follows_everything_and_takes_the_place_of_one_that_is_killed_or_held() {
    let kafka = Kafka::shared().bootstrap();
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("foreshock.toml");
    let settings = format!(
        r#"
[journal]
kind = "kafka"
[journal.kafka]
brokers = "{kafka}"
topic_prefix = "standby."
instance = "pair"
telemetry_partitions = {PARTITIONS}
stage_partitions = {PARTITIONS}
replication = 1
min_insync_replicas = 1
[worker]
standby = true
[detect]
clock = "event"
"#
    );
    fs::write(&config, settings).unwrap();
    output(foreshock().args(["topics", "apply"]), &config);

    let ingest = Service::start("ingest", &config);
    let first = Service::start("worker", &config);
    until("the first serves", || serves(&first) == SERVED);
    let second = Service::start("worker", &config);
    let to = format!("http://{}", ingest.address("OTLP/gRPC"));
    let shop = ["demo", "--speed", "240", "--fault", "bad-release", "--to", &to];
    let mut played = Process(foreshock().args(shop).stderr(Stdio::null()).spawn().unwrap());

    until("the second follows", || follows(&second) == SERVED);
    assert_eq!((serves(&first), serves(&second)), (SERVED, 0));
    drop(first);
    until("the second serves", || serves(&second) == SERVED && follows(&second) == 0);

    // One that is not heard of has lost its place, and stands by when it is back.
    let third = Service::start("worker", &config);
    until("the third follows", || follows(&third) == SERVED);
    second.signal("-STOP");
    until("the third serves", || serves(&third) == SERVED);
    second.signal("-CONT");
    until("the second stands by", || serves(&second) == 0 && follows(&second) == SERVED);
    assert_eq!(serves(&third), SERVED);

    // One that ends in order is followed at once.
    assert_eq!(third.terminate(), Some(0));
    until("the second serves again", || serves(&second) == SERVED);
    assert!(played.0.wait().unwrap().success());

    // What all of them found together is what one would have found.
    let due = incidents_due(&config);
    until("every incident is there", || {
        let told = output(foreshock().args(["journal", "read", "incidents"]), &config);
        due.iter().all(|id| told.contains(id))
    });
    assert_eq!(second.metric("foreshock_stage_source_holes_total").iter().sum::<f64>(), 0.0);
    assert_eq!(second.metric("foreshock_stage_rebuilt_total").iter().sum::<f64>(), 0.0);
    assert_eq!(second.terminate(), Some(0));
}
