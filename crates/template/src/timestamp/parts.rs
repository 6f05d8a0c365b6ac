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
    let (a, b) = (*s.get(at)?, *s.get(at + 1)?);
    (a.is_ascii_digit() && b.is_ascii_digit()).then(|| u32::from(a - b'0') * 10 + u32::from(b - b'0'))
}

pub(super) fn digit_run(s: &[u8], at: usize) -> usize {
    let window = &s[at..];
    let window = &window[..window.len().min(20)];
    window.iter().position(|b| !b.is_ascii_digit()).unwrap_or(window.len())
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

/// The month whose three letters stand at `at`, with no letter after them.
pub(super) fn month(s: &[u8], at: usize) -> Option<u32> {
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
