//! Headers of text lines: a time near the front, then host, process, thread, level and logger in any of the usual
//! orders, then the message.
//!
//! Reads tokens from the left and stops at the first that looks like a word of free text, so a level or a time in
//! the message is never taken for one of the header.

use super::{Format, HEADER_BYTES, Line, tail};
use crate::{
    Level,
    timestamp::{self, Spelling, Stamp},
};

/// Tokens before the time at most.
const BEFORE_TIME: usize = 4;
/// Tokens between time and level at most.
const BEFORE_LEVEL: usize = 9;

pub(super) fn read(text: &str, hint: u64) -> Line<'_> {
    let whole = text.as_bytes();
    let mut header = Header {
        text,
        s: &whole[..whole.len().min(HEADER_BYTES)],
        line: Line::default(),
        at: 0,
        in_bracket: false,
    };
    header.priority();
    if let Some(line) = header.syslog_5424(hint) {
        return line;
    }
    match header.time(hint) {
        Some(spelling) => {
            header.line.format = Format::Header;
            if !header.syslog_tag(spelling) {
                header.level(hint);
            } else {
                header.inner_level();
            }
        }
        None if header.line.level.is_some() => {
            header.line.format = Format::Syslog;
            header.syslog_tag(Spelling::Clock);
        }
        None => header.level_first(),
    }
    header.finish()
}

struct Header<'a> {
    text: &'a str,
    /// The stretch that is searched.
    s: &'a [u8],
    line: Line<'a>,
    /// Where the part not yet understood begins.
    at: usize,
    /// The time stood behind a `[` that did not close after it.
    in_bracket: bool,
}

/// First byte after blanks and terminal colour codes.
pub(super) fn blanks(s: &[u8], mut at: usize) -> usize {
    loop {
        match s.get(at) {
            Some(b' ' | b'\t') => at += 1,
            Some(0x1b) if s.get(at + 1) == Some(&b'[') => {
                let code =
                    s[at + 2..].iter().take(12).take_while(|b| b.is_ascii_digit() || **b == b';').count();
                at = (at + 3 + code).min(s.len());
            }
            _ => return at,
        }
    }
}

/// First byte after the token at `at`.
pub(super) fn token_end(s: &[u8], at: usize) -> usize {
    s[at..].iter().position(|b| matches!(b, b' ' | b'\t' | 0x1b)).map_or(s.len(), |length| at + length)
}

