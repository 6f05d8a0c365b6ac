//! What happens when the disk is full, fails, or may not be cleaned up.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod faults;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use faults::{
    batch, entry, options, read_all,
    storage::{Faults, FaultyStorage},
};
use foreshock_journal::{
    Batch, Consumed, EmbeddedJournal, EmbeddedOptions, EmbeddedReader, Health, Journal, JournalError, Offset,
    Partition, SnapshotKey, Stream, embedded::Retention,
};
use foreshock_model::Timestamp;

const LOGS: Partition = Partition::new(Stream::Logs, 0);
const FINDINGS: Partition = Partition::new(Stream::Findings, 1);
const LARGE: usize = 40 << 10;

/// Waits for a condition, not for a time.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::yield_now();
    }
}

/// Says that `consumer` has read `partition` up to `next`.
fn consumed(consumer: &str, partition: Partition, next: u64) -> Batch {
    let next = vec![(partition, Offset(next))];
    Batch { entries: Vec::new(), consumed: Some(Consumed { consumer: consumer.to_owned(), next }) }
}

#[tokio::test]
async fn a_full_disk_refuses_appends_and_says_so_until_there_is_room_again() {
    let storage = FaultyStorage::default();
    let journal = EmbeddedJournal::open(options(&storage)).unwrap();
    storage.set_faults(Faults { full: true, ..Faults::default() });
    let mut kept = 0;
    let error = loop {
        match journal.append(batch(vec![(LOGS, entry(kept, LARGE))])).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(kept > 3, "the segment that is there is used up first");
    assert!(matches!(error, JournalError::DiskFull { free_bytes: 0, .. }) && error.is_passing(), "{error}");
    let Health::Unwritable(why) = journal.health() else { panic!("still healthy") };
    assert!(why.contains("the disk of /journal/telemetry is full"), "{why}");
    assert_eq!(read_all(&*journal, LOGS).await.len() as u64, kept);

    storage.set_faults(Faults::default());
    eventually("healthy again, without an append", || journal.health() == Health::Writable);
    assert_eq!(journal.append(batch(vec![(LOGS, entry(9, 9))])).await.unwrap(), [Offset(kept)]);
}

#[tokio::test]
async fn a_journal_opens_on_a_full_disk_and_serves_what_it_has() {
    let storage = FaultyStorage::default();
    let journal = EmbeddedJournal::open(options(&storage)).unwrap();
    journal.append(batch(vec![(LOGS, entry(1, 100))])).await.unwrap();
    journal.close().await;
    storage.set_faults(Faults { full: true, ..Faults::default() });
    let journal = EmbeddedJournal::open(options(&storage)).unwrap();
    assert!(matches!(journal.health(), Health::Unwritable(_)));
    assert_eq!(read_all(&*journal, LOGS).await, [(0, entry(1, 100))]);
    storage.set_faults(Faults::default());
    eventually("writable", || journal.health() == Health::Writable);
    assert_eq!(journal.append(batch(vec![(LOGS, entry(2, 100))])).await.unwrap(), [Offset(1)]);
}

#[tokio::test]
async fn after_a_failed_write_or_sync_the_batch_is_gone_for_good_and_the_next_one_takes_its_place() {
    for faults in [
        Faults { short_write: Some(5000), ..Faults::default() },
        Faults { failing_sync: true, ..Faults::default() },
    ] {
        for seed in 0..20 {
            let storage = FaultyStorage::default();
            let journal = EmbeddedJournal::open(options(&storage)).unwrap();
            journal.append(batch(vec![(LOGS, entry(1, 6000))])).await.unwrap();
            storage.set_faults(faults);
            let error = journal.append(batch(vec![(LOGS, entry(2, 6000))])).await.unwrap_err();
            assert!(matches!(error, JournalError::Io { .. }) && error.is_passing(), "{error}");
            assert_eq!(journal.append(batch(vec![(LOGS, entry(3, 6000))])).await.unwrap(), [Offset(1)]);
            let expected = [(0, entry(1, 6000)), (1, entry(3, 6000))];
            assert_eq!(read_all(&*journal, LOGS).await, expected);
            storage.crash(seed);
            drop(journal);
            let journal = EmbeddedJournal::open(options(&storage)).unwrap();
            assert_eq!(read_all(&*journal, LOGS).await, expected);
            assert_eq!(storage.violations(), [""; 0]);
            assert_eq!(journal.figures().damaged_frames, 0);
        }
    }
}

#[tokio::test]
async fn a_device_that_goes_on_failing_leaves_no_trail_of_segments() {
    let storage = FaultyStorage::default();
    let journal = EmbeddedJournal::open(options(&storage)).unwrap();
    journal.append(batch(vec![(LOGS, entry(1, 10))])).await.unwrap();
    for _ in 0..50 {
        storage.set_faults(Faults { failing_sync: true, ..Faults::default() });
        journal.append(batch(vec![(LOGS, entry(2, 6000))])).await.unwrap_err();
    }
    assert!(storage.paths(".seg").len() <= 4, "{:?}", storage.paths(".seg"));
    assert_eq!(journal.append(batch(vec![(LOGS, entry(3, 10))])).await.unwrap(), [Offset(1)]);
    storage.crash(1);
    drop(journal);
    let journal = EmbeddedJournal::open(options(&storage)).unwrap();
    assert_eq!(read_all(&*journal, LOGS).await, [(0, entry(1, 10)), (1, entry(3, 10))]);
}

#[tokio::test]
async fn telemetry_that_a_consumer_has_not_read_is_kept_and_appends_are_refused_instead() {
    let storage = FaultyStorage::default();
    let retention = Retention { age: Duration::from_secs(1 << 30), bytes: 3 * (384 << 10) };
    let settings = EmbeddedOptions { telemetry_retention: retention, ..options(&storage) };
    let journal = EmbeddedJournal::open(settings).unwrap();
    journal.append(consumed("reduce", LOGS, 0)).await.unwrap();
    let mut kept = 0;
    let error = loop {
        match journal.append(batch(vec![(LOGS, entry(kept, LARGE))])).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, JournalError::HeldBack { consumer, .. } if consumer == "reduce"), "{error}");
    assert_eq!(read_all(&*journal, LOGS).await.len() as u64, kept, "nothing was let go");

    // It has read all, but its state is that of a snapshot before.
    let key = SnapshotKey { consumer: "reduce".to_owned(), partition: LOGS };
    journal.save_snapshot(&key, Offset(1), &mut |out| out.write_all(b"state")).unwrap();
    journal.append(consumed("reduce", LOGS, kept)).await.unwrap();
    let refused = journal.append(batch(vec![(LOGS, entry(0, LARGE))])).await;
    assert!(matches!(refused, Err(JournalError::HeldBack { .. })), "{refused:?}");

    journal.save_snapshot(&key, Offset(kept), &mut |out| out.write_all(b"state")).unwrap();
    eventually("writable", || journal.health() == Health::Writable);
    for number in 0..100 {
        let next = journal.append(batch(vec![(LOGS, entry(number, LARGE))])).await.unwrap()[0];
        journal.append(consumed("reduce", LOGS, next.0 + 1)).await.unwrap();
        journal.save_snapshot(&key, next.next(), &mut |out| out.write_all(b"state")).unwrap();
    }
    let stat = journal.stat().unwrap();
    let row = stat.iter().find(|row| row.partition == LOGS).unwrap();
    assert!(row.first.0 > kept && row.bytes <= Some(retention.bytes), "{row:?}");
    assert!(
        matches!(journal.reader(LOGS, Offset(0)), Err(JournalError::OutOfRange { first, .. }) if first == row.first)
    );
    assert!(storage.paths(".seg").len() + storage.paths(".spare").len() <= 8, "{:?}", storage.paths(""));
    assert_eq!(storage.violations(), [""; 0]);
}

