//! Headers of text lines: a time near the front, then host, process, thread, level and logger in any of the usual
//! orders, then the message.
//!
//! Reads tokens from the left and stops at the first that looks like a word of free text, so a level or a time in
//! the message is never taken for one of the header.

use super::{
    Format, HEADER_BYTES, Line, csv,
    tail::{self, Tail, separators},
    token::{COLON, Token, blanks},
};
use crate::{
    Level,
    timestamp::{self, Around, Spelling, Stamp},
};

/// Tokens before the time at most.
const BEFORE_TIME: usize = 4;
/// Tokens between time and level at most.
const BEFORE_LEVEL: usize = 9;
/// The first value of a row is no longer, in bytes.
const FIRST_VALUE_BYTES: usize = 48;

pub(super) fn read<'a>(text: &'a str, around: Around<'_>) -> Line<'a> {
    let whole = text.as_bytes();
    let mut header = Header {
        text,
        s: &whole[..whole.len().min(HEADER_BYTES)],
        line: Line::default(),
        at: 0,
        in_bracket: false,
        around,
    };
    header.priority();
    if let Some(line) = header.syslog_5424() {
        return line;
    }
    match header.time() {
        Some(spelling) => {
            if header.is_delimited(header.at)
                && let Some(line) = csv::read(text, around)
            {
                return line;
            }
            header.line.format = Format::Header;
            if !header.syslog_tag(spelling) {
                header.level();
            } else {
                header.inner_level();
            }
        }
        None if header.line.level.is_some() => {
            header.line.format = Format::Syslog;
            header.syslog_tag(Spelling::Clock);
        }
        None => {
            header.level_first();
            if header.line.format == Format::Plain
                && header.has_values()
                && let Some(line) = csv::read(text, around)
            {
                return line;
            }
        }
    }
    header.finish()
}

pub(super) struct Header<'a, 'b> {
    pub(super) text: &'a str,
    /// The stretch that is searched.
    pub(super) s: &'a [u8],
    pub(super) line: Line<'a>,
    /// Where the part not yet understood begins.
    pub(super) at: usize,
    /// The time stood behind a `[` that did not close after it.
    pub(super) in_bracket: bool,
    pub(super) around: Around<'b>,
}

