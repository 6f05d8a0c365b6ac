//! Content -> shape: the words of a line with its parameters lifted out.
//!
//! A shape is a function of the content alone. The work a line costs is bounded whatever it holds: bytes, tokens
//! and recorded parameters are capped, and nothing is allocated once the scratch has grown.

mod class;
mod kind;
mod list;
mod memo;
mod name;
mod number;
mod piece;
mod quote;
mod spelling;
mod text;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

pub use kind::{Parameter, ParameterKind};

pub(crate) use class::Seen;
use class::{ACTIVE, BREAK, Classes, DELIMITER, DIGIT, DOT};
pub(crate) use name::ipv4;
pub(crate) use piece::kind_of;

use memo::Memo;
use text::{BLOCK, Text};

use crate::{
    recall::Watch,
    timestamp::{self, Around},
};

/// Tokens of a shape at most; what follows is one `<rest>`.
pub const MAX_TOKENS: usize = 128;
/// Bytes of content looked at.
pub const MAX_CONTENT_BYTES: usize = 4096;
/// Parameters recorded a line.
pub const MAX_PARAMETERS: usize = 64;
/// A longer word is no word.
const MAX_WORD_BYTES: usize = 96;

/// A unit behind a number is no longer, with the marks that stick to it.
const MAX_UNIT_BYTES: usize = 5;

/// Names a shape: 128 bits of its canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShapeHash(pub u128);

impl ShapeHash {
    /// Of a canonical text, as [`Shaper::write_tokens`] writes it.
    pub fn of_text(text: &str) -> Self {
        Self(xxh3_128(text.as_bytes()))
    }
}

/// What was found of one line; its text and parameters wait in the [`Shaper`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Of the canonical text.
    pub hash: ShapeHash,
    /// Tokens of the canonical text, [`MAX_TOKENS`] and one `<rest>` at most.
    pub tokens: u16,
    /// Tokens that are, or hold, a parameter.
    pub parameter_tokens: u16,
}

/// Turns content into shapes. Holds scratch space; one a thread.
#[derive(Clone, Debug, Default)]
pub struct Shaper {
    classes: Vec<u8>,
    text: Text,
    parameters: Vec<Parameter>,
    memo: Memo,
}

impl Shaper {
    /// A shaper with its scratch space ready.
    pub fn new() -> Self {
        Self {
            classes: Vec::with_capacity(1024),
            text: Text::default(),
            parameters: Vec::with_capacity(MAX_PARAMETERS),
            memo: Memo::default(),
        }
    }

    /// The shape of a line's content. Its text and parameters stay readable until the next call.
    pub fn shape(&mut self, content: &str) -> Shape {
        self.read(content, None)
    }

    /// The same, while what it asks about digits is taken down.
    pub(crate) fn shape_watched(&mut self, content: &str, watch: &Watch) -> Shape {
        self.read(content, Some(watch))
    }

    /// The canonical text of the last shape.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    fn read(&mut self, content: &str, watch: Option<&Watch>) -> Shape {
        self.text.clear();
        self.parameters.clear();
        let mut end = content.len();
        if end > MAX_CONTENT_BYTES {
            end = content.floor_char_boundary(MAX_CONTENT_BYTES);
        }
        let s = &content.as_bytes()[..end];
        let mut walk = Walk {
            s,
            classes: Classes::of(s, &mut self.classes),
            text: &mut self.text,
            parameters: &mut self.parameters,
            memo: &mut self.memo,
            unclosed: 0,
            looked_beyond: false,
            watch,
        };
        let (tokens, parameter_tokens) = walk.tokens(end < content.len());
        Shape { hash: ShapeHash(xxh3_128(&self.text)), tokens, parameter_tokens }
    }

    /// Appends the canonical text of the last shape: its tokens, one blank between them, parameters as `<num>`,
    /// `<ip>` and so on.
    pub fn write_tokens(&self, out: &mut String) {
        match std::str::from_utf8(&self.text) {
            Ok(text) => out.push_str(text),
            Err(_) => out.push_str(&String::from_utf8_lossy(&self.text)),
        }
    }

    /// The parameters of the last shape, in order, as ranges of its content; the first [`MAX_PARAMETERS`]. One for each mark
    /// in its text: of a list of like tokens those of the first.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }
}

/// One walk over a content.
struct Walk<'a> {
    s: &'a [u8],
    classes: Classes<'a>,
    text: &'a mut Text,
    parameters: &'a mut Vec<Parameter>,
    memo: &'a mut Memo,
    /// The reading of a token followed, or could have, from what stands behind it.
    looked_beyond: bool,
    /// Quotation marks so far that nothing closes.
    unclosed: u8,
    watch: Option<&'a Watch>,
}

