//! Forecasts of what runs out: near the truth where there is a trend, none where there is not.

#[path = "simulate/mod.rs"]
mod simulate;

use std::f64::consts::TAU;

use foreshock_stats::{Forecast, RunOut};
use simulate::Random;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;
const DAY: f64 = 86_400.0;

/// Feeds a value a minute and gives every forecast made, with its time.
fn forecasts(minutes: u32, limit: f64, value: impl FnMut(f64) -> f64) -> Vec<(f64, Forecast)> {
    let mut value = value;
    let mut resource = RunOut::new(60.0);
    let mut made = Vec::new();
    for minute in 0..minutes {
        let t = f64::from(minute) * MINUTE;
        resource.observe(t, value(t));
        made.extend(resource.forecast(limit).map(|forecast| (t, forecast)));
    }
    made
}

#[test]
fn a_disk_that_fills_is_forecast_within_a_fifth_of_the_time_left() {
    let (mut inside, mut all) = (0, 0);
    // Filling over two hours, a day, a week; from half full; noise of a tenth of a percent.
    for hours in [2.0, 24.0, 168.0] {
        for seed in 0..5 {
            let r = &mut Random::new(seed);
            let length = hours * 3_600.0;
            let path: Vec<f64> = (0..(1.1 * length / MINUTE) as u32)
                .map(|minute| 50.0 + 50.0 * f64::from(minute) * MINUTE / length + 0.1 * r.normal())
                .collect();
            // It is full at the first value that says so, which noise brings forward.
            let minutes = path.iter().position(|used| *used >= 100.0).expect("it fills") as u32;
            let full = f64::from(minutes) * MINUTE;
            let made = forecasts(minutes, 100.0, |t| path[(t / MINUTE) as usize]);
            let (first, _) = *made.first().expect("a forecast");
            println!("{hours} h: {} forecasts, first at {:.2} of the way", made.len(), first / full);
            assert!(first < 0.6 * full, "first forecast of {hours} h at {first}");
            for (t, forecast) in &made {
                let left = full - t;
                if left > 0.05 * full {
                    all += 1;
                    inside += i32::from(forecast.low <= full && full <= forecast.high);
                    assert!(
                        (forecast.at - full).abs() <= 0.2 * left + 2.0 * MINUTE,
                        "{hours} h at {t}: {forecast:?}"
                    );
                }
            }
            assert!(made.len() as f64 > 0.3 * full / MINUTE);
        }
    }
    let share = f64::from(inside) / f64::from(all);
    println!("the interval held the truth in {share:.3} of {all}");
    assert!(share > 0.75);
}

#[test]
fn a_drain_to_nothing_is_forecast_too() {
    let made = forecasts(300, 0.0, |t| 100.0 - t / 180.0);
    let (t, forecast) = made.last().expect("a forecast");
    assert!((forecast.at - 18_000.0).abs() < 300.0, "at {t}: {forecast:?}");
}

#[test]
fn a_leak_that_begins_after_quiet_days_is_forecast() {
    let r = &mut Random::new(1);
    let start = 2.0 * DAY;
    let full = start + 4.0 * 3_600.0;
    let made = forecasts((full / MINUTE) as u32, 100.0, |t| {
        40.0 + 0.3 * r.normal() + if t > start { 60.0 * (t - start) / (full - start) } else { 0.0 }
    });
    let before = made.iter().filter(|(t, _)| *t < start).count();
    let (first, _) = *made.iter().find(|(t, _)| *t >= start).expect("a forecast");
    println!("leak: {before} before it, first {:.0} min after it began", (first - start) / MINUTE);
    assert_eq!(before, 0);
    assert!(first < start + 0.6 * (full - start));
    let late = made.iter().filter(|(t, _)| *t > start + 0.6 * (full - start));
    for (t, forecast) in late {
        assert!((forecast.at - full).abs() < 0.25 * (full - t) + 300.0, "{t}: {forecast:?}");
    }
}

/// A value each five minutes: forecasts at full hours, and when the first value at the limit came.
fn hourly(days: f64, value: impl FnMut(f64) -> f64) -> (Vec<(f64, Forecast)>, f64) {
    let mut value = value;
    let mut resource = RunOut::new(60.0).bounded_by(100.0);
    let mut made = Vec::new();
    for n in 0..(days * 288.0) as u32 {
        let t = f64::from(n) * 300.0;
        let used = value(t / DAY);
        resource.observe(t, used);
        if used >= 100.0 {
            return (made, t);
        }
        if n % 12 == 0
            && let Some(forecast) = resource.forecast(100.0)
        {
            resource.keep(100.0, &forecast);
            made.push((t, forecast));
        }
    }
    (made, f64::INFINITY)
}

/// Of forecasts made between two days and an hour before the end, the median error as a share of the time left.
fn median_error(made: &[(f64, Forecast)], full: f64) -> f64 {
    let due = made.iter().filter(|(t, _)| (HOUR..2.0 * DAY).contains(&(full - t)));
    let mut errors: Vec<f64> = due.map(|(t, forecast)| (forecast.at - full).abs() / (full - t)).collect();
    assert!(errors.len() >= 20, "{} forecasts", errors.len());
    errors.sort_by(f64::total_cmp);
    errors[errors.len() / 2]
}

