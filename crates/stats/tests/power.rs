//! Faults must be seen: how much each kind is worth, after learning a series without them.

#[path = "simulate/mod.rs"]
mod simulate;

use foreshock_stats::{CountBaseline, ErrorShare, FlatLine, Level, LevelShift, Regularity, RunOut, Tail};
use simulate::{Random, usual};

fn learned_level(r: &mut Random, windows: usize) -> (Level, LevelShift) {
    let (mut level, mut shift) = (Level::default(), LevelShift::default());
    for _ in 0..windows {
        shift.observe(level.observe(100.0 + 5.0 * r.normal()).score());
    }
    (level, shift)
}

#[test]
fn a_step_of_six_sigma_is_a_shift_within_three_windows() {
    let surprise = usual(50, |r| {
        let (mut level, mut shift) = learned_level(r, 300);
        (0..3)
            .map(|_| shift.observe(level.observe(130.0 + 5.0 * r.normal()).score()))
            .map(|v| v.up.surprise())
            .fold(0.0, f64::max)
    });
    println!("step of 6 sigma: {surprise}");
    assert!(surprise >= 9.0, "{surprise}");
}

#[test]
fn a_step_after_ten_minutes_of_ten_second_windows_is_seen() {
    let surprise = usual(50, |r| {
        let (mut level, mut shift) = learned_level(r, 60);
        (0..3)
            .map(|_| shift.observe(level.observe(150.0 + 5.0 * r.normal()).score()))
            .map(|v| v.up.surprise())
            .fold(0.0, f64::max)
    });
    println!("step of 10 sigma after 60 windows: {surprise}");
    assert!(surprise >= 6.0, "{surprise}");
}

#[test]
fn a_lone_spike_is_a_spike_and_not_a_shift() {
    for seed in 0..50 {
        let r = &mut Random::new(seed);
        let (mut level, mut shift) = learned_level(r, 300);
        let spike = level.observe(200.0);
        assert!(spike.up.surprise() >= 5.0, "{}", spike.up.surprise());
        let mut lasting = shift.observe(spike.score()).surprise();
        for _ in 0..5 {
            lasting = lasting.max(shift.observe(level.observe(100.0 + 5.0 * r.normal()).score()).surprise());
        }
        assert!(lasting < 4.0, "{lasting}");
    }
}

#[test]
fn a_moderate_shift_is_worth_more_together_than_each_window_alone() {
    let mut gained = 0;
    for seed in 0..50 {
        let r = &mut Random::new(seed);
        let (mut level, mut shift) = learned_level(r, 500);
        let (mut alone, mut together) = (0.0_f64, 0.0_f64);
        for _ in 0..8 {
            let verdict = level.observe(115.0 + 5.0 * r.normal());
            alone = alone.max(verdict.up.surprise());
            together = together.max(shift.observe(verdict.score()).up.surprise());
        }
        gained += u32::from(together > alone && together > 4.0);
    }
    println!("shifts of 3 sigma worth more together: {gained} of 50");
    assert!(gained >= 40, "{gained}");
}

#[test]
fn a_level_that_lasts_is_accepted_once() {
    let r = &mut Random::new(1);
    let (mut level, _) = learned_level(r, 300);
    let verdicts: Vec<_> = (0..200).map(|_| level.observe(500.0 + 5.0 * r.normal())).collect();
    assert_eq!(verdicts.iter().filter(|v| v.new_normal).count(), 1);
    assert!(verdicts[29].new_normal);
    assert!(verdicts[60..].iter().all(|v| v.surprise() < 5.0));
}

#[test]
fn a_gap_teaches_nothing() {
    let r = &mut Random::new(2);
    let (mut level, _) = learned_level(r, 300);
    let before = level.judge(130.0);
    (0..5).for_each(|_| {
        level.observe(f64::NAN);
    });
    let after = level.judge(130.0);
    assert_eq!(before.mean, after.mean);
    assert!(after.up >= before.up);
}

