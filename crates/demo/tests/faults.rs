//! The simulated shop through the three stages, in process and on the event clock: a quiet day makes no page, and
//! each fault makes exactly one incident that pages, soon, and names the service.

use std::{collections::BTreeMap, time::Duration};

use foreshock_demo::{Fault, Label, Shop, ShopOptions};
use foreshock_detect::{
    Clock, DetectConfig, InputKind,
    pipeline::{Entry, Partitions, Pipeline},
};
use foreshock_model::{Id, Incident, Kind, Severity, Tenant, Timestamp};
use foreshock_shipper::Signal;

const START: Timestamp = Timestamp::from_secs(1_760_000_400);
const HOUR: Duration = Duration::from_secs(3_600);
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;

/// What became of a run: every incident that paged, as it was told from then on, and the fault's label.
struct Run {
    paged: BTreeMap<Id, Vec<Incident>>,
    label: Option<Label>,
}

fn run(seed: u64, fault: Option<Fault>, quiet: Duration, length: Duration) -> Run {
    let options = ShopOptions { fault, fault_after: quiet, ..ShopOptions::new(START) };
    let mut shop = Shop::new(seed, options);
    let config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
    let mut pipeline = Pipeline::new(config, Partitions::default());
    let tenant = Tenant::default();
    let mut paged = BTreeMap::new();
    while shop.now() < START.plus(length) {
        for request in shop.step() {
            let stream = match request.signal {
                Signal::Logs => 0,
                Signal::Metrics => 1,
                Signal::Traces => 2,
            };
            let (received, payload) = (shop.now(), &request.body);
            pipeline.feed(stream, 0, Entry { tenant: &tenant, received, kind: InputKind::Data, payload });
        }
        let seen = pipeline.take();
        assert_eq!(seen.poison, []);
        for incident in seen.incidents.into_iter().filter(|incident| incident.severity == Severity::Critical)
        {
            paged.entry(incident.id).or_insert_with(Vec::new).push(incident);
        }
    }
    assert_eq!(pipeline.holes(), 0);
    Run { paged, label: shop.label() }
}

/// The length of the windows that what pages is judged on: of a silence the period of what fell silent.
fn judged_window(incident: &Incident) -> Duration {
    let lead = &incident.findings[0];
    let window = lead.window_end.since(lead.window_start);
    match lead.kind {
        Kind::Silence => window.max(Duration::from_secs_f64(lead.observed / lead.effect)),
        _ => window,
    }
}

fn told(run: &Run) -> String {
    run.paged
        .values()
        .flatten()
        .map(|i| format!("\n  {} {} {:?}", i.updated_at, i.title, i.services))
        .collect()
}

fn makes_one_page_soon(fault: Fault) {
    for seed in SEEDS {
        let run = run(seed, Some(fault), HOUR, HOUR * 5 / 2);
        let label = run.label.expect("a fault was given");
        let visible = label.visible.expect("its effect was seen within the run");
        assert_eq!(run.paged.len(), 1, "{fault}, seed {seed}, visible {visible}:{}", told(&run));
        let history = run.paged.values().next().expect("there is one");
        let first = &history[0];
        let limit = visible.plus(judged_window(first) * 3);
        let in_time = |incident: &&Incident| incident.updated_at <= limit;
        let named = history
            .iter()
            .filter(in_time)
            .any(|incident| incident.services.iter().any(|service| service.bare() == fault.service()));
        assert!(
            first.updated_at >= visible && in_time(&first) && named,
            "{fault}, seed {seed}: visible {visible}, in time until {limit}:{}",
            told(&run)
        );
    }
}

#[test]
fn quiet_days_make_no_page() {
    for seed in SEEDS {
        let run = run(seed, None, HOUR, HOUR * 24);
        assert!(run.paged.is_empty(), "seed {seed}:{}", told(&run));
    }
}

#[test]
fn a_disk_that_fills_up_makes_one_page() {
    makes_one_page_soon(Fault::DiskFull);
}

#[test]
fn a_bad_release_makes_one_page() {
    makes_one_page_soon(Fault::BadRelease);
}

#[test]
fn a_slow_database_makes_one_page() {
    makes_one_page_soon(Fault::SlowDatabase);
}

#[test]
fn a_job_that_does_not_run_makes_one_page() {
    makes_one_page_soon(Fault::SilentJob);
}

#[test]
fn password_guessing_makes_one_page() {
    makes_one_page_soon(Fault::PasswordGuessing);
}

#[test]
fn a_memory_leak_makes_one_page() {
    makes_one_page_soon(Fault::MemoryLeak);
}