impl<'a> Header<'a, '_> {
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or("")
    }

    fn finish(mut self) -> Line<'a> {
        let at = blanks(self.s, self.at);
        self.line.content = self.text.get(at..).unwrap_or(self.text);
        if self.line.content.is_empty() && self.line.format == Format::Plain {
            self.line.content = self.text;
        }
        if self.line.format != Format::Plain && self.line.content.starts_with('%') {
            self.mnemonic();
        }
        self.line
    }

    /// Whether a value of a row ends at `at`: behind a comma of free text stands a blank.
    fn is_delimited(&self, at: usize) -> bool {
        matches!(self.s.get(at..at + 2), Some([mark, next]) if csv::is_mark(*mark) && *next != b' ')
    }

    /// Whether the line begins with values of a row.
    fn has_values(&self) -> bool {
        let head = &self.s[..self.s.len().min(FIRST_VALUE_BYTES)];
        memchr::memchr2(b',', b';', head).is_some_and(|at| self.is_delimited(at))
    }

    /// The level in what a router's message begins with: `%LINK-3-UPDOWN: `.
    fn mnemonic(&mut self) {
        let token = Token::at(self.line.content.as_bytes(), 0);
        let Some(name) = token.bytes.strip_prefix(b"%").and_then(|name| name.strip_suffix(b":")) else {
            return;
        };
        let is_name = |part: &[u8]| {
            let is_of_name = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_';
            !part.is_empty() && part.iter().all(is_of_name)
        };
        let mut parts = name.rsplitn(3, |b| *b == b'-');
        if let (Some(event), Some([digit @ b'0'..=b'7']), Some(facility)) =
            (parts.next(), parts.next(), parts.next())
            && is_name(event)
            && facility.split(|b| *b == b'-').all(is_name)
        {
            if let Some(watch) = self.around.watch {
                watch.same(std::slice::from_ref(digit));
            }
            self.line.level = Some(Level::from_syslog(digit - b'0'));
            self.line.logger = self.line.content.get(1..=facility.len());
        }
    }

    /// Finds the time at the front, or behind a few tokens that are no words. Moves behind it.
    fn time(&mut self) -> Option<Spelling> {
        let mut at = self.at;
        for token in 0..BEFORE_TIME {
            at = blanks(self.s, at);
            let bracketed = matches!(self.s.get(at), Some(b'[' | b'(' | b'"'));
            // A router marks a clock that is not set.
            let marked = matches!(self.s.get(at..at + 2), Some([b'*' | b'.', b'A'..=b'Z']));
            let from = if bracketed || marked { at + 1 } else { at };
            if let Some(stamp) = timestamp::read(self.s, from, self.around)
                && self.is_header_time(&stamp, token)
            {
                self.line.set_time(Some(stamp), self.s, from);
                self.at = stamp.end;
                if bracketed {
                    let closing = match self.s[at] {
                        b'[' => b']',
                        b'(' => b')',
                        mark => mark,
                    };
                    if self.s.get(stamp.end) == Some(&closing) {
                        self.at += 1;
                    } else {
                        self.in_bracket = true;
                    }
                }
                if self.s[self.at..].starts_with(b": ") {
                    self.at += 1;
                }
                if stamp.spelling == Spelling::Epoch || stamp.spelling == Spelling::Date {
                    self.second_time();
                }
                return Some(stamp.spelling);
            }
            let token = Token::at(self.s, at);
            if token.is_empty() || token.is_plain() || token.bytes.len() > 64 || token.level().is_some() {
                return None;
            }
            at = token.end;
        }
        None
    }

    fn is_header_time(&self, stamp: &Stamp, token: usize) -> bool {
        let closed = !self.s.get(stamp.end).is_some_and(|b| b.is_ascii_alphanumeric());
        closed
            && match stamp.spelling {
                Spelling::Civil | Spelling::Named | Spelling::NamedYear => true,
                Spelling::Clock => token == 0,
                // A bare count or date may be anything, unless the line begins with it.
                Spelling::Epoch => token == 0 || self.time_in_words(stamp.end, 3).is_some(),
                Spelling::Date => false,
            }
    }

    /// The time in words that stands at `at`, or behind some of the next tokens that are no words.
    fn time_in_words(&self, mut at: usize, tokens: usize) -> Option<Stamp> {
        for _ in 0..tokens {
            at = blanks(self.s, at);
            if let Some(stamp) = timestamp::read(self.s, at, self.around.alone())
                && matches!(stamp.spelling, Spelling::Civil | Spelling::Named | Spelling::NamedYear)
            {
                return Some(stamp);
            }
            let token = Token::at(self.s, at);
            if token.is_empty() || token.is_plain() {
                return None;
            }
            at = token.end;
        }
        None
    }

    /// Behind a count of seconds the same time may follow once more in words.
    fn second_time(&mut self) {
        let Some(stamp) = self.time_in_words(self.at, 4) else { return };
        self.at = stamp.end;
        // The text behind a named time is syslog's: host and tag.
        if stamp.spelling == Spelling::Named {
            self.syslog_tag(Spelling::Named);
        }
    }

    /// Looks for the level among the tokens behind the time, and understands what stands around it.
    fn level(&mut self) {
        let mut at = separators(self.s, self.at);
        let start = at;
        let mut words = 0;
        let mut before_is_number = false;
        let mut separated = true;
        for token_index in 0..BEFORE_LEVEL {
            let Some(first) = self.s.get(at) else { break };
            if token_index > 0
                && let Some(stamp) = timestamp::read(self.s, at, self.around)
                && stamp.spelling == Spelling::Civil
            {
                at = separators(self.s, stamp.end);
                continue;
            }
            let group = if *first == b'[' { Token::group(self.s, at) } else { None };
            let token = group.unwrap_or_else(|| Token::at(self.s, at));
            let next = separators(self.s, token.end);
            let has_separator = !matches!(self.s[token.end..next], [b' '])
                && self.s[token.end..next].iter().any(|b| matches!(b, b'-' | b'|' | b'\t'));
            if group.is_some()
                && let Some((module, level)) = module_level(&token)
            {
                self.line.logger = Some(self.slice(at + 1, at + 1 + module));
                let (logger, end) = (self.line.logger, token.end);
                self.behind_level(level, end);
                self.line.logger = logger;
                return;
            }
            if let Some(level) = token.level() {
                let capitals = token.bare().iter().all(u8::is_ascii_uppercase);
                let delimited = token.is_delimited() || (separated && (has_separator || token_index == 0));
                if capitals || delimited {
                    self.name_before(start, at);
                    self.behind_level(level, token.end);
                    return;
                }
            }
            if token.bytes.len() <= 3
                && let [letter] = token.bare()
                && let Some(level) = Level::from_letter(*letter)
                && (before_is_number || token.is_delimited())
            {
                self.behind_level(level, token.end);
                return;
            }
            if token.is_plain() && !token.is_delimited() {
                words += 1;
                if words > 1 {
                    break;
                }
            }
            before_is_number = token.is_number();
            separated = has_separator || before_is_number;
            at = next;
        }
        self.at = start;
        self.without_level();
    }

    /// The rest of a header whose level ends at `at`.
    fn behind_level(&mut self, level: Level, at: usize) {
        self.line.level = Some(level);
        let tail = Tail::behind(self.s, at, self.in_bracket);
        self.at = tail.message;
        if let Some(logger) = tail.logger {
            self.line.logger = self.text.get(logger);
        }
    }

    /// What stands between time and level: a logger, if it is one name.
    fn name_before(&mut self, mut from: usize, mut to: usize) {
        let is_edge = |b: &u8| matches!(b, b' ' | b'-' | b'|' | b':' | b',' | b'\t');
        while from < to && is_edge(&self.s[from]) {
            from += 1;
        }
        while from < to && is_edge(&self.s[to - 1]) {
            to -= 1;
        }
        let before = &self.s[from..to];
        let is_name =
            before.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b'-' | b'/'));
        if is_name && before.len() <= 96 && before.iter().any(u8::is_ascii_alphabetic) {
            self.line.logger = Some(self.slice(from, to));
        }
    }

    /// Time but no level: a caller (`main.go:12:`), or a program's name before ` - `.
    fn without_level(&mut self) {
        let token = Token::at(self.s, self.at);
        if tail::is_caller(&token) {
            self.line.logger = Some(self.slice(self.at, token.end));
            self.at = separators(self.s, token.end);
            return;
        }
        let mut name_end = token.end;
        for extra in 0..2 {
            if self.s[name_end..].starts_with(b" - ") && !token.is_empty() {
                self.line.logger = Some(self.slice(self.at, token.end));
                self.at = name_end + 3;
                return;
            }
            let next = Token::at(self.s, blanks(self.s, name_end));
            name_end = next.end;
            if extra == 0 && (next.is_empty() || next.is_plain()) {
                return;
            }
        }
    }

    /// No time: `ERROR: ...`, `[warn] ...`, `INFO:logger:...`. In capitals, or delimited.
    fn level_first(&mut self) {
        let at = blanks(self.s, self.at);
        let token = Token::at(self.s, at);
        let colon = if token.has(COLON) { memchr::memchr(b':', token.bytes) } else { None };
        if let Some(colon) = colon
            && let Some(level) = Level::from_word(self.slice(at, at + colon))
        {
            self.line.level = Some(level);
            self.line.format = Format::LevelFirst;
            self.at = at + colon + 1;
            // `INFO:logger:message`.
            let rest = &self.s[self.at..];
            if let Some(second) = rest
                .iter()
                .take(96)
                .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')))
                && second > 0
                && rest[second] == b':'
                && rest.get(second + 1) != Some(&b'/')
            {
                self.line.logger = Some(self.slice(self.at, self.at + second));
                self.at += second + 1;
            }
            return;
        }
        let Some(level) = token.level() else { return };
        let capitals = token.bare().iter().all(u8::is_ascii_uppercase);
        let is_value = self.s.get(token.end) == Some(&b'\t');
        if capitals || is_value || (token.is_delimited() && token.bytes[0] != b'"') {
            self.line.format = Format::LevelFirst;
            let mut end = token.end;
            let next = separators(self.s, end);
            let next = if self.s.get(next) == Some(&b'[') { next + 1 } else { next };
            if let Some(stamp) = timestamp::read(self.s, next, self.around)
                && stamp.spelling != Spelling::Date
            {
                self.line.set_time(Some(stamp), self.s, next);
                self.line.format = Format::Header;
                end = stamp.end;
            }
            self.behind_level(level, end);
        }
    }
}

/// `[core:error]`: the length of the module's name, and the level.
fn module_level(group: &Token<'_>) -> Option<(usize, Level)> {
    let [b'[', inner @ .., b']'] = group.bytes else { return None };
    let colon = inner.iter().position(|b| *b == b':')?;
    let is_name = inner[..colon].iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let level = Level::from_bytes(&inner[colon + 1..])?;
    (colon > 0 && is_name).then_some((colon, level))
}
