//! Whatever happens to the process and to the journal, each output is there once, and is the one an undisturbed
//! run would have made, byte for byte.
#![allow(clippy::unwrap_used)]

mod support;

use std::{sync::Arc, time::Duration};

use foreshock_journal::{Entry, EntryKind, Journal, Offset, Partition, SnapshotKey, Stream};
use foreshock_model::{Timestamp, proto};
use foreshock_worker::{PartitionFigures, Runner, Served, WorkerConfig, WorkerMetrics};
use proptest::prelude::*;
use prost::Message;
use support::{Fate, INPUT, MemoryJournal, SharedDisk, Tally, number, outputs};
use tokio_util::sync::CancellationToken;

const PARTITIONS: u16 = 2;
const DEADLINE: Duration = Duration::from_secs(30);

fn config(fetch_bytes: u32, snapshot_input_mib: u32) -> WorkerConfig {
    WorkerConfig { fetch_bytes, snapshot_input_mib, snapshot_percent: 100, ..WorkerConfig::default() }
}

/// Serves the partition until everything is committed, or the journal is dead. Returns the figures.
fn serve<S: Served>(stage: S, journal: &Arc<MemoryJournal>, config: WorkerConfig) -> PartitionFigures {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let metrics = Arc::new(WorkerMetrics::default());
    let as_journal: Arc<dyn Journal> = journal.clone();
    let runner =
        Runner::new(stage, INPUT, Stream::Summaries, as_journal, Arc::new(config), Arc::clone(&metrics));
    let stop = CancellationToken::new();
    let end = journal.stat().unwrap().into_iter().find(|row| row.partition == INPUT).unwrap().next;
    runtime.block_on(async {
        let mut task = tokio::spawn(runner.serve(stop.clone(), CancellationToken::new()));
        let done = async {
            while !journal.is_dead() && journal.committed(S::NAME, INPUT).unwrap() < Some(end) {
                // It ends with the journal, which may die between these two looks.
                if task.is_finished() && !journal.is_dead() {
                    panic!("the runner ended by itself: {:?}", (&mut task).await);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(DEADLINE, done).await.expect("everything is committed in time");
        if journal.is_dead() {
            // A crash: nothing gets the chance to finish.
            task.abort();
        } else {
            stop.cancel();
            tokio::time::timeout(DEADLINE, &mut task).await.expect("in time").unwrap().unwrap();
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    metrics.partition(S::NAME, INPUT).figures()
}

fn disk_with(log: &[Entry]) -> SharedDisk {
    let disk = SharedDisk::default();
    MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &[]).put(INPUT, log.iter().cloned());
    disk
}

fn undisturbed(log: &[Entry]) -> SharedDisk {
    let disk = disk_with(log);
    let journal = MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &[]);
    serve(Tally::<1>::new(INPUT, PARTITIONS), &journal, config(1 << 20, 1));
    disk
}

fn poison(disk: &SharedDisk) -> Vec<proto::Poison> {
    let log = disk.lock().unwrap().entries(Partition::new(Stream::Poison, 0));
    log.into_iter().map(|entry| proto::Poison::decode(entry.payload.into_bytes()).unwrap()).collect()
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let entry = prop_oneof![
        8 => (14_u64..1000).prop_map(number),
        1 => (1_u64..1000).prop_map(|at| Entry::tick(Timestamp(at))),
        1 => Just(Entry { kind: EntryKind::Marker, ..Entry::tick(Timestamp(1)) }),
        1 => prop_oneof![Just(number(13)), Just(Entry::data(Default::default(), Timestamp(5), 1, vec![1, 2, 3]))],
    ];
    // The last one puts something out, so that the end is committed at once.
    prop::collection::vec(entry, 1..120).prop_map(|mut log| {
        log.push(Entry::tick(Timestamp(1001)));
        log
    })
}

fn fates() -> impl Strategy<Value = Vec<(u64, Fate)>> {
    let fate = prop_oneof![Just(Fate::Refused), Just(Fate::DiesBefore), Just(Fate::DiesAfter)];
    prop::collection::vec((0_u64..12, fate), 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn crashes_and_refusals_at_any_point_change_no_byte(
        log in entries(),
        lives in prop::collection::vec((fates(), 1_u32..200, 0_u32..2), 0..6),
    ) {
        let whole = undisturbed(&log);
        let disk = disk_with(&log);
        for (fates, fetch_bytes, snapshot_mib) in lives {
            let journal = MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &fates);
            serve(Tally::<1>::new(INPUT, PARTITIONS), &journal, config(fetch_bytes, snapshot_mib));
        }
        let journal = MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &[]);
        serve(Tally::<1>::new(INPUT, PARTITIONS), &journal, config(64, 0));
        prop_assert_eq!(outputs(&disk, PARTITIONS), outputs(&whole, PARTITIONS));
        prop_assert_eq!(poison(&disk), poison(&whole));
    }
}

#[test]
fn a_refused_commit_is_sent_again_until_it_goes_and_nothing_overtakes_it() {
    let log: Vec<Entry> = (20..60).map(number).collect();
    let whole = undisturbed(&log);
    let disk = disk_with(&log);
    let journal = MemoryJournal::new(
        Arc::clone(&disk),
        PARTITIONS,
        &[(0, Fate::Refused), (1, Fate::Refused), (3, Fate::Refused)],
    );
    let figures = serve(Tally::<1>::new(INPUT, PARTITIONS), &journal, config(64, 1));
    assert_eq!(figures.refused, 3);
    assert_eq!(outputs(&disk, PARTITIONS), outputs(&whole, PARTITIONS));
}

#[test]
fn what_cannot_be_read_and_what_panics_is_set_aside_and_the_partition_goes_on() {
    let mut log: Vec<Entry> = (20..30).map(number).collect();
    log.insert(3, Entry::data(Default::default(), Timestamp(7), 1, vec![9; 100_000]));
    log.insert(6, number(13));
    let disk = disk_with(&log);
    let journal = MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &[]);
    let figures = serve(Tally::<1>::new(INPUT, PARTITIONS), &journal, config(64, 1));
    assert_eq!((figures.poison, figures.panics, figures.entries), (2, 1, 12));
    let poison = poison(&disk);
    let seen: Vec<_> =
        poison.iter().map(|p| (p.offset, p.reason.as_str(), p.payload.len(), p.payload_bytes)).collect();
    assert_eq!(
        seen,
        [(3, "it has not 8 bytes", 64 << 10, 100_000), (6, "the stage panicked: 13 brings bad luck", 8, 8),]
    );
    assert_eq!(poison[0].stream, "otlp_logs");
    assert_eq!(outputs(&disk, PARTITIONS).iter().map(Vec::len).sum::<usize>(), 3);
}

#[test]
fn a_shutdown_leaves_a_snapshot_and_the_next_start_reads_nothing_again() {
    let log: Vec<Entry> = (20..60).map(number).collect();
    let disk = disk_with(&log);
    let journal = MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &[]);
    serve(Tally::<1>::new(INPUT, PARTITIONS), &journal, config(64, 1));
    let key = SnapshotKey { consumer: "tally".to_owned(), partition: INPUT };
    assert_eq!(disk.lock().unwrap().covers(&key), Some(Offset(40)));

    let again = MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &[]);
    let figures = serve(Tally::<1>::new(INPUT, PARTITIONS), &again, config(64, 1));
    assert_eq!((figures.replayed, figures.rebuilt), (0, 0));
    assert_eq!(again.reads.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert_eq!(figures.commits, 0, "nothing new, nothing committed");
}

#[test]
fn a_snapshot_of_another_version_is_rebuilt_from_the_log_and_changes_no_byte() {
    let log: Vec<Entry> = (20..60).map(number).collect();
    let disk = disk_with(&log[..25]);
    let journal = MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &[]);
    serve(Tally::<1>::new(INPUT, PARTITIONS), &journal, config(64, 1));
    journal.put(INPUT, log[25..].iter().cloned());
    let newer = MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &[]);
    let figures = serve(Tally::<2>::new(INPUT, PARTITIONS), &newer, config(64, 1));
    assert_eq!((figures.replayed, figures.rebuilt), (25, 1));
    assert_eq!(outputs(&disk, PARTITIONS), outputs(&undisturbed(&log), PARTITIONS));
}

