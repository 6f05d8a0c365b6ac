//! JSON lines: the message, level and time are found by their usual keys; one level deep, without building a tree.

use super::{Format, Line, STRUCTURED_BYTES, read as read_line};
use crate::{
    Level,
    timestamp::{self, Around, Stamp},
};

/// Pairs looked at in one object.
const PAIRS: usize = 128;

/// Reads an object with a message key; `None` where it is broken before one was found, or has none.
pub(super) fn read<'a>(text: &'a str, around: Around<'_>, depth: u8) -> Option<Line<'a>> {
    let s = text.as_bytes();
    let s = &s[..s.len().min(STRUCTURED_BYTES)];
    let mut line = Line { format: Format::Json, ..Line::default() };
    // The best message key seen so far, by rank.
    let mut rank = u8::MAX;
    let mut whole_line = false;
    let mut at = 1;
    for _ in 0..PAIRS {
        let Some((key, value, end)) = pair_at(s, at) else { break };
        at = end;
        let value_text = text.get(value.start..value.end).unwrap_or("");
        match key {
            b"msg" | b"message" | b"log" | b"MESSAGE" | b"text" | b"body" | b"event" | b"@message"
            | b"short_message"
                if value.is_string =>
            {
                let this = match key {
                    b"msg" | b"message" | b"MESSAGE" | b"@message" => 0,
                    b"log" | b"short_message" => 1,
                    _ => 2,
                };
                if this < rank {
                    rank = this;
                    line.content = value_text;
                    whole_line = key == b"log";
                }
            }
            b"time" | b"ts" | b"timestamp" | b"@timestamp" | b"t" | b"date" | b"datetime" | b"asctime"
            | b"eventTime"
                if line.time.is_none() =>
            {
                if let Some((stamp, at)) = time(value_text, around) {
                    line.set_time(Some(stamp), value_text.as_bytes(), at);
                }
            }
            b"level" | b"lvl" | b"severity" | b"levelname" | b"loglevel" | b"log.level"
            | b"severity_text" | b"s" | b"PRIORITY" | b"log_level"
                if line.level.is_none() =>
            {
                if let Some(watch) = around.watch
                    && value_text.bytes().any(|b| b.is_ascii_digit())
                {
                    watch.same(value_text.as_bytes());
                }
                line.level = level(key, value_text);
            }
            b"logger" | b"name" | b"component" | b"module" | b"logger_name" | b"c" | b"target"
                if line.logger.is_none() && value.is_string =>
            {
                line.logger = Some(value_text);
            }
            b"host" | b"hostname" | b"_HOSTNAME" if line.host.is_none() && value.is_string => {
                line.host = Some(value_text)
            }
            _ => {}
        }
    }
    if rank == u8::MAX {
        return None;
    }
    if whole_line && depth < 2 {
        // A container runtime's record: the text in it is a line of its own.
        let inner = read_line(line.content.trim_end_matches("\\n"), around, depth + 1);
        line.level = line.level.or(inner.level);
        if line.time.is_none() {
            (line.time, line.written) = (inner.time, inner.written);
        }
        line.logger = line.logger.or(inner.logger);
        line.content = inner.content;
    }
    Some(line)
}

fn level(key: &[u8], value: &str) -> Option<Level> {
    match value.as_bytes() {
        [digit @ b'0'..=b'7'] if key == b"PRIORITY" => Some(Level::from_syslog(digit - b'0')),
        [letter] => Level::from_letter(*letter),
        _ => Level::from_word(value).or_else(|| value.parse().ok().and_then(Level::from_bunyan)),
    }
}

/// A string or number; of an object (`{"$date": ...}`) the first string or number in it.
fn time(value: &str, around: Around<'_>) -> Option<(Stamp, usize)> {
    let from = value.find(|c: char| c.is_ascii_digit()).filter(|from| *from < 24)?;
    let from = if value.starts_with('{') { from } else { 0 };
    Some((timestamp::read(value.as_bytes(), from, around)?, from))
}

pub(super) struct Value {
    pub(super) start: usize,
    pub(super) end: usize,
    is_string: bool,
}

fn blanks(s: &[u8], mut at: usize) -> usize {
    while at < s.len() && matches!(s[at], b' ' | b'\t' | b'\n' | b'\r' | b',') {
        at += 1;
    }
    at
}

/// The end of a string whose opening quote is at `at`: the index of its closing quote.
fn string_end(s: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    while end < s.len() {
        end += memchr::memchr2(b'"', b'\\', &s[end..])?;
        if s[end] == b'"' {
            return Some(end);
        }
        end += 2;
    }
    None
}

/// One pair of the object: key, value, first byte after it.
pub(super) fn pair_at(s: &[u8], at: usize) -> Option<(&[u8], Value, usize)> {
    let open = blanks(s, at);
    if s.get(open) != Some(&b'"') {
        return None;
    }
    let close = string_end(s, open)?;
    let key = &s[open + 1..close];
    let colon = blanks(s, close + 1);
    if s.get(colon) != Some(&b':') {
        return None;
    }
    let start = blanks(s, colon + 1);
    match s.get(start)? {
        b'"' => {
            let end = string_end(s, start)?;
            Some((key, Value { start: start + 1, end, is_string: true }, end + 1))
        }
        b'{' | b'[' => {
            let end = nested_end(s, start)?;
            Some((key, Value { start, end, is_string: false }, end))
        }
        _ => {
            let length = s[start..].iter().position(|b| matches!(b, b',' | b'}' | b' ' | b'\n'))?;
            Some((key, Value { start, end: start + length, is_string: false }, start + length))
        }
    }
}

/// First byte after the object or array that opens at `at`.
fn nested_end(s: &[u8], at: usize) -> Option<usize> {
    let mut open = 0usize;
    let mut end = at;
    while end < s.len() {
        match s[end] {
            b'{' | b'[' => open += 1,
            b'}' | b']' => {
                open -= 1;
                if open == 0 {
                    return Some(end + 1);
                }
            }
            b'"' => end = string_end(s, end)?,
            _ => {}
        }
        end += 1;
    }
    None
}