impl<'a> Walk<'a> {
    fn tokens(&mut self, cut: bool) -> (u16, u16) {
        let (mut tokens, mut parameter_tokens) = (0, 0);
        // Where the token before begins in the text, if it held a parameter.
        let mut before: Option<usize> = None;
        // A token that was looked at and not read yet: where it begins and ends, and its classes.
        let mut ahead: Option<(usize, usize, Seen)> = None;
        let mut at = self.skip_breaks(0);
        while at < self.s.len() {
            if usize::from(tokens) >= MAX_TOKENS {
                break;
            }
            let text_end = self.text.len();
            if text_end > 0 {
                self.text.push(b' ');
            }
            let token = self.text.len();
            let first_parameter = self.parameters.len();
            let start = at;
            let (token_end, seen) = match ahead.take() {
                Some((begin, end, seen)) if begin == start => (end, seen),
                _ => self.classes.token(start),
            };
            at = token_end;
            let lifted = if self.list(start, &mut at) {
                true
            } else if self.is_word(start, token_end, seen) {
                if token_end - start <= MAX_UNIT_BYTES && self.join_unit(text_end, start, token_end) {
                    at = self.skip_breaks(at);
                    if self.drop_repeated_size(before.unwrap_or(0)) {
                        tokens -= 1;
                        parameter_tokens -= 1;
                        before = None;
                    }
                    continue;
                }
                let words;
                (words, ahead) = self.words(start, &mut at, MAX_TOKENS as u16 - tokens);
                tokens += words;
                before = None;
                continue;
            } else if seen.has(DIGIT | ACTIVE) || self.is_dotted(start, token_end, seen) {
                self.chunk(start, &mut at, seen)
            } else {
                self.odd_word(start, &mut at, seen)
            };
            let end = at;
            at = self.skip_breaks(at);
            if !lifted && end - start <= MAX_UNIT_BYTES && self.join_unit(text_end, start, end) {
                if self.drop_repeated_size(before.unwrap_or(0)) {
                    tokens -= 1;
                    parameter_tokens -= 1;
                    before = None;
                }
                continue;
            }
            if !lifted {
                before = None;
            } else if let Some(first) = before
                && let Some(comma) = is_same_but_comma(&self.text[first..text_end], &self.text[token..])
            {
                // A list of like parameters has any length: one stands for all.
                self.text.truncate(text_end - usize::from(comma));
                self.parameters.truncate(first_parameter);
                continue;
            } else {
                parameter_tokens += 1;
                before = Some(token);
            }
            tokens += 1;
        }
        if cut || at < self.s.len() {
            self.text.extend_from_slice(b" <rest>");
            return (tokens + 1, parameter_tokens + 1);
        }
        (tokens, parameter_tokens)
    }

    /// Whether a token is a word and nothing else, whatever stands before it; a unit aside.
    #[inline(always)]
    fn is_word(&self, start: usize, end: usize, seen: Seen) -> bool {
        if seen.has(DIGIT | ACTIVE | DOT) {
            return false;
        }
        let first = self.s[start];
        match end - start {
            // A month, a weekday.
            3 | 4 if first.is_ascii_uppercase() => false,
            // Brackets with nothing in them.
            0..=MAX_WORD_BYTES => !(seen.has(DELIMITER) && matches!(first, b'(' | b'[' | b'{')),
            _ => false,
        }
    }

    /// Copies the word at `start`, which ends at `at`, and those behind it in one piece, at most `most`. Tells how many
    /// there were, and the token at which they end.
    #[inline(always)]
    fn words(&mut self, start: usize, at: &mut usize, most: u16) -> (u16, Option<(usize, usize, Seen)>) {
        let mut words = 1;
        let mut end = *at;
        let mut ahead = None;
        // One blank between them: text and content are the same.
        while words < most && self.s.get(end) == Some(&b' ') && self.classes.at(end + 1) & BREAK == 0 {
            let (next, seen) = self.classes.token(end + 1);
            if !self.is_word(end + 1, next, seen) {
                ahead = Some((end + 1, next, seen));
                break;
            }
            end = next;
            words += 1;
        }
        self.copy(start, end - start);
        *at = if ahead.is_some() { end + 1 } else { self.skip_breaks(end) };
        (words, ahead)
    }

    /// Whether a full stop stands within the token, not only at its end.
    fn is_dotted(&self, start: usize, end: usize, seen: Seen) -> bool {
        seen.has(DOT) && self.classes.find(start, end - 1, DOT) < end - 1
    }

