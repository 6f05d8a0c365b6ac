//! Brokers that are slow, gone, and there again; and those that ask who we are.

use std::time::{Duration, Instant};

use foreshock_journal::{Batch, Health, Journal, JournalError, KafkaJournal};
use foreshock_kafka_testing::{Kafka, Listener, Options};

use crate::cluster::{DEADLINE, LOGS, apply, entry, options, runtime, soon, texts, wanted};

fn one(text: &str) -> Batch {
    Batch { entries: vec![(LOGS, entry(text))], consumed: None }
}

#[test]
fn while_the_broker_does_not_answer_appends_are_refused_for_now_and_it_goes_on_by_itself() {
    let mut kafka = Kafka::start(Options::default()).unwrap();
    let mut options = options(&kafka.bootstrap());
    options.queue_bytes = 1 << 20;
    let runtime = runtime();
    let journal = runtime.block_on(async {
        apply(&options, &wanted()).await;
        let journal = KafkaJournal::open(options).await.unwrap();
        soon("the broker", journal.append(one("before"))).await.unwrap();
        journal
    });
    kafka.stop(1).unwrap();
    runtime.block_on(async {
        let waiting = journal.append(one("lost for its sender"));
        // What waits is bounded: beyond it the refusal comes at once.
        let large = "x".repeat(400 << 10);
        let more: Vec<_> = (0..5).map(|_| journal.append(one(&large))).collect();
        let mut refused = 0;
        for pending in more {
            match soon("an answer", pending).await {
                Err(JournalError::Overloaded { .. }) => refused += 1,
                Err(error) => assert!(error.is_passing(), "{error}"),
                Ok(_) => panic!("nobody has it"),
            }
        }
        assert!(refused >= 2, "{refused}");
        let error = soon("an answer", waiting).await.unwrap_err();
        assert!(error.is_passing(), "{error}");
    });
    kafka.kill(1).unwrap();
    let until = Instant::now() + DEADLINE;
    while journal.health() == Health::Writable {
        assert!(Instant::now() < until, "it is noticed that nobody answers");
        std::thread::sleep(Duration::from_millis(50));
    }
    kafka.restart(1).unwrap();
    runtime.block_on(async {
        let until = Instant::now() + DEADLINE;
        while let Err(error) = soon("an answer", journal.append(one("after"))).await {
            assert!(error.is_passing() && Instant::now() < until, "{error}");
        }
        assert_eq!(journal.health(), Health::Writable);
        let found = texts(&*journal, LOGS).await;
        assert_eq!(
            (found.first().map(String::as_str), found.last().map(String::as_str)),
            (Some("before"), Some("after"))
        );
    });
}

#[test]
fn a_cluster_that_asks_for_a_name_and_a_password_gets_them() {
    let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required user_shock=\"fore\";";
    let kafka = Kafka::start(Options {
        listeners: vec![Listener::secured("KNOWN", "SASL_PLAINTEXT")],
        properties: vec![
            ("listener.name.known.sasl.enabled.mechanisms".into(), "PLAIN".into()),
            ("listener.name.known.plain.sasl.jaas.config".into(), jaas.into()),
        ],
        ..Options::default()
    })
    .unwrap();
    let mut options = options(&kafka.bootstrap_of("KNOWN"));
    for (key, value) in [
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "shock"),
        ("sasl.password", "fore"),
    ] {
        options.properties.insert(key.into(), value.into());
    }
    runtime().block_on(async {
        apply(&options, &wanted()).await;
        let journal = KafkaJournal::open(options).await.unwrap();
        soon("the broker", journal.append(one("known"))).await.unwrap();
        assert_eq!(texts(&*journal, LOGS).await, ["known"]);
    });
}
