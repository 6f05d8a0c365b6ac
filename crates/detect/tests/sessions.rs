//! Sessions that take other steps than such sessions do are found, named, and found alike however they came.

mod support;

use foreshock_detect::{
    Clock, DetectConfig, InputKind, Sessions,
    detect::SessionVerdict,
    pipeline::{Entry, Partitions, Pipeline, Seen},
};
use foreshock_model::{Finding, Identity, Kind, Tenant, Timestamp, partition_of};
use support::{LOGS, at, logs};

const JOBS: u64 = 900;
const STEPS: [&str; 5] =
    ["submitted", "assigned to slot 7", "fetched input", "stored output", "finished in 12 ms"];
/// Seconds between the beginnings of two jobs, and between the steps of one.
const EVERY: u64 = 60;
const STEP: u64 = 7;

/// What the steps of a job are.
fn steps(job: u64) -> Vec<&'static str> {
    let mut steps = STEPS.to_vec();
    match job {
        700 => drop(steps.remove(3)),
        750 => steps.swap(1, 2),
        800 => steps.splice(2..2, [STEPS[2]; 3]).for_each(drop),
        850 => steps.insert(2, "failed: disk 9 is full, again"),
        _ => {}
    }
    steps
}

fn id(job: u64) -> String {
    format!("{:08x}", (job + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32)
}

/// Every line: time in seconds, instance, text. Three instances work the jobs off; a fourth has other things to say.
fn lines() -> Vec<(u64, &'static str, String)> {
    let mut lines = Vec::new();
    for job in 0..JOBS {
        let instance = ["a", "b", "c"][job as usize % 3];
        for (n, step) in (0..).zip(steps(job)) {
            lines.push((job * EVERY + n * STEP, instance, format!("INFO job {} {step}", id(job))));
        }
        lines.push((job * EVERY + 3, "d", format!("INFO cache entry {} expired", id(job + 5_000))));
    }
    lines.sort();
    lines
}

fn run(
    config: DetectConfig,
    partitions: Partitions,
    restart_at: Option<usize>,
) -> (Seen, Vec<SessionVerdict>) {
    let config = DetectConfig { clock: Clock::Event, ..config };
    let mut pipeline = Pipeline::new(config.clone(), partitions);
    let tenant = Tenant::default();
    for (n, (second, instance, text)) in lines().into_iter().enumerate() {
        let mut identity = Identity::default();
        identity.note("service.name", "jobs");
        identity.note("service.instance.id", instance);
        let partition = partition_of(&identity.key(&tenant).0, partitions.telemetry);
        let payload = logs("jobs", instance, [(at(second), text)]);
        let received = Timestamp::default();
        let entry = Entry { tenant: &tenant, received, kind: InputKind::Data, payload: &payload };
        pipeline.feed(LOGS, partition, entry);
        if n % 50 == 0 {
            pipeline.tick(Timestamp(at(second)));
        }
        if restart_at == Some(n) {
            pipeline.restart(config.clone(), partitions);
        }
    }
    pipeline.tick(Timestamp(at(JOBS * EVERY + 3_600)));
    pipeline.finish();
    assert_eq!(pipeline.holes(), 0);
    let verdicts = pipeline.take_verdicts();
    (pipeline.take(), verdicts)
}

fn broken(seen: &Seen) -> Vec<&Finding> {
    seen.findings.iter().filter(|finding| finding.kind == Kind::BrokenSequence).collect()
}

#[test]
fn each_broken_session_is_named_with_what_is_wrong_and_no_sound_one_is() {
    let (seen, _) = run(DetectConfig::default(), Partitions::default(), None);
    let said: Vec<(&str, &str)> = broken(&seen)
        .into_iter()
        .map(|finding| (finding.labels["sessions"].as_str(), finding.title.as_str()))
        .collect();
    let of = |job: u64| -> Vec<&str> {
        said.iter().filter(|(session, _)| *session == id(job)).map(|(_, title)| *title).collect()
    };
    for (job, word) in [
        (700, "\"job <hex> finished in <dur>\" right behind \"job <hex> fetched input\""),
        (750, "in another order"),
        (800, "3 times instead of 1"),
        (850, "a rare step: \"job <hex> failed"),
    ] {
        assert!(of(job).iter().any(|title| title.contains(word)), "{job} {}: {said:#?}", id(job));
    }
    assert_eq!(said.len(), [700, 750, 800, 850].iter().map(|job| of(*job).len()).sum::<usize>(), "{said:#?}");
    let disk = broken(&seen).into_iter().find(|finding| finding.title.contains("disk")).expect("told");
    assert!(disk.evidence.iter().any(|evidence| evidence.line.contains(&id(850))), "{disk:#?}");
}

#[test]
fn findings_about_sessions_follow_neither_from_partitions_nor_from_restarts() {
    let history = |partitions, restart_at| {
        let (seen, _) = run(DetectConfig::default(), partitions, restart_at);
        let mut found: Vec<String> =
            broken(&seen).iter().map(|f| serde_json::to_string(f).expect("JSON")).collect();
        found.sort();
        found
    };
    let plain = history(Partitions::default(), None);
    assert!(plain.len() >= 4);
    let restarts = (0..8).map(|n| (1 + n % 4, 1 + n % 3, Some(3_300 + 253 * usize::from(n))));
    for (telemetry, summaries, restart_at) in [(3, 1, None), (16, 4, Some(1_000))].into_iter().chain(restarts)
    {
        let partitions = Partitions { telemetry, summaries, findings: 2 };
        assert_eq!(history(partitions, restart_at), plain);
    }
}

#[test]
fn sessions_that_only_teach_are_not_judged_and_those_that_are_judged_do_not_teach() {
    let sessions = Sessions { key: r"job ([0-9a-f]+)".to_owned(), learn: Some(500), verdicts: true };
    let config = DetectConfig { sessions, ..DetectConfig::default() };
    let (_, verdicts) = run(config, Partitions::default(), None);
    assert_eq!(verdicts.len(), JOBS as usize);
    let score = |job: u64| verdicts.iter().find(|verdict| verdict.session == id(job)).expect("judged").score;
    assert!((0..500).all(|job| score(job) == 0.0));
    let broken: Vec<u64> = (500..JOBS).filter(|job| score(*job) >= 0.5).collect();
    // Of five hundred that teach too few have come since the model was young for an order to be that unlikely.
    assert_eq!(broken, [700, 800, 850]);
    assert!(score(600) == score(899) && score(899) > 0.0);
}
