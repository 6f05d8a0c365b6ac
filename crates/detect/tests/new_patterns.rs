//! A line never seen is told whether it comes once or begins as a burst.

mod support;

use foreshock_detect::{
    Clock, DetectConfig,
    pipeline::{Partitions, Pipeline, Seen},
};
use foreshock_model::{Finding, IncidentStatus, Kind, Tenant, Timestamp};
use support::{LOGS, at, feed, logs};

const QUIET_SECONDS: u64 = 600;
const BURST: u64 = 5_000;

/// Ordinary lines for ten minutes, then `repeats` of an error never seen within one window; ordinary lines go on
/// beside them and after them, or not.
fn run(repeats: u64, goes_on: bool) -> Seen {
    let config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
    let mut pipeline = Pipeline::new(config, Partitions::default());
    let tenant = Tenant::default();
    let end = QUIET_SECONDS + if goes_on { 120 } else { 10 };
    for second in 0..end {
        let ordinary = (0..4).map(|n| {
            let line = format!("INFO request {} served in {} ms", second * 7 + n, (second * 13 + n) % 97);
            (at(second) + n * 200_000_000, line)
        });
        if second < QUIET_SECONDS || goes_on {
            feed(&mut pipeline, &tenant, LOGS, &logs("ledger", "a", ordinary));
        }
        if second == QUIET_SECONDS {
            let burst = (0..repeats)
                .map(|n| (at(second) + n * 1_000_000, "ERROR ledger is sealed: write refused".to_owned()));
            feed(&mut pipeline, &tenant, LOGS, &logs("ledger", "a", burst));
        }
        pipeline.tick(Timestamp(at(second)));
    }
    pipeline.finish();
    pipeline.take()
}

fn of_the_error(seen: &Seen, provisional: bool) -> Vec<&Finding> {
    let new = seen.findings.iter().filter(|f| f.kind == Kind::NewPattern && f.provisional == provisional);
    new.filter(|finding| finding.template.contains("sealed")).collect()
}

#[test]
fn a_line_never_seen_that_begins_as_a_burst_has_one_final_finding_in_place_of_its_provisional_one() {
    for goes_on in [true, false] {
        let seen = run(BURST, goes_on);
        let (provisional, last) = (of_the_error(&seen, true), of_the_error(&seen, false));
        assert_eq!((provisional.len(), last.len()), (1, 1), "{:#?}", seen.findings);
        assert_eq!(last[0].replaces, [provisional[0].id]);
        assert_eq!(last[0].observed, BURST as f64);
        let told: Vec<_> = seen.incidents.iter().map(|incident| incident.title.as_str()).collect();
        assert!(told.iter().any(|title| title.contains("new error line")), "{told:?}");
        assert!(told.iter().all(|title| !title.starts_with("Withdrawn")), "{told:?}");
        let open = |i: &&foreshock_model::Incident| i.status == IncidentStatus::Open && !i.provisional;
        assert!(seen.incidents.iter().any(|i| open(&i) && i.title.contains("sealed")), "{told:?}");
    }
}
