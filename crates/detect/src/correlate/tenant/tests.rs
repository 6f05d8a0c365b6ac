use std::time::Duration;

use super::{
    super::sample::{disk, finding},
    *,
};

/// An incident of minutes is over after this.
const QUIET: Duration = Duration::from_secs(300);

/// The end of a window: so many seconds after an hour of 2024.
fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(1_710_000_000 + seconds)
}

/// Closes a window with these findings, and says which incidents are told and how severe they are.
fn close(state: &mut TenantState, end: Timestamp, findings: Vec<Finding>) -> Vec<(Severity, IncidentStatus)> {
    let pending = Pending { findings, ..Pending::default() };
    let told = state.close(end, pending, &DetectConfig::default(), &mut Decisions::default());
    told.incidents.into_iter().map(|incident| (incident.severity, incident.status)).collect()
}

fn paged(state: &TenantState) -> f64 {
    state.spending(&DetectConfig::default()).thresholds.paged_a_week
}

#[test]
fn an_incident_spends_once_however_much_it_brings() {
    let mut state = TenantState::default();
    let mut told = Vec::new();
    for window in 1..60 {
        let end = at(10 * window);
        let odd = |n| finding("shop", &format!("s{n}"), Kind::Spike, Severity::Critical, 9.0, end);
        told.extend(close(&mut state, end, (0..20).map(odd).collect()));
    }
    assert_eq!(told[0], (Severity::Critical, IncidentStatus::Open));
    assert_eq!(state.standing.len(), 1);
    assert_eq!(paged(&state), 1.0);
    // Another hour, another incident.
    close(&mut state, at(7_200), vec![]);
    let end = at(7_210);
    close(&mut state, end, vec![finding("shop", "s", Kind::Spike, Severity::Critical, 9.0, end)]);
    assert!((1.9..2.0).contains(&paged(&state)), "{}", paged(&state));
}

#[test]
fn a_warning_and_what_foreshock_says_of_itself_spend_nothing() {
    let mut state = TenantState::default();
    let end = at(10);
    let warning = finding("shop", "s", Kind::Spike, Severity::Warning, 20.0, end);
    let own = finding("foreshock", "lag", Kind::Degraded, Severity::Critical, 20.0, end);
    let told = close(&mut state, end, vec![warning, own]);
    let open = IncidentStatus::Open;
    assert_eq!(told.len(), 2);
    assert!(told.contains(&(Severity::Critical, open)) && told.contains(&(Severity::Warning, open)));
    assert_eq!(paged(&state), 0.0);
}

#[test]
fn more_pages_than_the_budget_hold_the_next_and_show_it_as_a_warning() {
    let mut state = TenantState::default();
    close(&mut state, at(0), vec![]);
    (0..1_400).for_each(|_| state.account.spend());
    let end = at(10);
    let odd = |surprise| vec![finding("shop", "s", Kind::Spike, Severity::Critical, surprise, end)];
    // Of ten streams of six tests a minute, fourteen pages a week are 4.64; a hundred times as many pages one more.
    let warning = close(&mut state.clone(), end, odd(5.6));
    assert_eq!(warning, [(Severity::Warning, IncidentStatus::Open)]);
    assert_eq!(close(&mut state, end, odd(5.7)), [(Severity::Critical, IncidentStatus::Open)]);
}

/// What is told of three findings that may be warnings at most.
fn of_three(services: [&str; 3], kinds: [Kind; 3], at_most: Severity, surprise: f64) -> Vec<Severity> {
    let mut state = TenantState::default();
    let end = at(10);
    let odd = |n: usize| finding(services[n], &format!("s{n}"), kinds[n], at_most, surprise, end);
    let told = close(&mut state, end, (0..3).map(odd).collect());
    let paged = paged(&state);
    let severities: Vec<Severity> = told.into_iter().map(|(severity, _)| severity).collect();
    assert_eq!(paged, severities.iter().filter(|severity| **severity == Severity::Critical).count() as f64);
    severities
}

