//! The shape of a histogram: its p-values are never too small, and what moves without its mean is told within minutes.
#![allow(clippy::unwrap_used)]

mod simulate;

use std::f64::consts::TAU;

use foreshock_stats::series::{Gain, LEAST_CELL, MOST_CELL, ShapeSeen, ShapeWatch};
use simulate::Random;

const START: f64 = 1.7e9;
const DAY: usize = 1_440;

/// Counts of so many values, on average, of shares by cell from `first` on.
fn counts(r: &mut Random, first: i32, shares: &[f64], values: f64) -> Vec<(i32, u64)> {
    let all: f64 = shares.iter().sum();
    shares.iter().zip(first..).map(|(share, cell)| (cell, r.poisson(values * share / all))).collect()
}

/// Shares of a normal in logarithms about a cell.
fn bell(middle: f64, width: f64) -> Vec<f64> {
    (0..20).map(|cell| libm::exp(-0.5 * libm::pow((f64::from(cell) - middle) / width, 2.0))).collect()
}

/// Shares that wobble by a gamma of this shape each.
fn wobbling(r: &mut Random, shares: &[f64], shape: f64) -> Vec<f64> {
    shares.iter().map(|share| share * r.gamma(shape) / shape).collect()
}

type Make = fn(&mut Random, usize) -> Vec<(i32, u64)>;

fn day(minute: usize) -> f64 {
    libm::sin(TAU * minute as f64 / DAY as f64)
}

const CLEAN: &[(&str, Make)] = &[
    ("many values", |r, _| counts(r, -12, &bell(9.0, 2.0), 6_000.0)),
    ("few values", |r, _| counts(r, -12, &bell(9.0, 2.0), 25.0)),
    ("very few values", |r, _| counts(r, -12, &bell(9.0, 2.0), 9.0)),
    ("shares that wobble", |r, _| {
        let shares = wobbling(r, &bell(9.0, 2.0), 10.0);
        counts(r, -12, &shares, 1_000.0)
    }),
    ("shares that wobble much", |r, _| {
        let shares = wobbling(r, &bell(9.0, 2.0), 1.0);
        counts(r, -12, &shares, 300.0)
    }),
    ("level that wobbles", |r, _| {
        let middle = 9.0 + r.student(4.0);
        counts(r, -12, &bell(middle, 2.0), 1_000.0)
    }),
    ("daily mix and load", |r, minute| {
        let slow = 0.3 + 0.25 * day(minute);
        let shares: Vec<f64> =
            bell(6.0, 1.5).iter().zip(bell(13.0, 1.5)).map(|(a, b)| (1.0 - slow) * a + slow * b).collect();
        counts(r, -12, &shares, 300.0 * (1.1 - day(minute)))
    }),
    ("daily level, bursts", |r, minute| {
        let middle = 9.0 + 1.5 * day(minute);
        let values = 200.0 * r.gamma(0.5);
        counts(r, -12, &bell(middle, 2.0), values)
    }),
];

/// A histogram whose last minutes are made otherwise than its days before: what is seen in these, minute by minute, and the gain then.
fn course(r: &mut Random, days: usize, usual: Make, then: Make, minutes: usize) -> Vec<(ShapeSeen, Gain)> {
    let mut watch = ShapeWatch::default();
    let mut course = Vec::new();
    for minute in 0..days * DAY + minutes {
        let make = if minute < days * DAY { usual } else { then };
        let seen = watch.observe(START + 60.0 * minute as f64, &make(r, minute));
        if minute >= days * DAY {
            course.push((seen.unwrap(), watch.gain().unwrap()));
        }
    }
    course
}

fn is_told((seen, _): &(ShapeSeen, Gain)) -> bool {
    seen.is_large() && seen.tail.surprise() >= 4.0
}

/// Two bells as far to both sides of where one was.
fn split() -> Vec<f64> {
    bell(6.0, 1.0).iter().zip(bell(12.0, 1.0)).map(|(a, b)| a + b).collect()
}

