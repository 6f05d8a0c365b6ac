//! What a crash in the middle of a write and bits that change on the disk can and can't do.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod faults;

use std::{path::PathBuf, sync::Arc};

use faults::{
    batch, entry, options, read_all,
    storage::{Faults, FaultyStorage},
};
use foreshock_journal::{
    Consumed, EmbeddedJournal, EmbeddedOptions, EmbeddedReader, Entry, Fetched, Journal, JournalError,
    Offset, Partition, Stream, embedded::storage::Storage,
};

const A: Partition = Partition::new(Stream::Logs, 0);
const B: Partition = Partition::new(Stream::Metrics, 1);

fn look(storage: &FaultyStorage) -> EmbeddedReader {
    EmbeddedReader::open_on(Arc::new(storage.clone()), "/journal").unwrap()
}

fn seen(reader: &mut EmbeddedReader, partition: Partition) -> Vec<(u64, Entry)> {
    let mut all: Vec<(u64, Entry)> = Vec::new();
    loop {
        let from = all.last().map_or(0, |(offset, _)| offset + 1);
        let fetched: Fetched = reader.read(partition, Offset(from), 1 << 20).unwrap();
        if fetched.is_empty() {
            return all;
        }
        all.extend(fetched.into_iter().map(|(offset, entry)| (offset.0, entry)));
    }
}

/// The oldest segment of what was received.
fn telemetry(storage: &FaultyStorage) -> PathBuf {
    storage.paths(".seg").into_iter().find(|path| path.starts_with("/journal/telemetry")).unwrap()
}

fn numbered(entries: &[(u64, usize)]) -> Vec<(u64, Entry)> {
    (0u64..).zip(entries).map(|(offset, (number, bytes))| (offset, entry(*number, *bytes))).collect()
}

