//! klog and glog: `I0102 15:04:05.067890   1234 file.go:123] message`.

use super::{Format, Line};
use crate::{
    Level,
    timestamp::{self, Around},
};

pub(super) fn read<'a>(text: &'a str, around: Around<'_>) -> Option<Line<'a>> {
    let s = text.as_bytes();
    if s.len() < 22 || !s[1..5].iter().all(u8::is_ascii_digit) || s[5] != b' ' {
        return None;
    }
    let level = Level::from_letter(s[0])?;
    // The month and day stand without a separator: read as `mm-dd clock`.
    let mut spelled = [b' '; 24];
    let clock_end =
        s[6..].iter().take(18).take_while(|b| b.is_ascii_digit() || matches!(b, b':' | b'.')).count();
    if clock_end < 8 {
        return None;
    }
    let spelled = {
        spelled[..2].copy_from_slice(&s[1..3]);
        spelled[2] = b'-';
        spelled[3..5].copy_from_slice(&s[3..5]);
        spelled[6..6 + clock_end].copy_from_slice(&s[6..6 + clock_end]);
        &spelled[..6 + clock_end]
    };
    let stamp = timestamp::read(spelled, 0, around)?;
    let head = &s[..s.len().min(256)];
    let close = memchr::memmem::find(head, b"] ").or_else(|| head.ends_with(b"]").then(|| head.len() - 1))?;
    let logger = text[..close].rsplit(' ').next();
    Some(Line {
        time: stamp.ns,
        level: Some(level),
        logger,
        content: text[close + 1..].trim_start(),
        format: Format::Klog,
        ..Line::default()
    })
}
