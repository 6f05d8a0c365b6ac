//! A line that comes regularly and does not come any more is one incident for as long as it is missing, told now and then.

mod support;

use std::{collections::BTreeSet, time::Duration};

use foreshock_detect::{
    Clock, DetectConfig,
    pipeline::{Partitions, Pipeline},
};
use foreshock_model::{Finding, Kind, Tenant, Timestamp};
use support::{LOGS, at, feed, logs};

const JOB_SECONDS: u64 = 300;
const HOUR: u64 = 3_600;
/// What lasts is told again so often,
const AGAIN: Duration = Duration::from_secs(240);
/// and an incident is over when nothing was told for so long.
const QUIET: Duration = Duration::from_secs(300);

#[test]
fn a_job_that_is_missing_for_hours_is_one_incident_that_is_told_every_four_minutes() {
    let config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
    let mut pipeline = Pipeline::new(config, Partitions::default());
    let tenant = Tenant::default();
    for second in (0..12 * HOUR).step_by(10) {
        let mut lines =
            vec![(at(second), format!("INFO request {second} served in {} ms", second * 13 % 97))];
        if second % JOB_SECONDS == 0 && second < 10 * HOUR {
            lines.push((at(second), "INFO export of orders is done".to_owned()));
        }
        feed(&mut pipeline, &tenant, LOGS, &logs("ledger", "a", lines));
        pipeline.tick(Timestamp(at(second)));
    }
    pipeline.finish();
    let seen = pipeline.take();

    let is_of_job = |finding: &&Finding| finding.kind == Kind::Silence && finding.template.contains("export");
    let told: Vec<Timestamp> =
        seen.findings.iter().filter(is_of_job).map(|finding| finding.window_end).collect();
    let missing = Duration::from_secs(2 * HOUR);
    // Some are told sooner, as they become much less likely.
    let most = missing.as_secs() / AGAIN.as_secs() + 10;
    assert!(told.len() > 20 && told.len() as u64 <= most, "{} findings", told.len());
    assert!(told.windows(2).all(|pair| pair[1].since(pair[0]) < QUIET), "{told:?}");
    assert!(told[0] < Timestamp(at(10 * HOUR + 4 * JOB_SECONDS)), "{:?}", told[0]);
    let of_job = seen.incidents.iter().filter(|incident| incident.findings.iter().any(|f| is_of_job(&f)));
    let incidents: BTreeSet<_> = of_job.map(|incident| incident.id).collect();
    assert_eq!(incidents.len(), 1);
}
