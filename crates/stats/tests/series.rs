//! What the watch of one series holds to, whatever the series.

mod simulate;

use foreshock_stats::{JointWatch, Leaps, Oddity, SeriesScore, SeriesWatch, Watched, series::Peers};
use proptest::prelude::*;
use simulate::Random;

const MINUTE: f64 = 60.0;
const DAY: usize = 1_440;
const START: f64 = 1.7e9;

fn day(minute: usize) -> f64 {
    libm::sin(std::f64::consts::TAU * minute as f64 / DAY as f64)
}

fn watch_all(values: impl IntoIterator<Item = f64>) -> (SeriesWatch, Vec<Watched>) {
    let mut watch = SeriesWatch::new();
    let watched = values
        .into_iter()
        .enumerate()
        .map(|(minute, value)| watch.observe(START + minute as f64 * MINUTE, value))
        .collect();
    (watch, watched)
}

fn alarms(watched: &[Watched]) -> Vec<(usize, Oddity)> {
    watched.iter().enumerate().filter_map(|(at, one)| one.alarm().map(|oddity| (at, oddity))).collect()
}

fn noisy(random: &mut Random, minutes: usize) -> Vec<f64> {
    (0..minutes).map(|_| 100.0 + random.normal()).collect()
}

/// A day of amplitude 20 under noise of standard deviation 1.
fn daily(random: &mut Random, minutes: usize) -> Vec<f64> {
    (0..minutes).map(|minute| 100.0 + 20.0 * day(minute) + random.normal()).collect()
}

#[test]
fn it_is_small() {
    // One of them may look for a while as if it had days.
    let plain = [1, 2, 3].map(|seed| watch_all(noisy(&mut Random::new(seed), 3 * DAY)).0);
    let plain = plain.iter().min_by_key(|watch| watch.size_bytes()).unwrap();
    let daily = watch_all(daily(&mut Random::new(2), 3 * DAY)).0;
    assert!(plain.size_bytes() <= 512, "{} bytes", plain.size_bytes());
    assert!(daily.size_bytes() > plain.size_bytes(), "its days are watched");
    assert!(daily.size_bytes() <= 1_024, "{} bytes", daily.size_bytes());
}

#[test]
fn a_constant_is_never_odd() {
    let (_, watched) = watch_all(std::iter::repeat_n(7.25, 5_000));
    assert_eq!(alarms(&watched), []);
    let mut score = SeriesScore::default();
    assert!((0..5_000).all(|minute| score.observe(START + f64::from(minute) * MINUTE, 7.25) == 0.0));
}

#[test]
fn clean_noise_a_day_a_walk_and_two_values_are_left_alone() {
    let mut random = Random::new(3);
    let mut walk = 1_000.0;
    let walk: Vec<f64> = (0..10 * DAY)
        .map(|_| {
            walk += random.normal();
            walk
        })
        .collect();
    let coin: Vec<f64> = (0..10 * DAY).map(|_| f64::from(random.uniform() < 0.4)).collect();
    for (name, values) in [
        ("noise", noisy(&mut Random::new(1), 10 * DAY)),
        ("day", daily(&mut Random::new(2), 10 * DAY)),
        ("walk", walk),
        ("coin", coin),
    ] {
        let told = alarms(&watch_all(values).1);
        // A day is one after four of them: before, its bends are turns.
        let told: Vec<_> = told.into_iter().filter(|(at, _)| *at > 5 * DAY).collect();
        assert!(told.len() <= 2, "{name}: {told:?}");
    }
}

#[test]
fn a_spike_a_dip_and_a_shift_are_told_when_they_come() {
    for (height, lasts) in [(12.0, 1), (-12.0, 1), (9.0, 300)] {
        let mut values = noisy(&mut Random::new(4), 4_000);
        values[3_000..3_000 + lasts].iter_mut().for_each(|value| *value += height);
        let told = alarms(&watch_all(values).1);
        let first = told.iter().find(|(at, _)| *at >= 3_000);
        assert!(first.is_some_and(|(at, _)| *at < 3_002), "{height}: {told:?}");
    }
}