#[test]
fn what_reaches_three_services_or_three_kinds_of_one_pages_if_together_it_is_surprising_enough() {
    let (same, unlike) = ([Kind::Spike; 3], [Kind::Spike, Kind::LevelShift, Kind::FlatLine]);
    let (one, two, three) = (["a", "a", "a"], ["a", "a", "b"], ["a", "b", "c"]);
    // 4.64 is asked, and e times ln 3 more of three together: 5.11.
    for (services, kinds, surprise, severity) in [
        (three, same, 5.2, Severity::Critical),
        (three, same, 5.0, Severity::Warning),
        (two, same, 9.0, Severity::Warning),
        (one, same, 9.0, Severity::Warning),
        (one, unlike, 5.2, Severity::Critical),
        (one, unlike, 5.0, Severity::Warning),
    ] {
        let told = of_three(services, kinds, Severity::Warning, surprise);
        assert_eq!(told, [severity], "{services:?} {kinds:?} {surprise}");
    }
    assert_eq!(
        of_three(three, same, Severity::Info, 50.0),
        [],
        "what is no more than information never pages"
    );
}

#[test]
fn what_is_no_more_than_information_lends_no_reach_to_an_incident() {
    let mut state = TenantState::default();
    let end = at(10);
    let odd = |service, at_most, surprise| finding(service, "s", Kind::Spike, at_most, surprise, end);
    let warnings = [odd("a", Severity::Warning, 9.0), odd("b", Severity::Warning, 9.0)];
    let told = close(&mut state, end, [&warnings[..], &[odd("c", Severity::Info, 50.0)]].concat());
    assert_eq!(told, [(Severity::Warning, IncidentStatus::Open)]);
    let incident = &state.standing.values().next().expect("it stands").incident;
    assert_eq!(incident.findings.len(), 3, "it is shown all the same");
}

/// The finding of an hour, as of a service that is observed once an hour.
fn hourly(kind: Kind, at_most: Severity, surprise: f64, end: Timestamp) -> Finding {
    let window_start = end.minus(Duration::from_secs(3_600));
    Finding { window_start, ..finding("shop", "s", kind, at_most, surprise, end) }
}

#[test]
fn the_odd_hours_of_a_service_that_is_observed_hourly_are_one_incident() {
    let mut state = TenantState::default();
    let mut told = Vec::new();
    for hour in 1..=5 {
        let end = at(3_600 * hour);
        told.extend(close(&mut state, end, vec![hourly(Kind::Spike, Severity::Critical, 9.0, end)]));
    }
    assert_eq!(told, [(Severity::Critical, IncidentStatus::Open)]);
    assert_eq!(state.standing.len(), 1);
    // What is judged on minutes is near in minutes.
    let end = at(5 * 3_600 + 1_000);
    close(&mut state, end, vec![finding("shop", "t", Kind::Spike, Severity::Critical, 9.0, end)]);
    assert_eq!(state.standing.len(), 2);
}

#[test]
fn what_was_only_shown_is_news_once_it_is_worth_telling() {
    let mut state = TenantState::default();
    let odd = |kind, at_most, end| finding("shop", "s", kind, at_most, 9.0, end);
    let bystander = odd(Kind::Dip, Severity::Info, at(20));
    close(&mut state, at(10), vec![odd(Kind::Spike, Severity::Critical, at(10))]);
    assert_eq!(close(&mut state, at(20), vec![bystander]), []);
    let told = close(&mut state, at(30), vec![odd(Kind::Dip, Severity::Critical, at(30))]);
    assert_eq!(told, [(Severity::Critical, IncidentStatus::Open)]);
}

/// The titles that are told at the close of a window.
fn titles(state: &mut TenantState, end: Timestamp, findings: Vec<Finding>) -> Vec<String> {
    let pending = Pending { findings, ..Pending::default() };
    let told = state.close(end, pending, &DetectConfig::default(), &mut Decisions::default());
    told.incidents.into_iter().map(|incident| incident.title).collect()
}

#[test]
fn a_forecast_is_told_again_when_half_the_time_is_left() {
    let mut state = TenantState::default();
    let mut told = Vec::new();
    for (minute, left) in [(0, 7_200), (60, 7_000), (120, 3_700), (180, 3_600), (240, 1_900), (300, 1_790)] {
        let end = at(minute);
        told.extend(titles(&mut state, end, vec![disk("shop", Severity::Critical, left, end)]));
    }
    assert_eq!(told, ["shop: full in 7200 s", "shop: full in 3600 s", "shop: full in 1790 s"]);
}

