//! klog and glog: `I0102 15:04:05.067890   1234 file.go:123] message`.

use super::{Format, Line};
use crate::{
    Level,
    timestamp::{self, Around, DateOrder, Stamp},
};

pub(super) fn read<'a>(text: &'a str, around: Around<'_>) -> Option<Line<'a>> {
    let s = text.as_bytes();
    if s.len() < 22 || !s[1..5].iter().all(u8::is_ascii_digit) || s[5] != b' ' {
        return None;
    }
    let level = Level::from_letter(s[0])?;
    let stamp = stamp(s, Around { watch: None, ..around });
    if let Some(watch) = around.watch {
        watch.klog(s, stamp);
    }
    let stamp = stamp?;
    let head = &s[..s.len().min(256)];
    let close = memchr::memmem::find(head, b"] ").or_else(|| head.ends_with(b"]").then(|| head.len() - 1))?;
    let logger = text[..close].rsplit(' ').next();
    let mut line = Line {
        level: Some(level),
        logger,
        content: text[close + 1..].trim_start(),
        format: Format::Klog,
        ..Line::default()
    };
    line.set_time(Some(stamp), s, 0);
    Some(line)
}

/// The time in a header. Month and day stand without a separator: read as `mm-dd clock`.
pub(crate) fn stamp(s: &[u8], around: Around<'_>) -> Option<Stamp> {
    let clock_end =
        s.get(6..)?.iter().take(18).take_while(|b| b.is_ascii_digit() || matches!(b, b':' | b'.')).count();
    if clock_end < 8 || !matches!(s[1..3], [b'0', b'1'..=b'9'] | [b'1', b'0'..=b'2']) {
        return None;
    }
    let mut spelled = [b' '; 24];
    spelled[..2].copy_from_slice(&s[1..3]);
    spelled[2] = b'-';
    spelled[3..5].copy_from_slice(&s[3..5]);
    spelled[6..6 + clock_end].copy_from_slice(&s[6..6 + clock_end]);
    timestamp::read(&spelled[..6 + clock_end], 0, Around { order: Some(DateOrder::Month), ..around })
}
