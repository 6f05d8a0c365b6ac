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
fn behind_second(s: &[u8], mut end: usize, hour: u64, seconds: u64) -> Clock {
    let mut fraction = 0;
    if matches!(s.get(end), Some(b'.' | b',' | b':')) && digit_at(s, end + 1) {
        let run = digit_run(s, end + 1);
        let kept = run.min(9);
        fraction = number(s, end + 1, kept) * 10u64.pow(9 - kept as u32);
        end += 1 + run;
    }
    let (hour, end) = half_of_day(s, end, hour);
    Clock { ns: (hour * 3600 + seconds) * SECOND + fraction, end }
}

/// `AM` and `PM`, in capitals or not, behind a blank or none: the hour of the whole day.
fn half_of_day(s: &[u8], end: usize, hour: u64) -> (u64, usize) {
    let at = if is(s, end, b' ') { end + 1 } else { end };
    let is_afternoon = match s.get(at..at + 2) {
        Some(b"AM" | b"am") => false,
        Some(b"PM" | b"pm") => true,
        _ => return (hour, end),
    };
    if s.get(at + 2).is_some_and(u8::is_ascii_alphanumeric) {
        return (hour, end);
    }
    (hour % 12 + if is_afternoon { 12 } else { 0 }, at + 2)
}

/// `hh:mm`, and AM or PM, where nothing else sticks to it.
pub(super) fn clock_without_seconds(s: &[u8], at: usize) -> Option<Clock> {
    let hour_digits = if digit_at(s, at + 1) { 2 } else { 1 };
    if !digit_at(s, at) || !is(s, at + hour_digits, b':') {
        return None;
    }
    let (hour, minute) = (number(s, at, hour_digits), u64::from(two(s, at + hour_digits + 1)?));
    let end = at + hour_digits + 3;
    if hour > 23 || minute > 59 {
        return None;
    }
    let (hour, behind) = half_of_day(s, end, hour);
    let is_closed = behind > end
        || s.get(end).is_none_or(|b| matches!(b, b' ' | b'\t' | b']' | b')' | b',' | b'"' | b'Z' | b'+'));
    is_closed.then_some(Clock { ns: (hour * 60 + minute) * 60 * SECOND, end: behind })
}

/// Offset of a zone from UTC in seconds, if one is named, and the first byte after it.
pub(super) fn zone(s: &[u8], at: usize) -> (Option<i64>, usize) {
    let mark = if is(s, at, b' ') { at + 1 } else { at };
    match s.get(mark) {
        Some(b'Z') if mark == at && !s.get(at + 1).is_some_and(u8::is_ascii_alphanumeric) => {
            (Some(0), at + 1)
        }
        Some(b'+' | b'-') => match offset(s, mark, mark == at) {
            Some((offset, end)) => (Some(offset), behind_offset(s, end)),
            None => (None, at),
        },
        Some(b'A'..=b'Z') => zone_name(s, mark).map_or((None, at), |(offset, end)| (Some(offset), end)),
        _ => (None, at),
    }
}

/// `+01:00`, `-0700`, `+01` where it sticks to the time.
fn offset(s: &[u8], at: usize, sticks: bool) -> Option<(i64, usize)> {
    let hours = two(s, at + 1)?;
    let minutes_at = if is(s, at + 3, b':') { at + 4 } else { at + 3 };
    let (minutes, end) = match two(s, minutes_at) {
        Some(minutes) => (minutes, minutes_at + 2),
        None if sticks && !s.get(at + 3).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b':') => {
            (0, at + 3)
        }
        None => return None,
    };
    if hours > 15 || minutes > 59 || digit_at(s, end) {
        return None;
    }
    let offset = i64::from(hours * 3600 + minutes * 60);
    Some((if s[at] == b'-' { -offset } else { offset }, end))
}

/// The name of a place in brackets, as Java writes it: `+01:00[Europe/Berlin]`.
fn behind_offset(s: &[u8], at: usize) -> usize {
    if !is(s, at, b'[') {
        return at;
    }
    let name =
        s[at + 1..].iter().take(40).take_while(|b| b.is_ascii_alphabetic() || matches!(b, b'/' | b'_'));
    let end = at + 1 + name.count();
    if is(s, end, b']') && s[at..end].contains(&b'/') { end + 1 } else { at }
}