    /// A unit behind a number belongs to it: `2.85 KB`, `12 ms`.
    #[inline(always)]
    fn join_unit(&mut self, text_end: usize, start: usize, end: usize) -> bool {
        const NUMBER: &[u8] = b"<num>";
        if !self.text[..text_end].ends_with(NUMBER) {
            return false;
        }
        let word = &self.s[start..end];
        let letters = word.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let Some(kind) = number::unit_word(&word[..letters]) else { return false };
        if !word[letters..].iter().all(|b| matches!(b, b')' | b']' | b',' | b'.' | b';' | b':')) {
            return false;
        }
        self.text.truncate(text_end - NUMBER.len());
        self.text.extend_from_slice(kind.mark().as_bytes());
        self.text.extend_from_slice(&word[letters..]);
        if let Some(number) = self.parameters.last_mut()
            && number.kind == ParameterKind::Number
        {
            *number = Parameter { kind, end: (start + letters) as u32, ..*number };
        }
        true
    }

    /// `2928 bytes (2.85 KB)` says one size twice, and only where it is large.
    fn drop_repeated_size(&mut self, token: usize) -> bool {
        const BYTES: &[u8] = b"<num> bytes ";
        let repeats = self.text[..token].ends_with(BYTES) && &self.text[token..] == b"(<size>)";
        if repeats {
            self.text.truncate(token - 1);
            self.parameters.pop();
        }
        repeats
    }

    /// First byte of the next token: behind blanks, control characters and terminal colour codes.
    #[inline(always)]
    fn skip_breaks(&self, at: usize) -> usize {
        // One blank is what stands between most tokens.
        if self.s.get(at) == Some(&b' ') && self.classes.at(at + 1) & BREAK == 0 {
            return at + 1;
        }
        self.skip_all_breaks(at)
    }

    fn skip_all_breaks(&self, mut at: usize) -> usize {
        while at < self.s.len() && self.classes.at(at) & BREAK != 0 {
            if self.s[at] == 0x1b && self.s.get(at + 1) == Some(&b'[') {
                at += 2;
                while at < self.s.len() && (self.s[at].is_ascii_digit() || self.s[at] == b';') {
                    at += 1;
                }
            }
            at += 1;
        }
        at.min(self.s.len())
    }

    /// A token without digits and marks that may be more than a word: the beginning of a date, empty brackets. Says
    /// whether a parameter was lifted.
    fn odd_word(&mut self, start: usize, at: &mut usize, seen: Seen) -> bool {
        let length = *at - start;
        if (3..=4).contains(&length)
            && self.s[start].is_ascii_uppercase()
            && let Some(stamp) = timestamp::read(self.s, start, self.around())
        {
            *at = stamp.end;
            self.lift(ParameterKind::Time, start, stamp.end);
            // What sticks to it (a comma, a bracket) belongs to the token.
            let end = self.chunk_end(stamp.end);
            self.text.extend_from_slice(&self.s[stamp.end..end]);
            *at = end;
            return true;
        }
        if length > MAX_WORD_BYTES {
            self.lift(ParameterKind::Id, start, *at);
            return true;
        }
        // Brackets with nothing in them: the value is not known.
        if seen.has(DELIMITER)
            && let [open @ (b'(' | b'[' | b'{'), close @ (b')' | b']' | b'}'), rest @ ..] =
                &self.s[start..*at]
        {
            self.text.push(*open);
            self.lift(ParameterKind::Value, start + 1, start + 1);
            self.text.push(*close);
            self.text.extend_from_slice(rest);
            return true;
        }
        self.copy(start, length);
        false
    }

    /// Copies a stretch of the content. Short ones, which are nearly all, as one block of fixed size.
    #[inline(always)]
    fn copy(&mut self, start: usize, length: usize) {
        match self.s.get(start..).and_then(<[u8]>::first_chunk::<BLOCK>) {
            Some(block) if length <= BLOCK => self.text.push_block(block, length),
            _ => self.text.extend_from_slice(&self.s[start..start + length]),
        }
    }

    /// Nothing is known around a time in a message.
    fn around(&self) -> Around<'a> {
        Around { watch: self.watch, ..Around::NOTHING }
    }

    fn chunk_end(&self, at: usize) -> usize {
        self.classes.find(at, self.s.len(), BREAK)
    }

    /// Writes a parameter's kind in its place, and remembers where it stood.
    #[inline(always)]
    fn lift(&mut self, kind: ParameterKind, start: usize, end: usize) {
        // As one block of fixed size, as in `copy`.
        let (mark, length) = kind.mark_block();
        self.text.push_block(&mark, length);
        if self.parameters.len() < MAX_PARAMETERS {
            self.parameters.push(Parameter { kind, start: start as u32, end: end as u32 });
        }
    }
}

/// Whether a token is the one before, or the one before but for its comma; `Some(true)` if that comma goes.
fn is_same_but_comma(before: &[u8], this: &[u8]) -> Option<bool> {
    if before == this { Some(false) } else { (before.strip_suffix(b",") == Some(this)).then_some(true) }
}

#[cfg(test)]
mod tests;
