//! Points in time in the many spellings of log lines, read from a byte position.
//!
//! Never looks at a clock: what a spelling leaves out (year, day) is taken from a hint. A time without a zone is
//! taken as UTC.

const SECOND: u64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;
/// A time may be this far after the hint before the year before is taken.
const AHEAD_SECONDS: i64 = 2 * DAY_SECONDS;

/// What was read at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Unix nanoseconds; `None` where the hint was needed and absent, or the time is before 1970.
    pub(crate) ns: Option<u64>,
    /// First byte after it.
    pub(crate) end: usize,
    pub(crate) spelling: Spelling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Date and time of day, beginning with digits.
    Civil,
    /// Month by name first, as syslog and `ctime` write it.
    Named,
    /// Time of day alone.
    Clock,
    /// Date alone.
    Date,
    /// A count since 1970.
    Epoch,
}

/// Reads a time at `at`, if one stands there. `hint` is about now in Unix nanoseconds, 0 where unknown.
pub(crate) fn read(s: &[u8], at: usize, hint: u64) -> Option<Stamp> {
    match *s.get(at)? {
        b'0'..=b'9' => from_digits(s, at, hint),
        b'A'..=b'Z' => from_name(s, at, hint),
        _ => None,
    }
}

/// Days since 1970-01-01 of a civil date (Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month = i64::from(month);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn year_of(ns: u64) -> i64 {
    let day = (ns / SECOND) as i64 / DAY_SECONDS + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    year + era * 400 + i64::from(of_year >= 306)
}

fn date_is_valid(month: u32, day: u32) -> bool {
    (1..=12).contains(&month) && (1..=31).contains(&day)
}

fn two(s: &[u8], at: usize) -> Option<u32> {
    let (a, b) = (*s.get(at)?, *s.get(at + 1)?);
    (a.is_ascii_digit() && b.is_ascii_digit()).then(|| u32::from(a - b'0') * 10 + u32::from(b - b'0'))
}

fn digit_run(s: &[u8], at: usize) -> usize {
    s[at..].iter().take(20).take_while(|b| b.is_ascii_digit()).count()
}

fn number(s: &[u8], at: usize, length: usize) -> u64 {
    s[at..at + length].iter().fold(0u64, |n, b| n.wrapping_mul(10).wrapping_add(u64::from(b - b'0')))
}

fn is(s: &[u8], at: usize, byte: u8) -> bool {
    s.get(at) == Some(&byte)
}

fn digit_at(s: &[u8], at: usize) -> bool {
    s.get(at).is_some_and(u8::is_ascii_digit)
}

struct Clock {
    ns: u64,
    end: usize,
}

/// `h:mm:ss`, `hh.mm.ss`, with a fraction after `.`, `,` or `:`, and AM or PM.
fn clock(s: &[u8], at: usize) -> Option<Clock> {
    let hour_digits = if digit_at(s, at + 1) { 2 } else { 1 };
    if !digit_at(s, at) {
        return None;
    }
    let mut hour = number(s, at, hour_digits);
    let mut end = at + hour_digits;
    let separator = *s.get(end)?;
    if separator != b':' && separator != b'.' {
        return None;
    }
    let minute = u64::from(two(s, end + 1)?);
    if !is(s, end + 3, separator) {
        return None;
    }
    let second = u64::from(two(s, end + 4)?);
    end += 6;
    if hour > 23 || minute > 59 || second > 60 || digit_at(s, end) {
        return None;
    }
    let mut fraction = 0;
    if matches!(s.get(end), Some(b'.' | b',' | b':')) && digit_at(s, end + 1) {
        let run = digit_run(s, end + 1);
        let kept = run.min(9);
        fraction = number(s, end + 1, kept) * 10u64.pow(9 - kept as u32);
        end += 1 + run;
    }
    if is(s, end, b' ') && matches!(s.get(end + 1), Some(b'A' | b'P')) && is(s, end + 2, b'M') {
        hour = hour % 12 + if s[end + 1] == b'P' { 12 } else { 0 };
        end += 3;
    }
    Some(Clock { ns: ((hour * 60 + minute) * 60 + second) * SECOND + fraction, end })
}