#[tokio::test]
async fn a_batch_torn_at_any_byte_is_there_whole_or_not_at_all_and_nothing_else_is_touched() {
    let storage = FaultyStorage::default();
    let journal = EmbeddedJournal::open(options(&storage)).unwrap();
    journal.append(batch(vec![(A, entry(1, 300)), (B, entry(2, 5000))])).await.unwrap();
    journal.append(batch(vec![(A, entry(3, 10))])).await.unwrap();
    let before = storage.durable_copy();
    let mut last = batch(vec![(B, entry(4, 150)), (A, entry(5, 200)), (B, entry(6, 30))]);
    last.consumed = Some(Consumed { consumer: "reduce".to_owned(), next: vec![(A, Offset(2))] });
    journal.append(last).await.unwrap();

    let path = telemetry(&storage);
    let (old, new) = (before.bytes(&path), storage.bytes(&path));
    let start = (0..old.len()).find(|at| old[*at] != new[*at]).unwrap() / 4096 * 4096;
    let end = (0..old.len()).rfind(|at| old[*at] != new[*at]).unwrap() + 1;
    let (old_a, old_b) = (numbered(&[(1, 300), (3, 10)]), numbered(&[(2, 5000)]));
    let (new_a, new_b) =
        (numbered(&[(1, 300), (3, 10), (5, 200)]), numbered(&[(2, 5000), (4, 150), (6, 30)]));
    for cut in start..=end {
        let torn = before.durable_copy();
        torn.overwrite(&path, start, &new[start..cut]);
        // What the write did not reach is as it was, or as another life of the file left it.
        if cut % 2 == 1 {
            torn.overwrite(&path, cut, &vec![0xa5; end - cut]);
        }
        let mut reader = look(&torn);
        let found = (seen(&mut reader, A), seen(&mut reader, B));
        let whole = cut == end || torn.bytes(&path)[start..end] == new[start..end];
        if whole {
            assert_eq!(found, (new_a.clone(), new_b.clone()), "cut at {cut}");
        } else {
            assert_eq!(found, (old_a.clone(), old_b.clone()), "cut at {cut} of {start}..{end}");
        }
        if cut % 61 == 0 || cut + 8 > end {
            let journal = EmbeddedJournal::open(options(&torn)).unwrap();
            let committed = whole.then_some(Offset(2));
            assert_eq!(journal.committed("reduce", A).unwrap(), committed);
            let next = if whole { 3 } else { 2 };
            assert_eq!(journal.append(batch(vec![(A, entry(9, 77))])).await.unwrap(), [Offset(next)]);
            let mut expected = if whole { new_a.clone() } else { old_a.clone() };
            expected.push((next, entry(9, 77)));
            assert_eq!(read_all(&*journal, A).await, expected);
            journal.close().await;
            // And the torn bytes do not come back later, either.
            assert_eq!(seen(&mut look(&torn), A), expected);
            assert_eq!(torn.violations(), [""; 0]);
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_is_never_served_and_takes_at_most_what_it_hit() {
    let storage = FaultyStorage::default();
    let journal = EmbeddedJournal::open(options(&storage)).unwrap();
    for number in 0..6 {
        journal
            .append(batch(vec![(A, entry(number * 2, 700)), (B, entry(number * 2 + 1, 90))]))
            .await
            .unwrap();
    }
    let newest = storage.durable_copy();
    journal.close().await;
    // The same data in a segment that is not the newest any more.
    let journal = EmbeddedJournal::open(options(&storage)).unwrap();
    journal.append(batch(vec![(A, entry(12, 700)), (B, entry(13, 90))])).await.unwrap();
    journal.close().await;
    let older = storage.durable_copy();

    for (disk, groups) in [(newest, 6u64), (older, 7)] {
        let path = telemetry(&disk);
        let clean = disk.bytes(&path);
        let end = (0..clean.len()).rfind(|at| clean[*at] != 0).unwrap() + 1;
        for at in (0..end).step_by(5).filter(|at| clean[*at] != 0) {
            let flipped = disk.durable_copy();
            flipped.overwrite(&path, at, &[clean[at] ^ 1 << (at % 8)]);
            let journal = EmbeddedJournal::open(options(&flipped)).unwrap();
            let mut missing = 0;
            for (partition, first, bytes) in [(A, 0, 700), (B, 1, 90)] {
                let found = read_all(&*journal, partition).await;
                for (offset, found) in &found {
                    assert_eq!(found, &entry(offset * 2 + first, bytes), "byte {at}");
                }
                assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
                missing += groups - found.len() as u64;
            }
            // The last group of the newest segment can't be told from a torn one: it goes as a whole.
            let last_group = groups == 6 && at >= end / 4096 * 4096;
            assert!(missing <= if last_group { 2 } else { 1 }, "{missing} missing, byte {at} of {end}");
            // Without its end, too, it looks like a write that was never finished.
            let commit = last_group && at % 4096 > 40 + 4 + 700 + 40 + 4 + 90;
            if missing > 0 {
                assert!(last_group || journal.figures().damaged_frames > 0, "byte {at}: not counted");
                assert!(commit || !flipped.paths(".bin").is_empty(), "byte {at}: nothing was set aside");
            }
            let expected = if last_group && missing > 0 { groups - 1 } else { groups };
            assert_eq!(journal.append(batch(vec![(A, entry(0, 1))])).await.unwrap(), [Offset(expected)]);
            journal.close().await;
        }
    }
}

#[tokio::test]
async fn a_frame_inside_a_payload_or_left_from_an_earlier_life_of_the_file_is_no_frame() {
    let storage = FaultyStorage::default();
    let journal = EmbeddedJournal::open(options(&storage)).unwrap();
    journal.append(batch(vec![(A, entry(1, 300))])).await.unwrap();
    let path = telemetry(&storage);
    let file = storage.bytes(&path);
    let group_start =
        (8192..file.len()).step_by(4096).rfind(|at| file[*at..*at + 40].iter().any(|b| *b != 0)).unwrap();
    let mut forged = entry(2, 0);
    forged.payload = file[group_start..group_start + 4096].to_vec().into();
    journal.append(batch(vec![(A, forged.clone()), (A, entry(3, 50))])).await.unwrap();
    journal.append(batch(vec![(A, entry(4, 50))])).await.unwrap();
    // Damage before the payload, so that the way through it has to be searched.
    let damaged = group_start + 4096 + 3;
    storage.overwrite(&path, damaged, &[!storage.bytes(&path)[damaged]]);
    journal.close().await;
    let journal = EmbeddedJournal::open(options(&storage)).unwrap();
    let expected = vec![(0, entry(1, 300)), (2, entry(3, 50)), (3, entry(4, 50))];
    assert_eq!(read_all(&*journal, A).await, expected);
}

#[tokio::test]
async fn the_oldest_segment_is_read_also_without_its_checkpoint() {
    let storage = FaultyStorage::default();
    for number in 0..3 {
        let journal = EmbeddedJournal::open(options(&storage)).unwrap();
        let entries = (0..5).map(|plus| (A, entry(number * 5 + plus, 100)));
        journal.append(batch(entries.collect())).await.unwrap();
        journal.close().await;
    }
    // Retention took the first.
    storage.remove(&telemetry(&storage)).unwrap();
    storage.overwrite(&telemetry(&storage), 8192, &[0xff; 16]);
    let journal = EmbeddedJournal::open(options(&storage)).unwrap();
    let expected: Vec<_> = (5..15).map(|number| (number, entry(number, 100))).collect();
    assert_eq!(read_all(&*journal, A).await, expected);
    assert!(matches!(journal.reader(A, Offset(4)), Err(JournalError::OutOfRange { first: Offset(5), .. })));
    assert_eq!(journal.append(batch(vec![(A, entry(15, 1))])).await.unwrap(), [Offset(15)]);
}

#[tokio::test]
async fn who_reads_beside_the_writer_sees_no_damage_where_a_batch_was_still_being_written() {
    let storage = FaultyStorage::default();
    let large = EmbeddedOptions { segment_bytes: 8 << 20, max_batch_bytes: 2 << 20, ..options(&storage) };
    let journal = EmbeddedJournal::open(large).unwrap();
    journal.append(batch(vec![(A, entry(1, 300))])).await.unwrap();
    let before = storage.durable_copy();
    // More than is read at once, so that the end of the batch is read later than its beginning.
    journal.append(batch((2..6).map(|number| (A, entry(number, 400_000))).collect())).await.unwrap();
    let middle = storage.durable_copy();
    journal.append(batch(vec![(A, entry(6, 10))])).await.unwrap();
    let path = telemetry(&storage);
    let (old, new) = (before.bytes(&path), middle.bytes(&path));
    let start = (0..old.len()).find(|at| old[*at] != new[*at]).unwrap() as u64;

    for place in [start, start + 200_000, start + 450_000, start + 900_000] {
        storage.set_faults(Faults { unwritten_at: Some(place), ..Faults::default() });
        let mut reader = look(&storage);
        assert!(storage.faults().unwritten_at.is_none(), "the place was read");
        assert_eq!(seen(&mut reader, A).len(), 6, "{place}");
        assert_eq!(reader.damaged_frames(), 0, "{place}");
    }
}
