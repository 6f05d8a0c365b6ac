//! The questions whose answers follow from the values of digits.

use std::cell::{Cell, RefCell};

use super::{MAX_LINE_BYTES, Outline, content::ContentWatch};
use crate::{
    format::klog_stamp,
    shape::{ParameterKind, Seen, ipv4, kind_of},
    timestamp::{self, Around, Spelling, Stamp},
};

/// Questions a line; of a line with more nothing is remembered.
pub(super) const MAX_CHECKS: usize = 32;
/// Bytes of one that must be the same.
const SAME_BYTES: usize = 4;

/// A part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    pub(super) fn of(self, text: &str) -> Option<&str> {
        text.get(usize::from(self.start)..usize::from(self.end))
    }

    fn bytes(self, text: &str) -> Option<&[u8]> {
        text.as_bytes().get(usize::from(self.start)..usize::from(self.end))
    }
}

/// One question, and its answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Check {
    /// Whether a time stands at a place of a part.
    Time { part: Span, at: u16, alone: bool, answer: Option<(u16, Spelling, bool)> },
    /// The same of a header of klog.
    Klog { part: Span, answer: bool },
    /// Whether an address stands at the start of a part, and how long it is.
    Address { part: Span, answer: Option<u16> },
    /// What a piece with a hexadecimal word in it is.
    Piece { part: Span, classes: u8, answer: Option<ParameterKind> },
    /// Digits that mean something: a level, a status.
    Same { at: u16, length: u8, bytes: [u8; SAME_BYTES] },
}

impl Check {
    /// Fills a place that is not looked at.
    pub(super) const NONE: Self = Self::Same { at: 0, length: 0, bytes: [0; SAME_BYTES] };

    /// Whether it tells the time that stands at `at`.
    pub(super) fn is_time_at(&self, place: u16) -> bool {
        match self {
            Self::Time { part, at, alone: false, .. } => part.start + at == place,
            Self::Klog { part, .. } => part.start == place,
            _ => false,
        }
    }

    /// `None` if another line answers differently; else the time, where one was asked for.
    #[inline]
    pub(super) fn answer(&self, text: &str, around: Around<'_>) -> Option<Option<Stamp>> {
        match self {
            Self::Time { part, at, alone, answer } => {
                let around = if *alone { Around::NOTHING } else { around };
                let stamp = timestamp::read(part.bytes(text)?, usize::from(*at), around);
                (told(stamp) == *answer).then_some(stamp)
            }
            Self::Klog { part, answer } => {
                let stamp = klog_stamp(part.bytes(text)?, around);
                (stamp.is_some() == *answer).then_some(stamp)
            }
            Self::Address { part, answer } => {
                (ipv4(part.bytes(text)?).map(|length| length as u16) == *answer).then_some(None)
            }
            Self::Piece { part, classes, answer } => {
                (kind_of(part.bytes(text)?, Seen::of(*classes)) == *answer).then_some(None)
            }
            Self::Same { at, length, bytes } => {
                let length = usize::from(*length);
                let part = text.as_bytes().get(usize::from(*at)..usize::from(*at) + length)?;
                (part == &bytes[..length]).then_some(None)
            }
        }
    }
}

/// What of a time decides about the rest of the line.
fn told(stamp: Option<Stamp>) -> Option<(u16, Spelling, bool)> {
    stamp.map(|stamp| (stamp.end as u16, stamp.spelling, stamp.ns.is_some()))
}

/// Takes the questions down while a line is read, or a content alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// Of a content alone.
    content: ContentWatch,
    is_of_content: bool,
    /// The address of the line's first byte.
    base: usize,
    length: usize,
    hex_words: Vec<(usize, usize)>,
    checks: RefCell<Vec<Check>>,
    /// Something was asked that is not taken down.
    spoiled: Cell<bool>,
}

impl Watch {
    /// Begins with a line.
    pub(crate) fn begin(&mut self, line: &str, hex_words: &[(usize, usize)]) {
        self.is_of_content = false;
        self.base = line.as_ptr() as usize;
        self.length = line.len().min(MAX_LINE_BYTES);
        self.hex_words.clear();
        self.hex_words.extend_from_slice(hex_words);
        self.checks.get_mut().clear();
        self.spoiled.set(false);
    }

    /// Begins with a content, whatever the length of its numbers.
    pub(crate) fn begin_content(&mut self, content: &str, outline: &Outline) {
        self.is_of_content = true;
        self.content.begin(content, outline);
    }

    /// What is taken down of a content.
    pub(crate) fn content(&self) -> &ContentWatch {
        &self.content
    }