/// First byte after the bracketed group that opens at `at`, if it closes soon.
pub(super) fn group_end(s: &[u8], at: usize) -> Option<usize> {
    let mut open = 0usize;
    for (i, b) in s[at..].iter().take(320).enumerate() {
        match b {
            b'[' => open += 1,
            b']' => {
                open -= 1;
                if open == 0 {
                    return Some(at + i + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// A token of letters only: what free text is made of. Words in capitals alone are not: headers have them.
fn is_plain(token: &[u8]) -> bool {
    let core = bare(token);
    !core.is_empty()
        && core.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80 || matches!(b, b'\'' | b'-'))
        && core.iter().any(|b| b.is_ascii_lowercase() || *b >= 0x80)
}

/// Without the punctuation around it.
pub(super) fn bare(token: &[u8]) -> &[u8] {
    let edge = |b: &u8| {
        matches!(b, b'[' | b']' | b'(' | b')' | b'<' | b'>' | b':' | b'|' | b',' | b'*' | b'"' | b'=')
    };
    let start = token.iter().position(|b| !edge(b)).unwrap_or(token.len());
    let end = token.iter().rposition(|b| !edge(b)).map_or(start, |i| i + 1);
    &token[start..end]
}

impl<'a> Header<'a> {
    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or("")
    }

    fn finish(mut self) -> Line<'a> {
        let at = blanks(self.text.as_bytes(), self.at);
        self.line.content = self.text.get(at..).unwrap_or(self.text);
        if self.line.content.is_empty() && self.line.format == Format::Plain {
            self.line.content = self.text;
        }
        self.line
    }

    /// `<34>`.
    fn priority(&mut self) {
        if self.s.first() != Some(&b'<') {
            return;
        }
        let digits = self.s[1..].iter().take(3).take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || self.s.get(1 + digits) != Some(&b'>') {
            return;
        }
        let priority = self.s[1..=digits].iter().fold(0u32, |n, b| n * 10 + u32::from(b - b'0'));
        if priority > 191 {
            return;
        }
        self.line.level = Some(Level::from_syslog((priority % 8) as u8));
        self.at = digits + 2;
    }

    /// `1 time host app procid msgid [structured data] message`, after the priority.
    fn syslog_5424(&mut self, hint: u64) -> Option<Line<'a>> {
        self.line.level?;
        if self.s.get(self.at) != Some(&b'1') || self.s.get(self.at + 1) != Some(&b' ') {
            return None;
        }
        let mut at = self.at + 2;
        let stamp = timestamp::read(self.s, at, hint);
        if stamp.is_none() && self.s.get(at) != Some(&b'-') {
            return None;
        }
        let mut fields = [""; 5];
        for field in &mut fields {
            let end = token_end(self.s, at);
            *field = self.slice(at, end);
            at = (end + 1).min(self.text.len());
        }
        let named = |field: &'a str| (field != "-" && !field.is_empty()).then_some(field);
        let rest = self.text.get(at..).unwrap_or("");
        let content = match rest.strip_prefix('-') {
            Some(message) => message,
            None => after_structured_data(rest),
        };
        Some(Line {
            time: stamp.and_then(|stamp| stamp.ns),
            level: self.line.level,
            host: named(fields[1]),
            logger: named(fields[2]),
            content: content.trim_start().trim_start_matches('\u{feff}'),
            format: Format::Syslog5424,
        })
    }

    /// Finds the time at the front, or behind a few tokens that are no words. Moves behind it.
    fn time(&mut self, hint: u64) -> Option<Spelling> {
        let mut at = self.at;
        for token in 0..BEFORE_TIME {
            at = blanks(self.s, at);
            let bracketed = matches!(self.s.get(at), Some(b'[' | b'('));
            let from = if bracketed { at + 1 } else { at };
            if let Some(stamp) = timestamp::read(self.s, from, hint)
                && self.is_header_time(&stamp, token)
            {
                self.line.time = stamp.ns;
                self.at = stamp.end;
                if bracketed {
                    if matches!(self.s.get(stamp.end), Some(b']' | b')')) {
                        self.at += 1;
                    } else {
                        self.in_bracket = true;
                    }
                }
                if stamp.spelling == Spelling::Epoch || stamp.spelling == Spelling::Date {
                    self.second_time(hint);
                }
                return Some(stamp.spelling);
            }
            let end = token_end(self.s, at);
            let token = &self.s[at..end];
            if token.is_empty()
                || is_plain(token)
                || token.len() > 64
                || Level::from_word(word(token)).is_some()
            {
                return None;
            }
            at = end;
        }
        None
    }

    fn is_header_time(&self, stamp: &Stamp, token: usize) -> bool {
        let closed = !self.s.get(stamp.end).is_some_and(|b| b.is_ascii_alphanumeric());
        closed
            && match stamp.spelling {
                Spelling::Civil | Spelling::Named => true,
                Spelling::Clock => token == 0,
                // A bare count or date may be anything, unless the line begins with it.
                Spelling::Epoch => token == 0 || self.named_time_follows(stamp.end),
                Spelling::Date => false,
            }
    }

    /// Whether a time in words stands behind a count of seconds, which then is one too.
    fn named_time_follows(&self, mut at: usize) -> bool {
        for _ in 0..3 {
            at = blanks(self.s, at);
            let stamp = timestamp::read(self.s, at, 0);
            if stamp.is_some_and(|stamp| matches!(stamp.spelling, Spelling::Civil | Spelling::Named)) {
                return true;
            }
            let end = token_end(self.s, at);
            if end == at || is_plain(&self.s[at..end]) {
                return false;
            }
            at = end;
        }
        false
    }

    /// Behind a count of seconds the same time may follow once more in words; that one is finer, or the same.
    fn second_time(&mut self, hint: u64) {
        let mut at = self.at;
        for _ in 0..4 {
            at = blanks(self.s, at);
            if let Some(stamp) = timestamp::read(self.s, at, hint)
                && matches!(stamp.spelling, Spelling::Civil | Spelling::Named)
            {
                self.at = stamp.end;
                // The text behind a named time is syslog's: host and tag.
                if stamp.spelling == Spelling::Named {
                    self.syslog_tag(Spelling::Named);
                }
                return;
            }
            let end = token_end(self.s, at);
            if end == at || is_plain(&self.s[at..end]) {
                return;
            }
            at = end;
        }
    }

    /// `host tag[pid]: ` or `tag[pid]: `. After an ISO time both tokens and the number must be there.
    fn syslog_tag(&mut self, spelling: Spelling) -> bool {
        if !matches!(spelling, Spelling::Named | Spelling::Civil | Spelling::Clock) || self.in_bracket {
            return false;
        }
        let first = blanks(self.s, self.at);
        let first_end = token_end(self.s, first);
        if first == first_end {
            return false;
        }
        let second = blanks(self.s, first_end);
        let second_end = token_end(self.s, second);
        if let Some(name) = tag(&self.s[second..second_end], spelling == Spelling::Named)
            && !self.s[first..first_end].ends_with(b":")
            && !matches!(self.s[first], b'[' | b'(' | b'<' | b'"' | b'-')
            && (spelling == Spelling::Named || !is_level(&self.s[first..first_end]))
        {
            self.line.host = Some(self.slice(first, first_end));
            self.line.logger = Some(self.slice(second, second + name));
            self.at = second_end;
        } else if spelling != Spelling::Civil
            && let Some(name) = tag(&self.s[first..first_end], spelling == Spelling::Named)
        {
            self.line.logger = Some(self.slice(first, first + name));
            self.at = first_end;
        } else if spelling == Spelling::Named
            && !matches!(self.s[first], b'[' | b'(' | b'<' | b'"')
            && !is_level(&self.s[first..first_end])
            && self.s.get(second).is_some_and(|b| !b.is_ascii_whitespace())
            && !self.in_bracket
        {
            // A host and no tag: "--- last message repeated 2 times ---" and the like.
            self.line.host = Some(self.slice(first, first_end));
            self.at = first_end;
        } else {
            return false;
        }
        self.line.format = Format::Syslog;
        true
    }

    /// A level right behind a syslog tag: `<warn>`, `[ERROR]`, `INFO:`.
    fn inner_level(&mut self) {
        let at = blanks(self.s, self.at);
        let end = token_end(self.s, at);
        let token = &self.s[at..end];
        if is_delimited(token)
            && let Some(level) = Level::from_word(word(token))
        {
            self.line.level = Some(level);
            self.at = end;
        }
    }

    /// Looks for the level among the tokens behind the time, and understands what stands around it.
    fn level(&mut self, hint: u64) {
        let mut at = tail::separators(self.s, self.at);
        let start = at;
        let mut words = 0;
        let mut before_is_number = false;
        let mut separated = true;
        for token_index in 0..BEFORE_LEVEL {
            let Some(first) = self.s.get(at) else { break };
            if token_index > 0
                && let Some(stamp) = timestamp::read(self.s, at, hint)
                && stamp.spelling == Spelling::Civil
            {
                at = tail::separators(self.s, stamp.end);
                continue;
            }
            let end = match first {
                b'[' => group_end(self.s, at).unwrap_or_else(|| token_end(self.s, at)),
                _ => token_end(self.s, at),
            };
            let token = &self.s[at..end];
            let next = tail::separators(self.s, end);
            let has_separator = self.s[end..next].iter().any(|b| matches!(b, b'-' | b'|' | b'\t'));
            let core = word(token);
            if let Some(level) = Level::from_word(core) {
                let capitals = core.bytes().all(|b| b.is_ascii_uppercase());
                let delimited = is_delimited(token) || (separated && (has_separator || token_index == 0));
                if capitals || delimited {
                    self.line.level = Some(level);
                    self.name_before(start, at);
                    self.at = tail::after_level(self.s, end, self.in_bracket, &mut |from, to| {
                        self.line.logger = self.text.get(from..to);
                    });
                    return;
                }
            }
            if let [letter] = core.as_bytes()
                && let Some(level) = Level::from_letter(*letter)
                && (before_is_number || is_delimited(token))
                && token.len() <= 3
            {
                self.line.level = Some(level);
                self.at = tail::after_level(self.s, end, self.in_bracket, &mut |from, to| {
                    self.line.logger = self.text.get(from..to);
                });
                return;
            }
            if is_plain(token) && !is_delimited(token) {
                words += 1;
                if words > 1 {
                    break;
                }
            }
            before_is_number = core.bytes().all(|b| b.is_ascii_digit()) && !core.is_empty();
            separated = has_separator || before_is_number;
            at = next;
        }
        self.at = start;
        self.without_level();
    }

    /// What stands between time and level: a logger, if it is one name.
    fn name_before(&mut self, from: usize, to: usize) {
        let before =
            self.slice(from, to).trim_matches(|c: char| matches!(c, ' ' | '\t' | '-' | '|' | ':' | ','));
        let is_name = before.bytes().all(|b| b.is_ascii_alphanumeric() || b"._$-/".contains(&b));
        if is_name && before.bytes().any(|b| b.is_ascii_alphabetic()) && before.len() <= 96 {
            self.line.logger = Some(before);
        }
    }

    /// Time but no level: a caller (`main.go:12:`), or a program's name before ` - `.
    fn without_level(&mut self) {
        let end = token_end(self.s, self.at);
        let token = &self.s[self.at..end];
        if tail::is_caller(token) {
            self.line.logger = Some(self.slice(self.at, end));
            self.at = tail::separators(self.s, end);
            return;
        }
        let mut name_end = end;
        for extra in 0..2 {
            if self.s[name_end..].starts_with(b" - ") && !token.is_empty() {
                self.line.logger = Some(self.slice(self.at, end));
                self.at = name_end + 3;
                return;
            }
            let next = blanks(self.s, name_end);
            name_end = token_end(self.s, next);
            if extra == 0 && (next == name_end || is_plain(&self.s[next..name_end])) {
                return;
            }
        }
    }

    /// No time: `ERROR: ...`, `[warn] ...`, `INFO:logger:...`. In capitals, or delimited.
    fn level_first(&mut self) {
        let at = blanks(self.s, self.at);
        let end = token_end(self.s, at);
        let token = &self.s[at..end];
        let colon = memchr::memchr(b':', token);
        if let Some(colon) = colon
            && let Some(level) = Level::from_word(self.slice(at, at + colon))
        {
            self.line.level = Some(level);
            self.line.format = Format::LevelFirst;
            self.at = at + colon + 1;
            // `INFO:logger:message`.
            let rest = &self.s[self.at..];
            if let Some(second) =
                rest.iter().take(96).position(|b| !(b.is_ascii_alphanumeric() || b"._-".contains(b)))
                && second > 0
                && rest[second] == b':'
                && rest.get(second + 1) != Some(&b'/')
            {
                self.line.logger = Some(self.slice(self.at, self.at + second));
                self.at += second + 1;
            }
            return;
        }
        let core = word(token);
        let Some(level) = Level::from_word(core) else { return };
        let capitals = core.bytes().all(|b| b.is_ascii_uppercase());
        if capitals || (is_delimited(token) && token[0] != b'"') {
            self.line.level = Some(level);
            self.line.format = Format::LevelFirst;
            self.at = tail::after_level(self.s, end, false, &mut |from, to| {
                self.line.logger = self.text.get(from..to);
            });
        }
    }
}

/// The word of a token without the punctuation around it; empty where it is not ASCII.
fn word(token: &[u8]) -> &str {
    std::str::from_utf8(bare(token)).unwrap_or("")
}

fn is_level(token: &[u8]) -> bool {
    Level::from_word(word(token)).is_some()
}

/// `[info]`, `<warn>`, `error:`, `(debug)`, `|INFO|`.
fn is_delimited(token: &[u8]) -> bool {
    matches!(token.last(), Some(b']' | b'>' | b':' | b')' | b'|'))
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
        && body.iter().all(|b| b.is_ascii_alphanumeric() || b"._-/()@".contains(b));
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
