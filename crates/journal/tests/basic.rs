//! What a journal promises when nothing fails.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use bytes::Bytes;
use foreshock_journal::{
    Batch, Consumed, EmbeddedJournal, EmbeddedOptions, EmbeddedReader, Entry, Fetched, Health, Journal,
    JournalError, Offset, Partition, Payload, SnapshotKey, Stream,
};
use foreshock_model::{Tenant, Timestamp};

const LOGS: Partition = Partition::new(Stream::Logs, 1);
const FINDINGS: Partition = Partition::new(Stream::Findings, 0);

fn entry(text: &str) -> Entry {
    Entry::data(Tenant::new("shop").unwrap(), Timestamp(7), 3, text.as_bytes().to_vec())
}

fn batch(partition: Partition, texts: &[&str]) -> Batch {
    Batch { entries: texts.iter().map(|text| (partition, entry(text))).collect(), consumed: None }
}

fn texts(fetched: &Fetched) -> Vec<(u64, String)> {
    let text = |payload: &Payload| String::from_utf8(payload.clone().into_bytes().to_vec()).unwrap();
    fetched.iter().map(|(offset, entry)| (offset.0, text(&entry.payload))).collect()
}

#[tokio::test]
async fn what_is_appended_is_read_in_order_by_a_tailing_reader_and_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let journal = EmbeddedJournal::open(EmbeddedOptions::small(dir.path())).unwrap();
    let mut tail = journal.reader(LOGS, Offset(0)).unwrap();
    assert!(tail.read_now(1000).await.unwrap().is_empty());
    let waiting = tokio::spawn(async move {
        let fetched = tail.next(1000).await.unwrap();
        (tail, fetched)
    });
    let mut slices = entry("");
    slices.payload = Payload::Slices(vec![Bytes::from_static(b"in "), Bytes::from_static(b"pieces")]);
    let mut first = batch(LOGS, &["a", "b"]);
    first.entries.push((LOGS, slices));
    assert_eq!(journal.append(first).await.unwrap(), [Offset(0), Offset(1), Offset(2)]);
    let (mut tail, fetched) = waiting.await.unwrap();
    let all: Vec<(u64, String)> =
        [(0, "a"), (1, "b"), (2, "in pieces")].map(|(o, t)| (o, t.to_owned())).into();
    assert_eq!(texts(&fetched), all);
    assert_eq!(fetched[0].1, entry("a"));
    assert_eq!((tail.position(), journal.health()), (Offset(3), Health::Writable));
    journal.close().await;
    assert!(matches!(tail.next(1000).await, Err(JournalError::Closed)));
    assert!(matches!(journal.append(batch(LOGS, &["late"])).await, Err(JournalError::Closed)));

    let journal = EmbeddedJournal::open(EmbeddedOptions::small(dir.path())).unwrap();
    let mut reader = journal.reader(LOGS, Offset(0)).unwrap();
    assert_eq!(texts(&reader.next(1).await.unwrap()), all[..1]);
    assert_eq!(texts(&reader.next(1000).await.unwrap()), all[1..]);
    assert_eq!(journal.append(batch(LOGS, &["c"])).await.unwrap(), [Offset(3)]);
    assert_eq!(texts(&reader.next(1000).await.unwrap()), [(3, "c".to_owned())]);
}

#[tokio::test]
async fn consumed_offsets_and_snapshots_are_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let key = SnapshotKey { consumer: "reduce".to_owned(), partition: LOGS };
    for round in 1..4u64 {
        let journal = EmbeddedJournal::open(EmbeddedOptions::small(dir.path())).unwrap();
        let expected = (round > 1).then(|| Offset(round - 1));
        assert_eq!(journal.committed("reduce", LOGS).unwrap(), expected);
        let snapshot = journal.load_snapshot(&key).unwrap().map(|(covers, mut state)| {
            let mut bytes = Vec::new();
            state.read_to_end(&mut bytes).unwrap();
            (covers, bytes)
        });
        assert_eq!(snapshot, expected.map(|covers| (covers, vec![(round - 1) as u8; 100_000])));
        journal.append(batch(LOGS, &["x"])).await.unwrap();
        let mut outputs = batch(FINDINGS, &["finding"]);
        outputs.consumed =
            Some(Consumed { consumer: "reduce".to_owned(), next: vec![(LOGS, Offset(round))] });
        journal.append(outputs).await.unwrap();
        journal
            .save_snapshot(&key, Offset(round), &mut |out| out.write_all(&vec![round as u8; 100_000]))
            .unwrap();
        let stat = journal.stat().unwrap();
        let row = stat.iter().find(|row| row.partition == LOGS).unwrap();
        assert_eq!((row.first, row.next, row.records), (Offset(0), Offset(round), Some(3 * round)));
        assert_eq!(row.consumers, [("reduce".to_owned(), Offset(round))]);
        let observed = EmbeddedReader::open(dir.path()).unwrap();
        assert_eq!(observed.stat(), stat);
        journal.close().await;
    }
}