#[test]
fn what_days_do_is_known_after_days_trend_acceleration_rhythm_teeth_and_steps() {
    type ByDay = fn(f64) -> f64;
    let kinds: [(&str, ByDay); 6] = [
        ("line", |day| 40.0 + 6.0 * day),
        ("faster and faster", |day| 40.0 + 0.6 * day * day),
        ("with a rhythm", |day| 40.0 + 6.0 * day + 5.0 * libm::sin(TAU * day)),
        ("with teeth", |day| 40.0 + 6.0 * day + 5.0 * ((day + 0.3) % 1.0)),
        ("in steps of sixteen hours", |day| 40.0 + 4.0 * libm::floor(1.5 * day)),
        ("cleaned up once", |day| if day < 4.0 { 40.0 + 9.0 * day } else { 30.0 + 9.0 * (day - 4.0) }),
    ];
    for (kind, course) in kinds {
        let r = &mut Random::new(7);
        let (made, full) = hourly(20.0, |day| course(day) + 0.2 * r.normal());
        let error = median_error(&made, full);
        println!("{kind:28} {} forecasts, off by {error:.3} of the time left", made.len());
        assert!(error < 0.15, "{kind}: {error}");
    }
}

#[test]
fn a_leak_on_top_of_a_slow_rise_is_not_hidden_by_it() {
    let r = &mut Random::new(1);
    let mut resource = RunOut::new(60.0).bounded_by(100.0);
    let minutes = 6 * 1_440;
    for minute in 0..minutes + 60 {
        let leak = 0.5 * f64::from(minute - minutes).max(0.0);
        let used = 30.0 + 4.0 * f64::from(minute) / 1_440.0 + leak + 0.1 * r.normal();
        resource.observe(f64::from(minute) * MINUTE, used);
    }
    let forecast = resource.forecast(100.0).expect("a forecast");
    let left = (forecast.at - f64::from(minutes + 60) * MINUTE) / MINUTE;
    assert!((left - 32.0).abs() < 10.0, "{left} minutes: {forecast:?}");
}

#[test]
fn forecasts_are_judged_and_intervals_that_miss_become_wider() {
    // A pace that changes every day: no course of days knows it.
    let r = &mut Random::new(11);
    let (mut pace, mut used) = (4.0, 10.0);
    let mut restless = RunOut::new(60.0).bounded_by(100.0);
    let mut steady = restless.clone();
    for n in 0..14 * 288 {
        let t = f64::from(n) * 300.0;
        if n % 288 == 0 {
            pace = 1.0 + 8.0 * r.uniform();
        }
        used += pace / 288.0;
        restless.observe(t, used + 0.1 * r.normal());
        steady.observe(t, 10.0 + 5.0 * t / DAY + 0.1 * r.normal());
    }
    let width = |resource: &RunOut| {
        let forecast = resource.forecast(100.0).expect("a forecast");
        (forecast.high - forecast.low) / (forecast.at - 14.0 * DAY)
    };
    let fared = steady.fared();
    println!(
        "steady {fared:?}, {:.3} wide; restless {:?}, {:.3}",
        width(&steady),
        restless.fared(),
        width(&restless)
    );
    assert!(fared.judged > 20 && fared.right > fared.judged * 9 / 10);
    assert!((0.6..=1.0).contains(&(f64::from(fared.held) / f64::from(fared.judged))), "{fared:?}");
    assert!(width(&restless) > 3.0 * width(&steady));
}

#[test]
fn what_does_not_run_out_is_not_forecast() {
    let rhythm = |level: f64, swing: f64| move |t: f64| level + swing * libm::sin(TAU * t / DAY);
    let minutes = 5 * 1_440;
    for seed in 0..5 {
        let r = &mut Random::new(seed);
        let made = forecasts(minutes, 100.0, |_| 60.0 + 5.0 * r.normal());
        assert_eq!(made.len(), 0, "noise: {:?}", made.first());

        let r = &mut Random::new(seed);
        let daily = rhythm(50.0, 20.0);
        let made = forecasts(minutes, 100.0, |t| daily(t) + r.normal());
        assert_eq!(made.len(), 0, "daily rhythm: {:?}", made.first());

        let r = &mut Random::new(seed);
        let steep = rhythm(48.0, 36.0);
        let made = forecasts(minutes, 100.0, |t| steep(t) + r.normal());
        let after_a_day = made.iter().filter(|(t, _)| *t > DAY).count();
        println!("steep rhythm: {} forecasts, {after_a_day} after a day", made.len());
        assert_eq!(after_a_day, 0, "{:?}", made.last());

        let r = &mut Random::new(seed);
        let made = forecasts(minutes, 100.0, |t| 30.0 + 40.0 * (t % 21_600.0) / 21_600.0 + 0.2 * r.normal());
        let after_two_teeth = made.iter().filter(|(t, _)| *t > 2.5 * 21_600.0).count();
        println!("sawtooth: {} forecasts, {after_two_teeth} after two teeth", made.len());
        assert_eq!(after_two_teeth, 0, "{:?}", made.last());
    }
}

