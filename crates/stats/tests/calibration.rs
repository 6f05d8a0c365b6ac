//! On clean series a tail of p must not come more often than p. Both tails are judged, each at its own level.

#[path = "simulate/mod.rs"]
mod simulate;

use foreshock_stats::{CountBaseline, End, Level, LevelShift, PaceWatch, ValueRange};
use simulate::{CLEAN, CLEAN_COUNTS, Random, excess};

/// Windows of a series that are not judged: what must hold holds after learning.
const LEARNING: usize = 100;
const SERIES: u64 = 30;
const WINDOWS: usize = 5_000;

/// What an honest tail may show by chance at that many windows: three standard errors.
fn allowed(factor: f64, tests: usize, level: f64) -> f64 {
    let expected = tests as f64 * libm::pow(10.0, -level);
    factor + 3.0 * (factor / expected).sqrt()
}

fn check(kind: &str, factor: f64, up: &[f64], down: &[f64]) -> Result<(), String> {
    let sides = [("up", excess(up)), ("down", excess(down))];
    println!("{kind:26} up {:5.2?} down {:5.2?}", sides[0].1, sides[1].1);
    for (side, ratios) in sides {
        for (ratio, level) in ratios.into_iter().zip([2.0, 3.0, 4.0]) {
            let limit = allowed(factor, up.len(), level);
            if ratio > limit {
                return Err(format!(
                    "{kind}: 1e-{level} {side} comes {ratio:.2} times too often, {limit:.2} is allowed"
                ));
            }
        }
    }
    Ok(())
}

fn all_hold(results: Vec<Result<(), String>>) {
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn levels_of_clean_metrics_are_no_more_surprising_than_they_say() {
    let mut results = Vec::new();
    for (kind, make) in CLEAN {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for seed in 0..SERIES {
            let mut level = Level::default();
            for (window, value) in make(&mut Random::new(seed), WINDOWS).into_iter().enumerate() {
                let verdict = level.observe(value);
                if window >= LEARNING {
                    up.push(verdict.up.surprise());
                    down.push(verdict.down.surprise());
                }
            }
        }
        results.push(check(kind, 2.0, &up, &down));
    }
    all_hold(results);
}

#[test]
fn counts_of_clean_patterns_are_no_more_surprising_than_they_say() {
    let mut results = Vec::new();
    for (kind, make) in CLEAN_COUNTS {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for seed in 0..SERIES {
            let mut baseline = CountBaseline::default();
            for (window, count) in make(&mut Random::new(seed), WINDOWS).into_iter().enumerate() {
                let verdict = baseline.observe(count);
                if window >= LEARNING {
                    up.push(verdict.up.surprise());
                    down.push(verdict.down.surprise());
                }
            }
        }
        results.push(check(kind, 1.3, &up, &down));
    }
    all_hold(results);
}

#[test]
fn shifts_of_clean_metrics_are_no_more_surprising_than_they_say() {
    let mut results = Vec::new();
    for (kind, make) in CLEAN {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for seed in 0..SERIES {
            let (mut level, mut shift) = (Level::default(), LevelShift::default());
            for (window, value) in make(&mut Random::new(seed), WINDOWS).into_iter().enumerate() {
                let verdict = shift.observe(level.observe(value).score());
                if window >= LEARNING {
                    up.push(verdict.up.surprise());
                    down.push(verdict.down.surprise());
                }
            }
        }
        results.push(check(kind, 2.0, &up, &down));
    }
    all_hold(results);
}

#[test]
fn young_baselines_do_not_cry_wolf() {
    let mut results = Vec::new();
    for (kind, make) in CLEAN {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for seed in 0..2_000 {
            let mut level = Level::default();
            for value in make(&mut Random::new(seed), 60) {
                let verdict = level.observe(value);
                up.push(verdict.up.surprise());
                down.push(verdict.down.surprise());
            }
        }
        results.push(check(kind, 2.0, &up, &down));
    }
    for (kind, make) in CLEAN_COUNTS {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for seed in 0..2_000 {
            let mut baseline = CountBaseline::default();
            for count in make(&mut Random::new(seed), 60) {
                let verdict = baseline.observe(count);
                up.push(verdict.up.surprise());
                down.push(verdict.down.surprise());
            }
        }
        results.push(check(kind, 1.3, &up, &down));
    }
    all_hold(results);
}

#[test]
fn changes_of_pace_of_clean_patterns_are_no_more_surprising_than_they_say() {
    // Two of a kind beside one another: each is the whole that the other goes with.
    let mut results = Vec::new();
    for (kind, make) in CLEAN_COUNTS {
        let (mut unit, mut stretch) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for seed in 0..SERIES {
            let counts = |seed| make(&mut Random::new(seed), WINDOWS);
            let mut watch = PaceWatch::default();
            for (window, (own, others)) in counts(seed).into_iter().zip(counts(seed + SERIES)).enumerate() {
                watch.push(own, others);
                let (of_unit, of_stretch) = (watch.judge_unit(false), watch.judge_stretch(None));
                // Stretches that overlap are no tests of their own.
                let of_stretch = of_stretch.filter(|_| window % PaceWatch::STRETCH == 0);
                let judged = [(of_unit, &mut unit), (of_stretch, &mut stretch)];
                for (pace, [up, down]) in judged.into_iter().filter(|_| window >= LEARNING) {
                    up.extend(pace.map(|pace| pace.up.surprise()));
                    down.extend(pace.map(|pace| pace.down.surprise()));
                }
            }
        }
        results.push(check(&format!("{kind}, unit"), 2.0, &unit[0], &unit[1]));
        results.push(check(&format!("{kind}, stretch"), 2.0, &stretch[0], &stretch[1]));
    }
    all_hold(results);
}

#[test]
fn values_beyond_the_range_of_clean_quantities_are_no_more_surprising_than_they_say() {
    type Draw = fn(&mut Random, usize) -> f64;
    let quantities: [(&str, Draw); 7] = [
        ("log-normal", |r, _| 20.0 * libm::exp(0.35 * r.normal())),
        ("log-normal, wide", |r, _| libm::exp(2.0 * r.normal())),
        ("power law, 1.2", |r, _| libm::pow(r.uniform(), -1.0 / 1.2)),
        ("exponential", |r, _| r.exponential()),
        ("uniform", |r, _| (1_024.0 + 64_000.0 * r.uniform()).floor()),
        ("fast and slow", |r, _| {
            let slow = r.uniform() < 0.02;
            libm::exp(0.2 * r.normal()) * if slow { 300.0 } else { 1.0 }
        }),
        ("counter", |_, n| n as f64 + 1.0),
    ];
    let mut results = Vec::new();
    for (kind, draw) in quantities {
        let (mut high, mut low) = (Vec::new(), Vec::new());
        for seed in 0..10 * SERIES {
            let (mut random, mut range) = (Random::new(seed), ValueRange::default());
            for n in 0..WINDOWS / 2 {
                let value = draw(&mut random, n);
                let surprise = |end| range.judge(end, value, 1).map_or(0.0, |beyond| beyond.tail.surprise());
                high.push(surprise(End::High));
                low.push(surprise(End::Low));
                range.learn(1, &[value], &[value]);
            }
        }
        results.push(check(kind, 1.0, &high, &low));
    }
    all_hold(results);
}
