//! Foreshock in nine processes on three brokers: processes are killed and held, a broker is restarted, the network is
//! cut, and nothing that was acknowledged is lost, counted twice or found otherwise than by an undisturbed run.
//! `make chaos-kafka` does it longer and with more.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use foreshock_benches::chaos::{
    Judged as _,
    kafka::{self, Disturbance, KafkaChaosOptions},
};
use foreshock_detect::Clock;

#[tokio::test(flavor = "multi_thread")]
async fn services_on_kafka_that_are_disturbed_lose_nothing_and_find_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let seed = 7;
    let options = KafkaChaosOptions {
        program: PathBuf::from(env!("CARGO_BIN_EXE_foreshock")),
        other: None,
        directory: directory.path().to_owned(),
        disturbances: Disturbance::short(seed),
        seed,
        topic_bytes: 2_000_000_000,
        rate: 4000,
        clock: Clock::Event,
    };
    let verdict = kafka::run(&options).await.unwrap();
    println!("{verdict}");
    assert_eq!(verdict.faults(), Vec::<String>::new(), "{verdict}");
    assert!(
        verdict.incidents_due() > 0,
        "no incident came: notifications were not put to the test\n{verdict}"
    );
}