#[tokio::test]
async fn what_the_stages_wrote_goes_to_twice_the_limit_before_it_is_refused() {
    let storage = FaultyStorage::default();
    let retention = Retention { age: Duration::from_secs(1 << 30), bytes: 3 * (384 << 10) };
    let settings = EmbeddedOptions { stages_retention: retention, ..options(&storage) };
    let journal = EmbeddedJournal::open(settings).unwrap();
    journal.append(consumed("correlate", FINDINGS, 0)).await.unwrap();
    let mut bytes = 0;
    while journal.append(batch(vec![(FINDINGS, entry(1, LARGE))])).await.is_ok() {
        bytes += LARGE as u64;
    }
    assert!((retention.bytes..2 * retention.bytes).contains(&bytes), "{bytes}");
    // The other volume is not touched by that.
    journal.append(batch(vec![(LOGS, entry(1, LARGE))])).await.unwrap();
}

#[tokio::test]
async fn segments_go_by_age_and_a_reader_that_was_there_is_told_where_to_go_on() {
    static CLOCK: AtomicU64 = AtomicU64::new(1000);
    let storage = FaultyStorage::default();
    let settings = EmbeddedOptions {
        clock: || Timestamp::from_secs(CLOCK.load(Ordering::Relaxed)),
        telemetry_retention: Retention { age: Duration::from_secs(60), bytes: 1 << 40 },
        ..options(&storage)
    };
    let journal = EmbeddedJournal::open(settings).unwrap();
    let mut slow = journal.reader(LOGS, Offset(0)).unwrap();
    let mut next = 0;
    while storage.paths(".seg").len() < 5 {
        next = journal.append(batch(vec![(LOGS, entry(next, LARGE))])).await.unwrap()[0].0 + 1;
    }
    CLOCK.fetch_add(61, Ordering::Relaxed);
    while storage.paths(".seg").len() > 4 {
        next = journal.append(batch(vec![(LOGS, entry(next, LARGE))])).await.unwrap()[0].0 + 1;
    }
    let error = slow.next(1).await.unwrap_err();
    let JournalError::OutOfRange { first, .. } = error else { panic!("{error}") };
    assert!(first.0 > 0 && journal.reader(LOGS, first).is_ok());
    let mut outside = EmbeddedReader::open_on(Arc::new(storage.process()), "/journal").unwrap();
    assert_eq!(outside.read(LOGS, first, 1).unwrap()[0].1, entry(first.0, LARGE));
}

#[tokio::test]
async fn more_than_the_queue_holds_is_refused_and_memory_stays_bounded() {
    let storage = FaultyStorage::default();
    let settings = EmbeddedOptions { queue_bytes: 200 << 10, ..options(&storage) };
    let journal = EmbeddedJournal::open(settings).unwrap();
    let pending: Vec<_> =
        (0..2000).map(|number| journal.append(batch(vec![(LOGS, entry(number, LARGE))]))).collect();
    let mut refused = 0;
    for pending in pending {
        match pending.await {
            Ok(_) => {}
            Err(JournalError::Overloaded { queued_bytes, limit_bytes }) => {
                assert!(queued_bytes <= limit_bytes);
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0);
    let figures = journal.figures();
    assert_eq!((figures.refused, figures.batches, figures.queued_bytes), (refused, 2000 - refused, 0));
}
