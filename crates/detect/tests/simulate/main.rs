//! The three stages on a simulated journal, served by simulated workers to which everything happens that happens to
//! workers, one seed after another. Whatever happens, the findings and incidents are those of an undisturbed run.
//!
//! A seed decides everything: how the streams are cut, what is shipped together, who serves what and when, who dies,
//! who is taken for dead and goes on, which commits are refused or not heard of. So a seed that fails fails again:
//!
//! ```text
//! FORESHOCK_SIMULATE_SEED=17 cargo test -p foreshock-detect --test simulate -- --nocapture
//! FORESHOCK_SIMULATE_SEEDS=100000 cargo test -p foreshock-detect --test simulate -- --nocapture
//! ```

mod chance;
mod check;
mod growth;
mod journal;
mod machine;
mod owners;
mod runner;
mod shipper;
mod telemetry;
mod workers;
mod world;

use std::{
    collections::BTreeMap,
    env,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use chance::Chance;
use check::History;
use foreshock_detect::{Clock, words_of_panic};
use foreshock_model::Kind;
use telemetry::Telemetry;
use world::{Variant, World};

const SEEDS: u64 = 1_000;
/// From so many seeds on they must show what they are there for.
const TELLING: u64 = 200;

/// What happened in all runs together.
#[derive(Debug, Default)]
struct Tally {
    seeds: u64,
    entries: u64,
    rebalances: u64,
    crashes: u64,
    zombies_refused: u64,
    aborted: u64,
    /// Runs in which streams grew.
    grew: u64,
    findings: BTreeMap<Kind, u64>,
    incidents: u64,
    provisional: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.entries += other.entries;
        self.rebalances += other.rebalances;
        self.crashes += other.crashes;
        self.zombies_refused += other.zombies_refused;
        self.aborted += other.aborted;
        self.grew += other.grew;
        self.incidents += other.incidents;
        self.provisional += other.provisional;
        for (kind, count) in other.findings {
            *self.findings.entry(kind).or_default() += count;
        }
    }

    fn line(&self) -> String {
        let kinds: Vec<String> =
            self.findings.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        format!(
            "simulated: {} seeds, {} entries, {} rebalances, {} crashes, {} zombies refused, {} aborted attempts, \
             {} grown, {} findings ({}), {} provisional ones and {} incidents compared",
            self.seeds,
            self.entries,
            self.rebalances,
            self.crashes,
            self.zombies_refused,
            self.aborted,
            self.grew,
            self.findings.values().sum::<u64>(),
            kinds.join(", "),
            self.provisional,
            self.incidents,
        )
    }
}

/// One run and everything that must be true of it.
fn simulate(seed: u64) -> Result<Tally, String> {
    let mut chance = Chance::new(seed, 0);
    let clock = chance.pick(&[Clock::Event, Clock::Live]);
    let variant = match chance.below(10) {
        0..6 => Variant::Plain,
        6..8 => Variant::Words,
        8 => Variant::Growth,
        _ => Variant::HastyGrowth,
    };
    // A counter that moves to another partition loses the step in which it moves.
    let telemetry = Telemetry::generate(seed, !variant.grows());
    let reference = History::undisturbed(&telemetry, clock);
    let mut world = World::new(seed, &telemetry, clock, variant);
    let told = run(&mut world, &reference).map_err(|why| format!("{}: {why}", world.describe()))?;
    let (entries, aborted) = world.journal.sizes();
    let happened = world.happened;
    let mut findings = BTreeMap::new();
    told.findings.iter().for_each(|finding| *findings.entry(finding.kind).or_default() += 1);
    Ok(Tally {
        seeds: 1,
        entries,
        rebalances: happened.rebalances,
        crashes: happened.crashes,
        zombies_refused: happened.zombies_refused,
        aborted,
        grew: u64::from(happened.grew),
        findings,
        incidents: told.incidents.len() as u64,
        provisional: told.provisional,
    })
}

/// Runs it, and compares: every message with what a replay of the same log makes, and, where nothing came late, the
/// findings and incidents with those of the undisturbed run.
fn run(world: &mut World<'_>, reference: &History) -> Result<History, String> {
    world.run()?;
    check::is_dense(world)?;
    check::is_replayed(world)?;
    let told = History::told(&world.journal)?;
    match world.variant {
        Variant::Words => {}
        Variant::HastyGrowth => {
            let false_ones: Vec<_> = told.silences().difference(&reference.silences()).cloned().collect();
            if !false_ones.is_empty() {
                return Err(format!("growth made silent what is not: {false_ones:?}"));
            }
        }
        Variant::Plain | Variant::Growth => told.compare(reference)?,
    }
    Ok(told)
}

/// Runs all seeds on all cores. On a failure: the lowest seed that failed, and why.
fn simulate_all(seeds: Range<u64>) -> Result<Tally, (u64, String)> {
    let (next, stop) = (AtomicU64::new(seeds.start), AtomicU64::new(seeds.end));
    let (tally, failure) = (Mutex::new(Tally::default()), Mutex::new(None::<(u64, String)>));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= stop.load(Relaxed) {
                return;
            }
            let run = catch_unwind(AssertUnwindSafe(|| simulate(seed)));
            match run.unwrap_or_else(|panic| Err(words_of_panic(&*panic))) {
                Ok(own) => tally.lock().expect("no panic").add(own),
                Err(why) => {
                    stop.fetch_min(seed, Relaxed);
                    let mut failure = failure.lock().expect("no panic");
                    if failure.as_ref().is_none_or(|(first, _)| seed < *first) {
                        *failure = Some((seed, why));
                    }
                }
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    match failure.into_inner().expect("no panic") {
        Some(failure) => Err(failure),
        None => Ok(tally.into_inner().expect("no panic")),
    }
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[test]
fn whatever_happens_to_the_workers_the_findings_are_those_of_an_undisturbed_run() {
    let seeds = match number("FORESHOCK_SIMULATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("FORESHOCK_SIMULATE_SEEDS").unwrap_or(SEEDS),
    };
    let tally = simulate_all(seeds).unwrap_or_else(|(seed, why)| {
        panic!(
            "seed {seed}: {why}\nto see it again: FORESHOCK_SIMULATE_SEED={seed} cargo test -p foreshock-detect --test simulate"
        )
    });
    println!("{}", tally.line());
    if tally.seeds >= TELLING {
        let kinds = tally.findings.values().filter(|count| **count >= tally.seeds / 20).count();
        assert!(kinds >= 5, "too few kinds of findings were compared: {}", tally.line());
        let happened = [
            tally.rebalances,
            tally.crashes,
            tally.zombies_refused,
            tally.aborted,
            tally.incidents,
            20 * tally.grew,
            100 * tally.provisional,
        ];
        assert!(happened.iter().all(|count| *count >= tally.seeds), "too little happened: {}", tally.line());
    }
}