#[test]
fn after_a_spike_or_a_burst_what_is_usual_again_is_not_told() {
    for (seed, (height, lasts)) in
        (20..).zip([(10.0, 2), (10.0, 5), (20.0, 8), (50.0, 1), (130.0, 12), (800.0, 3)])
    {
        let mut values = noisy(&mut Random::new(seed), 3_300);
        values[3_000..3_000 + lasts].iter_mut().for_each(|value| *value += height);
        let told = alarms(&watch_all(values).1);
        assert!(told.iter().any(|(at, _)| (3_000..3_002).contains(at)), "{height} for {lasts}: {told:?}");
        let after: Vec<_> = told.iter().filter(|(at, _)| *at > 3_002 + lasts).collect();
        assert!(after.is_empty(), "{height} for {lasts}: {after:?}");
    }
}

#[test]
fn a_level_that_lasts_is_the_new_normal() {
    let mut values = noisy(&mut Random::new(5), 8_000);
    values[3_000..].iter_mut().for_each(|value| *value += 20.0);
    let (_, watched) = watch_all(values);
    assert!(!alarms(&watched[3_000..3_002]).is_empty());
    // Thirty values for the forecast; the long moments need some hundred more to have it within their bounds.
    let late = alarms(&watched[3_400..]);
    assert!(late.is_empty(), "{late:?}");
    assert!((watched[3_400].mean - 120.0).abs() < 1.5, "{}", watched[3_400].mean);
}

#[test]
fn a_slope_is_told_before_it_leads_far() {
    let mut values = noisy(&mut Random::new(6), 4_000);
    values[3_000..].iter_mut().enumerate().for_each(|(i, value)| *value += i as f64);
    let told = alarms(&watch_all(values).1);
    assert!(told.iter().any(|(at, _)| (3_000..3_012).contains(at)), "{told:?}");
}

#[test]
fn noise_that_grows_and_a_line_gone_flat_are_seen_for_what_they_are() {
    let mut random = Random::new(7);
    let mut values = noisy(&mut random, 4_000);
    values[3_000..3_100].iter_mut().for_each(|value| *value += 8.0 * random.normal());
    values[3_500..3_600].fill(100.0);
    let (_, watched) = watch_all(values);
    assert!(watched[3_060].tail(Oddity::Spread).surprise() > 4.0);
    assert!(watched[2_900].tail(Oddity::Spread).surprise() < 3.0);
    assert!(alarms(&watched[3_500..3_600]).iter().any(|(_, oddity)| *oddity == Oddity::Flat));
}

#[test]
fn a_rhythm_is_found_missed_and_dropped_when_it_ends() {
    let mut random = Random::new(8);
    let mut values = daily(&mut random, 8 * DAY);
    let (watch, _) = watch_all(values.iter().copied());
    assert!(watch.is_seasonal());
    values.extend((0..DAY).map(|minute| 100.0 - 20.0 * day(minute) + random.normal()));
    values.extend(noisy(&mut random, 20 * DAY));
    let (watch, watched) = watch_all(values);
    assert!(!watch.is_seasonal());
    assert!(!alarms(&watched[8 * DAY..9 * DAY]).is_empty());
    let (watch, _) = watch_all(noisy(&mut random, 8 * DAY));
    assert!(!watch.is_seasonal());
}

#[test]
fn silence_is_overdue_and_holes_that_are_usual_are_not() {
    let mut random = Random::new(9);
    let mut watch = SeriesWatch::new();
    let mut holey = SeriesWatch::new();
    let mut last = (0.0, 0.0);
    for minute in 0..3 * DAY {
        let secs = START + minute as f64 * MINUTE;
        watch.observe(secs, random.normal());
        last.0 = secs;
        if random.uniform() < 0.4 {
            holey.observe(secs, random.normal());
            last.1 = secs;
        }
    }
    assert_eq!(watch.overdue(last.0 + 2.0 * MINUTE).surprise(), 0.0);
    assert!(watch.overdue(last.0 + 10.0 * MINUTE).surprise() > 5.0);
    assert!(holey.overdue(last.1 + 10.0 * MINUTE).surprise() < 4.0);
    assert_eq!(watch.step_secs(), Some(MINUTE));
}

