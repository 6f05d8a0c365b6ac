//! What is appended is read again.

use foreshock_journal::{Batch, Entry, EntryKind, Journal, JournalError, Offset, Partition, Payload, Stream};
use foreshock_model::{Tenant, Timestamp};

use crate::cluster::{FINDINGS, LOGS, SUMMARIES, entry, fresh, read, runtime, soon, texts};

#[test]
fn an_entry_is_read_as_it_was_appended_whatever_it_is_for() {
    runtime().block_on(async {
        let (_, journal) = fresh().await;
        let at = Timestamp(1_700_000_000_123_456_789);
        let tenant = Tenant::new("acme").unwrap();
        let slices = Payload::Slices(vec![b"one ".to_vec().into(), b"two".to_vec().into()]);
        let skip = Entry { kind: EntryKind::Skip, ..Entry::marker(at, b"who".to_vec()) };
        let appended = vec![
            (LOGS, Entry::data(tenant.clone(), at, 7, slices).keyed([3; 16])),
            (LOGS, Entry::tick(at)),
            (LOGS, entry("three")),
            (SUMMARIES, Entry::marker(at, b"said".to_vec())),
            (SUMMARIES, skip.clone()),
        ];
        let batch = Batch { entries: appended, consumed: None };
        let offsets = soon("the brokers", journal.append(batch)).await.unwrap();
        assert_eq!(offsets.len(), 5);

        let mut logs = journal.reader(LOGS, Offset(0)).unwrap();
        let whole = Payload::Whole(b"one two".to_vec().into());
        let expected = [
            (offsets[0], Entry { payload: whole, key: None, ..Entry::data(tenant, at, 7, Vec::new()) }),
            (offsets[1], Entry::tick(at)),
            (offsets[2], entry("three")),
        ];
        assert_eq!(read(&mut logs, 3).await, expected);
        assert_eq!(logs.position(), offsets[2].next());
        let mut summaries = journal.reader(SUMMARIES, Offset(0)).unwrap();
        let expected = [(offsets[3], Entry::marker(at, b"said".to_vec())), (offsets[4], skip)];
        assert_eq!(read(&mut summaries, 2).await, expected);

        assert_eq!(journal.bounds(LOGS).unwrap(), (Offset(0), Offset(3)));
        let nowhere = Partition::new(Stream::Logs, 2);
        assert!(matches!(journal.reader(nowhere, Offset(0)), Err(JournalError::NoPartition(_))));
    });
}

#[test]
fn several_read_one_partition_each_from_where_it_wants() {
    runtime().block_on(async {
        let (_, journal) = fresh().await;
        let entries = (0..50).map(|n| (LOGS, entry(&n.to_string()))).collect();
        soon("the brokers", journal.append(Batch { entries, consumed: None })).await.unwrap();
        let mut readers: Vec<_> =
            [0, 10, 49].map(|from| (from, journal.reader(LOGS, Offset(from)).unwrap())).into();
        for (from, reader) in &mut readers {
            let read = read(reader, usize::try_from(50 - *from).unwrap()).await;
            assert_eq!(read.first().map(|(offset, _)| offset.0), Some(*from));
            assert_eq!(read.len() as u64, 50 - *from, "each once");
        }
        // Closed and opened again at an older place: what had been read ahead is not taken for the next.
        drop(readers);
        for from in [30, 5, 0] {
            let mut reader = journal.reader(LOGS, Offset(from)).unwrap();
            assert_eq!(read(&mut reader, 1).await[0].0, Offset(from));
        }
        assert_eq!(texts(&*journal, FINDINGS).await, Vec::<String>::new());
    });
}
