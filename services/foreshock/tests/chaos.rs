//! Killed at random moments under load, Foreshock loses nothing it acknowledged, says nothing twice or otherwise than
//! an undisturbed run, and tells the webhook of everything. `make chaos` does it longer.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use foreshock_benches::chaos::{self, ChaosOptions, Judged as _};
use foreshock_detect::Clock;

/// Bytes of journal a test may take.
const JOURNAL_BYTES: u64 = 400_000_000;

async fn killed(kills: u64, clock: Clock) -> chaos::Verdict {
    let directory = tempfile::tempdir().unwrap();
    let options = ChaosOptions {
        program: PathBuf::from(env!("CARGO_BIN_EXE_foreshock")),
        directory: directory.path().to_owned(),
        kills,
        seed: 7,
        journal_bytes: JOURNAL_BYTES,
        clock,
    };
    let verdict = chaos::run(&options).await.unwrap();
    println!("{verdict}");
    assert_eq!(verdict.faults(), Vec::<String>::new(), "{verdict}");
    verdict
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_while_an_incident_comes_and_goes_lose_nothing() {
    let verdict = killed(4, Clock::Event).await;
    assert!(
        verdict.incidents_due() > 0,
        "no incident came: notifications were not put to the test\n{verdict}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_between_ticks_lose_nothing() {
    killed(3, Clock::Live).await;
}
