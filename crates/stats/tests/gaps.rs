//! Silences: what is regular is missed soon, what is not is not missed.

#[path = "simulate/mod.rs"]
mod simulate;

use foreshock_stats::{Confidence, Regularity, Tail};
use simulate::{Random, usual};

/// A name, and what draws a gap of it.
type Kind = (&'static str, fn(&mut Random) -> f64);

#[test]
fn a_silent_job_is_overdue_by_its_second_period() {
    for (intervals, needed) in [(60, 6.0), (20, 6.0), (9, 3.5)] {
        let surprise = usual(50, |r| {
            let mut regularity = Regularity::new(0.0);
            let mut t = 0.0;
            for _ in 0..=intervals {
                regularity.arrival(t);
                t += 600.0 * (1.0 + 0.1 * r.normal());
            }
            regularity.arrival(t);
            let last = t;
            let deadline = regularity.deadline(Tail::from_surprise(3.0)).unwrap();
            assert!(deadline > last + 600.0 && deadline < last + 1_200.0);
            assert!(regularity.overdue(deadline).tail.surprise() > 2.999);
            assert!(regularity.overdue(deadline - 1.0).tail.surprise() < 3.0);
            regularity.overdue(t + 1_200.0).tail.surprise()
        });
        println!("silent for two periods after {intervals} intervals: {surprise}");
        assert!(surprise >= needed, "{surprise} after {intervals} intervals");
    }
}

#[test]
fn silences_of_regular_and_bursty_sources_are_no_more_surprising_than_they_say() {
    let kinds: [Kind; 4] = [
        ("steady", |r| 60.0 * (1.0 + 0.1 * r.normal()).max(0.1)),
        ("gamma, 4", |r| 15.0 * r.gamma(4.0)),
        ("Poisson", |r| 60.0 * r.exponential()),
        ("one missed in ten", |r| {
            60.0 * (1.0 + 0.05 * r.normal()) * if r.uniform() < 0.1 { 2.0 } else { 1.0 }
        }),
    ];
    for (kind, gap) in kinds {
        let mut surprises = Vec::new();
        for seed in 0..50 {
            let r = &mut Random::new(seed);
            let mut regularity = Regularity::new(0.0);
            let mut t = 0.0;
            for interval in 0..2_000 {
                t += gap(r);
                let overdue = regularity.arrival(t);
                // A gap of two kinds can't be known before the second kind came.
                if overdue.learned.is_ready() && interval > 60 {
                    surprises.push(overdue.tail.surprise());
                }
            }
        }
        let ratios = simulate::excess(&surprises);
        println!("silences, {kind}: {} judged, {ratios:?}", surprises.len());
        assert!(ratios[0] < 2.0 && ratios[1] < 2.6 && ratios[2] < 4.0, "{kind}: {ratios:?}");
    }
}

#[test]
fn few_intervals_are_no_excuse_for_false_alarms() {
    let mut surprises = Vec::new();
    for seed in 0..4_000 {
        let r = &mut Random::new(seed);
        let mut regularity = Regularity::new(0.0);
        let mut t = 0.0;
        for _ in 0..14 {
            t += 10.0 * r.gamma(6.0);
            let overdue = regularity.arrival(t);
            if overdue.learned.is_ready() {
                surprises.push(overdue.tail.surprise());
            }
        }
    }
    let ratios = simulate::excess(&surprises);
    println!("silences after 8 to 12 intervals: {} judged, {ratios:?}", surprises.len());
    assert!(surprises.len() > 10_000);
    assert!(ratios[0] < 2.0 && ratios[1] < 2.5 && ratios[2] < 4.0, "{ratios:?}");
}

#[test]
fn what_is_not_regular_is_not_missed() {
    let r = &mut Random::new(5);
    let mut regularity = Regularity::new(0.0);
    let mut t = 0.0;
    for _ in 0..50 {
        regularity.arrival(t);
        // Clumps of arrivals an hour apart.
        t += if r.uniform() < 0.9 { 1.0 } else { 3_600.0 };
    }
    assert_eq!(regularity.learned(), Confidence::NotYet);
    assert_eq!(regularity.deadline(Tail::from_surprise(6.0)), None);
    assert_eq!(regularity.overdue(t + 1e6).tail, Tail::ONE);
}

#[test]
fn a_burst_is_one_arrival_and_our_own_blindness_is_nobodys_silence() {
    let mut regularity = Regularity::new(5.0);
    for job in 0..30 {
        for line in 0..20 {
            regularity.arrival(f64::from(job) * 600.0 + f64::from(line) * 0.2);
        }
    }
    assert!((regularity.period_secs() - 596.2).abs() < 0.1, "{}", regularity.period_secs());
    assert_eq!(regularity.learned(), Confidence::Early);
    let last = 29.0 * 600.0 + 3.8;
    assert!(regularity.overdue(last + 1_800.0).tail.surprise() > 6.0);
    regularity.excuse(1_500.0);
    assert!(regularity.overdue(last + 1_800.0).tail.surprise() < 1.0);
}

#[test]
fn one_outage_is_not_learned_and_a_new_period_is() {
    let mut regularity = Regularity::new(0.0);
    let mut t = 0.0;
    for _ in 0..40 {
        t += 60.0;
        regularity.arrival(t);
    }
    t += 3_600.0;
    regularity.arrival(t);
    assert!((regularity.period_secs() - 60.0).abs() < 1e-6);
    for _ in 0..200 {
        t += 300.0;
        regularity.arrival(t);
    }
    assert!((regularity.period_secs() - 300.0).abs() < 30.0, "{}", regularity.period_secs());
    assert!(regularity.overdue(t + 300.0).tail.surprise() < 2.0);
}
