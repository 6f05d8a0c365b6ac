//! What the surprise of one metric is worth among those of its service.
#![allow(clippy::unwrap_used)]

use foreshock_stats::{Company, Leaps, Tail};

const MINUTE: f64 = 60.0;
const START: f64 = 1.7e9;
const DAY: u32 = 1_440;

/// A service of so many metrics over minutes in which the loudest is as `loudest` says.
fn company(metrics: usize, minutes: u32, loudest: impl Fn(u32) -> f64) -> Company {
    let leaps = Leaps::from_iter(std::iter::repeat_n(0.5, metrics));
    let mut company = Company::default();
    for minute in 0..minutes {
        company.close(START + f64::from(minute) * MINUTE, &leaps, loudest(minute));
    }
    company
}

fn worth(company: &Company, surprise: f64) -> f64 {
    company.worth(Tail::from_surprise(surprise)).surprise()
}

#[test]
fn a_surprise_is_worth_what_it_says_in_a_quiet_service_of_one_metric() {
    let quiet = company(1, 30 * DAY, |_| 0.0);
    for surprise in [0.0, 1.0, 2.9, 4.0, 8.0, 30.0] {
        assert!((worth(&quiet, surprise) - surprise).abs() < 0.01, "{surprise}: {}", worth(&quiet, surprise));
    }
}

#[test]
fn among_many_it_is_worth_so_much_less() {
    let (two, hundred) = (company(2, DAY, |_| 0.0), company(100, DAY, |_| 0.0));
    assert!((worth(&two, 9.0) - (9.0 - libm::log10(2.0))).abs() < 0.01, "{}", worth(&two, 9.0));
    // A tenth as readily, as all are judged together too.
    assert!((worth(&hundred, 9.0) - 6.0).abs() < 0.01, "{}", worth(&hundred, 9.0));
}

#[test]
fn who_cries_every_hour_is_believed_less_and_never_more_than_he_says() {
    let hourly = company(1, 14 * DAY, |minute| if minute % 60 == 0 { 9.0 } else { 0.0 });
    assert!(worth(&hourly, 9.0) < 3.5, "{}", worth(&hourly, 9.0));
    assert!(worth(&hourly, 40.0) > 5.0, "{}", worth(&hourly, 40.0));
    for surprise in [0.5, 3.0, 5.0, 9.0, 20.0] {
        assert!(worth(&hourly, surprise) <= surprise + 1e-9);
    }
}

#[test]
fn what_is_as_loud_several_times_a_day_is_no_rarer_than_that_and_what_is_louder_is() {
    let spiky =
        |a_day: u32| company(1, 20 * DAY, |minute| if minute % (DAY / a_day) == 0 { 9.0 } else { 0.0 });
    let rate = libm::log10(f64::from(DAY) / 4.0);
    let worth_of = |surprise| worth(&spiky(4), surprise);
    assert!((worth_of(9.0) - rate).abs() < 0.1, "{} for {rate}", worth_of(9.0));
    assert!(worth_of(10.5) > rate + 1.0, "{}", worth_of(10.5));
    // Once a day may be an incident a day.
    assert!(worth(&spiky(1), 9.0) > 4.0, "{}", worth(&spiky(1), 9.0));
}

#[test]
fn an_incident_of_hours_counts_once_and_one_without_end_by_its_length() {
    let lasts = |minutes: u32| {
        company(1, 7 * DAY, |minute| if (4_000..4_000 + minutes).contains(&minute) { 9.0 } else { 0.0 })
    };
    let (short, long) = (worth(&lasts(1), 9.0), worth(&lasts(200), 9.0));
    // It ended later, so it is remembered a little better.
    assert!((0.0..0.1).contains(&(short - long)), "{short} {long}");
    assert!(short < worth(&company(1, 7 * DAY, |_| 0.0), 9.0));
    let always = company(1, 14 * DAY, |minute| if minute % 5 == 0 { 9.0 } else { 0.0 });
    assert!(worth(&always, 9.0) < 5.0, "{}", worth(&always, 9.0));
}

#[test]
fn the_order_of_metrics_changes_nothing_of_what_they_are_together() {
    let leaps = [0.1, -3.2, 7.5, 1e-3, -0.77, 2.2, 1e6];
    let mut turned = leaps;
    turned.reverse();
    assert_eq!(Leaps::from_iter(leaps), Leaps::from_iter(turned));
}