/// Offset of a zone from UTC in seconds, and the first byte after it.
fn zone(s: &[u8], at: usize) -> (i64, usize) {
    let mark = if is(s, at, b' ') { at + 1 } else { at };
    match s.get(mark) {
        Some(b'Z') if mark == at => (0, at + 1),
        Some(b'U') if s[mark..].starts_with(b"UTC") => (0, mark + 3),
        Some(b'G') if s[mark..].starts_with(b"GMT") => (0, mark + 3),
        Some(sign @ (b'+' | b'-')) => {
            let Some(hours) = two(s, mark + 1) else { return (0, at) };
            let minutes_at = if is(s, mark + 3, b':') { mark + 4 } else { mark + 3 };
            let Some(minutes) = two(s, minutes_at) else { return (0, at) };
            if hours > 15 || minutes > 59 || digit_at(s, minutes_at + 2) {
                return (0, at);
            }
            let offset = i64::from(hours * 3600 + minutes * 60);
            (if *sign == b'-' { -offset } else { offset }, minutes_at + 2)
        }
        _ => (0, at),
    }
}

fn at_day(day: i64, clock_ns: u64, offset: i64) -> Option<u64> {
    let seconds = u64::try_from(day * DAY_SECONDS + (clock_ns / SECOND) as i64 - offset).ok()?;
    seconds.checked_mul(SECOND)?.checked_add(clock_ns % SECOND)
}

fn stamp(year: i64, month: u32, day: u32, clock: &Clock, s: &[u8], spelling: Spelling) -> Option<Stamp> {
    if !date_is_valid(month, day) {
        return None;
    }
    let (offset, end) = zone(s, clock.end);
    Some(Stamp { ns: at_day(days(year, month, day), clock.ns, offset), end, spelling })
}

/// A date without a year: the year of the hint, or the one before if that would lie ahead.
fn without_year(
    month: u32,
    day: u32,
    clock: &Clock,
    hint: u64,
    s: &[u8],
    spelling: Spelling,
) -> Option<Stamp> {
    let guess = stamp(year_of(hint), month, day, clock, s, spelling)?;
    if hint == 0 {
        return Some(Stamp { ns: None, ..guess });
    }
    let ahead = guess.ns.is_none_or(|ns| (ns / SECOND) as i64 > (hint / SECOND) as i64 + AHEAD_SECONDS);
    if ahead { stamp(year_of(hint) - 1, month, day, clock, s, spelling) } else { Some(guess) }
}

/// Between date and time of day: one of `T`, blank, `_`, `-`, `:`.
fn after_date(s: &[u8], at: usize) -> Option<Clock> {
    match s.get(at)? {
        b',' if is(s, at + 1, b' ') => clock(s, at + 2),
        b'T' | b't' | b' ' | b'_' | b'-' | b':' => clock(s, at + 1),
        _ => None,
    }
}

fn from_digits(s: &[u8], at: usize, hint: u64) -> Option<Stamp> {
    let run = digit_run(s, at);
    let next = s.get(at + run).copied();
    match run {
        4 => year_first(s, at),
        1 | 2 if next == Some(b':') => {
            let clock = clock(s, at)?;
            let midnight = (hint / SECOND) as i64 / DAY_SECONDS;
            let ns = if hint == 0 { None } else { at_day(midnight, clock.ns, 0) };
            let ns = match ns {
                Some(ns) if ns > hint.saturating_add(12 * 3600 * SECOND) => at_day(midnight - 1, clock.ns, 0),
                other => other,
            };
            Some(Stamp { ns, end: clock.end, spelling: Spelling::Clock })
        }
        1 | 2 => short_date(s, at, run, hint),
        6 if next == Some(b' ') && digit_run(s, at + 7) == 6 => {
            let (year, month, day) = (two(s, at)?, two(s, at + 2)?, two(s, at + 4)?);
            let clock = compact_clock(s, at + 7)?;
            stamp(2000 + i64::from(year), month, day, &clock, s, Spelling::Civil)
        }
        8 => {
            let (year, month, day) = (number(s, at, 4), two(s, at + 4)?, two(s, at + 6)?);
            if !(1970..=2200).contains(&year) {
                return None;
            }
            let clock = after_date(s, at + 8).or_else(|| {
                let from =
                    if matches!(next, Some(b'T' | b' ' | b'-' | b'_')) { at + 9 } else { return None };
                (digit_run(s, from) == 6).then(|| compact_clock(s, from)).flatten()
            })?;
            stamp(year as i64, month, day, &clock, s, Spelling::Civil)
        }
        14 => {
            let (year, month, day) = (number(s, at, 4), two(s, at + 4)?, two(s, at + 6)?);
            let clock = compact_clock(s, at + 8)?;
            (1970..=2200)
                .contains(&year)
                .then(|| stamp(year as i64, month, day, &clock, s, Spelling::Civil))
                .flatten()
        }
        10 | 13 | 16 | 19 => epoch(s, at, run),
        _ => None,
    }
}