#[test]
fn a_walk_is_seldom_taken_for_a_trend() {
    let mut made = 0;
    let mut all = 0;
    for seed in 0..20 {
        let r = &mut Random::new(seed);
        let mut x = 50.0;
        made += forecasts(2_880, 100.0, |_| {
            x += 0.2 * r.normal();
            x
        })
        .len();
        all += 2_880;
    }
    println!("random walks: {made} forecasts in {all} minutes");
    assert!(made * 50 < all);
}

#[test]
fn a_single_cleanup_begins_anew_and_a_sawtooth_up_to_the_limit_is_no_habit_to_trust() {
    let r = &mut Random::new(3);
    // Filled to 90, cleaned to 20, fills again.
    let made = forecasts(1_200, 100.0, |t| {
        let minute = t / MINUTE;
        (if minute < 600.0 { 30.0 + 0.1 * minute } else { 20.0 + 0.15 * (minute - 600.0) }) + 0.1 * r.normal()
    });
    let full = (600.0 + 80.0 / 0.15) * MINUTE;
    let again: Vec<_> = made.iter().filter(|(t, _)| *t > 950.0 * MINUTE && *t < full).collect();
    assert!(again.len() > 100, "{}", again.len());
    for (t, forecast) in again {
        assert!((forecast.at - full).abs() < 0.2 * (full - t) + 300.0, "{t}: {forecast:?}");
    }
    // A process that leaks until it is killed at its limit, every four hours.
    let r = &mut Random::new(4);
    let made = forecasts(2_880, 100.0, |t| 20.0 + 78.0 * (t % 14_400.0) / 14_400.0 + 0.2 * r.normal());
    assert!(made.iter().any(|(t, _)| *t > 8.0 * 14_400.0), "the ninth time");
}

#[test]
fn gaps_and_repeats_change_nothing() {
    let mut plain = RunOut::new(60.0);
    let mut disturbed = RunOut::new(60.0);
    for minute in 0..100 {
        let t = f64::from(minute) * MINUTE;
        plain.observe(t, 10.0 + t);
        disturbed.observe(t, 10.0 + t);
        disturbed.observe(t, 0.0);
        disturbed.observe(t - 600.0, 0.0);
        disturbed.observe(t + 1.0, f64::NAN);
    }
    assert_eq!(plain, disturbed);
}

#[test]
fn the_interval_holds_the_truth_about_as_often_as_it_says() {
    let (mut inside, mut all, mut off) = (0, 0, Vec::new());
    for seed in 0..60 {
        let r = &mut Random::new(seed);
        // Filled by jobs of random size at random times; full after ten hours or so.
        let mut x = 20.0;
        let mut path = Vec::new();
        while x < 100.0 {
            if r.uniform() < 0.2 {
                x += 0.667 * r.gamma(0.7) / 0.7;
            }
            path.push(x);
        }
        let full = path.len() as f64 * MINUTE;
        let made = forecasts(path.len() as u32, 100.0, |t| path[(t / MINUTE) as usize]);
        for (t, forecast) in made.iter().filter(|(t, _)| *t < 0.95 * full) {
            all += 1;
            inside += i32::from(forecast.low <= full && full <= forecast.high);
            off.push((forecast.at - full).abs() / (full - t));
        }
    }
    off.sort_by(f64::total_cmp);
    let share = f64::from(inside) / f64::from(all);
    println!(
        "jobs: {all} forecasts, interval held {share:.3}, off by {:.2} of the time left (median)",
        off[off.len() / 2]
    );
    assert!(all > 5_000);
    assert!((0.7..0.97).contains(&share), "{share}");
    assert!(off[off.len() / 2] < 0.35);
}

#[test]
fn days_and_nights_of_writing_do_not_mislead() {
    for seed in 0..3 {
        let r = &mut Random::new(seed);
        let mut x = 10.0;
        // 12 a day, five times as fast at noon as at midnight: full on the eighth day.
        let mut path = Vec::new();
        while x < 100.0 {
            let day = libm::sin(TAU * path.len() as f64 / 1_440.0);
            x += 12.0 / 1_440.0 * (1.0 + 0.67 * day) * r.exponential();
            path.push(x);
        }
        let full = path.len() as f64 * MINUTE;
        let made = forecasts(path.len() as u32, 100.0, |t| path[(t / MINUTE) as usize]);
        let late: Vec<_> = made.iter().filter(|(t, _)| *t > 4.0 * DAY && *t < full - 0.25 * DAY).collect();
        let bad = late.iter().filter(|(t, f)| (f.at - full).abs() > 0.3 * (full - t)).count();
        println!("rhythm of writing: {} forecasts from the fifth day on, {bad} far off", late.len());
        assert!(late.len() > 1_000 && bad * 5 < late.len());
    }
}