#[test]
fn messages_of_a_state_rebuilt_from_half_a_log_are_numbered_on_without_a_hole() {
    let log: Vec<Entry> = (20..60).map(number).collect();
    let disk = disk_with(&log[..25]);
    let journal = MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &[]);
    serve(Tally::<1>::new(INPUT, PARTITIONS), &journal, config(64, 1));
    let before = outputs(&disk, PARTITIONS);
    disk.lock().unwrap().trim(INPUT, 20);
    journal.put(INPUT, log[25..35].iter().cloned().chain([Entry::tick(Timestamp(1))]));
    let newer = MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &[(1, Fate::DiesAfter)]);
    serve(Tally::<2>::new(INPUT, PARTITIONS), &newer, config(64, 0));
    // The shift is part of the state: it must outlive the starts that follow.
    for more in [&log[35..38], &log[38..]] {
        journal.put(INPUT, more.iter().cloned().chain([Entry::tick(Timestamp(1))]));
        let next = MemoryJournal::new(Arc::clone(&disk), PARTITIONS, &[]);
        serve(Tally::<2>::new(INPUT, PARTITIONS), &next, config(64, 0));
    }
    // `outputs` checks that the numbers are dense.
    let after = outputs(&disk, PARTITIONS);
    for (before, after) in before.iter().zip(&after) {
        assert!(after.len() > before.len() && after.starts_with(before));
    }
}