/// `hhmmss`.
fn compact_clock(s: &[u8], at: usize) -> Option<Clock> {
    let (hour, minute, second) = (two(s, at)?, two(s, at + 2)?, two(s, at + 4)?);
    (hour < 24 && minute < 60 && second <= 60)
        .then(|| Clock { ns: u64::from((hour * 60 + minute) * 60 + second) * SECOND, end: at + 6 })
}

/// `yyyy-mm-dd`, also with `/` or `.`, and the time of day if it follows.
fn year_first(s: &[u8], at: usize) -> Option<Stamp> {
    let separator = *s.get(at + 4)?;
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    let year = number(s, at, 4) as i64;
    let wide = |at: usize| if digit_at(s, at + 1) { 2 } else { 1 };
    let month_width = wide(at + 5);
    let day_at = at + 5 + month_width + 1;
    if !digit_at(s, at + 5) || !is(s, day_at - 1, separator) || !digit_at(s, day_at) {
        return None;
    }
    let day_width = wide(day_at);
    let (month, day) = (number(s, at + 5, month_width) as u32, number(s, day_at, day_width) as u32);
    let end = day_at + day_width;
    if digit_at(s, end) || !date_is_valid(month, day) || !(1900..=2999).contains(&year) {
        return None;
    }
    match after_date(s, end) {
        Some(clock) => stamp(year, month, day, &clock, s, Spelling::Civil),
        None => Some(Stamp { ns: at_day(days(year, month, day), 0, 0), end, spelling: Spelling::Date }),
    }
}

/// Dates that begin with one or two digits: `dd/Mon/yyyy:`, `dd Mon yyyy`, `mm/dd/yyyy`, `dd.mm.yyyy`, `yy/mm/dd`,
/// `mm-dd`, `mm.dd`.
fn short_date(s: &[u8], at: usize, run: usize, hint: u64) -> Option<Stamp> {
    let first = number(s, at, run) as u32;
    let separator = *s.get(at + run)?;
    let second_at = at + run + 1;
    if !matches!(separator, b'/' | b'-' | b'.' | b' ') {
        return None;
    }
    if let Some(month) = month(s, second_at) {
        if !is(s, second_at + 3, separator) || digit_run(s, second_at + 4) != 4 {
            return None;
        }
        let year = number(s, second_at + 4, 4) as i64;
        let clock = after_date(s, second_at + 8)?;
        return stamp(year, month, first, &clock, s, Spelling::Civil);
    }
    if separator == b' ' || run != 2 || digit_run(s, second_at) != 2 {
        return None;
    }
    let second = two(s, second_at)?;
    let third_at = second_at + 3;
    if !is(s, second_at + 2, separator) {
        let clock = after_date(s, second_at + 2)?;
        return without_year(first, second, &clock, hint, s, Spelling::Civil);
    }
    match digit_run(s, third_at) {
        4 => {
            let year = number(s, third_at, 4) as i64;
            let clock = after_date(s, third_at + 4)?;
            let day_first = first > 12 || (separator == b'.' && second <= 12);
            let (month, day) = if day_first { (second, first) } else { (first, second) };
            stamp(year, month, day, &clock, s, Spelling::Civil)
        }
        2 => {
            let third = two(s, third_at)?;
            let clock = after_date(s, third_at + 2)?;
            // Year first is the short date of log4j's default; otherwise month first, unless it can't be one.
            let orders = [(first, second, third), (third, first, second), (third, second, first)];
            let order = orders.into_iter().find(|(year, month, day)| {
                date_is_valid(*month, *day) && (hint == 0 || 2000 + i64::from(*year) <= year_of(hint))
            });
            let (year, month, day) = order.unwrap_or(orders[0]);
            stamp(2000 + i64::from(year), month, day, &clock, s, Spelling::Civil)
        }
        _ => None,
    }
}