#[test]
fn four_times_the_lines_are_seen_in_one_window() {
    for (windows, needed) in [(300, 9.0), (60, 6.0), (12, 3.5)] {
        let surprise = usual(50, |r| {
            let mut baseline = CountBaseline::default();
            (0..windows).for_each(|_| {
                baseline.observe(r.poisson(20.0));
            });
            baseline.observe(80).up.surprise()
        });
        println!("count x4 at mean 20 after {windows} windows: {surprise}");
        assert!(surprise >= needed, "{surprise} after {windows} windows");
    }
}

#[test]
fn lines_that_stop_are_seen() {
    let surprise = usual(50, |r| {
        let mut baseline = CountBaseline::default();
        (0..300).for_each(|_| {
            baseline.observe(r.poisson(60.0));
        });
        baseline.observe(0).down.surprise()
    });
    println!("count to 0 at mean 60: {surprise}");
    assert!(surprise >= 9.0, "{surprise}");
}

#[test]
fn a_walk_that_makes_a_leap_walks_on_from_there() {
    for seed in 0..50 {
        let r = &mut Random::new(seed);
        let (mut level, mut shift, mut x) = (Level::default(), LevelShift::default(), 1e4);
        let mut surprises = Vec::new();
        for window in 0..1_020 {
            x += 3.0 * r.normal() + if window == 1_000 { 30.0 } else { 0.0 };
            let verdict = level.observe(x);
            surprises.push((verdict.surprise(), shift.observe(verdict.score()).surprise()));
        }
        assert!(surprises[1_000].0 >= 5.0, "the leap itself: {:?}", surprises[1_000]);
        let after = surprises[1_010..].iter().map(|s| s.0).fold(0.0, f64::max);
        let shifted = surprises[1_000..].iter().map(|s| s.1).fold(0.0, f64::max);
        assert!(after < 5.0 && shifted < 6.0, "{after} {shifted}");
    }
}

#[test]
fn a_job_that_comes_by_the_hour_is_a_habit_after_a_few_and_faults_that_last_are_not() {
    let r = &mut Random::new(4);
    let (mut job, mut faults) = (CountBaseline::default(), CountBaseline::default());
    let mut late = Vec::new();
    let mut of_faults = Vec::new();
    for window in 0..2_000_u64 {
        let count = if window % 60 == 59 { 80 + r.poisson(20.0) } else { r.poisson(0.05) };
        let verdict = job.observe(count);
        if window > 400 {
            late.push(verdict.up.surprise());
        }
        // Ten minutes of ten times as much, every four hours.
        let faulty = window % 240 >= 230;
        let verdict = faults.observe(r.poisson(if faulty { 200.0 } else { 20.0 }));
        if window % 240 == 230 {
            of_faults.push(verdict.up.surprise());
        }
    }
    let worst = late.iter().copied().fold(0.0, f64::max);
    println!("hourly job, worst from the seventh on: {worst}; faults: {of_faults:.1?}");
    assert!(worst < 4.0, "{worst}");
    assert!(of_faults.iter().all(|s| *s > 6.0), "{of_faults:?}");
}

#[test]
fn after_a_nightly_job_its_lines_are_not_missed() {
    let mut job = CountBaseline::default();
    for minute in 0..14 * 1_440_u64 {
        let verdict = job.observe(if minute % 1_440 == 125 { 400 } else { 0 });
        assert!(verdict.down.surprise() < 2.0, "minute {minute}: {verdict:?}");
    }
}

#[test]
fn a_constant_that_leaps_is_seen_and_one_that_takes_a_step_is_not() {
    let constant = |value: f64| {
        let mut level = Level::default();
        (0..500).for_each(|_| assert!(level.observe(value).surprise() < 1.0));
        level
    };
    assert!(constant(0.0).judge(100.0).up.surprise() > 5.0);
    assert!(constant(5.0).judge(6.0).up.surprise() < 3.0);
    assert!(constant(1e9).judge(1e9 + 4_096.0).up.surprise() < 2.0);
    assert!(constant(1e9).judge(2e9).up.surprise() > 6.0);
}

