use super::*;

/// 2024-03-05T12:00:00Z.
const HINT: u64 = 1_709_640_000 * SECOND;

const AROUND: Around<'_> = Around { hint: HINT, ..Around::NOTHING };

fn ns(text: &str) -> Option<u64> {
    let stamp = read(text.as_bytes(), 0, AROUND).expect(text);
    assert_eq!(stamp.end, text.len(), "{text}");
    stamp.ns
}

fn rfc(text: &str) -> Option<u64> {
    text.parse::<jiff::Timestamp>().ok().map(|at| at.as_nanosecond() as u64)
}

#[test]
fn the_spellings_of_one_moment_agree() {
    for text in [
        "2024-03-05T11:22:33.250Z",
        "2024-03-05 11:22:33,250",
        "2024/03/05 11:22:33.25",
        "2024-03-05 12:22:33.250+01:00",
        "2024-03-05 11:22:33.250 UTC",
        "2024-03-05-11.22.33.250",
        "20240305-11:22:33:250",
        "Tue Mar 05 11:22:33.250 2024",
        "Mar  5 11:22:33.250",
        "Mar 05, 2024 11:22:33.250 AM",
        "05/Mar/2024:12:22:33.250 +0100",
        "Tue, 05 Mar 2024 11:22:33.250 GMT",
        "24/03/05 11:22:33.250",
        "03-05 11:22:33.250",
        "03/05/2024 11:22:33.250",
        "05.03.2024 11:22:33.250",
        "11:22:33.250",
        "2024-03-05T11:22:33.250+00",
        "2024-03-05 06:22:33.250-0500",
        "2024-03-05 12:22:33.250 CET",
        "2024-03-05 03:22:33.250 PST",
        "2024-03-05T12:22:33.250+01:00[Europe/Berlin]",
        "2024-3-5 11:22:33.250",
        "2024 Mar  5 11:22:33.250",
        "20240305T11:22:33.250Z",
        "Tue Mar  5 12:22:33.250 CET 2024",
        "Tue Mar 05 2024 12:22:33.250 GMT+0100 (Central European Standard Time)",
        "Tuesday, March 5, 2024 11:22:33.250 AM",
        "March 5, 2024, 11:22:33.250",
        "5 Mar 2024 11:22:33.250",
        "05-Mar-2024 11:22:33.250",
        "05-MAR-24 11.22.33.250 AM",
        "3/5/2024 11:22:33.250 AM",
        "5.3.2024 11:22:33.250",
        "05.03.24 11:22:33.250",
        "1709637753.25",
        "1709637753250",
        "1709637753250000",
        "1709637753250000000",
    ] {
        assert_eq!(ns(text), rfc("2024-03-05T11:22:33.25Z"), "{text}");
    }
    assert_eq!(ns("240305 112233"), rfc("2024-03-05T11:22:33Z"));
    assert_eq!(ns("2024-02-29 23:59:59"), rfc("2024-02-29T23:59:59Z"));
}

#[test]
fn a_day_without_a_year_is_not_ahead_of_the_hint() {
    assert_eq!(ns("Dec 31 23:00:00"), rfc("2023-12-31T23:00:00Z"));
    assert_eq!(ns("Mar  6 10:00:00"), rfc("2024-03-06T10:00:00Z"));
    assert_eq!(read(b"Mar  6 10:00:00", 0, Around { hint: 0, ..AROUND }).and_then(|stamp| stamp.ns), None);
}

#[test]
fn what_is_no_time_is_left_alone() {
    for text in
        ["2024-13-05 11:22:33", "hello", "12345", "99:99:99", "Marble 5 11:22:33", "1234567890abc", "1.2.3.4"]
    {
        assert_eq!(read(text.as_bytes(), 0, AROUND), None, "{text}");
    }
}

#[test]
fn a_time_of_day_may_be_without_seconds_behind_a_date_only() {
    assert_eq!(ns("2024-03-05 11:22"), rfc("2024-03-05T11:22:00Z"));
    assert_eq!(ns("3/5/2024 11:22 PM"), rfc("2024-03-05T23:22:00Z"));
    assert_eq!(read(b"11:22 o'clock", 0, AROUND), None);
    assert_eq!(ns("12:30:00 AM"), rfc("2024-03-05T00:30:00Z"));
    assert_eq!(ns("@4000000065e7004334e59c80"), rfc("2024-03-05T11:21:29.88746304Z"));
}

#[test]
fn a_time_without_a_zone_is_that_of_the_zone_given_and_one_with_a_zone_its_own() {
    let berlin = Zone::with_changes(3600, [(1_711_846_800, 7200), (1_729_990_800, 3600)]);
    let at =
        |text: &str| read(text.as_bytes(), 0, Around { zone: &berlin, ..AROUND }).and_then(|stamp| stamp.ns);
    assert_eq!(at("2024-03-05 11:22:33"), rfc("2024-03-05T10:22:33Z"));
    assert_eq!(at("2024-07-05 11:22:33"), rfc("2024-07-05T09:22:33Z"));
    assert_eq!(at("Mar  5 11:22:33"), rfc("2024-03-05T10:22:33Z"));
    assert_eq!(at("11:22:33"), rfc("2024-03-05T10:22:33Z"));
    assert_eq!(at("2024-03-05T11:22:33Z"), rfc("2024-03-05T11:22:33Z"));
    assert_eq!(at("1709637753"), rfc("2024-03-05T11:22:33Z"));
    // Near midnight the day of the hint is that of the place.
    let late = Around { hint: HINT + 11 * 3600 * SECOND + 1800 * SECOND, zone: &berlin, ..AROUND };
    assert_eq!(read(b"00:20:00", 0, late).and_then(|stamp| stamp.ns), rfc("2024-03-05T23:20:00Z"));
}

#[test]
fn the_order_of_a_date_shows_where_it_can_and_is_taken_from_the_source_where_it_can_not() {
    let shown = |text: &str| read(text.as_bytes(), 0, AROUND).and_then(|stamp| stamp.shows);
    assert_eq!(shown("25/02/2024 11:22:33"), Some(DateOrder::Day));
    assert_eq!(shown("02/25/2024 11:22:33"), Some(DateOrder::Month));
    assert_eq!(shown("02/03/2024 11:22:33"), None);
    assert_eq!(shown("24/02/25 11:22:33"), Some(DateOrder::Year), "2025 is ahead");
    assert_eq!(shown("25.02. 11:22:33"), None);
    let around = Around { order: Some(DateOrder::Day), ..AROUND };
    let at = |text: &str| read(text.as_bytes(), 0, around).and_then(|stamp| stamp.ns);
    assert_eq!(at("02/03/2024 11:22:33"), rfc("2024-03-02T11:22:33Z"));
    assert_eq!(at("02/03/22 11:22:33"), rfc("2022-03-02T11:22:33Z"));
    assert_eq!(at("02/25/2024 11:22:33"), rfc("2024-02-25T11:22:33Z"), "what can't be is not believed");
}