fn epoch(s: &[u8], at: usize, run: usize) -> Option<Stamp> {
    let count = number(s, at, run);
    let unit = 10u64.pow(19 - run as u32);
    let mut ns = count.checked_mul(unit)?;
    // 2001 to 2096: other counts are just numbers.
    if !(1_000_000_000 * SECOND..4_000_000_000 * SECOND).contains(&ns) {
        return None;
    }
    let mut end = at + run;
    if run == 10 && is(s, end, b'.') && digit_at(s, end + 1) {
        let digits = digit_run(s, end + 1);
        let kept = digits.min(9);
        ns += number(s, end + 1, kept) * 10u64.pow(9 - kept as u32);
        end += 1 + digits;
    }
    if s.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
        return None;
    }
    Some(Stamp { ns: Some(ns), end, spelling: Spelling::Epoch })
}

/// The month whose three letters stand at `at`, with no letter after them.
fn month(s: &[u8], at: usize) -> Option<u32> {
    let name = s.get(at..at + 3)?;
    let month = match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    (!s.get(at + 3).is_some_and(u8::is_ascii_alphabetic)).then_some(month)
}

fn weekday(s: &[u8], at: usize) -> bool {
    let name = s.get(at..at + 3);
    matches!(name, Some(b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun"))
}

fn blanks(s: &[u8], mut at: usize) -> usize {
    while is(s, at, b' ') {
        at += 1;
    }
    at
}

/// `Mon dd hh:mm:ss [zone] [yyyy]`, `Mon dd[,] yyyy hh:mm:ss`, and both after a weekday.
fn from_name(s: &[u8], mut at: usize, hint: u64) -> Option<Stamp> {
    if weekday(s, at) {
        at += 3;
        at = blanks(s, if is(s, at, b',') { at + 1 } else { at });
        if digit_at(s, at) {
            let run = digit_run(s, at);
            return if run <= 2 { short_date(s, at, run, hint) } else { None };
        }
    }
    let month = month(s, at)?;
    let day_at = blanks(s, at + 3);
    let run = digit_run(s, day_at);
    if !is(s, at + 3, b' ') || !(1..=2).contains(&run) {
        return None;
    }
    let day = number(s, day_at, run) as u32;
    let mut next = day_at + run;
    next = blanks(s, if is(s, next, b',') { next + 1 } else { next });
    if digit_run(s, next) == 4 && matches!(s.get(next + 4), Some(b' ' | b',')) {
        let year = number(s, next, 4) as i64;
        let clock = after_date(s, next + 4)?;
        return stamp(year, month, day, &clock, s, Spelling::Named);
    }
    let clock = clock(s, next)?;
    let (_, zone_end) = zone(s, clock.end);
    if is(s, zone_end, b' ') && digit_run(s, zone_end + 1) == 4 {
        let year = number(s, zone_end + 1, 4) as i64;
        let end = zone_end + 5;
        if (1970..=2200).contains(&year) && !s.get(end).is_some_and(|b| b.is_ascii_alphanumeric()) {
            let stamp = stamp(year, month, day, &clock, s, Spelling::Named)?;
            return Some(Stamp { end, ..stamp });
        }
    }
    without_year(month, day, &clock, hint, s, Spelling::Named)
}

#[cfg(test)]
mod tests {
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
        for text in [
            "2024-13-05 11:22:33",
            "hello",
            "12345",
            "99:99:99",
            "Marble 5 11:22:33",
            "1234567890abc",
            "1.2.3.4",
        ] {
            assert_eq!(read(text.as_bytes(), 0, HINT), None, "{text}");
        }
    }
}