#[test]
fn a_bell_that_splits_about_its_mean_is_told_within_minutes_and_an_hour_later_it_is_normal() {
    let kinds: [(&str, Make, Make); 3] = [
        ("many", |r, _| counts(r, -12, &bell(9.0, 1.5), 6_000.0), |r, _| counts(r, -12, &split(), 6_000.0)),
        ("few", |r, _| counts(r, -12, &bell(9.0, 1.5), 30.0), |r, _| counts(r, -12, &split(), 30.0)),
        (
            "wobbling",
            |r, _| {
                let shares = wobbling(r, &bell(9.0, 1.5), 10.0);
                counts(r, -12, &shares, 600.0)
            },
            |r, _| {
                let shares = wobbling(r, &split(), 10.0);
                counts(r, -12, &shares, 600.0)
            },
        ),
    ];
    for (kind, usual, then) in kinds {
        for seed in 0..8 {
            let course = course(&mut Random::new(seed), 3, usual, then, 180);
            let first = course.iter().position(is_told).unwrap_or(usize::MAX);
            let most = course.iter().map(|(seen, _)| seen.tail.surprise()).fold(0.0, f64::max);
            let minutes = course.iter().filter(|at| is_told(at)).count();
            println!("{kind}: told after {} minutes, in {minutes}, surprise up to {most:.1}", first + 1);
            assert!(first < 10, "{kind}: told after {first} minutes");
            let far = course[90..].iter().any(|(seen, _)| seen.is_large());
            assert!(!far, "{kind}: what has lasted for an hour is not what is compared with");
            let (seen, gain) = course[first];
            assert!(seen.usual < seen.distance, "{kind}: {seen:?}");
            let gained = gain.above.unwrap_or(-13) + 1..=gain.up_to.unwrap();
            // One of the two new bells: 6 and 12 cells after the first.
            assert!(gained.contains(&-6) != gained.contains(&0), "{kind}: {gain:?}");
            assert!(gain.now > gain.before + 0.05, "{kind}: {gain:?}");
        }
    }
}

#[test]
fn what_comes_with_every_day_is_not_told_and_what_does_not_is() {
    let daily = CLEAN.iter().find(|(kind, _)| *kind == "daily mix and load").unwrap().1;
    let third: Make = |r, _| counts(r, -12, &bell(0.0, 1.0), 300.0);
    for seed in 0..8 {
        let first = course(&mut Random::new(seed), 7, daily, third, 30).iter().position(is_told);
        println!("told after {first:?} minutes");
        assert!(first.is_some_and(|first| first < 15), "{first:?}");
    }
}

#[test]
fn values_beyond_all_cells_and_zeros_have_places() {
    let mut watch = ShapeWatch::default();
    for minute in 0..2 * DAY {
        // The first minute is that of a start, far above all others; most values are 0.
        let cell = if minute == 0 { 40 } else { 0 };
        let counts = [(LEAST_CELL, 300), (cell, 100), (cell + 1, 100), (MOST_CELL, 1)];
        watch.observe(START + 60.0 * minute as f64, &counts);
    }
    let then = [(LEAST_CELL, 300), (0, 100), (1, 20), (MOST_CELL, 81)];
    let seen = (0..10).map(|minute| watch.observe(START + 60.0 * (2 * DAY + minute) as f64, &then).unwrap());
    assert!(seen.last().unwrap().distance > 0.1);
    let gain = watch.gain().unwrap();
    assert_eq!((gain.above, gain.up_to), (Some(1), None));
}

#[test]
fn a_shape_is_small() {
    println!("{} bytes", size_of::<ShapeWatch>());
    assert!(size_of::<ShapeWatch>() <= 256);
}

#[test]
fn p_values_of_a_shape_are_never_too_small() {
    let (days, histograms) = (10, 24);
    let mut failures = Vec::new();
    for (kind, make) in CLEAN {
        let (mut tests, mut below) = (0_u64, [0_u64; 7]);
        let mut large = 0_u64;
        for seed in 0..histograms {
            let (mut r, mut watch) = (Random::new(seed), ShapeWatch::default());
            for minute in 0..days * DAY {
                let counts = make(&mut r, minute);
                let Some(seen) = watch.observe(START + 60.0 * minute as f64, &counts) else { continue };
                tests += 1;
                for (below, level) in below.iter_mut().zip(0_u8..) {
                    *below += u64::from(seen.tail.surprise() >= f64::from(level));
                }
                large += u64::from(seen.is_large() && seen.tail.surprise() >= 3.0);
            }
        }
        let ratio = |level: usize| below[level] as f64 / (tests as f64 * libm::pow(10.0, -(level as f64)));
        println!(
            "{kind:24} {tests:7} tests, 1e-1 to 1e-6 {:5.2?}, {large} large",
            [1, 2, 3, 4, 5, 6].map(ratio)
        );
        for level in [2, 3, 4] {
            // Ten minutes hang together, so exceedances come in clusters of about twenty.
            let expected = tests as f64 * libm::pow(10.0, -(level as f64));
            let most = 1.0 + 3.0 * (20.0 / expected).sqrt();
            if ratio(level) > most {
                failures.push(format!("{kind}: 1e-{level} comes {:.2} times as often", ratio(level)));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