#[test]
fn a_restored_watch_goes_on_as_if_nothing_had_happened() {
    let mut values = daily(&mut Random::new(10), 5 * DAY);
    // A job of twenty minutes every night, the fourth of which is cut.
    for (minute, value) in values.iter_mut().enumerate() {
        *value += if minute % DAY < 20 { 60.0 } else { 0.0 };
    }
    let (_, whole) = watch_all(values.iter().copied());
    let cut = 3 * DAY + 7;
    let (head, watched) = watch_all(values[..cut].iter().copied());
    assert_eq!(watched, whole[..cut]);
    let bytes = postcard::to_allocvec(&head).unwrap();
    let mut restored: SeriesWatch = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(restored, head);
    for (i, value) in values.iter().enumerate().skip(cut) {
        assert_eq!(restored.observe(START + i as f64 * MINUTE, *value), whole[i], "at {i}");
    }
}

#[test]
fn metrics_that_leap_together_are_told_and_one_alone_is_not() {
    let mut random = Random::new(11);
    let mut joint = JointWatch::default();
    let mut told = Vec::new();
    for window in 0..3_000 {
        let leap = match window {
            2_000 => 8.0,
            _ => 0.0,
        };
        let mut leaps = [0.0; 8].map(|_| random.normal() + leap);
        if window == 2_500 {
            leaps[0] = 8.0;
        }
        if joint.observe(&Leaps::from_iter(leaps)).is_some_and(|watched| watched.alarm()) {
            told.push(window);
        }
    }
    assert_eq!(told, [2_000]);
    assert!(joint.observe(&Leaps::from_iter([9.0, 9.0])).is_none());
}

