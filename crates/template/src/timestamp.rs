//! Points in time in the many spellings of log lines, read from a byte position.
//!
//! Never looks at a clock: what a spelling leaves out (year, day, zone, which of two numbers is the month) is taken
//! from what is known around the line.

mod date;
mod parts;

use parts::{
    Clock, blanks, clock, compact_clock, days, digit_at, digit_run, is, month, number, two, weekday, year_of,
    zone,
};

use serde::{Deserialize, Serialize};

use crate::{Zone, recall::Watch};

const SECOND: u64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;
/// A time may be this far after the hint before the year before is taken.
const AHEAD_SECONDS: i64 = 2 * DAY_SECONDS;

/// What is known around a line, for what its time leaves out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    /// About now in Unix nanoseconds, 0 where unknown.
    pub(crate) hint: u64,
    pub(crate) zone: &'a Zone,
    /// How the source writes dates, where it has shown.
    pub(crate) order: Option<DateOrder>,
    /// Nothing is known, and nothing is to be.
    pub(crate) alone: bool,
    /// Takes down what was asked about digits.
    pub(crate) watch: Option<&'a Watch>,
}

impl Around<'_> {
    /// Nothing is known.
    pub(crate) const NOTHING: Self =
        Self { hint: 0, zone: &Zone::UTC, order: None, alone: true, watch: None };

    /// The same, for what of a time does not depend on what is around it.
    pub(crate) fn alone(self) -> Self {
        Self { watch: self.watch, ..Around::NOTHING }
    }
}

/// Which part of a date in numbers comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum DateOrder {
    Day,
    Month,
    Year,
}

/// What was read at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Unix nanoseconds; `None` where the hint was needed and absent, or the time is before 1970.
    pub(crate) ns: Option<u64>,
    /// First byte after it.
    pub(crate) end: usize,
    pub(crate) spelling: Spelling,
    /// The order of its date, where no other is possible and others would be.
    pub(crate) shows: Option<DateOrder>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Date and time of day, beginning with digits.
    Civil,
    /// Month by name first, as syslog and `ctime` write it.
    Named,
    /// The same with a year, as syslog does not.
    NamedYear,
    /// Time of day alone.
    Clock,
    /// Date alone.
    Date,
    /// A count since 1970.
    Epoch,
}

/// Reads a time at `at`, if one stands there.
#[inline]
pub(crate) fn read(s: &[u8], at: usize, around: Around<'_>) -> Option<Stamp> {
    let first = *s.get(at)?;
    let stamp = read_as(first, s, at, around);
    if let Some(watch) = around.watch
        && (stamp.is_some() || first.is_ascii_digit() || first == b'@' || begins_with_name(&s[at..]))
    {
        watch.time(s, at, around.alone, stamp);
    }
    stamp
}

#[inline(always)]
fn read_as(first: u8, s: &[u8], at: usize, around: Around<'_>) -> Option<Stamp> {
    match first {
        b'0'..=b'9' => from_digits(s, at, around),
        // Months and weekdays have small letters behind the first.
        b'A'..=b'Z' if s.get(at + 1).is_some_and(u8::is_ascii_lowercase) => from_name(s, at, around),
        b'@' => tai64n(s, at),
        _ => None,
    }
}

/// Whether the name of a weekday or month stands at the front, so that a time may.
pub(crate) fn begins_with_name(s: &[u8]) -> bool {
    weekday(s, 0).is_some() || month(s, 0).is_some()
}

