use super::*;

/// 2024-03-05T12:00:00Z.
const HINT: u64 = 1_709_640_000 * SECOND;

fn ns(text: &str) -> Option<u64> {
    let stamp = read(text.as_bytes(), 0, HINT).expect(text);
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
    assert_eq!(read(b"Mar  6 10:00:00", 0, 0).and_then(|stamp| stamp.ns), None);
}

#[test]
fn what_is_no_time_is_left_alone() {
    for text in
        ["2024-13-05 11:22:33", "hello", "12345", "99:99:99", "Marble 5 11:22:33", "1234567890abc", "1.2.3.4"]
    {
        assert_eq!(read(text.as_bytes(), 0, HINT), None, "{text}");
    }
}
