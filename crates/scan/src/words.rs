//! Numbers, times and measures in words, for the summary and the page alike.

use std::time::Duration;

use foreshock_model::{Finding, Kind, Timestamp};
use jiff::tz::TimeZone;

/// A count with its thousands set apart.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of things: `1 line`, `2,000 lines`.
pub(crate) fn counted(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(value), if value == 1 { one } else { many })
}

/// A number, three significant digits.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || size >= 1e15 {
        return format!("{value:.2e}");
    }
    if size >= 1_000.0 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", count(size.round() as u64));
    }
    if size < 1e-9 {
        return "0".into();
    }
    if size < 1e-4 {
        return format!("{value:.2e}");
    }
    let decimals = usize::try_from(2 - (size.log10().floor() as i32)).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// A share in per cent.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let share = 100.0 * part as f64 / whole.max(1) as f64;
    match share {
        _ if part == 0 => "0 %".into(),
        share if share < 0.1 => "< 0.1 %".into(),
        share => format!("{share:.1} %"),
    }
}

/// A length of time.
pub(crate) fn length(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 1.0 => format!("{} ms", number((s * 1e3).round().max(1.0))),
        s if s < 119.5 => format!("{} s", number((s * 10.0).round() / 10.0)),
        s if s < 7_170.0 => format!("{:.0} min", s / 60.0),
        s if s < 171_000.0 => format!("{} h", number((s / 360.0).round() / 10.0)),
        s => format!("{} days", number((s / 8_640.0).round() / 10.0)),
    }
}

/// How often something came.
pub(crate) fn rate(count: u64, span: Duration) -> Option<String> {
    let seconds = span.as_secs_f64();
    if seconds < 1.0 {
        return None;
    }
    let a_second = count as f64 / seconds;
    Some(match a_second {
        r if r >= 1.0 => format!("{} a second", number(r)),
        r if r * 60.0 >= 1.0 => format!("{} a minute", number(r * 60.0)),
        r if r * 3_600.0 >= 1.0 => format!("{} an hour", number(r * 3_600.0)),
        r => format!("{} a day", number(r * 86_400.0)),
    })
}

/// Writes points in time, in UTC; without the date where everything happened on one day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    is_one_day: bool,
}

impl Moments {
    /// For what happened between two points in time.
    pub(crate) fn within(span: Option<(Timestamp, Timestamp)>) -> Self {
        let day = |time: Timestamp| time.nanos() / 86_400_000_000_000;
        Self { is_one_day: span.is_some_and(|(first, last)| day(first) == day(last)) }
    }

    pub(crate) fn of(self, time: Timestamp) -> String {
        let whole = moment(time);
        match whole.split_once(' ') {
            Some((_, clock)) if self.is_one_day => clock.to_owned(),
            _ => whole,
        }
    }

    /// From one to another; a date that is the same is said once.
    pub(crate) fn range(self, from: Timestamp, to: Timestamp) -> String {
        let (begin, end) = (self.of(from), self.of(to));
        if begin == end {
            return begin;
        }
        let same = begin.split_once(' ').map(|(date, _)| date) == end.split_once(' ').map(|(date, _)| date);
        let end = if same { end.rsplit(' ').next().unwrap_or_default() } else { &end };
        format!("{begin} to {end}")
    }
}

/// Date and time to the second, in UTC.
pub(crate) fn moment(time: Timestamp) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(time.nanos())) {
        Ok(at) => TimeZone::UTC.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "9999-12-31 23:59:59".into(),
    }
}

/// What was observed and what was expected, in the unit of its kind.
pub(crate) struct Measure {
    pub(crate) before: &'static str,
    pub(crate) observed: String,
    pub(crate) after: String,
}

impl Measure {
    pub(crate) fn of(finding: &Finding, moments: Moments) -> Self {
        let (observed, low, high) = (finding.observed, finding.expected.low, finding.expected.high);
        let lines = |value: f64| if value == 1.0 { " line" } else { " lines" };
        let between = |low: String, high: String| {
            if low == high { format!(", expected {low}") } else { format!(", expected {low} to {high}") }
        };
        match finding.kind {
            Kind::ErrorShare => Self {
                before: "observed ",
                observed: format!("{} %", number(100.0 * observed)),
                after: format!(", expected {} to {} %", number(100.0 * low), number(100.0 * high)),
            },
            Kind::WillRunOut => {
                let at = |seconds: f64| moments.of(Timestamp::from_secs_f64(seconds));
                Self {
                    before: "full at ",
                    observed: at(observed),
                    after: format!(", most likely between {} and {}", at(low), at(high)),
                }
            }
            Kind::Silence => {
                let span = |seconds: f64| length(Duration::try_from_secs_f64(seconds).unwrap_or_default());
                Self {
                    before: "silent for ",
                    observed: span(observed),
                    after: format!(", usual are {} to {}", span(low), span(high)),
                }
            }
            Kind::NewPattern => Self {
                before: "observed ",
                observed: format!("{}{}", number(observed), lines(observed)),
                after: ", never seen before".into(),
            },
            Kind::PatternRateUp | Kind::PatternRateDown => Self {
                before: "observed ",
                observed: format!("{}{}", number(observed), lines(observed)),
                after: between(number(low), number(high)),
            },
            _ => Self {
                before: "observed ",
                observed: number(observed),
                after: between(number(low), number(high)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_are_short() {
        assert_eq!(
            [count(0), count(999), count(1_000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        let said =
            [0.0, 0.5, 0.06891, 1.7334, 64.0, 123.4, 9_876.5, 3e-5, -2.5, -1500.0, f64::MAX].map(number);
        let short =
            ["0", "0.5", "0.0689", "1.73", "64", "123", "9,877", "3.00e-5", "-2.5", "-1,500", "1.80e308"];
        assert_eq!(said, short);
        let lengths = [0.004, 1.5, 119.0, 600.0, 7_200.0, 200_000.0];
        let lengths = lengths.map(|seconds| length(Duration::from_secs_f64(seconds)));
        assert_eq!(lengths, ["4 ms", "1.5 s", "119 s", "10 min", "2 h", "2.3 days"]);
        assert_eq!([percent(0, 9), percent(1, 100_000), percent(1, 3)], ["0 %", "< 0.1 %", "33.3 %"]);
    }

    #[test]
    fn a_date_that_goes_without_saying_is_not_said() {
        let at = |seconds: u64| Timestamp::from_secs(1_226_312_200 + seconds);
        let one_day = Moments::within(Some((at(0), at(60))));
        assert_eq!(one_day.range(at(0), at(60)), "10:16:40 to 10:17:40");
        let more = Moments::within(Some((at(0), at(200_000))));
        assert_eq!(more.range(at(0), at(60)), "2008-11-10 10:16:40 to 10:17:40");
        assert_eq!(more.range(at(0), at(86_400)), "2008-11-10 10:16:40 to 2008-11-11 10:16:40");
    }
}