#[test]
fn a_count_whose_new_rate_lasts_is_accepted_once() {
    let r = &mut Random::new(3);
    let mut baseline = CountBaseline::new(12);
    (0..200).for_each(|_| {
        baseline.observe(r.poisson(20.0));
    });
    let verdicts: Vec<_> = (0..100).map(|_| baseline.observe(r.poisson(200.0))).collect();
    assert_eq!(verdicts.iter().position(|v| v.new_normal), Some(11));
    assert_eq!(verdicts.iter().filter(|v| v.new_normal).count(), 1);
    assert!(verdicts[13..].iter().all(|v| v.surprise() < 4.0));
}

#[test]
fn errors_that_climb_from_one_to_fifteen_percent_are_seen() {
    let surprise = usual(50, |r| {
        let mut share = ErrorShare::default();
        (0..100).for_each(|_| {
            share.observe(r.binomial(500, 0.01), 500);
        });
        share.observe(r.binomial(500, 0.15), 500).up.surprise()
    });
    println!("errors from 1 to 15 %: {surprise}");
    assert!(surprise >= 9.0, "{surprise}");
}

#[test]
fn a_rise_of_no_consequence_is_not_a_finding() {
    let mut share = ErrorShare::default();
    (0..300).for_each(|_| {
        share.observe(1_000, 1_000_000);
    });
    assert_eq!(share.judge(5_000, 1_000_000).up, Tail::ONE);
    assert!(share.judge(50_000, 1_000_000).up.surprise() > 9.0);
}

#[test]
fn clean_error_shares_are_no_more_surprising_than_they_say() {
    // Plain, and with errors that come together.
    for (kind, clumped) in [("binomial", false), ("beta-binomial", true)] {
        for (n, chance) in [(500, 0.01), (20, 0.3), (3_000, 0.1)] {
            let mut surprises = Vec::new();
            for seed in 0..20 {
                let r = &mut Random::new(seed);
                let mut share = ErrorShare::new(0.0, 30);
                for window in 0..5_000 {
                    let p = if clumped {
                        let (a, b) = (r.gamma(chance * 30.0), r.gamma((1.0 - chance) * 30.0));
                        a / (a + b)
                    } else {
                        chance
                    };
                    let verdict = share.observe(r.binomial(n, p), n);
                    if window >= 30 {
                        surprises.extend([verdict.up.surprise(), verdict.down.surprise()]);
                    }
                }
            }
            let ratios = simulate::excess(&surprises);
            println!("{kind} {chance} of {n}: {ratios:?}");
            assert!(
                ratios[0] < 1.3 && ratios[1] < 1.4 && ratios[2] < 2.2,
                "{kind} {chance} of {n}: {ratios:?}"
            );
        }
    }
}

#[test]
fn a_series_that_varied_and_stands_still_is_flat() {
    let r = &mut Random::new(6);
    let mut flat = FlatLine::default();
    (0..200).for_each(|_| {
        assert!(flat.observe(r.normal()).tail == Tail::ONE);
    });
    let surprises: Vec<f64> = (0..10).map(|_| flat.observe(7.25).tail.surprise()).collect();
    println!("flat: {surprises:?}");
    assert!(surprises[9] > 4.0);

    let mut integers = FlatLine::default();
    let worst =
        (0..5_000).map(|_| integers.observe(r.poisson(0.7) as f64).tail.surprise()).fold(0.0, f64::max);
    println!("integers, worst: {worst}");
    assert!(worst < 5.0, "{worst}");

    let mut constant = FlatLine::default();
    (0..2_000).for_each(|_| assert_eq!(constant.observe(3.0).tail, Tail::ONE));
}

#[test]
fn baselines_stay_small() {
    let plain = size_of::<Level>() + size_of::<LevelShift>();
    println!(
        "level {} shift {} flat {} counts {} share {} gaps {} exhaust {}",
        size_of::<Level>(),
        size_of::<LevelShift>(),
        size_of::<FlatLine>(),
        size_of::<CountBaseline>(),
        size_of::<ErrorShare>(),
        size_of::<Regularity>(),
        size_of::<RunOut>()
    );
    assert!(plain <= 160, "{plain}");
    assert!(size_of::<CountBaseline>() + size_of::<LevelShift>() <= 160);
}
