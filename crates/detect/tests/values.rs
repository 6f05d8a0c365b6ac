//! What lines hold: a number out of range, a value never seen in its place, a place that has many values of a sudden, a
//! pattern that was gone, a host that falls silent: each is told once with its line, nothing else is, and the same
//! whatever the partitions.

mod support;

use std::collections::BTreeMap;

use foreshock_detect::{
    Clock, DetectConfig, InputKind,
    pipeline::{Entry, Partitions, Pipeline, Seen},
};
use foreshock_model::{Finding, Kind, Tenant, Timestamp};
use support::{LOGS, at, feed, logs};

const HOURS: u64 = 14;
/// Seconds between the lines of an instance.
const STEP: u64 = 5;
const INSTANCES: [&str; 3] = ["a", "b", "c"];

/// xorshift64*: the test's own noise.
struct Noise(u64);

impl Noise {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}

/// The lines of an instance at a second. What is planted comes from the second one.
fn lines(second: u64, instance: usize, noise: &mut Noise) -> Vec<String> {
    let mut lines = Vec::new();
    let (n, user, region) = (noise.below(100_000), noise.below(8), noise.below(3));
    let millis = 20 + noise.below(10) + noise.below(30);
    lines.push(match noise.below(3) {
        0 => format!("INFO order {n} of user=person{user} booked in {millis} ms"),
        1 => format!("INFO copy {n} of page sent to region=r{region} by worker {}", noise.below(9)),
        _ => format!("INFO cache swept, {} pages kept", 300 + noise.below(100)),
    });
    let planted = |hour: f64| instance == 1 && second == (hour * 3_600.0) as u64 / STEP * STEP;
    // Comes at any time for four hours, and once more nine hours later.
    if (second < 4 * 3_600 && instance == 0 && noise.below(96) == 0) || planted(13.5) {
        lines.push(format!("INFO compaction of shard {} began", n % 7));
    }
    if planted(12.2) {
        lines.push(format!("INFO order {n} of user=person3 booked in 61000 ms"));
    }
    if planted(12.6) {
        lines.push(format!("INFO order {n} of user=mallory booked in 33 ms"));
    }
    if instance == 1 && (13 * 3_600..13 * 3_600 + 400).contains(&second) {
        lines.push(format!("INFO copy {n} of page sent to region=x{n} by worker 3"));
    }
    lines
}

fn run(partitions: Partitions, restarts: &[u64]) -> Seen {
    let config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
    let mut pipeline = Pipeline::new(config.clone(), partitions);
    let (tenant, mut noise) = (Tenant::default(), Noise(11));
    let mut open: BTreeMap<usize, Vec<(u64, String)>> = BTreeMap::new();
    for second in (0..HOURS * 3_600).step_by(STEP as usize) {
        for instance in 0..INSTANCES.len() {
            let nanos = at(second) + instance as u64 * 1_000_000;
            let said = lines(second, instance, &mut noise).into_iter().map(|line| (nanos, line));
            open.entry(instance).or_default().extend(said);
        }
        // The last is read first.
        for (instance, lines) in std::mem::take(&mut open).into_iter().rev() {
            let payload = logs("ledger", INSTANCES[instance], lines);
            let received = Timestamp::default();
            let entry = Entry { tenant: &tenant, received, kind: InputKind::Data, payload: &payload };
            pipeline.feed(LOGS, instance as u16 % partitions.telemetry, entry);
        }
        if restarts.contains(&second) {
            pipeline.restart(config.clone(), partitions);
        }
    }
    pipeline.finish();
    pipeline.take()
}

fn told(seen: &Seen) -> Vec<&Finding> {
    let mut told: Vec<&Finding> = seen.findings.iter().filter(|finding| !finding.provisional).collect();
    told.sort_by_key(|finding| (finding.window_end, finding.id));
    told
}

#[test]
fn each_is_told_once_with_its_line_and_nothing_else_is() {
    let seen = run(Partitions::default(), &[]);
    let told = told(&seen);
    let summary: Vec<_> = told
        .iter()
        .map(|finding| (finding.kind, finding.evidence.first().map_or("", |line| line.line.as_str())))
        .collect();
    let expected = [
        (Kind::ParameterValue, "booked in 61000 ms"),
        (Kind::NewValue, "user=mallory"),
        // Of many the first is one.
        (Kind::NewValue, "region=x"),
        (Kind::Cardinality, "region=x"),
        (Kind::ReturningPattern, "compaction of shard"),
    ];
    assert_eq!(summary.len(), expected.len(), "{summary:#?}");
    for ((kind, line), (expected, part)) in summary.iter().zip(expected) {
        assert!(*kind == expected && line.contains(part), "{summary:#?}");
    }
    assert_eq!((told[0].observed, told[0].labels["unit"].as_str()), (61.0, "s"));
    assert!(told[0].expected.high < 0.1, "{:?}", told[0].expected);
    assert!(told.iter().all(|finding| finding.evidence[0].instance == "b"), "{told:#?}");
}

#[test]
fn what_is_told_does_not_follow_from_partitions_or_restarts() {
    let json = |seen: &Seen| -> Vec<String> {
        told(seen).iter().map(|finding| serde_json::to_string(finding).expect("JSON")).collect()
    };
    let plain = json(&run(Partitions::default(), &[]));
    assert!(!plain.is_empty());
    let restarts = [70 * STEP, 12 * 3_600 + 720, 13 * 3_600 + 100];
    let spread = run(Partitions { telemetry: 3, summaries: 2, findings: 1 }, &restarts);
    assert_eq!(plain, json(&spread));
}

#[test]
fn a_host_named_in_the_lines_of_one_file_is_missed_and_the_others_are_not() {
    let config = DetectConfig { clock: Clock::Event, ..DetectConfig::default() };
    let mut pipeline = Pipeline::new(config, Partitions::default());
    let (tenant, mut noise) = (Tenant::default(), Noise(5));
    for minute in 0..180 {
        let lines = (0..60).map(|second| {
            let mut host = noise.below(4);
            // Silent for 25 minutes, in which the others say more.
            if host == 2 && (120..145).contains(&minute) {
                host = 3;
            }
            let line =
                format!("{{\"host\":\"node{host}\",\"msg\":\"request {} served\"}}", noise.below(1_000));
            (at(minute * 60 + second), line)
        });
        feed(&mut pipeline, &tenant, LOGS, &logs("shop", "collector", lines));
    }
    pipeline.finish();
    let seen = pipeline.take();
    let told = told(&seen);
    assert!(!told.is_empty());
    for finding in told {
        assert_eq!((finding.kind, finding.series.as_str()), (Kind::Silence, "node2"), "{finding:#?}");
        let minute = (finding.window_end.nanos() - at(0)) / 60_000_000_000;
        assert!((122..=146).contains(&minute), "{finding:#?}");
    }
}