    /// What was asked; `None` if not all of it was taken down.
    pub(super) fn checks(&self) -> Option<Vec<Check>> {
        (!self.spoiled.get()).then(|| self.checks.borrow().clone())
    }

    /// The place of an address within the line.
    pub(super) fn place(&self, address: usize) -> Option<u16> {
        let place = address.checked_sub(self.base)?;
        (place <= self.length).then_some(place as u16)
    }

    pub(super) fn span(&self, part: &[u8]) -> Option<Span> {
        let start = self.place(part.as_ptr() as usize)?;
        let end = self.place(part.as_ptr() as usize + part.len())?;
        Some(Span { start, end })
    }

    /// Nothing is to be remembered of this line.
    pub(crate) fn spoil(&self) {
        if self.is_of_content {
            return self.content.spoil();
        }
        self.spoiled.set(true);
    }

    fn add(&self, check: Option<Check>) {
        let mut checks = self.checks.borrow_mut();
        match check {
            Some(check) if checks.contains(&check) => {}
            Some(check) if checks.len() < MAX_CHECKS => checks.push(check),
            _ => self.spoil(),
        }
    }

    /// Whether a time stands at `at` of `s`. `alone`: without regard to what is around the line.
    #[cold]
    pub(crate) fn time(&self, s: &[u8], at: usize, alone: bool, stamp: Option<Stamp>) {
        if self.is_of_content {
            return self.content.time(s, at, stamp);
        }
        if stamp.is_none() && !self.may_be_time(s, at) {
            return;
        }
        let part = self.span(s);
        let check = part.map(|part| Check::Time { part, at: at as u16, alone, answer: told(stamp) });
        self.add(check);
    }

    /// Whether other digits could make a time of what is none. How many there are, and what stands behind them, is the
    /// same in all lines, but for those of hexadecimal words.
    fn may_be_time(&self, s: &[u8], at: usize) -> bool {
        let digits = s[at..].iter().take(20).take_while(|b| b.is_ascii_digit()).count();
        let may_be_date = match digits {
            1 | 2 => matches!(s.get(at + digits), Some(b':' | b'/' | b'-' | b'.' | b' ')),
            0 | 4 | 6 | 8 | 10 | 13 | 14 | 16 | 19 => true,
            _ => false,
        };
        may_be_date || self.has_hex(&s[at..=at])
    }

    pub(crate) fn klog(&self, s: &[u8], stamp: Option<Stamp>) {
        self.add(self.span(s).map(|part| Check::Klog { part, answer: stamp.is_some() }));
    }

    pub(crate) fn address(&self, s: &[u8], length: Option<usize>) {
        if self.is_of_content {
            return self.content.address(s, length);
        }
        let answer = length.map(|length| length as u16);
        self.add(self.span(s).map(|part| Check::Address { part, answer }));
    }

    /// Whether a hexadecimal word stands in a part.
    pub(crate) fn has_hex(&self, part: &[u8]) -> bool {
        if self.is_of_content {
            return self.content.has_hex(part);
        }
        match self.span(part) {
            Some(Span { start, end }) => {
                let overlaps =
                    |word: &(usize, usize)| word.0 < usize::from(end) && word.1 > usize::from(start);
                self.hex_words.iter().any(overlaps)
            }
            None => true,
        }
    }

    pub(crate) fn piece(&self, piece: &[u8], seen: Seen, kind: Option<ParameterKind>) {
        if self.is_of_content {
            return self.content.piece(piece, seen, kind);
        }
        if self.has_hex(piece) {
            let classes = seen.classes();
            self.add(self.span(piece).map(|part| Check::Piece { part, classes, answer: kind }));
        }
    }

    /// Digits whose values were made use of.
    pub(crate) fn same(&self, part: &[u8]) {
        if self.is_of_content {
            // Of a piece, which is asked for as a whole.
            return;
        }
        let mut bytes = [0; SAME_BYTES];
        let check = match (self.span(part), bytes.get_mut(..part.len())) {
            (Some(span), Some(place)) => {
                place.copy_from_slice(part);
                Some(Check::Same { at: span.start, length: part.len() as u8, bytes })
            }
            _ => None,
        };
        self.add(check);
    }

    /// A piece of a content begins at `at`.
    pub(crate) fn piece_at(&self, at: usize) {
        if self.is_of_content {
            self.content.piece_at(at);
        }
    }

    /// A stretch is read as digits, with the marks among them.
    pub(crate) fn digits(&self, stretch: &[u8]) {
        if self.is_of_content {
            self.content.digits(stretch);
        }
    }

    /// What may be a path begins here, in a token that ends with it.
    pub(crate) fn path(&self, s: &[u8]) {
        if self.is_of_content {
            self.content.path(s);
        }
    }
}
