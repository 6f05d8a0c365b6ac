//! Dates in numbers: the year first, or a day or month, with or without a year behind.

use super::{
    Around, Date, DateOrder, Spelling, Stamp, after_date, date_is_valid,
    parts::{days, digit_at, digit_run, is, month_any_case, number, year_of},
    stamp, without_year,
};

/// `yyyy-mm-dd`, also with `/` or `.`, and the time of day if it follows; `yyyy Mon dd hh:mm:ss`.
pub(super) fn year_first(s: &[u8], at: usize, around: Around<'_>) -> Option<Stamp> {
    let separator = *s.get(at + 4)?;
    let year = number(s, at, 4) as i64;
    if separator == b' ' {
        return year_and_name(s, at + 5, year, around);
    }
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
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
        Some(clock) => stamp(Date { year, month, day }, &clock, s, Spelling::Civil, around),
        None => {
            let ns = super::at_local(days(year, month, day), 0, None, around.zone);
            Some(Stamp { ns, end, spelling: Spelling::Date, shows: None })
        }
    }
}

/// `Mon dd hh:mm:ss` behind a year.
fn year_and_name(s: &[u8], at: usize, year: i64, around: Around<'_>) -> Option<Stamp> {
    if !(1970..=2200).contains(&year) {
        return None;
    }
    let (month, length) = super::month(s, at)?;
    let day_at = super::blanks(s, at + length);
    let run = digit_run(s, day_at);
    if !is(s, at + length, b' ') || !(1..=2).contains(&run) {
        return None;
    }
    let clock = after_date(s, day_at + run)?;
    let date = Date { year, month, day: number(s, day_at, run) as u32 };
    // Syslog's, with a year before it.
    stamp(date, &clock, s, Spelling::Named, around)
}

/// Dates that begin with one or two digits: `dd/Mon/yyyy:`, `dd Mon yyyy`, `mm/dd/yyyy`, `dd.mm.yyyy`, `yy/mm/dd`,
/// `mm-dd`, `mm.dd`.
pub(super) fn short(s: &[u8], at: usize, run: usize, around: Around<'_>) -> Option<Stamp> {
    let first = number(s, at, run) as u32;
    let separator = *s.get(at + run)?;
    let second_at = at + run + 1;
    if !matches!(separator, b'/' | b'-' | b'.' | b' ') {
        return None;
    }
    if let Some((month, length)) = month_any_case(s, second_at) {
        let year_at = second_at + length + 1;
        if !is(s, year_at - 1, separator) {
            return None;
        }
        let year = match digit_run(s, year_at) {
            4 => number(s, year_at, 4) as i64,
            2 if separator == b'-' => 2000 + number(s, year_at, 2) as i64,
            _ => return None,
        };
        let clock = after_date(s, year_at + digit_run(s, year_at))?;
        return stamp(Date { year, month, day: first }, &clock, s, Spelling::Civil, around);
    }
    let second_run = digit_run(s, second_at);
    if separator == b' ' || !(1..=2).contains(&second_run) {
        return None;
    }
    let second = number(s, second_at, second_run) as u32;
    let third_at = second_at + second_run + 1;
    let both_wide = run == 2 && second_run == 2;
    if !is(s, third_at - 1, separator) {
        // `1-2 10:20:30` is more often a range than a date.
        if !both_wide {
            return None;
        }
        let clock = after_date(s, third_at - 1)?;
        let (order, shows) = day_or_month(first, second, DateOrder::Month, around);
        let (month, day) = if order == DateOrder::Day { (second, first) } else { (first, second) };
        let stamp = without_year(month, day, &clock, s, Spelling::Civil, around)?;
        return Some(Stamp { shows, ..stamp });
    }
    match digit_run(s, third_at) {
        4 => {
            let year = number(s, third_at, 4) as i64;
            let clock = after_date(s, third_at + 4)?;
            let usual = if separator == b'.' { DateOrder::Day } else { DateOrder::Month };
            let (order, shows) = day_or_month(first, second, usual, around);
            let (month, day) = if order == DateOrder::Day { (second, first) } else { (first, second) };
            let stamp = stamp(Date { year, month, day }, &clock, s, Spelling::Civil, around)?;
            Some(Stamp { shows, ..stamp })
        }
        2 if both_wide => {
            let third = number(s, third_at, 2) as u32;
            let clock = after_date(s, third_at + 2)?;
            let (date, shows) = short_year([first, second, third], separator, around);
            let stamp = stamp(date, &clock, s, Spelling::Civil, around)?;
            Some(Stamp { shows, ..stamp })
        }
        _ => None,
    }
}

/// Which of two numbers is the day, and the order that this shows.
fn day_or_month(
    first: u32,
    second: u32,
    usual: DateOrder,
    around: Around<'_>,
) -> (DateOrder, Option<DateOrder>) {
    match (first > 12, second > 12) {
        (true, false) => (DateOrder::Day, Some(DateOrder::Day)),
        (false, true) => (DateOrder::Month, Some(DateOrder::Month)),
        _ => (around.order.filter(|order| *order != DateOrder::Year).unwrap_or(usual), None),
    }
}

/// Three numbers of two digits. Year first is the short date of log4j's default, day first that of dates with full
/// stops; another order where that can't be, or where the source has shown it.
fn short_year(numbers: [u32; 3], separator: u8, around: Around<'_>) -> (Date, Option<DateOrder>) {
    let [first, second, third] = numbers;
    let date = |order| {
        let (year, month, day) = match order {
            DateOrder::Year => (first, second, third),
            DateOrder::Month => (third, first, second),
            DateOrder::Day => (third, second, first),
        };
        Date { year: 2000 + i64::from(year), month, day }
    };
    let newest = if around.hint == 0 { i64::MAX } else { year_of(around.hint) };
    let is_possible = |order: &DateOrder| {
        let date = date(*order);
        date_is_valid(date.month, date.day) && date.year <= newest
    };
    let usual = match separator {
        b'.' => [DateOrder::Day, DateOrder::Year, DateOrder::Month],
        _ => [DateOrder::Year, DateOrder::Month, DateOrder::Day],
    };
    let mut possible = usual.into_iter().filter(is_possible);
    let Some(likely) = possible.next() else { return (date(usual[0]), None) };
    if possible.next().is_none() {
        return (date(likely), Some(likely));
    }
    (date(around.order.filter(is_possible).unwrap_or(likely)), None)
}
