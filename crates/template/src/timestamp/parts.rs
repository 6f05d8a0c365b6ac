//! The parts that times are made of: digits, clocks, zones, names of months, days of the calendar.

use super::SECOND;

/// Days since 1970-01-01 of a civil date (Hinnant, "chrono-compatible low-level date algorithms").
pub(super) fn days(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month = i64::from(month);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

pub(super) fn year_of(ns: u64) -> i64 {
    let day = (ns / SECOND) as i64 / super::DAY_SECONDS + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    year + era * 400 + i64::from(of_year >= 306)
}

pub(super) fn two(s: &[u8], at: usize) -> Option<u32> {
    pair(*s.get(at)?, *s.get(at + 1)?)
}

pub(super) fn digit_run(s: &[u8], at: usize) -> usize {
    s[at..].iter().take(20).take_while(|b| b.is_ascii_digit()).count()
}

pub(super) fn number(s: &[u8], at: usize, length: usize) -> u64 {
    s[at..at + length].iter().fold(0u64, |n, b| n.wrapping_mul(10).wrapping_add(u64::from(b - b'0')))
}

pub(super) fn is(s: &[u8], at: usize, byte: u8) -> bool {
    s.get(at) == Some(&byte)
}

pub(super) fn digit_at(s: &[u8], at: usize) -> bool {
    s.get(at).is_some_and(u8::is_ascii_digit)
}

pub(super) struct Clock {
    pub(super) ns: u64,
    pub(super) end: usize,
}

/// `h:mm:ss`, `hh.mm.ss`, with a fraction after `.`, `,` or `:`, and AM or PM.
pub(super) fn clock(s: &[u8], at: usize) -> Option<Clock> {
    // Most have two digits everywhere.
    if let Some([h, i, one, m, n, other, t, u]) = s.get(at..at + 8).and_then(<[u8]>::first_chunk)
        && let (Some(hour), Some(minute), Some(second)) = (pair(*h, *i), pair(*m, *n), pair(*t, *u))
    {
        let is_clock = one == other && matches!(one, b':' | b'.');
        let in_range = hour <= 23 && minute <= 59 && second <= 60 && !digit_at(s, at + 8);
        return (is_clock && in_range)
            .then(|| behind_second(s, at + 8, u64::from(hour), u64::from(minute * 60 + second)));
    }
    let hour_digits = if digit_at(s, at + 1) { 2 } else { 1 };
    if !digit_at(s, at) {
        return None;
    }
    let hour = number(s, at, hour_digits);
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
    Some(behind_second(s, end, hour, minute * 60 + second))
}

/// A number of two digits.
fn pair(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// The fraction behind a time of day, and AM or PM.
fn behind_second(s: &[u8], mut end: usize, mut hour: u64, seconds: u64) -> Clock {
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
    Clock { ns: (hour * 3600 + seconds) * SECOND + fraction, end }
}

/// Offset of a zone from UTC in seconds, and the first byte after it.
pub(super) fn zone(s: &[u8], at: usize) -> (i64, usize) {
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

/// Three letters as one number.
const fn letters(name: &[u8; 3]) -> u32 {
    (name[0] as u32) << 16 | (name[1] as u32) << 8 | name[2] as u32
}

/// The month whose three letters stand at `at`, with no letter after them.
pub(super) fn month(s: &[u8], at: usize) -> Option<u32> {
    const MONTHS: [u32; 12] = [
        letters(b"Jan"),
        letters(b"Feb"),
        letters(b"Mar"),
        letters(b"Apr"),
        letters(b"May"),
        letters(b"Jun"),
        letters(b"Jul"),
        letters(b"Aug"),
        letters(b"Sep"),
        letters(b"Oct"),
        letters(b"Nov"),
        letters(b"Dec"),
    ];
    let name = s.get(at..at + 3)?.first_chunk()?;
    // A month begins with one of these; most words end here.
    if !matches!(name[0], b'J' | b'F' | b'M' | b'A' | b'S' | b'O' | b'N' | b'D') {
        return None;
    }
    let name = letters(name);
    let month = MONTHS.iter().position(|month| *month == name)? as u32 + 1;
    (!s.get(at + 3).is_some_and(u8::is_ascii_alphabetic)).then_some(month)
}

pub(super) fn weekday(s: &[u8], at: usize) -> bool {
    let name = s.get(at..at + 3);
    matches!(name, Some(b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun"))
}

pub(super) fn blanks(s: &[u8], mut at: usize) -> usize {
    while is(s, at, b' ') {
        at += 1;
    }
    at
}

/// `hhmmss`.
pub(super) fn compact_clock(s: &[u8], at: usize) -> Option<Clock> {
    let (hour, minute, second) = (two(s, at)?, two(s, at + 2)?, two(s, at + 4)?);
    (hour < 24 && minute < 60 && second <= 60)
        .then(|| Clock { ns: u64::from((hour * 60 + minute) * 60 + second) * SECOND, end: at + 6 })
}
