//! logfmt: `time=... level=info msg="..." key=value`.

use super::{Format, Line, STRUCTURED_BYTES};
use crate::{
    Level,
    timestamp::{self, Around},
};

/// Pairs looked at in one line.
const PAIRS: usize = 64;

/// Longest key, in bytes.
const KEY_BYTES: usize = 64;

/// Reads a line that begins with `key=` and holds a message or a level among its pairs.
pub(super) fn read<'a>(text: &'a str, around: Around<'_>) -> Option<Line<'a>> {
    let s = text.as_bytes();
    let s = &s[..s.len().min(STRUCTURED_BYTES)];
    if !s.first().is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'@' | b'_')) {
        return None;
    }
    let mut at = 0;
    let mut line = Line { content: text, format: Format::Logfmt, ..Line::default() };
    let (mut found_message, mut is_quoted) = (false, false);
    for pair in 0..PAIRS {
        let Some((key, value, end)) = pair_at(s, at) else {
            if pair == 0 {
                return None;
            }
            break;
        };
        let value = text.get(value.0..value.1).unwrap_or("");
        match key {
            b"msg" | b"message" | b"event" if !found_message => {
                line.content = value;
                found_message = true;
                is_quoted = end > at + key.len() + 1 + value.len();
            }
            b"time" | b"ts" | b"t" | b"timestamp" | b"@timestamp" | b"at" if line.time.is_none() => {
                line.set_time(timestamp::read(value.as_bytes(), 0, around), value.as_bytes(), 0);
            }
            b"level" | b"lvl" | b"severity" | b"loglevel" if line.level.is_none() => {
                line.level = Level::from_word(value)
            }
            b"logger" | b"component" | b"caller" | b"module" if line.logger.is_none() => {
                line.logger = Some(value)
            }
            b"host" | b"hostname" if line.host.is_none() => line.host = Some(value),
            _ => {}
        }
        at = end;
        while at < s.len() && matches!(s[at], b' ' | b'\t') {
            at += 1;
        }
        if at >= s.len() {
            break;
        }
    }
    // A bare `msg=` among other pairs may be anything's.
    let is_message = found_message && (is_quoted || line.level.is_some() || line.time.is_some());
    (is_message || (line.level.is_some() && line.time.is_some())).then_some(line)
}

/// One pair: key, range of the value without its quotes, first byte after it.
pub(super) fn pair_at(s: &[u8], at: usize) -> Option<(&[u8], (usize, usize), usize)> {
    let window = &s[at..s.len().min(at + KEY_BYTES)];
    let is_key = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'@' | b'/');
    let key_length = window.iter().position(|b| !is_key(b)).unwrap_or(window.len());
    let equals = at + key_length;
    if key_length == 0 || s.get(equals) != Some(&b'=') {
        return None;
    }
    let key = &s[at..equals];
    let start = equals + 1;
    // Within a JSON string the quotes are escaped.
    if s[start..].starts_with(b"\\\"") {
        let body = start + 2;
        let end = memchr::memmem::find(&s[body..], b"\\\"").map_or(s.len(), |length| body + length);
        return Some((key, (body, end), (end + 2).min(s.len())));
    }
    if s.get(start) == Some(&b'"') {
        let mut end = start + 1;
        while end < s.len() {
            end = memchr::memchr2(b'"', b'\\', &s[end..]).map_or(s.len(), |length| end + length);
            if s.get(end) != Some(&b'\\') {
                break;
            }
            end += 2;
        }
        let end = end.min(s.len());
        return Some((key, (start + 1, end), (end + 1).min(s.len())));
    }
    let end = memchr::memchr2(b' ', b'\t', &s[start..]).map_or(s.len(), |length| start + length);
    Some((key, (start, end), end))
}
