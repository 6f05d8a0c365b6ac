//! The level of a header, and what stands before and behind it.

use super::{
    Format,
    header::Header,
    tail::{self, Tail, separators},
    token::{COLON, Token, blanks},
};
use crate::{
    Level,
    timestamp::{self, Spelling},
};

/// Tokens between time and level at most.
const BEFORE_LEVEL: usize = 9;

impl Header<'_, '_> {
    /// Looks for the level among the tokens behind the time, and understands what stands around it.
    pub(super) fn level(&mut self) {
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
    pub(super) fn level_first(&mut self) {
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
