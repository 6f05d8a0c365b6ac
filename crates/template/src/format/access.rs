//! Access logs in the common and combined format: `host ident user [dd/Mon/yyyy:hh:mm:ss zone] "request" status ...`.

use super::{Format, Line};
use crate::{
    Level,
    timestamp::{self, Around},
};

pub(super) fn read<'a>(text: &'a str, around: Around<'_>) -> Option<Line<'a>> {
    let s = text.as_bytes();
    let head = &s[..s.len().min(160)];
    let open = memchr::memchr(b'[', head)?;
    // `dd/Mon/yyyy:`
    if open < 4 || s.get(open + 3) != Some(&b'/') || s.get(open + 7) != Some(&b'/') {
        return None;
    }
    let stamp = timestamp::read(s, open + 1, around)?;
    if s.get(stamp.end) != Some(&b']') {
        return None;
    }
    let content = text.get(stamp.end + 1..)?.trim_start();
    let host = text[..open].split(' ').next();
    let mut line =
        Line { level: level(content, around), host, content, format: Format::Access, ..Line::default() };
    line.set_time(Some(stamp), s, open + 1);
    Some(line)
}

/// By the status after the quoted request: 5xx is an error of the server, 4xx one of the client.
fn level(content: &str, around: Around<'_>) -> Option<Level> {
    let after = content.strip_prefix('"')?;
    let after = &after[after.find("\" ")? + 2..];
    let status = after.split(' ').next()?;
    if let (Some(watch), 3) = (around.watch, status.len()) {
        watch.same(&status.as_bytes()[..1]);
    }
    match (status.len(), status.as_bytes().first()?) {
        (3, b'5') => Some(Level::Error),
        (3, b'4') => Some(Level::Warn),
        (3, b'1'..=b'3') => Some(Level::Info),
        _ => None,
    }
}
