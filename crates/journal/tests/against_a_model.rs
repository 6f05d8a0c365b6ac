//! Random operations and failures against the simplest model of a journal there is.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod faults;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use faults::{
    options, read_all,
    storage::{Faults, FaultyStorage},
};
use foreshock_journal::{
    Batch, Consumed, EmbeddedJournal, EmbeddedOptions, Entry, Health, Journal, JournalError, Offset,
    Partition, SnapshotKey, Stream, embedded::Retention,
};
use foreshock_model::Timestamp;
use proptest::prelude::*;

const PARTITIONS: [Partition; 5] = [
    Partition::new(Stream::Logs, 0),
    Partition::new(Stream::Logs, 1),
    Partition::new(Stream::Spans, 1),
    Partition::new(Stream::Findings, 0),
    Partition::new(Stream::Control, 0),
];
const CONSUMERS: [&str; 2] = ["reduce", "notify"];

/// Seconds; shared by all journals of this test, and only ever grows.
static CLOCK: AtomicU64 = AtomicU64::new(1_000_000);

fn clock() -> Timestamp {
    Timestamp::from_secs(CLOCK.load(Ordering::Relaxed))
}

#[derive(Clone, Debug)]
struct PlannedBatch {
    stages: bool,
    entries: Vec<(usize, usize)>,
    consumes: Option<usize>,
}

#[derive(Clone, Debug)]
enum Step {
    /// Appended at once, awaited together.
    Append(Vec<PlannedBatch>),
    Fail(Option<usize>, bool, bool),
    DieAfter(u64),
    Snapshot(usize, usize),
    Reopen,
    Crash(u64),
    Later(u64),
}

