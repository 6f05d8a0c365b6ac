//! Points in time in the many spellings of log lines, read from a byte position.
//!
//! Never looks at a clock: what a spelling leaves out (year, day) is taken from a hint. A time without a zone is
//! taken as UTC.

mod parts;

use parts::{
    Clock, blanks, clock, compact_clock, days, digit_at, digit_run, is, month, number, two, weekday, year_of,
    zone,
};

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
    /// The same with a year, as syslog does not.
    NamedYear,
    /// Time of day alone.
    Clock,
    /// Date alone.
    Date,
    /// A count since 1970.
    Epoch,
}

/// Reads a time at `at`, if one stands there. `hint` is about now in Unix nanoseconds, 0 where unknown.
#[inline]
pub(crate) fn read(s: &[u8], at: usize, hint: u64) -> Option<Stamp> {
    match *s.get(at)? {
        b'0'..=b'9' => from_digits(s, at, hint),
        // Months and weekdays have small letters behind the first.
        b'A'..=b'Z' if s.get(at + 1).is_some_and(u8::is_ascii_lowercase) => from_name(s, at, hint),
        _ => None,
    }
}

/// Whether the name of a weekday or month stands at the front, so that a time may.
pub(crate) fn begins_with_name(s: &[u8]) -> bool {
    weekday(s, 0) || month(s, 0).is_some()
}

fn date_is_valid(month: u32, day: u32) -> bool {
    (1..=12).contains(&month) && (1..=31).contains(&day)
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
    let year = year_of(hint);
    let guess = stamp(year, month, day, clock, s, spelling)?;
    if hint == 0 {
        return Some(Stamp { ns: None, ..guess });
    }
    let ahead = guess.ns.is_none_or(|ns| (ns / SECOND) as i64 > (hint / SECOND) as i64 + AHEAD_SECONDS);
    if ahead { stamp(year - 1, month, day, clock, s, spelling) } else { Some(guess) }
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
        return stamp(year, month, day, &clock, s, Spelling::NamedYear);
    }
    let clock = clock(s, next)?;
    let (_, zone_end) = zone(s, clock.end);
    if is(s, zone_end, b' ') && digit_run(s, zone_end + 1) == 4 {
        let year = number(s, zone_end + 1, 4) as i64;
        let end = zone_end + 5;
        if (1970..=2200).contains(&year) && !s.get(end).is_some_and(|b| b.is_ascii_alphanumeric()) {
            let stamp = stamp(year, month, day, &clock, s, Spelling::NamedYear)?;
            return Some(Stamp { end, ..stamp });
        }
    }
    without_year(month, day, &clock, hint, s, Spelling::Named)
}

#[cfg(test)]
mod tests;
