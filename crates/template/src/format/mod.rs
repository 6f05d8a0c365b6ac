//! Raw line -> time, level, host, logger, content. Formats are found, not configured.
//!
//! What a line's content is depends on the line alone, so the same line always gives the same content, wherever it
//! stands. What is learnt of a source helps with its times only: which number of a date is the month.

mod access;
mod csv;
mod details;
mod header;
mod header_level;
mod json;
mod klog;
mod logfmt;
mod source;
mod syslog;
mod tail;
mod token;

use serde::{Deserialize, Serialize};

pub use details::Details;
pub(crate) use klog::stamp as klog_stamp;
pub use source::SourceFormat;

use crate::{
    Level,
    timestamp::{self, Around, DateOrder, Stamp},
};

/// Longest stretch of a line that is searched for a header, in bytes.
const HEADER_BYTES: usize = 512;
/// Longest first word of a line without header that is known as such at once, in bytes.
const PROSE_BYTES: usize = 24;
/// A structured line is read up to here, in bytes.
const STRUCTURED_BYTES: usize = 32 * 1024;

/// What a line is, borrowed from its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// The whole line, without white space around it.
    pub text: &'a str,
    /// Unix nanoseconds, as the line says; a time without zone is taken as that of the zone that was given.
    pub time: Option<u64>,
    /// From a word or number in the header, never from free text.
    pub level: Option<Level>,
    /// Host that the header names.
    pub host: Option<&'a str>,
    /// Logger, program or component that the header names.
    pub logger: Option<&'a str>,
    /// The message: what the shape is taken from. Of JSON and logfmt the value of the message key as it is
    /// written (escapes stay).
    pub content: &'a str,
    /// What the line was read as.
    pub format: Format,
    /// How the time is written.
    pub(crate) written: Option<Written>,
}

/// How a line's time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Of its first byte.
    pub(crate) address: usize,
    /// The order of the date, where only one is possible.
    pub(crate) shows: Option<DateOrder>,
}

impl Line<'_> {
    /// The time that was read at `at` of `s`, unless one was read before.
    fn set_time(&mut self, stamp: Option<Stamp>, s: &[u8], at: usize) {
        if let Some(stamp) = stamp
            && self.time.is_none()
        {
            self.time = stamp.ns;
            self.written = Some(Written { address: s.as_ptr() as usize + at, shows: stamp.shows });
        }
    }
}

/// Families of formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// No header was found: the whole line is content.
    #[default]
    Plain,
    /// RFC 3164, with or without priority, and rsyslog's variant with an ISO time.
    Syslog,
    /// RFC 5424.
    Syslog5424,
    /// A JSON object with a message key.
    Json,
    /// key=value pairs.
    Logfmt,
    /// klog and glog.
    Klog,
    /// Common and combined log of Apache, nginx and others.
    Access,
    /// A time, and perhaps host, process, thread, level and logger before the message.
    Header,
    /// No time but a level first: `ERROR: ...`, `INFO:root:...`.
    LevelFirst,
    /// Values between commas or semicolons.
    Csv,
}

/// Reads a line; `depth` counts the envelopes around it (a container's JSON, a syslog header).
fn read<'a>(text: &'a str, around: Around<'_>, depth: u8) -> Line<'a> {
    let text = trim(text);
    let s = text.as_bytes();
    let Some(first) = s.first() else {
        return Line { content: text, ..Line::default() };
    };
    match first {
        b'{' => {
            if let Some(line) = json::read(text, around, depth) {
                return line;
            }
        }
        b'I' | b'W' | b'E' | b'F' => {
            if let Some(line) = klog::read(text, around) {
                return line;
            }
        }
        _ => {}
    }
    let is_prose = begins_as_prose(s);
    if !is_prose && let Some(line) = logfmt::read(text, around) {
        return line;
    }
    if let Some(line) = access::read(text, around) {
        return line;
    }
    if is_prose {
        return Line { content: text, ..Line::default() };
    }
    let line = header::read(text, around);
    if depth < 2 && line.format != Format::Plain && line.content.len() < text.len() {
        return unwrap_envelope(line, around, depth);
    }
    line
}

/// Whether a line begins with a word that no key and no header begins with. Only spares the search for them, which
/// costs a line without a header more than all else here: what is not told here is found by the search.
fn begins_as_prose(s: &[u8]) -> bool {
    let window = &s[..s.len().min(PROSE_BYTES)];
    let Some(length) = window.iter().position(|b| !b.is_ascii_alphabetic()) else { return false };
    s[length] == b' '
        && length > 1
        && s[1].is_ascii_lowercase()
        && Level::from_bytes(&s[..length]).is_none()
        && !timestamp::begins_with_name(s)
}

/// A header may carry a whole line of another format: JSON, logfmt or a header of its own behind syslog, anything
/// behind a container runtime's `stdout F`. The outer time is kept, the inner level counts.
fn unwrap_envelope<'a>(outer: Line<'a>, around: Around<'_>, depth: u8) -> Line<'a> {
    let content = outer.content;
    let inner = match content.as_bytes() {
        [b's', ..] => {
            let container = ["stdout F ", "stderr F ", "stdout P ", "stderr P "]
                .iter()
                .find(|p| content.starts_with(**p));
            let Some(prefix) = container else { return outer };
            read(&content[prefix.len()..], around, depth + 1)
        }
        [b'{' | b't' | b'l', ..] if content.starts_with("{\"") || looks_like_logfmt(content) => {
            let inner = read(content, around, depth + 1);
            if !matches!(inner.format, Format::Json | Format::Logfmt) {
                return outer;
            }
            inner
        }
        [b'0'..=b'9', ..] | [b'[', b'0'..=b'9', ..]
            if matches!(outer.format, Format::Syslog | Format::Syslog5424) =>
        {
            let inner = header::read(content, around);
            let is_header = inner.format == Format::Header && inner.time.is_some();
            if !is_header || (inner.level.is_none() && inner.logger.is_none()) {
                return outer;
            }
            inner
        }
        _ => return outer,
    };
    Line {
        text: outer.text,
        time: outer.time.or(inner.time),
        written: if outer.time.is_some() { outer.written } else { inner.written },
        level: inner.level.or(outer.level),
        host: outer.host.or(inner.host),
        logger: inner.logger.or(outer.logger),
        content: inner.content,
        format: inner.format,
    }
}

fn looks_like_logfmt(content: &str) -> bool {
    ["time=", "ts=", "level=", "lvl=", "t=", "timestamp="].iter().any(|key| content.starts_with(key))
}

/// Without byte order mark, line end and white space around it.
pub(crate) fn trim(mut line: &str) -> &str {
    while let Some(rest) = line.strip_prefix('\u{feff}') {
        line = rest;
    }
    let is_edge = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'\0');
    let s = line.as_bytes();
    let start = s.iter().position(|b| !is_edge(b)).unwrap_or(s.len());
    let end = s.iter().rposition(|b| !is_edge(b)).map_or(start, |last| last + 1);
    line.get(start..end).unwrap_or(line)
}

#[cfg(test)]
mod tests;
