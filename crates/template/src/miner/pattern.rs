//! Tokens of a shape, and patterns of tokens some of which stand for anything.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::shape::{MAX_TOKENS, ParameterKind};

/// A position that may hold anything.
pub(super) const ANY: &str = "<*>";

/// A shape as the miner sees it: parameters of all kinds are alike, and a run of them is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    text: String,
    /// Where each token ends in the text.
    ends: Vec<u32>,
    /// Of each token.
    hashes: Vec<u64>,
}

impl Tokens {
    /// Takes in the canonical text of a shape.
    pub(super) fn read(&mut self, shape_text: &str) {
        self.text.clear();
        self.ends.clear();
        self.hashes.clear();
        for token in shape_text.split(' ').filter(|token| !token.is_empty()).take(MAX_TOKENS) {
            let begin = self.text.len();
            if begin > 0 {
                self.text.push(' ');
            }
            let start = self.text.len();
            push_unified(&mut self.text, token);
            if self.joins(start) {
                self.join(begin, start);
                continue;
            }
            self.hashes.push(xxh3_64(&self.text.as_bytes()[start..]));
            self.ends.push(self.text.len() as u32);
        }
    }

    /// Whether the token that was written from `start` on goes on with the run of parameters before it.
    fn joins(&self, start: usize) -> bool {
        let Some(before) = self.len().checked_sub(1) else { return false };
        let is_run = |token: &str| token.trim_end_matches(',').trim_start_matches(['(', '[', '{']) == ANY;
        let tail = self.text[start..].strip_prefix(ANY);
        tail.is_some_and(|tail| tail.bytes().all(|b| matches!(b, b',' | b')' | b']' | b'}')))
            && is_run(self.token(before))
    }

    /// Leaves one parameter of two: with what opens before the first and closes behind the second.
    fn join(&mut self, begin: usize, start: usize) {
        let tail = self.text[start + ANY.len()..].to_owned();
        self.text.truncate(begin);
        if tail.bytes().all(|b| b == b',') {
            return;
        }
        self.text.truncate(self.text.trim_end_matches(',').len());
        self.text.push_str(&tail);
        let last = self.len() - 1;
        self.ends[last] = self.text.len() as u32;
        self.hashes[last] = xxh3_64(self.token(last).as_bytes());
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn token(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize + 1 };
        &self.text[start..self.ends[i] as usize]
    }

    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }
}

/// Appends a token with the marks of parameters replaced by one for all kinds.
fn push_unified(out: &mut String, token: &str) {
    let mut rest = token;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        let marked = ParameterKind::MARKS.iter().find(|mark| rest[open..].starts_with(**mark));
        match marked {
            Some(mark) => {
                out.push_str(ANY);
                rest = &rest[open + mark.len()..];
            }
            None => {
                out.push('<');
                rest = &rest[open + 1..];
            }
        }
    }
    out.push_str(rest);
}

/// What a template stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "SavedPattern", into = "SavedPattern")]
pub(super) struct Pattern {
    text: String,
    ends: Vec<u32>,
    hashes: Vec<u64>,
    /// Positions that were opened because they vary, one bit each.
    open: u128,
}

#[derive(Serialize, Deserialize)]
struct SavedPattern {
    text: String,
    /// Low and high half of the open positions.
    open: (u64, u64),
}

impl Pattern {
    pub(super) fn of(tokens: &Tokens) -> Self {
        Self { text: tokens.text.clone(), ends: tokens.ends.clone(), hashes: tokens.hashes.clone(), open: 0 }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn open(&self) -> u128 {
        self.open
    }

    pub(super) fn is_open(&self, i: usize) -> bool {
        self.open >> i & 1 == 1
    }

    pub(super) fn token(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize + 1 };
        &self.text[start..self.ends[i] as usize]
    }

    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    pub(super) fn matches(&self, tokens: &Tokens) -> bool {
        self.len() == tokens.len()
            && (0..self.len()).all(|i| self.is_open(i) || self.token(i) == tokens.token(i))
    }

    /// Opens every position where `other`, of the same length, holds something else.
    pub(super) fn open_where_it_differs(&mut self, other: &Self) {
        let mut open = self.open | other.open;
        for i in 0..self.len() {
            if self.token(i) != other.token(i) {
                open |= 1 << i;
            }
        }
        self.rewrite(open);
    }

    /// The pattern with the open positions of both.
    pub(super) fn union(mut self, other: &Self) -> Self {
        self.open_where_it_differs(other);
        self
    }

    fn rewrite(&mut self, open: u128) {
        let tokens: Vec<&str> =
            (0..self.len()).map(|i| if open >> i & 1 == 1 { ANY } else { self.token(i) }).collect();
        let text = tokens.join(" ");
        *self = Self::from_text(text, open);
    }

    fn from_text(text: String, open: u128) -> Self {
        let mut ends = Vec::new();
        let mut hashes = Vec::new();
        let mut start = 0;
        if !text.is_empty() {
            for token in text.split(' ') {
                start += token.len() + usize::from(!ends.is_empty());
                ends.push(start as u32);
                hashes.push(xxh3_64(token.as_bytes()));
            }
        }
        Self { text, ends, hashes, open }
    }
}

impl From<SavedPattern> for Pattern {
    fn from(saved: SavedPattern) -> Self {
        Self::from_text(saved.text, u128::from(saved.open.0) | u128::from(saved.open.1) << 64)
    }
}

impl From<Pattern> for SavedPattern {
    fn from(pattern: Pattern) -> Self {
        Self { text: pattern.text, open: (pattern.open as u64, (pattern.open >> 64) as u64) }
    }
}

/// What a token's spelling says about it being a word of the programmer or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A parameter already, with at most punctuation around it.
    Parameter,
    /// A word as in a dictionary, punctuation, or the key of key=value.
    Word,
    /// Mixed case, marks or digits in it: a name, perhaps a value.
    Name,
}

pub(super) fn look(token: &str) -> Look {
    let s = token.as_bytes();
    if token.contains(ANY) {
        let rest = token.replace(ANY, "");
        return if !rest.bytes().any(|b| b.is_ascii_alphanumeric() || b >= 0x80) {
            Look::Parameter
        } else if token.contains("=<*>") {
            Look::Word
        } else {
            Look::Name
        };
    }
    let edge = |b: &u8| !(b.is_ascii_alphanumeric() || *b >= 0x80 || *b == b'_');
    let start = s.iter().position(|b| !edge(b)).unwrap_or(s.len());
    let end = s.iter().rposition(|b| !edge(b)).map_or(start, |i| i + 1);
    let core = &s[start..end];
    if core.iter().any(|b| !(b.is_ascii_alphabetic() || matches!(b, b'\'' | b'-') || *b >= 0x80)) {
        return Look::Name;
    }
    let upper = core.iter().filter(|b| b.is_ascii_uppercase()).count();
    let letters = core.iter().filter(|b| b.is_ascii_alphabetic() || **b >= 0x80).count();
    let capitalised = upper == 1 && core.first().is_some_and(u8::is_ascii_uppercase);
    if upper == 0 || upper == letters || capitalised { Look::Word } else { Look::Name }
}