/// Abbreviations of zones that are written behind times, and their minutes east of UTC. Where several share one, the
/// zone that more machines are set to.
const ZONES: [(&[u8], i64); 31] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"WET", 0),
    (b"WEST", 60),
    (b"BST", 60),
    (b"CET", 60),
    (b"MEZ", 60),
    (b"CEST", 120),
    (b"MESZ", 120),
    (b"EET", 120),
    (b"SAST", 120),
    (b"EEST", 180),
    (b"MSK", 180),
    (b"IST", 330),
    (b"SGT", 480),
    (b"HKT", 480),
    (b"JST", 540),
    (b"KST", 540),
    (b"AEST", 600),
    (b"AEDT", 660),
    (b"NZST", 720),
    (b"NZDT", 780),
    (b"BRT", -180),
    (b"EDT", -240),
    (b"EST", -300),
    (b"CDT", -300),
    (b"CST", -360),
    (b"MDT", -360),
    (b"MST", -420),
    (b"PDT", -420),
    (b"PST", -480),
];

/// `CET`, `UTC`, `GMT+0100 (Central European Standard Time)`.
fn zone_name(s: &[u8], at: usize) -> Option<(i64, usize)> {
    let length = s[at..].iter().take(5).take_while(|b| b.is_ascii_uppercase()).count();
    let end = at + length;
    if !(3..=4).contains(&length) || s.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_') {
        return None;
    }
    let name = &s[at..end];
    let (_, minutes) = ZONES.iter().find(|(zone, _)| *zone == name)?;
    if name == b"GMT"
        && matches!(s.get(end), Some(b'+' | b'-'))
        && let Some((offset, end)) = offset(s, end, false)
    {
        return Some((offset, behind_long_name(s, end)));
    }
    Some((minutes * 60, end))
}

/// The name of a zone in brackets, as JavaScript writes it.
fn behind_long_name(s: &[u8], at: usize) -> usize {
    if !s[at..].starts_with(b" (") {
        return at;
    }
    let name = s[at + 2..].iter().take(48).take_while(|b| b.is_ascii_alphabetic() || **b == b' ');
    let end = at + 2 + name.count();
    if is(s, end, b')') { end + 1 } else { at }
}

/// Three letters as one number.
const fn letters(name: &[u8; 3]) -> u32 {
    (name[0] as u32) << 16 | (name[1] as u32) << 8 | name[2] as u32
}

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// What follows the three letters in a month's full name.
const MONTH_ENDS: [&[u8]; 12] =
    [b"uary", b"ruary", b"ch", b"il", b"", b"e", b"y", b"ust", b"tember", b"ober", b"ember", b"ember"];

/// The month whose three letters or full name stand at `at`, and how long that is.
pub(super) fn month(s: &[u8], at: usize) -> Option<(u32, usize)> {
    month_of(s, at, *s.get(at..at + 3)?.first_chunk()?)
}

/// The same where a date is sure to stand: in capitals or small letters too.
pub(super) fn month_any_case(s: &[u8], at: usize) -> Option<(u32, usize)> {
    let [first, second, third] = *s.get(at..at + 3)?.first_chunk::<3>()?;
    let lower = [second.to_ascii_lowercase(), third.to_ascii_lowercase()];
    month_of(s, at, [first.to_ascii_uppercase(), lower[0], lower[1]])
}

fn month_of(s: &[u8], at: usize, name: [u8; 3]) -> Option<(u32, usize)> {
    const NAMES: [u32; 12] = {
        let mut names = [0; 12];
        let mut month = 0;
        while month < 12 {
            names[month] = letters(MONTHS[month]);
            month += 1;
        }
        names
    };
    // A month begins with one of these; most words end here.
    if !matches!(name[0], b'J' | b'F' | b'M' | b'A' | b'S' | b'O' | b'N' | b'D') {
        return None;
    }
    let wanted = letters(&name);
    let month = NAMES.iter().position(|month| *month == wanted)?;
    let is_letter = |at: usize| s.get(at).is_some_and(u8::is_ascii_alphabetic);
    if !is_letter(at + 3) {
        return Some((month as u32 + 1, 3));
    }
    let end = MONTH_ENDS[month];
    let length = 3 + end.len();
    let is_full = !end.is_empty() && s[at + 3..].starts_with(end) && !is_letter(at + length);
    is_full.then_some((month as u32 + 1, length))
}

/// The length of the weekday's name at `at`, in short or in full.
pub(super) fn weekday(s: &[u8], at: usize) -> Option<usize> {
    let rest: &[u8] = match s.get(at..at + 3)? {
        b"Mon" | b"Fri" | b"Sun" => b"day",
        b"Tue" => b"sday",
        b"Wed" => b"nesday",
        b"Thu" => b"rsday",
        b"Sat" => b"urday",
        _ => return None,
    };
    Some(if s[at + 3..].starts_with(rest) { 3 + rest.len() } else { 3 })
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