fn planned() -> impl Strategy<Value = PlannedBatch> {
    let size = prop_oneof![4 => 0usize..400, 2 => 3000usize..6000, 1 => 20_000usize..40_000];
    let consumes = prop::option::of(0..PARTITIONS.len());
    (any::<bool>(), prop::collection::vec((0usize..6, size), 0..5), consumes).prop_map(
        |(stages, mut entries, consumes)| {
            // Stays below the largest batch.
            entries.truncate(if entries.iter().any(|(_, bytes)| *bytes > 10_000) { 1 } else { 5 });
            PlannedBatch { stages, entries, consumes }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => prop::collection::vec(planned(), 1..5).prop_map(Step::Append),
        2 => (prop::option::of(0usize..60_000), any::<bool>(), any::<bool>())
            .prop_map(|(short, sync, full)| Step::Fail(short, sync, full)),
        1 => Just(Step::Fail(None, false, false)),
        1 => (0u64..12).prop_map(Step::DieAfter),
        2 => (0..CONSUMERS.len(), 0..PARTITIONS.len()).prop_map(|(c, p)| Step::Snapshot(c, p)),
        1 => Just(Step::Reopen),
        2 => any::<u64>().prop_map(Step::Crash),
        1 => (1u64..40).prop_map(Step::Later),
    ]
}

type Committed = BTreeMap<(usize, Partition), Offset>;

/// What must be there.
#[derive(Clone, Default)]
struct Model {
    logs: BTreeMap<Partition, Vec<(u64, Entry)>>,
    committed: Committed,
    /// The first offset, when it was last looked at.
    gone: BTreeMap<Partition, u64>,
    snapshots: BTreeMap<SnapshotKey, (u64, Vec<u8>)>,
    /// Snapshots that failed: either is right.
    unsure_snapshots: BTreeMap<SnapshotKey, Vec<(u64, Vec<u8>)>>,
    /// Refused since the volume's last success, in order: a crash may bring back some that follow one another.
    refused: [Vec<Batch>; 2],
}

impl Model {
    fn next(&self, partition: Partition) -> u64 {
        self.logs.get(&partition).and_then(|log| log.last()).map_or(0, |(offset, _)| offset + 1)
    }

    fn apply(&mut self, batch: &Batch) -> Vec<Offset> {
        if let Some(Consumed { consumer, next }) = &batch.consumed {
            let consumer = CONSUMERS.iter().position(|name| name == consumer).unwrap();
            self.committed.extend(next.iter().map(|(of, next)| ((consumer, *of), *next)));
        }
        let mut offsets = Vec::new();
        for (partition, entry) in &batch.entries {
            let next = self.next(*partition);
            self.logs.entry(*partition).or_default().push((next, entry.clone()));
            offsets.push(Offset(next));
        }
        offsets
    }

    /// The lowest offset that a consumer still needs.
    fn needed(&self, partition: Partition) -> u64 {
        let needed =
            self.committed.iter().filter(|((_, of), _)| *of == partition).map(|((consumer, of), next)| {
                let key = SnapshotKey { consumer: CONSUMERS[*consumer].to_owned(), partition: *of };
                self.snapshots.get(&key).map_or(next.0, |(covers, _)| next.0.min(*covers))
            });
        needed.min().unwrap_or(u64::MAX)
    }
}

struct Run {
    storage: FaultyStorage,
    journal: Option<Arc<EmbeddedJournal>>,
    model: Model,
    number: u64,
}

impl Run {
    fn options(&self) -> EmbeddedOptions {
        EmbeddedOptions {
            clock,
            telemetry_retention: Retention { age: Duration::from_secs(20), bytes: 1 << 30 },
            stages_retention: Retention { age: Duration::from_secs(20), bytes: 1 << 30 },
            ..options(&self.storage)
        }
    }

    fn journal(&self) -> &EmbeddedJournal {
        self.journal.as_ref().expect("opened")
    }

    fn materialise(&mut self, planned: &PlannedBatch) -> Batch {
        let of_volume: Vec<Partition> =
            PARTITIONS.into_iter().filter(|p| p.stream.is_telemetry() != planned.stages).collect();
        let entries = planned.entries.iter().map(|(partition, bytes)| {
            self.number += 1;
            (of_volume[partition % of_volume.len()], faults::entry(self.number, *bytes))
        });
        let entries: Vec<_> = entries.collect();
        // Each consumer commits by one volume: what two volumes write at once has no order.
        let consumer = usize::from(planned.stages || planned.entries.is_empty());
        let consumed = planned.consumes.map(|partition| {
            let partition = PARTITIONS[partition];
            let next = vec![(partition, Offset(self.model.next(partition)))];
            Consumed { consumer: CONSUMERS[consumer].to_owned(), next }
        });
        Batch { entries, consumed }
    }

    async fn append(&mut self, planned: &[PlannedBatch]) {
        let batches: Vec<Batch> = planned.iter().map(|planned| self.materialise(planned)).collect();
        let pending: Vec<_> = batches.iter().map(|batch| self.journal().append(batch.clone())).collect();
        let mut answers = Vec::new();
        for pending in pending {
            answers.push(pending.await);
        }
        // The two volumes write side by side; within one the order of the calls holds.
        for (batch, answer) in batches.into_iter().zip(answers) {
            if batch.entries.is_empty() && batch.consumed.is_none() {
                continue;
            }
            let stages = batch.entries.first().is_none_or(|(of, _)| !of.stream.is_telemetry());
            match answer {
                Ok(offsets) => {
                    assert_eq!(offsets, self.model.apply(&batch));
                    self.model.refused[usize::from(stages)].clear();
                }
                Err(error) => {
                    assert!(error.is_passing(), "{error}");
                    self.model.refused[usize::from(stages)].push(batch);
                }
            }
        }
    }

    /// Opens again and finds out which of the refused batches a crash brought back.
    async fn open(&mut self) {
        self.storage.set_faults(Faults::default());
        let journal = EmbeddedJournal::open(self.options()).unwrap();
        let mut found = BTreeMap::new();
        for partition in PARTITIONS {
            found.insert(partition, read_all(&*journal, partition).await.pop());
        }
        for volume in 0..2 {
            let refused = std::mem::take(&mut self.model.refused[volume]);
            let spans =
                (0..refused.len()).flat_map(|from| (from + 1..=refused.len()).map(move |to| from..to));
            let mut fitting = None;
            for span in std::iter::once(0..0).chain(spans) {
                let mut model = self.model.clone();
                for batch in &refused[span] {
                    model.apply(batch);
                }
                if matches(&*journal, &found, &model, volume == 1) {
                    fitting = Some(model);
                    break;
                }
            }
            let stat = journal.stat().unwrap();
            self.model = fitting.unwrap_or_else(|| panic!("no such history: {stat:#?}"));
        }
        assert_eq!(journal.health(), Health::Writable);
        self.journal = Some(journal);
    }

    async fn check(&mut self) {
        let journal = self.journal.clone().expect("opened");
        for partition in PARTITIONS {
            let found = read_all(&*journal, partition).await;
            let stat = journal.stat().unwrap();
            let row = stat.iter().find(|row| row.partition == partition).unwrap();
            let log = self.model.logs.entry(partition).or_default();
            let next = log.last().map_or(0, |(offset, _)| offset + 1);
            assert_eq!(row.next.0, next);
            let gone = row.first.0;
            assert!(gone <= next);
            let kept: Vec<_> = log.iter().filter(|(offset, _)| *offset >= gone).cloned().collect();
            let found: Vec<_> = found.into_iter().filter(|(offset, _)| *offset >= gone).collect();
            assert_eq!(found, kept, "{partition}");
            assert_eq!(row.records, Some(kept.len() as u64));
            for (consumer, name) in CONSUMERS.iter().enumerate() {
                let committed = journal.committed(name, partition).unwrap();
                assert_eq!(committed, self.model.committed.get(&(consumer, partition)).copied());
                let key = SnapshotKey { consumer: (*name).to_owned(), partition };
                let loaded = journal.load_snapshot(&key).unwrap().map(|(covers, mut state)| {
                    let mut bytes = Vec::new();
                    state.read_to_end(&mut bytes).unwrap();
                    (covers.0, bytes)
                });
                let unsure = self.model.unsure_snapshots.remove(&key).unwrap_or_default();
                if let Some(unsure) = unsure.into_iter().find(|unsure| loaded.as_ref() == Some(unsure)) {
                    self.model.snapshots.insert(key.clone(), unsure);
                }
                assert_eq!(loaded.as_ref(), self.model.snapshots.get(&key), "{key:?}");
            }
            // What was gone before somebody came to need it is no loss.
            let before = self.model.gone.insert(partition, gone).unwrap_or(0);
            assert!(
                gone <= before.max(self.model.needed(partition)),
                "{partition}: retention took what is needed"
            );
        }
        assert_eq!(self.storage.violations(), [""; 0]);
        assert_eq!(journal.figures().damaged_frames, 0, "{:?}", self.storage.paths(""));
    }

    fn snapshot(&mut self, consumer: usize, partition: usize) {
        let partition = PARTITIONS[partition];
        let key = SnapshotKey { consumer: CONSUMERS[consumer].to_owned(), partition };
        // A stage that has consumed nothing has no state to keep.
        let Some(Offset(committed)) = self.model.committed.get(&(consumer, partition)).copied() else {
            return;
        };
        self.number += 1;
        let state = vec![self.number as u8; self.number as usize % 5000];
        let saved = self.journal().save_snapshot(&key, Offset(committed), &mut |out| out.write_all(&state));
        match saved {
            Ok(()) => {
                self.model.unsure_snapshots.remove(&key);
                self.model.snapshots.insert(key, (committed, state));
            }
            Err(error) => {
                assert!(matches!(error, JournalError::Io { .. } | JournalError::DiskFull { .. }), "{error}");
                self.model.unsure_snapshots.entry(key).or_default().push((committed, state));
            }
        }
    }
}

/// Whether heads, consumers and the last entries are as a model has them, for the partitions of a volume.
fn matches(
    journal: &dyn Journal,
    found: &BTreeMap<Partition, Option<(u64, Entry)>>,
    model: &Model,
    stages: bool,
) -> bool {
    let stat = journal.stat().unwrap();
    let heads = PARTITIONS.into_iter().filter(|p| p.stream.is_telemetry() != stages).all(|partition| {
        stat.iter().any(|row| row.partition == partition && row.next.0 == model.next(partition))
    });
    // All of it may be gone by retention.
    let last = |of: &Partition| model.logs.get(of).and_then(|log| log.last());
    let contents = PARTITIONS
        .into_iter()
        .filter(|p| p.stream.is_telemetry() != stages)
        .all(|partition| found[&partition].is_none() || found[&partition].as_ref() == last(&partition));
    let consumer = usize::from(stages);
    let committed = PARTITIONS.into_iter().all(|of| {
        journal.committed(CONSUMERS[consumer], of).unwrap() == model.committed.get(&(consumer, of)).copied()
    });
    heads && contents && committed
}

async fn run(steps: Vec<Step>) {
    let mut run =
        Run { storage: FaultyStorage::default(), journal: None, model: Model::default(), number: 0 };
    run.open().await;
    for step in steps {
        match step {
            Step::Append(planned) => run.append(&planned).await,
            Step::Fail(short_write, failing_sync, full) => {
                run.storage.set_faults(Faults { short_write, failing_sync, full, ..Faults::default() });
            }
            Step::DieAfter(calls) => {
                run.storage.set_faults(Faults { dies_after: Some(calls), ..Faults::default() });
            }
            Step::Snapshot(consumer, partition) => run.snapshot(consumer, partition),
            Step::Later(seconds) => {
                CLOCK.fetch_add(seconds, Ordering::Relaxed);
            }
            Step::Reopen => {
                run.journal().close().await;
                run.open().await;
                run.check().await;
            }
            Step::Crash(seed) => {
                // The power goes first: what the journal still does on its way out reaches nothing.
                run.storage.crash(seed);
                run.journal = None;
                run.open().await;
                run.check().await;
            }
        }
    }
    run.storage.set_faults(Faults::default());
    run.check().await;
    let finally: Vec<PlannedBatch> =
        [true, false].map(|stages| PlannedBatch { stages, entries: vec![(0, 10)], consumes: None }).into();
    run.append(&finally).await;
    assert!(run.model.refused.iter().all(Vec::is_empty), "the journal did not recover by itself");
    run.check().await;
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_journal_holds_what_was_acknowledged_and_nothing_else(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