fn date_is_valid(month: u32, day: u32) -> bool {
    (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// A day and the time in it, `offset` seconds east of UTC.
fn at_day(day: i64, clock_ns: u64, offset: i64) -> Option<u64> {
    let seconds = u64::try_from(day * DAY_SECONDS + (clock_ns / SECOND) as i64 - offset).ok()?;
    seconds.checked_mul(SECOND)?.checked_add(clock_ns % SECOND)
}

fn at_local(day: i64, clock_ns: u64, offset: Option<i64>, zone: &Zone) -> Option<u64> {
    let local = || day * DAY_SECONDS + (clock_ns / SECOND) as i64;
    at_day(day, clock_ns, offset.unwrap_or_else(|| zone.offset_at(local())))
}

/// A date as it was read.
#[derive(Clone, Copy, Debug)]
struct Date {
    year: i64,
    month: u32,
    day: u32,
}

fn stamp(date: Date, clock: &Clock, s: &[u8], spelling: Spelling, around: Around<'_>) -> Option<Stamp> {
    if !date_is_valid(date.month, date.day) {
        return None;
    }
    let (offset, end) = zone(s, clock.end);
    let day = days(date.year, date.month, date.day);
    Some(Stamp { ns: at_local(day, clock.ns, offset, around.zone), end, spelling, shows: None })
}

/// A date without a year: the year of the hint, or the one before if that would lie ahead.
fn without_year(
    month: u32,
    day: u32,
    clock: &Clock,
    s: &[u8],
    spelling: Spelling,
    around: Around<'_>,
) -> Option<Stamp> {
    let hint = around.hint;
    let year = year_of(hint);
    let guess = stamp(Date { year, month, day }, clock, s, spelling, around)?;
    if hint == 0 {
        return Some(Stamp { ns: None, ..guess });
    }
    let ahead = guess.ns.is_none_or(|ns| (ns / SECOND) as i64 > (hint / SECOND) as i64 + AHEAD_SECONDS);
    if ahead { stamp(Date { year: year - 1, month, day }, clock, s, spelling, around) } else { Some(guess) }
}

/// Between date and time of day: one of `T`, blank, `_`, `-`, `:`; the time may be without seconds there.
fn after_date(s: &[u8], at: usize) -> Option<Clock> {
    let from = match s.get(at)? {
        b',' if is(s, at + 1, b' ') => at + 2,
        b'T' | b't' | b' ' | b'_' | b'-' | b':' => at + 1,
        _ => return None,
    };
    clock(s, from).or_else(|| parts::clock_without_seconds(s, from))
}

fn from_digits(s: &[u8], at: usize, around: Around<'_>) -> Option<Stamp> {
    let run = digit_run(s, at);
    let next = s.get(at + run).copied();
    match run {
        4 => date::year_first(s, at, around),
        1 | 2 if next == Some(b':') => today(clock(s, at)?, s, around),
        1 | 2 => date::short(s, at, run, around),
        6 if next == Some(b' ') && digit_run(s, at + 7) == 6 => {
            let (year, month, day) = (two(s, at)?, two(s, at + 2)?, two(s, at + 4)?);
            let clock = compact_clock(s, at + 7)?;
            let date = Date { year: 2000 + i64::from(year), month, day };
            stamp(date, &clock, s, Spelling::Civil, around)
        }
        8 | 14 => {
            let (year, month, day) = (number(s, at, 4), two(s, at + 4)?, two(s, at + 6)?);
            if !(1970..=2200).contains(&year) {
                return None;
            }
            let clock = if run == 14 { compact_clock(s, at + 8)? } else { after_compact_date(s, at + 8)? };
            stamp(Date { year: year as i64, month, day }, &clock, s, Spelling::Civil, around)
        }
        10 | 13 | 16 | 19 => epoch(s, at, run),
        _ => None,
    }
}

/// A time of day alone: of the hint's day, or the day before if that would lie ahead.
fn today(clock: Clock, s: &[u8], around: Around<'_>) -> Option<Stamp> {
    let hint = around.hint;
    let here = (hint / SECOND) as i64;
    let midnight = (here + around.zone.offset_at(here)).div_euclid(DAY_SECONDS);
    let (offset, end) = zone(s, clock.end);
    let ns = if hint == 0 { None } else { at_local(midnight, clock.ns, offset, around.zone) };
    let ns = match ns {
        Some(ns) if ns > hint.saturating_add(12 * 3600 * SECOND) => {
            at_local(midnight - 1, clock.ns, offset, around.zone)
        }
        other => other,
    };
    Some(Stamp { ns, end, spelling: Spelling::Clock, shows: None })
}

/// Behind `yyyymmdd`.
fn after_compact_date(s: &[u8], at: usize) -> Option<Clock> {
    after_date(s, at).or_else(|| {
        let follows = matches!(s.get(at), Some(b'T' | b' ' | b'-' | b'_'));
        (follows && digit_run(s, at + 1) == 6).then(|| compact_clock(s, at + 1)).flatten()
    })
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
    Some(Stamp { ns: Some(ns), end, spelling: Spelling::Epoch, shows: None })
}

/// `@4000000065e6f2f90ee6b280`, the label of multilog and s6: seconds from 2^62 on, 10 ahead of UTC, and nanoseconds.
fn tai64n(s: &[u8], at: usize) -> Option<Stamp> {
    const DIGITS: usize = 24;
    let end = at + 1 + DIGITS;
    let text = std::str::from_utf8(s.get(at + 1..end)?).ok()?;
    if !text.starts_with("4000000") || s.get(end).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let seconds = u64::from_str_radix(&text[..16], 16).ok()?.checked_sub((1 << 62) + 10)?;
    let nanos = u64::from_str_radix(&text[16..], 16).ok().filter(|nanos| *nanos < SECOND)?;
    let ns = seconds.checked_mul(SECOND)?.checked_add(nanos);
    Some(Stamp { ns, end, spelling: Spelling::Epoch, shows: None })
}

/// `Mon dd hh:mm:ss [zone] [yyyy]`, `Mon dd[,] yyyy hh:mm:ss`, and both after a weekday; names in full too.
fn from_name(s: &[u8], mut at: usize, around: Around<'_>) -> Option<Stamp> {
    if let Some(length) = weekday(s, at) {
        at += length;
        at = blanks(s, if is(s, at, b',') { at + 1 } else { at });
        if digit_at(s, at) {
            let run = digit_run(s, at);
            return if run <= 2 { date::short(s, at, run, around) } else { None };
        }
    }
    let (month, length) = month(s, at)?;
    let day_at = blanks(s, at + length);
    let run = digit_run(s, day_at);
    if !is(s, at + length, b' ') || !(1..=2).contains(&run) {
        return None;
    }
    let day = number(s, day_at, run) as u32;
    let mut next = day_at + run;
    next = blanks(s, if is(s, next, b',') { next + 1 } else { next });
    if digit_run(s, next) == 4 && matches!(s.get(next + 4), Some(b' ' | b',')) {
        let year = number(s, next, 4) as i64;
        let clock = after_date(s, next + 4)?;
        return stamp(Date { year, month, day }, &clock, s, Spelling::NamedYear, around);
    }
    let clock = clock(s, next)?;
    let (_, zone_end) = zone(s, clock.end);
    if is(s, zone_end, b' ') && digit_run(s, zone_end + 1) == 4 {
        let year = number(s, zone_end + 1, 4) as i64;
        let end = zone_end + 5;
        if (1970..=2200).contains(&year) && !s.get(end).is_some_and(|b| b.is_ascii_alphanumeric()) {
            let stamp = stamp(Date { year, month, day }, &clock, s, Spelling::NamedYear, around)?;
            return Some(Stamp { end, ..stamp });
        }
    }
    without_year(month, day, &clock, s, Spelling::Named, around)
}

#[cfg(test)]
mod tests;
