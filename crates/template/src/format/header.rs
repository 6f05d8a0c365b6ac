//! Headers of text lines: a time near the front, then host, process, thread, level and logger in any of the usual
//! orders, then the message.
//!
//! Reads tokens from the left and stops at the first that looks like a word of free text, so a level or a time in
//! the message is never taken for one of the header.

use super::{
    Format, HEADER_BYTES, Line, csv,
    token::{Token, blanks},
};
use crate::{
    Level,
    timestamp::{self, Around, Spelling, Stamp},
};

/// Tokens before the time at most.
const BEFORE_TIME: usize = 4;
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
}
