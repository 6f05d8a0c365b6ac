//! The walk over a content: token by token, words copied, parameters lifted.

use super::{
    MAX_PARAMETERS, MAX_TOKENS, MAX_WORD_BYTES,
    class::{ACTIVE, BREAK, Classes, DELIMITER, DIGIT, DOT, Seen},
    kind::{Parameter, ParameterKind},
    memo::Memo,
    number,
    text::{BLOCK, Text},
};
use crate::{
    recall::Watch,
    timestamp::{self, Around},
};

/// A unit behind a number is no longer, with the marks that stick to it.
const MAX_UNIT_BYTES: usize = 5;

/// One walk over a content.
pub(super) struct Walk<'a> {
    pub(super) s: &'a [u8],
    pub(super) classes: Classes<'a>,
    pub(super) text: &'a mut Text,
    pub(super) parameters: &'a mut Vec<Parameter>,
    pub(super) memo: &'a mut Memo,
    /// The reading of a token followed, or could have, from what stands behind it.
    pub(super) looked_beyond: bool,
    /// Quotation marks so far that nothing closes.
    pub(super) unclosed: u8,
    pub(super) watch: Option<&'a Watch>,
}

impl<'a> Walk<'a> {
    pub(super) fn tokens(&mut self, cut: bool) -> (u16, u16) {
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
    pub(super) fn skip_breaks(&self, at: usize) -> usize {
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
    pub(super) fn copy(&mut self, start: usize, length: usize) {
        match self.s.get(start..).and_then(<[u8]>::first_chunk::<BLOCK>) {
            Some(block) if length <= BLOCK => self.text.push_block(block, length),
            _ => self.text.extend_from_slice(&self.s[start..start + length]),
        }
    }

    /// Nothing is known around a time in a message.
    pub(super) fn around(&self) -> Around<'a> {
        Around { watch: self.watch, ..Around::NOTHING }
    }

    pub(super) fn chunk_end(&self, at: usize) -> usize {
        self.classes.find(at, self.s.len(), BREAK)
    }

    /// Writes a parameter's kind in its place, and remembers where it stood.
    #[inline(always)]
    pub(super) fn lift(&mut self, kind: ParameterKind, start: usize, end: usize) {
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
