//! Who serves a partition, and that nobody else can.

use std::{collections::BTreeSet, time::Duration};

use foreshock_journal::{Batch, Change, Journal, JournalError, KafkaJournal, Offset, Partition, Stream};
use rdkafka::{
    ClientConfig, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};

use crate::cluster::{
    FINDINGS, SUMMARIES, apply, assigned, change, entry, fresh, runtime, soon, stage_batch, texts, wanted,
};

const OTHER: Partition = Partition::new(Stream::Summaries, 1);

#[test]
fn outputs_and_offsets_are_there_together_and_the_next_owner_finds_them() {
    runtime().block_on(async {
        let (options, journal) = fresh().await;
        let mut member = journal.join("detect", &[Stream::Summaries]).unwrap();
        let ours: BTreeSet<Partition> = assigned(&mut member).await.into_iter().collect();
        assert_eq!(ours, BTreeSet::from([SUMMARIES, OTHER]));
        assert_eq!(journal.committed("detect", SUMMARIES).unwrap(), None);

        let both = [stage_batch(SUMMARIES, 5, &["a", "b"]), stage_batch(OTHER, 9, &["c"])];
        for pending in both.map(|batch| journal.append(batch)) {
            soon("the commit", pending).await.unwrap();
        }
        assert_eq!(texts(&*journal, FINDINGS).await.len(), 3);
        assert_eq!(journal.committed("detect", SUMMARIES).unwrap(), Some(Offset(5)));
        drop(member);

        let next = KafkaJournal::open(options).await.unwrap();
        assert_eq!(next.committed("detect", OTHER).unwrap(), Some(Offset(9)), "from outside as well");
        let mut member = next.join("detect", &[Stream::Summaries]).unwrap();
        assigned(&mut member).await;
        assert_eq!(next.committed("detect", SUMMARIES).unwrap(), Some(Offset(5)));
        // Nobody joined under this name.
        let batch = Batch { consumed: stage_batch(SUMMARIES, 6, &[]).consumed, ..Batch::default() };
        let mut stranger = batch.clone();
        stranger.consumed.as_mut().unwrap().consumer = "stranger".into();
        assert!(matches!(soon("no", next.append(stranger)).await, Err(JournalError::Fenced(_))));
    });
}

#[test]
fn a_partition_goes_to_another_when_it_was_brought_to_an_end_and_its_owner_before_commits_no_more() {
    runtime().block_on(async {
        let (options, one) = fresh().await;
        let mut first = one.join("detect", &[Stream::Summaries]).unwrap();
        assert_eq!(assigned(&mut first).await.len(), 2);
        let two = KafkaJournal::open(options).await.unwrap();
        let mut second = two.join("detect", &[Stream::Summaries]).unwrap();

        let Change::Revoked(gone, handover) = change(&mut first).await else { panic!("revoked") };
        assert_eq!(gone.len(), 1);
        // It is still ours: what was processed can be committed.
        soon("the last commit", one.append(stage_batch(gone[0], 7, &["last words"]))).await.unwrap();
        drop(handover);
        assert_eq!(assigned(&mut second).await, gone);
        assert_eq!(two.committed("detect", gone[0]).unwrap(), Some(Offset(7)));

        let late = soon("an answer", one.append(stage_batch(gone[0], 8, &["too late"]))).await;
        assert!(matches!(late, Err(JournalError::Fenced(partition)) if partition == gone[0]), "{late:?}");
        soon("the commit", two.append(stage_batch(gone[0], 8, &["of the new owner"]))).await.unwrap();
        let kept = if gone[0] == SUMMARIES { OTHER } else { SUMMARIES };
        soon("the commit", one.append(stage_batch(kept, 3, &["of the other one"]))).await.unwrap();
        let mut found = texts(&*two, FINDINGS).await;
        found.sort();
        assert_eq!(found, ["last words", "of the new owner", "of the other one"]);

        drop(second);
        assert_eq!(assigned(&mut first).await, gone, "who leaves gives it back at once");
        assert_eq!(one.committed("detect", gone[0]).unwrap(), Some(Offset(8)));
    });
}

#[test]
fn the_transaction_that_a_dead_owner_left_open_is_ended_by_the_next_one_at_once() {
    runtime().block_on(async {
        let (options, journal) = fresh().await;
        soon(
            "the brokers",
            journal.append(Batch { entries: vec![(FINDINGS, entry("before"))], consumed: None }),
        )
        .await
        .unwrap();
        let topic = |stream: Stream| format!("{}{}", options.prefix, stream.name());
        let client = |group: &str| {
            let mut config = ClientConfig::new();
            config.set("bootstrap.servers", &options.brokers).set("group.id", options.group_id(group));
            config.set("enable.auto.commit", "false");
            config
        };

        // As an owner that died in the middle leaves it: its name at the offsets, its transaction open for minutes.
        let (dead, brokers) = ("dead-owner", options.brokers.clone());
        let findings = topic(Stream::Findings);
        let mut offsets = TopicPartitionList::new();
        for partition in [0, 1] {
            let mut element = offsets.add_partition(&topic(Stream::Summaries), partition);
            element.set_offset(rdkafka::Offset::Offset(4)).unwrap();
            element.set_metadata(format!("{dead} 1"));
        }
        let open = tokio::task::spawn_blocking({
            let config = client("detect");
            move || {
                let consumer: BaseConsumer = config.create().unwrap();
                consumer.commit(&offsets, CommitMode::Sync).unwrap();
                let mut config = ClientConfig::new();
                config.set("bootstrap.servers", brokers).set("transactional.id", dead);
                config.set("transaction.timeout.ms", "600000");
                let producer: BaseProducer = config.create().unwrap();
                producer.init_transactions(Duration::from_secs(20)).unwrap();
                producer.begin_transaction().unwrap();
                producer.send(BaseRecord::<str, str>::to(&findings).partition(0).payload("never")).unwrap();
                producer.flush(Duration::from_secs(20)).unwrap();
                producer
            }
        });
        let open = open.await.unwrap();
        assert_eq!(texts(&*journal, FINDINGS).await, ["before"], "what follows is held back");

        let mut member = journal.join("detect", &[Stream::Summaries]).unwrap();
        assigned(&mut member).await;
        assert_eq!(journal.committed("detect", SUMMARIES).unwrap(), Some(Offset(4)));
        soon("the commit", journal.append(stage_batch(SUMMARIES, 5, &["after"]))).await.unwrap();
        assert_eq!(texts(&*journal, FINDINGS).await, ["before", "after"]);
        // Dropping it would wait for what it believes to be on its way.
        std::mem::forget(open);
    });
}

#[test]
fn a_stream_that_grows_is_served_whole() {
    runtime().block_on(async {
        let (options, journal) = fresh().await;
        let mut member = journal.join("reduce", &[Stream::Logs]).unwrap();
        assert_eq!(assigned(&mut member).await.len(), 2);
        let mut more = wanted();
        more.telemetry_partitions = 3;
        apply(&options, &more).await;
        let added = assigned(&mut member).await;
        assert_eq!(added, [Partition::new(Stream::Logs, 2)]);
        assert_eq!(journal.partitions(Stream::Logs), 3);
        let batch = Batch { entries: vec![(added[0], entry("there"))], consumed: None };
        soon("the brokers", journal.append(batch)).await.unwrap();
        assert_eq!(texts(&*journal, added[0]).await, ["there"]);
    });
}
