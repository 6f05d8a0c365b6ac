//! What moves as it never did before is forecast soon, also where little of its past is known.

#[path = "simulate/mod.rs"]
mod simulate;

use foreshock_stats::{Forecast, RunOut};
use simulate::{Random, usual};

const MINUTE: f64 = 60.0;
/// Surprise that pages where a few hundred series are watched.
const PAGES: f64 = 7.0;

/// Feeds `past` minutes of `usual`, and then so many of a rise by `a_minute` on top; gives the forecast at the end.
fn after(past: u32, rising: u32, a_minute: f64, mut usual: impl FnMut(u32) -> f64) -> Option<Forecast> {
    let mut resource = RunOut::new(60.0);
    for minute in 0..=past + rising {
        let rise = a_minute * f64::from(minute.saturating_sub(past));
        resource.observe(f64::from(minute) * MINUTE, usual(minute) + rise);
    }
    resource.forecast(100.0)
}

/// Used memory: wanders around 48 and forgets it within four minutes.
fn memory(r: &mut Random) -> impl FnMut(u32) -> f64 {
    let mut drift = 0.0;
    move |_| {
        drift = 0.78 * drift + 0.25 * r.normal();
        48.0 + drift
    }
}

fn surprise(forecast: Option<Forecast>) -> f64 {
    forecast.map_or(0.0, |forecast| forecast.p_not_trend.surprise())
}

#[test]
fn a_disk_with_a_sawtooth_of_minutes_that_fills_within_the_hour_pages_after_twenty_minutes() {
    let reached = usual(100, |r| {
        let disk = |minute: u32| 56.0 + 0.8 * f64::from(minute % 5) / 5.0 + 0.04 * r.normal();
        let forecast = after(60, 20, 0.73, disk);
        let left = forecast.map_or(0.0, |forecast| forecast.at / MINUTE - 80.0);
        assert!((left - 40.0).abs() < 8.0, "{forecast:?}");
        surprise(forecast)
    });
    assert!(reached > PAGES);
}

#[test]
fn a_leak_after_three_hours_of_wandering_pages_after_twenty_minutes() {
    assert!(usual(100, |r| surprise(after(180, 20, 0.73, memory(r)))) > PAGES);
}

#[test]
fn a_leak_after_one_hour_of_wandering_is_told_after_thirty_minutes() {
    assert!(usual(100, |r| surprise(after(60, 30, 0.73, memory(r)))) > 5.0);
}

#[test]
fn a_rise_that_comes_to_rest_is_not_forecast_for_long() {
    let mut said = 0;
    for seed in 0..100 {
        let r = &mut Random::new(seed);
        let mut usual = memory(r);
        // A new version that needs a third more, within a quarter of an hour.
        let mut caches = |minute: u32| {
            let age = f64::from(minute.saturating_sub(180));
            usual(minute) + 16.0 * (1.0 - libm::exp(-age / 8.0))
        };
        let mut resource = RunOut::new(60.0);
        for minute in 0..300 {
            resource.observe(f64::from(minute) * MINUTE, caches(minute));
            let told = minute % 10 == 9 && surprise(resource.forecast(100.0)) >= PAGES;
            said += u32::from(told);
        }
    }
    println!("{said} of 100 new versions were said to run out");
    assert!(said <= 5);
}