#[test]
fn a_forecast_that_recedes_is_shown_as_it_is_and_told_when_the_moment_that_was_told_has_passed() {
    let mut state = TenantState::default();
    let mut told = Vec::new();
    for (minute, left) in [(0, 600), (1, 6_000), (2, 5_900), (11, 5_400), (12, 5_300)] {
        let end = at(minute * 60);
        told.extend(titles(&mut state, end, vec![disk("shop", Severity::Critical, left, end)]));
    }
    assert_eq!(told, ["shop: full in 600 s", "shop: full in 5400 s"]);
    let standing = state.standing.values().next().expect("it stands");
    assert_eq!(standing.incident.findings[0].title, "shop: full in 5300 s");
}

#[test]
fn a_forecast_that_is_a_warning_now_and_then_is_told_once() {
    let mut state = TenantState::default();
    let mut told = Vec::new();
    for minute in 0..20 {
        let at_most = if minute % 2 == 0 { Severity::Critical } else { Severity::Warning };
        let end = at(minute * 60);
        told.extend(titles(&mut state, end, vec![disk("shop", at_most, 7_200 - minute * 60, end)]));
    }
    assert_eq!(told, ["shop: full in 7200 s"]);
}

#[test]
fn what_finds_no_room_in_an_incident_is_not_told_again_and_again() {
    let mut state = TenantState::default();
    let mut told = 0;
    for minute in 1..10 {
        let end = at(minute * 10);
        let odd = |n: u64| {
            finding("shop", &format!("s{n}"), Kind::Spike, Severity::Critical, 20.0 - n as f64 / 10.0, end)
        };
        told += close(&mut state, end, (0..60).map(odd).collect()).len();
    }
    assert_eq!(told, 1);
}

#[test]
fn of_several_disks_the_one_that_is_full_first_leads() {
    let mut state = TenantState::default();
    let disks = vec![
        disk("db", Severity::Critical, 7_200, at(60)),
        disk("api", Severity::Critical, 30_000, at(60)),
        disk("web", Severity::Warning, 3_600, at(60)),
    ];
    assert_eq!(titles(&mut state, at(60), disks), ["db: full in 7200 s; also affects api and 1 more"]);
}

#[test]
fn what_becomes_worse_is_told_at_once_and_what_lasts_after_twice_as_long() {
    let mut state = TenantState::default();
    let mut told = Vec::new();
    for hour in 0..=13 {
        let at_most = if hour < 2 { Severity::Warning } else { Severity::Critical };
        for minute in 0..60 {
            let end = at(hour * 3_600 + minute * 60);
            let findings = vec![
                finding("shop", "s", Kind::Spike, Severity::Critical, 9.0, end),
                finding("shop", "t", Kind::FlatLine, at_most, 9.0, end),
            ];
            told.extend(close(&mut state, end, findings).iter().map(|_| (hour, minute)));
        }
    }
    assert_eq!(told, [(0, 0), (2, 0), (8, 0)], "two hours and six; the next would be at sixteen");
}

#[test]
fn a_warning_that_comes_back_pages_nobody_again_and_what_would_page_does() {
    let mut state = TenantState::default();
    let odd = |at_most, end| finding("shop", "s", Kind::Spike, at_most, 9.0, end);
    close(&mut state, at(10), vec![odd(Severity::Critical, at(10))]);
    let over = at(10 + QUIET.as_secs());
    assert_eq!(close(&mut state, over, vec![]), [(Severity::Critical, IncidentStatus::Resolved)]);
    let end = at(1_200);
    let told = close(&mut state, end, vec![odd(Severity::Warning, end)]);
    assert_eq!(told, [(Severity::Warning, IncidentStatus::Open)]);
    assert_eq!(state.standing.len(), 1, "it is the same incident");
    let end = at(1_210);
    let told = close(&mut state, end, vec![odd(Severity::Critical, end)]);
    assert_eq!(told, [(Severity::Critical, IncidentStatus::Open)]);
    assert_eq!(paged(&state).round(), 1.0, "the same trouble is paid for once");
}
