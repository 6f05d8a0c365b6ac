//! What a test may rely on of the brokers that it starts.
#![allow(clippy::unwrap_used, missing_docs)]

mod wire;

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use foreshock_kafka_testing::{Kafka, Listener, Options};
use wire::{Metadata, api_versions, create_topic, metadata, sasl_mechanisms};

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The folder of all brokers of a Kafka.
fn folder(kafka: &Kafka) -> PathBuf {
    kafka.log(1).ancestors().nth(2).map(Path::to_owned).unwrap()
}

#[test]
fn a_killed_broker_answers_again_with_what_it_had_and_a_dropped_one_leaves_nothing() {
    let mut kafka = Kafka::start(Options {
        properties: vec![("log.retention.hours".into(), "1".into())],
        ..Options::default()
    })
    .unwrap();
    let (address, folder) = (kafka.address(1), folder(&kafka));
    assert_eq!(kafka.bootstrap(), address.to_string());
    assert!(api_versions(address).unwrap().contains(&wire::PRODUCE));
    create_topic(address, "orders").unwrap();

    kafka.kill(1).unwrap();
    assert!(TcpStream::connect(address).is_err());
    kafka.restart(1).unwrap();
    until("the topic from before", || metadata(address).is_ok_and(|known| known.topics == ["orders"]));

    kafka.stop(1).unwrap();
    assert!(api_versions(address).is_err(), "a stopped broker answered");
    kafka.resume(1).unwrap();
    until("an answer again", || api_versions(address).is_ok());

    kafka.shutdown(1).unwrap();
    kafka.restart(1).unwrap();
    // As it is when a test panics.
    drop(kafka);
    assert!(TcpStream::connect(address).is_err());
    assert!(!folder.exists());
}

#[test]
fn three_brokers_know_each_other_and_go_on_when_one_is_lost() {
    let mut kafka = Kafka::start(Options { brokers: 3, ..Options::default() }).unwrap();
    let all: Vec<_> = (1..=3).map(|broker| kafka.address(broker)).collect();
    let known = |at| -> Vec<_> { metadata(at).map(|known: Metadata| known.brokers).unwrap_or_default() };
    for &address in &all {
        assert_eq!(known(address), all);
    }
    kafka.kill(2).unwrap();
    until("the two others are two", || known(all[0]) == [all[0], all[2]]);
    create_topic(all[0], "orders").unwrap();
    kafka.restart(2).unwrap();
    until("three again", || known(all[1]) == all && known(all[0]) == all);
}

#[test]
fn who_comes_by_a_proxied_listener_is_told_the_proxys_address_alone() {
    let kafka = Kafka::start(Options { listeners: vec![Listener::proxied("WORKERS")], ..Options::default() })
        .unwrap();
    let proxy = kafka.proxy("WORKERS");
    let address = proxy.addresses()[0];
    assert_eq!(kafka.bootstrap_of("WORKERS"), address.to_string());
    assert_ne!(kafka.bootstrap_of("WORKERS"), kafka.bootstrap());
    assert_eq!(metadata(address).unwrap().brokers, [address]);
    proxy.cut();
    assert!(metadata(address).is_err());
    assert_eq!(metadata(kafka.address(1)).unwrap().brokers, [kafka.address(1)]);
    proxy.restore();
    assert_eq!(metadata(address).unwrap().brokers, [address]);
}

#[test]
fn a_secured_listener_answers_nobody_who_does_not_say_who_he_is() {
    let user = "org.apache.kafka.common.security.plain.PlainLoginModule required user_ingest=\"a;b\";";
    let kafka = Kafka::start(Options {
        listeners: vec![Listener::secured("KNOWN", "SASL_PLAINTEXT")],
        properties: vec![
            ("listener.name.known.sasl.enabled.mechanisms".into(), "PLAIN".into()),
            ("listener.name.known.plain.sasl.jaas.config".into(), user.into()),
        ],
        ..Options::default()
    })
    .unwrap();
    let address = kafka.bootstrap_of("KNOWN").parse().unwrap();
    assert_eq!(sasl_mechanisms(address).unwrap(), ["PLAIN"]);
    assert!(metadata(address).is_err());
}

#[test]
fn a_broker_that_does_not_come_up_says_why() {
    let properties = vec![("log.retention.hours".into(), "soon".into())];
    let refusal = Kafka::start(Options { properties, ..Options::default() }).unwrap_err().to_string();
    assert!(refusal.contains("log.retention.hours"), "{refusal}");
}

/// Not a test of its own: what the next one kills.
#[test]
#[ignore = "runs until it is killed"]
fn shares_a_broker_until_it_is_killed() {
    let kafka = Kafka::shared();
    assert!(std::ptr::eq(kafka, Kafka::shared()));
    println!("broker {} {}", kafka.address(1), folder(kafka).display());
    // Its parent never writes.
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn a_killed_process_takes_its_broker_with_it() {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "shares_a_broker_until_it_is_killed"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said = said.filter_map(|line| line.split_once("broker ").map(|(_, broker)| broker.to_owned())).next();
    let said = said.expect("it says where its broker is");
    let (address, folder) = said.split_once(' ').unwrap();
    let address = address.parse().unwrap();
    api_versions(address).unwrap();

    process.kill().unwrap();
    process.wait().unwrap();
    until("its broker has ended", || TcpStream::connect(address).is_err());
    until("its data are gone", || !Path::new(folder).exists());
}