#[tokio::test]
async fn a_reader_that_is_behind_reads_every_entry_of_its_partition_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let journal = EmbeddedJournal::open(EmbeddedOptions::small(dir.path())).unwrap();
    let text = |number: usize| format!("{number:05}{}", "x".repeat(number * 37 % 9000));
    for from in (0..2000).step_by(20) {
        let mut one = Batch::default();
        for number in from..from + 20 {
            one.entries
                .push((Partition::new(Stream::ALL[number % 3], (number % 4) as u16), entry(&text(number))));
        }
        journal.append(one).await.unwrap();
    }
    let outside = tokio::task::spawn_blocking({
        let path = dir.path().to_owned();
        move || {
            let mut reader = EmbeddedReader::open(path).unwrap();
            let mut read = Vec::new();
            for stream in Stream::TELEMETRY {
                for index in 0..4 {
                    let mut all = Vec::new();
                    loop {
                        let partition = Partition::new(stream, index);
                        let fetched = reader.read(partition, Offset(all.len() as u64), 100_000).unwrap();
                        if fetched.is_empty() {
                            break;
                        }
                        all.extend(texts(&fetched));
                    }
                    read.push(all);
                }
            }
            read
        }
    })
    .await
    .unwrap();
    let mut inside = Vec::new();
    for stream in Stream::TELEMETRY {
        for index in 0..4 {
            let mut reader = journal.reader(Partition::new(stream, index), Offset(0)).unwrap();
            let mut all = Vec::new();
            loop {
                let fetched = reader.read_now(50_000).await.unwrap();
                if fetched.is_empty() {
                    break;
                }
                assert!(
                    fetched.len() == 1
                        || fetched.iter().map(|(_, e)| e.payload.len()).sum::<usize>() <= 50_000
                );
                all.extend(texts(&fetched));
            }
            inside.push(all);
        }
    }
    let expected: Vec<Vec<(u64, String)>> = (0..12)
        .map(|slot| {
            let of = |number: &usize| number % 3 == slot / 4 && number % 4 == slot % 4;
            (0u64..).zip((0..2000).filter(of).map(text)).collect()
        })
        .collect();
    assert_eq!(inside, expected);
    assert_eq!(outside, expected);
    assert!(journal.figures().cached_bytes <= 1 << 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_from_disk_beside_the_writer_miss_no_entry() {
    const ENTRIES: u64 = 6000;
    let dir = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { cache_bytes: 1, ..EmbeddedOptions::small(dir.path()) };
    let journal = EmbeddedJournal::open(options).unwrap();
    let readers: Vec<_> = (0..2u16)
        .map(|index| {
            let mut reader = journal.reader(Partition::new(Stream::Logs, index), Offset(0)).unwrap();
            tokio::spawn(async move {
                let mut next = 0;
                while next < ENTRIES {
                    for (offset, entry) in reader.next(1 << 20).await.unwrap() {
                        assert_eq!((offset, entry.records), (Offset(next), next as u32));
                        next += 1;
                    }
                }
            })
        })
        .collect();
    for number in 0..ENTRIES {
        let entries = (0..2).map(|index| {
            let entry = Entry { records: number as u32, ..entry(&"x".repeat(1500)) };
            (Partition::new(Stream::Logs, index), entry)
        });
        journal.append(Batch { entries: entries.collect(), consumed: None }).await.unwrap();
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_batch_that_can_never_be_written_is_refused_for_good_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let journal = EmbeddedJournal::open(EmbeddedOptions::small(dir.path())).unwrap();
    let mut mixed = batch(LOGS, &["a"]);
    mixed.entries.push((FINDINGS, entry("b")));
    let large = batch(LOGS, &[&"x".repeat(600 << 10)]);
    let nowhere = batch(Partition::new(Stream::Logs, 4), &["a"]);
    let consumed = Consumed { consumer: "../x".to_owned(), next: vec![(LOGS, Offset(1))] };
    let unnamed = Batch { entries: Vec::new(), consumed: Some(consumed) };
    for refused in [mixed, large, nowhere, unnamed] {
        let error = journal.append(refused).await.unwrap_err();
        assert!(!error.is_passing(), "{error}");
    }
    assert_eq!(journal.append(Batch::default()).await.unwrap(), []);
    assert!(matches!(journal.reader(LOGS, Offset(1)), Err(JournalError::OutOfRange { .. })));
    assert_eq!(journal.figures().refused, 4);
}

#[tokio::test]
async fn a_second_writer_is_told_who_has_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let journal = EmbeddedJournal::open(EmbeddedOptions::small(dir.path())).unwrap();
    let error = EmbeddedJournal::open(EmbeddedOptions::small(dir.path())).err().unwrap().to_string();
    let expected = format!("is in use by process {}; stop it or give another --data-dir", std::process::id());
    assert!(error.contains(&expected), "{error}");
    journal.close().await;
    EmbeddedJournal::open(EmbeddedOptions::small(dir.path())).unwrap();
}

#[tokio::test]
async fn a_journal_made_with_other_partitions_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    drop(EmbeddedJournal::open(EmbeddedOptions::small(dir.path())).unwrap());
    let other = EmbeddedOptions { stage_partitions: 8, ..EmbeddedOptions::small(dir.path()) };
    let error = EmbeddedJournal::open(other).err().unwrap().to_string();
    assert!(error.contains("4 a stage's stream, the configuration says 4 and 8"), "{error}");
}