#[test]
fn tails_are_not_too_small_on_clean_series() {
    let mut random = Random::new(12);
    for kind in ["noise", "autoregression", "day", "heavy"] {
        let (mut below, mut looks) = ([0_u32; 6], 0_u32);
        for _ in 0..6 {
            let mut carried = 0.0;
            let values: Vec<f64> = (0..10 * DAY)
                .map(|minute| {
                    carried = 0.7 * carried + random.normal();
                    match kind {
                        "noise" => 100.0 + random.normal(),
                        "autoregression" => 100.0 + carried,
                        "day" => 100.0 + 20.0 * day(minute) + random.normal(),
                        _ => 100.0 + random.student(3.0),
                    }
                })
                .collect();
            for watched in &watch_all(values).1[4 * DAY..] {
                looks += 1;
                for (below, tail) in below.iter_mut().zip(watched.tails) {
                    *below += u32::from(tail.surprise() > 3.0);
                }
            }
        }
        for (oddity, below) in Oddity::ALL.into_iter().zip(below) {
            let ratio = f64::from(below) / f64::from(looks) * 1e3;
            // A strong day under white noise is the hardest: its bend is known from few days.
            let bound = if kind == "day" { 4.0 } else { 2.0 };
            assert!(ratio < bound, "{oddity:?} on {kind}: {ratio} times too many below 1e-3");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_comes_is_scored_from_0_to_1_and_without_holes(
        steps in proptest::collection::vec((prop_oneof![Just(60.0), Just(0.0), Just(-60.0), 0.0..1e7_f64],
            prop_oneof![Just(0.0), Just(1.0), Just(1e300), Just(f64::NAN), Just(f64::NEG_INFINITY), -1e9..1e9_f64]), 1..400)
    ) {
        let (mut watch, mut score) = (SeriesWatch::new(), SeriesScore::default());
        let mut secs = START;
        for (gap, value) in steps {
            secs += gap;
            let watched = watch.observe(secs, value);
            prop_assert!((0.0..=1.0).contains(&score.observe(secs, value)));
            prop_assert!(watched.tails.iter().all(|tail| tail.surprise().is_finite()));
            prop_assert!(watched.leap.is_none_or(f64::is_finite) && watched.mean.is_finite());
            prop_assert!(watch.overdue(secs + 1e5).surprise().is_finite());
        }
    }
}

/// Six that do the same under a load that swings by a half: `odd` says how far the third is off, in their deviations.
fn odd_ones(random: &mut Random, minutes: usize, odd: impl Fn(usize) -> f64) -> Vec<(usize, u32)> {
    let mut peers = Peers::default();
    let mut told = Vec::new();
    for minute in 0..minutes {
        let load = 100.0 + 50.0 * day(minute) + 10.0 * random.normal();
        let values: Vec<(u32, f64)> = (0..6)
            .map(|series| {
                let off = if series == 2 { odd(minute) } else { 0.0 };
                // The last one always did a third less.
                let share = if series == 5 { 0.7 } else { 1.0 };
                (series, share * load + 2.0 * (random.normal() + off))
            })
            .collect();
        told.extend(peers.observe(&values).map(|odd| (minute, odd.series)));
    }
    told
}

#[test]
fn one_of_several_that_leaves_them_is_told_and_what_moves_all_is_not() {
    for seed in 0..20 {
        let calm = odd_ones(&mut Random::new(seed), 5 * DAY, |_| 0.0);
        assert_eq!(calm, [], "seed {seed}");
    }
    let from = 3_000;
    for off in [15.0, -15.0] {
        let told = odd_ones(&mut Random::new(30), from + 60, |minute| if minute < from { 0.0 } else { off });
        let (first, series) = told[0];
        assert!((from..from + 15).contains(&first), "{off}: {first}");
        assert!(told.iter().all(|(_, series)| *series == 2), "{series}");
    }
    let mut few = Peers::default();
    assert!((0..500).all(|_| few.observe(&[(1, 1.0), (2, 1.0), (3, 900.0)]).is_none()));
}

#[test]
fn a_weekend_is_learned_and_does_not_hide_a_broken_day() {
    let mut random = Random::new(31);
    // Whose midnight is some other hour than that of UTC.
    let is_weekend = |minute: usize| ((START / 60.0) as usize + minute + 180 + DAY) / DAY % 7 >= 5;
    let mut of_weeks = |minute: usize| {
        let traffic = (100.0 + 60.0 * day(minute)) * if is_weekend(minute) { 0.5 } else { 1.0 };
        traffic + 3.0 * random.normal()
    };
    let mut values: Vec<f64> = (0..35 * DAY).map(&mut of_weeks).collect();
    // The last Wednesday's afternoon and evening are those of another.
    let broken = 30 * DAY + 700..30 * DAY + 1_100;
    values[broken.clone()].iter_mut().for_each(|value| *value = 200.0 - *value);
    let told = alarms(&watch_all(values).1);
    let seasonal = |days: std::ops::Range<usize>| {
        let within = |at: &usize| days.contains(&(at / DAY));
        told.iter()
            .filter(|(at, oddity)| within(at) && *oddity == Oddity::Season)
            .map(|(at, _)| *at)
            .collect::<Vec<_>>()
    };
    assert!(!seasonal(0..9).is_empty(), "the first weekend is news");
    assert_eq!(seasonal(9..30), Vec::<usize>::new(), "the others are not");
    assert!(told.iter().any(|(at, _)| broken.contains(at)), "{told:?}");
}

#[test]
fn what_only_grows_has_no_rhythm_to_leave() {
    let mut random = Random::new(41);
    let mut disk = 30.0;
    let mut fills = move |_: usize| {
        disk += 0.001 * (1.0 + random.normal()).max(0.0);
        disk
    };
    let uptime = |minute: usize| minute as f64 * MINUTE;
    let until_expiry = |minute: usize| 90.0 * 86_400.0 - minute as f64 * MINUTE;
    let grow: [&mut dyn FnMut(usize) -> f64; 3] = [&mut fills, &mut { uptime }, &mut { until_expiry }];
    for (one, value) in grow.into_iter().enumerate() {
        let told = alarms(&watch_all((0..28 * DAY).map(value)).1);
        assert_eq!(told, [], "the gauge numbered {one}");
    }
}

#[test]
fn what_is_cleaned_at_midnight_is_known_after_some_nights_and_a_night_without_it_is_told() {
    let mut random = Random::new(42);
    let midnight = (DAY as f64 - START.rem_euclid(86_400.0) / MINUTE) as usize;
    let of_day = |minute: usize| ((minute + DAY - midnight) % DAY) as f64 / DAY as f64;
    let mut disk: Vec<f64> =
        (0..21 * DAY).map(|minute| 50.0 + 8.0 * of_day(minute) + 0.02 * random.normal()).collect();
    let missed = midnight + 18 * DAY..midnight + 19 * DAY;
    disk[missed.clone()].iter_mut().for_each(|value| *value += 8.0);
    let told = alarms(&watch_all(disk).1);
    let before: Vec<_> = told.iter().filter(|(at, _)| (4 * DAY..missed.start).contains(at)).collect();
    assert!(before.is_empty(), "{before:?}");
    assert!(told.iter().any(|(at, _)| missed.contains(at)), "{told:?}");
}

#[test]
fn a_job_of_every_day_is_told_when_it_does_not_come_and_hardly_when_it_is_back() {
    for minutes in [60, 120, 240] {
        let mut random = Random::new(43);
        let missed = 21;
        let values = (0..25 * DAY).map(|minute| {
            let runs = (600..600 + minutes).contains(&(minute % DAY)) && minute / DAY != missed;
            20.0 + if runs { 80.0 } else { 0.0 } + random.normal()
        });
        let told = alarms(&watch_all(values).1);
        let on = |day: usize| told.iter().filter(|(at, _)| at / DAY == day).count();
        assert!(on(missed) >= 20, "{minutes} minutes, missed: {told:?}");
        let back = on(missed + 1);
        assert!(2 * back <= on(missed), "{minutes} minutes, back again: {back} of {told:?}");
        let others = (8..missed).chain([missed + 2]).map(on).max().unwrap();
        assert!(others <= 10, "{minutes} minutes, on a day like any other: {others} of {told:?}");
    }
}

/// Noise of standard deviation 1 around 100, and what a job adds to it.
fn with_a_job(seed: u64, days: usize, job: impl Fn(usize) -> f64) -> Vec<(usize, Oddity)> {
    let mut random = Random::new(seed);
    alarms(&watch_all((0..days * DAY).map(|minute| 100.0 + random.normal() + job(minute))).1)
}

#[test]
fn what_comes_by_the_clock_is_told_until_it_is_known_and_again_when_it_grows() {
    let hourly = |minute: usize| if minute % 60 == 7 { 30.0 } else { 0.0 };
    // Not at weekends, and five minutes each.
    let nightly = |minute: usize| if minute / DAY % 7 < 5 && minute % DAY < 5 { 30.0 } else { 0.0 };
    let both = |minute: usize| hourly(minute) + nightly(minute);
    for (job, known_after) in
        [(&hourly as &dyn Fn(usize) -> f64, 5 * 60), (&nightly, 2 * DAY + 60), (&both, 2 * DAY + 60)]
    {
        let told = with_a_job(5, 14, job);
        assert!(told.len() > 2, "{told:?}");
        assert!(told.iter().all(|(minute, _)| *minute < known_after), "{told:?}");
        let grown = |minute: usize| job(minute) * if minute >= 10 * DAY { 2.5 } else { 1.0 };
        let told = with_a_job(5, 14, grown);
        assert!(told.iter().any(|(minute, _)| (10 * DAY..11 * DAY).contains(minute)), "{told:?}");
    }
}

#[test]
fn what_comes_at_any_hour_is_told_each_time() {
    let at = [2_000, 3_111, 4_890, 5_555, 7_003, 9_119];
    let told = with_a_job(6, 7, |minute| if at.contains(&minute) { 30.0 } else { 0.0 });
    for minute in at {
        assert!(told.contains(&(minute, Oddity::Deviation)), "{minute} of {told:?}");
    }
}
