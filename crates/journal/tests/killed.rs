//! A process that is killed in the middle of appending has lost nothing that it had acknowledged.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use foreshock_journal::{
    Batch, Consumed, EmbeddedJournal, EmbeddedOptions, Entry, Journal, Offset, Partition, Stream,
};
use foreshock_model::{Tenant, Timestamp};

const LOGS: Partition = Partition::new(Stream::Logs, 0);
const SPANS: Partition = Partition::new(Stream::Spans, 3);
const DIRECTORY: &str = "FORESHOCK_TEST_KILLED_DIRECTORY";
const KILLS: u64 = 6;

fn entry(number: u64) -> Entry {
    let payload: Vec<u8> =
        number.to_le_bytes().into_iter().cycle().take(8 + number as usize * 97 % 9000).collect();
    Entry::data(Tenant::default(), Timestamp(number), 1, payload)
}

/// The child's part: appends, many at a time, and prints each number once it is acknowledged, until it is killed.
#[test]
fn child_appends_until_it_is_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let journal = EmbeddedJournal::open(EmbeddedOptions::small(directory)).unwrap();
    let first = journal.stat().unwrap().iter().find(|row| row.partition == LOGS).unwrap().next.0;
    let mut under_way = std::collections::VecDeque::new();
    for number in first.. {
        let consumed = Consumed { consumer: "reduce".to_owned(), next: vec![(LOGS, Offset(number + 1))] };
        let entries = vec![(LOGS, entry(number)), (SPANS, entry(number + 1))];
        under_way.push_back(journal.append(Batch { entries, consumed: Some(consumed) }));
        if under_way.len() >= 16 {
            let acknowledged = under_way.pop_front().unwrap().wait().unwrap();
            println!("acknowledged {}", acknowledged[0]);
        }
    }
}

/// Lets a child append until `enough` numbers were acknowledged, kills it, returns the last one.
fn run_and_kill(directory: &Path, enough: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_appends_until_it_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = None;
    let number = |line: &str| line.strip_prefix("acknowledged ").and_then(|number| number.parse().ok());
    for line in lines.by_ref().map_while(Result::ok).filter(|line| number(line).is_some()).take(enough) {
        last = number(&line);
        assert!(Instant::now() < deadline, "the child is too slow");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it printed before it died counts, too; a last line may be cut short.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let whole = rest.len().saturating_sub(1);
    rest[..whole]
        .iter()
        .filter_map(|line| number(line))
        .next_back()
        .or(last)
        .expect("something was acknowledged")
}

#[tokio::test]
async fn everything_acknowledged_before_a_kill_is_there_after_it() {
    let directory = tempfile::tempdir().unwrap();
    for kill in 0..KILLS {
        let acknowledged = run_and_kill(directory.path(), 20 + kill as usize * 53);
        let journal = EmbeddedJournal::open(EmbeddedOptions::small(directory.path())).unwrap();
        let mut counts = [0; 2];
        for (count, (partition, plus)) in counts.iter_mut().zip([(LOGS, 0), (SPANS, 1)]) {
            let mut reader = journal.reader(partition, Offset(0)).unwrap();
            loop {
                let fetched = reader.read_now(1 << 20).await.unwrap();
                if fetched.is_empty() {
                    break;
                }
                for (offset, found) in fetched {
                    assert_eq!((offset.0, found), (*count, entry(*count + plus)));
                    *count += 1;
                }
            }
        }
        assert!(counts[0] > acknowledged, "{acknowledged} was acknowledged, {} are there", counts[0]);
        assert_eq!(counts[0], counts[1], "a batch is there in part");
        assert_eq!(journal.committed("reduce", LOGS).unwrap(), Some(Offset(counts[0])));
        assert_eq!(journal.figures().damaged_frames, 0);
        journal.close().await;
    }
}
