//! What every estimator owes whoever keeps its state: restored it goes on as if nothing had happened, absurd input does
//! not poison it, and it says the same on every run.

#[path = "simulate/mod.rs"]
mod simulate;

use foreshock_stats::{
    CountBaseline, ErrorShare, FlatLine, Level, LevelShift, Novelty, Regularity, RunOut, Shown, Tail,
    Verdict, series::ShapeWatch,
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

fn reload<T: Serialize + DeserializeOwned>(state: &T) -> T {
    let bytes = postcard::to_stdvec(state).expect("own state is written");
    postcard::from_bytes(&bytes).expect("own state is read")
}

fn sane(verdict: &Verdict) {
    for tail in [verdict.up, verdict.down] {
        assert!((0.0..=Tail::MOST).contains(&tail.surprise()), "{verdict:?}");
    }
    assert!(!verdict.mean.is_nan() && verdict.expected.0 <= verdict.expected.1, "{verdict:?}");
}

/// A value as telemetry has them, the absurd ones too.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -100.0..100.0_f64,
        2 => (0..20_i32).prop_map(f64::from),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(0.0), Just(-0.0)],
        1 => prop_oneof![Just(1e300), Just(-1e300), Just(1e-300), Just(f64::MAX), Just(1e12)],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_level_and_its_shift_survive_any_values_and_a_reload(values in prop::collection::vec(value(), 1..300), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(values.len());
        let (mut level, mut shift, mut flat) = (Level::default(), LevelShift::default(), FlatLine::default());
        for (i, value) in values.iter().enumerate() {
            if i == cut {
                let (was_level, was_shift, was_flat) = (level, shift, flat);
                (level, shift, flat) = (reload(&level), reload(&shift), reload(&flat));
                prop_assert_eq!(level, was_level);
                prop_assert_eq!(shift, was_shift);
                prop_assert_eq!(flat, was_flat);
            }
            let verdict = level.observe(*value);
            sane(&verdict);
            let shifted = shift.observe(verdict.score());
            prop_assert!(shifted.surprise() >= 0.0 && shifted.surprise() <= Tail::MOST);
            prop_assert!(flat.observe(*value).tail.surprise() <= 12.0);
        }
    }

    #[test]
    fn counts_and_shares_survive_any_values_and_a_reload(counts in prop::collection::vec(prop_oneof![8 => 0..200_u64, 1 => any::<u64>()], 1..300)) {
        let (mut baseline, mut share, mut novelty) = (CountBaseline::default(), ErrorShare::default(), Novelty::default());
        for (i, count) in counts.iter().enumerate() {
            sane(&baseline.observe(*count));
            sane(&share.observe(count / 3, *count));
            let shown = Shown { lines: *count, new: count / 100, new_lines: count / 20 };
            prop_assert!(novelty.observe(shown, count / 200).surprise() >= 0.0);
            if i == counts.len() / 2 {
                prop_assert_eq!(reload(&baseline), baseline);
                prop_assert_eq!(reload(&share), share);
                prop_assert_eq!(reload(&novelty), novelty);
            }
        }
    }

    #[test]
    fn a_shape_survives_any_counts_and_a_reload(minutes in prop::collection::vec(prop::collection::vec((prop_oneof![8 => -30..30_i32, 1 => any::<i32>()], prop_oneof![8 => 0..200_u64, 1 => any::<u64>()]), 0..12), 1..40), every in prop_oneof![Just(1_u32), Just(3), Just(5_000)]) {
        let mut shape = ShapeWatch::default();
        for (i, counts) in minutes.iter().cycle().take(2_000).enumerate() {
            let secs = 1.7e9 + 60.0 * f64::from(every) * i as f64;
            if let Some(seen) = shape.observe(secs, counts) {
                prop_assert!((0.0..=4.000_001).contains(&seen.distance) && !seen.usual.is_nan(), "{seen:?}");
            }
            if let Some(gain) = shape.gain() {
                prop_assert!((0.0..=1.000_001).contains(&gain.now) && (0.0..=1.000_001).contains(&gain.before), "{gain:?}");
            }
            if i % 500 == 7 {
                prop_assert_eq!(reload(&shape), shape);
            }
        }
    }

    #[test]
    fn arrivals_and_resources_survive_any_times_and_a_reload(steps in prop::collection::vec((value(), value()), 1..300)) {
        let (mut regularity, mut resource) = (Regularity::new(0.5), RunOut::new(60.0));
        let mut now = 1.7e9;
        for (step, value) in steps {
            regularity.arrival(now + step);
            let overdue = regularity.overdue(now);
            prop_assert!(overdue.tail.surprise() >= 0.0 && !overdue.mean_secs.is_nan());
            if let Some(deadline) = regularity.deadline(Tail::from_surprise(6.0)) {
                prop_assert!(deadline.is_finite());
            }
            resource.observe(now, value);
            if let Some(forecast) = resource.forecast(1_000.0) {
                prop_assert!(forecast.low <= forecast.at && forecast.at <= forecast.high, "{:?}", forecast);
            }
            now += 60.0;
        }
        prop_assert_eq!(reload(&regularity), regularity);
        prop_assert_eq!(reload(&resource), resource);
    }
}

#[test]
fn a_lost_window_is_no_fault_for_any_kind_of_series() {
    for (kind, make) in simulate::CLEAN {
        let mut surprises = Vec::new();
        for seed in 0..10 {
            let r = &mut simulate::Random::new(seed);
            let mut level = Level::default();
            for (window, value) in make(&mut simulate::Random::new(seed + 100), 5_000).into_iter().enumerate()
            {
                // One window in twenty is missing, now and then ten in a row.
                if r.uniform() < 0.05 || window % 500 < 10 {
                    level.observe(f64::NAN);
                } else if window > 100 {
                    surprises.push(level.observe(value).surprise());
                } else {
                    level.observe(value);
                }
            }
        }
        let ratios = simulate::excess(&surprises);
        println!("gaps, {kind}: {ratios:?}");
        // Both sides in one: twice what each may show.
        assert!(ratios[0] < 4.0 && ratios[1] < 5.0 && ratios[2] < 8.0, "{kind}: {ratios:?}");
    }
}
