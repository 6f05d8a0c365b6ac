//! States on the compacted topic.

use std::io::Read;

use foreshock_journal::{Journal, KafkaJournal, Offset, SnapshotKey};

use crate::cluster::{LOGS, SUMMARIES, fresh, runtime};

fn key(partition: foreshock_journal::Partition) -> SnapshotKey {
    SnapshotKey { consumer: "detect".into(), partition }
}

fn load(journal: &dyn Journal, key: &SnapshotKey) -> Option<(Offset, Vec<u8>)> {
    let (covers, mut from) = journal.load_snapshot(key).unwrap()?;
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    Some((covers, bytes))
}

#[test]
fn a_state_is_loaded_whole_by_another_process_and_the_newer_one_takes_its_place() {
    let runtime = runtime();
    let (options, journal) = runtime.block_on(fresh());
    assert_eq!(load(&*journal, &key(SUMMARIES)), None);
    // Several pieces, hard to compress; and others that lie in between on the same topic.
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let save = |key: &SnapshotKey, covers: u64, bytes: &[u8]| {
        journal.save_snapshot(key, Offset(covers), &mut |to| to.write_all(bytes)).unwrap();
    };
    save(&key(SUMMARIES), 10, b"small");
    save(&key(LOGS), 3, b"of logs");
    save(&key(SUMMARIES), 20, &large);
    save(&key(LOGS), 4, b"");

    let other = runtime.block_on(KafkaJournal::open(options)).unwrap();
    for journal in [&journal, &other] {
        assert!(load(&**journal, &key(SUMMARIES)) == Some((Offset(20), large.clone())));
        assert_eq!(load(&**journal, &key(LOGS)), Some((Offset(4), Vec::new())));
    }

    let failing = journal.save_snapshot(&key(SUMMARIES), Offset(30), &mut |to| {
        to.write_all(&large[..1_000_000])?;
        Err(std::io::Error::other("no more"))
    });
    assert!(failing.is_err());
    assert_eq!(
        load(&*journal, &key(SUMMARIES)).map(|(covers, _)| covers),
        Some(Offset(20)),
        "the older one stays"
    );
}
