//! Syslog's part of a header: priority, RFC 5424's fields, RFC 3164's host and tag.

use super::{
    Format, Line,
    header::Header,
    token::{Token, blanks},
};
use crate::{
    Level,
    timestamp::{self, Spelling},
};

impl<'a> Header<'a, '_> {
    /// `<34>`.
    pub(super) fn priority(&mut self) {
        if self.s.first() != Some(&b'<') {
            return;
        }
        let digits = self.s[1..].iter().take(3).take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || self.s.get(1 + digits) != Some(&b'>') {
            return;
        }
        let priority = self.s[1..=digits].iter().fold(0u32, |n, b| n * 10 + u32::from(b - b'0'));
        if priority > 191 {
            if let Some(watch) = self.around.watch {
                watch.same(&self.s[1..=digits]);
            }
            return;
        }
        if let Some(watch) = self.around.watch {
            watch.same(&self.s[1..=digits]);
        }
        self.line.level = Some(Level::from_syslog((priority % 8) as u8));
        self.at = digits + 2;
    }

    /// `1 time host app procid msgid [structured data] message`, after the priority.
    pub(super) fn syslog_5424(&mut self) -> Option<Line<'a>> {
        self.line.level?;
        // The version.
        if !self.s.get(self.at).is_some_and(u8::is_ascii_digit) || self.s.get(self.at + 1) != Some(&b' ') {
            return None;
        }
        let mut at = self.at + 2;
        let stamp = timestamp::read(self.s, at, self.around);
        if stamp.is_none() && self.s.get(at) != Some(&b'-') {
            return None;
        }
        let stamp_at = at;
        let mut fields = [""; 5];
        for field in &mut fields {
            let end = Token::at(self.s, at).end;
            *field = self.slice(at, end);
            at = (end + 1).min(self.text.len());
        }
        let named = |field: &'a str| (field != "-" && !field.is_empty()).then_some(field);
        let rest = self.text.get(at..).unwrap_or("");
        let content = match rest.strip_prefix('-') {
            Some(message) => message,
            None => after_structured_data(rest),
        };
        let mut line = Line {
            level: self.line.level,
            host: named(fields[1]),
            logger: named(fields[2]),
            content: content.trim_start().trim_start_matches('\u{feff}'),
            format: Format::Syslog5424,
            ..Line::default()
        };
        line.set_time(stamp, self.s, stamp_at);
        Some(line)
    }

    /// `host tag[pid]: ` or `tag[pid]: `. After an ISO time both tokens and the number must be there, and
    /// a level may stand where the host does: `err tag[pid]: `.
    pub(super) fn syslog_tag(&mut self, spelling: Spelling) -> bool {
        if !matches!(spelling, Spelling::Named | Spelling::Civil | Spelling::Clock) || self.in_bracket {
            return false;
        }
        let at = blanks(self.s, self.at);
        let first = Token::at(self.s, at);
        if first.is_empty() {
            return false;
        }
        if first.bytes[0] == b'%' {
            return false;
        }
        let second_at = blanks(self.s, first.end);
        let second = Token::at(self.s, second_at);
        let is_named = spelling == Spelling::Named;
        if let Some(name) = tag(second.bytes, is_named)
            && !first.bytes.ends_with(b":")
            && !matches!(first.bytes[0], b'[' | b'(' | b'<' | b'"' | b'-')
            && (is_named || first.level().is_none() || second.bytes.ends_with(b":"))
        {
            match first.level() {
                // No machine is called `err`; one that is called `log` loses no more than its name.
                Some(level) if !is_named && self.line.level.is_none() => self.line.level = Some(level),
                _ => self.line.host = Some(self.slice(at, first.end)),
            }
            self.line.logger = Some(self.slice(second_at, second_at + name));
            self.at = second.end;
        } else if spelling != Spelling::Civil
            && let Some(name) = tag(first.bytes, is_named)
        {
            self.line.logger = Some(self.slice(at, at + name));
            self.at = first.end;
        } else if is_named
            && !matches!(first.bytes[0], b'[' | b'(' | b'<' | b'"')
            && first.level().is_none()
            && self.s.get(second_at).is_some_and(|b| !b.is_ascii_whitespace())
        {
            // A host and no tag: "--- last message repeated 2 times ---" and the like.
            self.line.host = Some(self.slice(at, first.end));
            self.at = first.end;
        } else {
            return false;
        }
        self.line.format = Format::Syslog;
        true
    }

    /// A level right behind a syslog tag: `<warn>`, `[ERROR]`, `INFO:`.
    pub(super) fn inner_level(&mut self) {
        let token = Token::at(self.s, blanks(self.s, self.at));
        if token.is_delimited()
            && let Some(level) = token.level()
        {
            self.line.level = Some(level);
            self.at = token.end;
        }
    }
}

/// The length of the name of a syslog tag `name[pid]:`, `name:`, `name[pid]`; without a pid only where `loose`.
fn tag(token: &[u8], loose: bool) -> Option<usize> {
    let body = token.strip_suffix(b":").unwrap_or(token);
    if let Some(inner) = body.strip_suffix(b"]") {
        let open = memchr::memrchr(b'[', inner)?;
        let pid = &inner[open + 1..];
        return (open > 0 && !pid.is_empty() && pid.iter().all(u8::is_ascii_digit)).then_some(open);
    }
    let is_name = body.len() < token.len()
        && !body.is_empty()
        && body.iter().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b'(' | b')' | b'@')
        });
    (loose && is_name).then_some(body.len())
}

/// What follows `[id key="value"][id2 ...]`.
fn after_structured_data(rest: &str) -> &str {
    let s = rest.as_bytes();
    let mut at = 0;
    while s.get(at) == Some(&b'[') {
        let mut quoted = false;
        let mut end = at + 1;
        while end < s.len() && (quoted || s[end] != b']') {
            match s[end] {
                b'\\' => end += 1,
                b'"' => quoted = !quoted,
                _ => {}
            }
            end += 1;
        }
        if end >= s.len() {
            return rest;
        }
        at = end + 1;
    }
    rest.get(at..).unwrap_or(rest)
}
