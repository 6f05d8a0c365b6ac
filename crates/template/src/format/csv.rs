//! Rows of values between commas, semicolons or upright strokes, one of the first a time:
//! `2024-03-05 11:22:33,web1,INFO,"order placed",7`.

use std::ops::Range;

use super::{Format, Line, STRUCTURED_BYTES};
use crate::{
    Level,
    timestamp::{self, Around, Spelling, Stamp},
};

/// The time is one of the first values.
const BEFORE_TIME: usize = 4;
/// Values looked at.
const VALUES: usize = 32;
/// Values a row has at least.
const MIN_VALUES: usize = 4;

/// Reads a row. The message is the value with the most words, or all that stands behind the time.
pub(super) fn read<'a>(text: &'a str, around: Around<'_>) -> Option<Line<'a>> {
    let s = text.as_bytes();
    let s = &s[..s.len().min(STRUCTURED_BYTES)];
    let mut stamp: Option<(Stamp, usize, usize)> = None;
    let mut level = None;
    let mut message: Option<(usize, Range<usize>)> = None;
    // The mark between values is the first.
    let mut mark: Option<u8> = None;
    let (mut at, mut values) = (0, 0);
    while at <= s.len() && values < VALUES {
        let is_quoted = s.get(at) == Some(&b'"');
        let start = at + usize::from(is_quoted);
        let found = if stamp.is_none() && values < BEFORE_TIME { time_at(s, start, around) } else { None };
        let end = match found {
            Some(found) => found.end,
            None if is_quoted => closing(s, start)?,
            None => s[at..]
                .iter()
                .position(|b| mark.map_or(is_mark(*b), |mark| *b == mark))
                .map_or(s.len(), |n| at + n),
        };
        let next = end + usize::from(is_quoted);
        if let Some(b) = s.get(next) {
            if *mark.get_or_insert(*b) != *b || !is_mark(*b) {
                return None;
            }
            // Behind a comma of free text stands a blank.
            if *b != b'|' && values < MIN_VALUES && s.get(next + 1) == Some(&b' ') {
                return None;
            }
        }
        match found {
            Some(found) => stamp = Some((found, start, next)),
            None => {
                let value = &s[start..end];
                level = level.or_else(|| Level::from_bytes(value));
                let blanks = value.iter().filter(|b| **b == b' ').count();
                let has_letters = value.iter().any(|b| b.is_ascii_alphabetic() || *b >= 0x80);
                // Between strokes the message is the last value.
                let is_last = mark == Some(b'|') && next >= s.len();
                let is_longer = blanks > 0 && message.as_ref().is_none_or(|(most, _)| blanks > *most);
                if has_letters && (is_longer || is_last) {
                    message = Some((blanks, start..end));
                }
            }
        }
        values += 1;
        at = next + 1;
    }
    let (stamp, stamp_at, after) = stamp.filter(|_| values >= MIN_VALUES)?;
    let content = match message {
        Some((_, place)) => text.get(place)?,
        None => text.get(after + 1..)?,
    };
    let mut line = Line { level, content: content.trim(), format: Format::Csv, ..Line::default() };
    line.set_time(Some(stamp), s, stamp_at);
    Some(line)
}

/// What parts values.
pub(super) fn is_mark(b: u8) -> bool {
    matches!(b, b',' | b';' | b'|')
}

/// A time that is the whole value.
fn time_at(s: &[u8], start: usize, around: Around<'_>) -> Option<Stamp> {
    let stamp = timestamp::read(s, start, around)?;
    let closed = s.get(stamp.end).is_some_and(|b| is_mark(*b) || *b == b'"');
    (closed && stamp.spelling != Spelling::Date).then_some(stamp)
}

/// The quotation mark that closes a value; two of them are one within it.
fn closing(s: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += memchr::memchr(b'"', s.get(at..)?)?;
        if s.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}
