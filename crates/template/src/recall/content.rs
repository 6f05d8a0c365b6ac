//! What contents with one outline are, and the questions whose answers follow from their values and lengths.

use std::cell::{Cell, RefCell};

use super::{
    check::MAX_CHECKS,
    outline::{Outline, Spot},
};
use crate::{
    Parameter, ParameterKind, Shape,
    shape::{Seen, ipv4, is_number, kind_of},
    timestamp::{self, Around, Spelling, Stamp},
};

/// What contents with one outline are.
#[derive(Clone, Debug)]
pub(crate) struct ContentReading {
    pub(crate) shape: Shape,
    pub(crate) text: Box<[u8]>,
    checks: Box<[Check]>,
    parameters: Box<[(ParameterKind, Spot, Spot)]>,
}

/// One question, and its answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Check {
    /// Where a time ends that stands at a place, and how it is spelled; counts since 1970 are none.
    Time { at: Spot, answer: Option<(Spot, Spelling)> },
    /// Where an address ends that begins a part.
    Address { part: (Spot, Spot), answer: Option<Spot> },
    /// What a piece is.
    Piece { part: (Spot, Spot), classes: u8, answer: Option<ParameterKind> },
}

impl ContentReading {
    /// What was read of the watched content; `None` where it can't be told of another.
    pub(crate) fn of(
        shape: Shape,
        text: &[u8],
        parameters: &[Parameter],
        watch: &ContentWatch,
    ) -> Option<Self> {
        // A digit in the text would be one of this content's.
        if watch.spoiled.get() || text.iter().any(u8::is_ascii_digit) {
            return None;
        }
        let of_all = |parameter: &Parameter| {
            let (start, end) = (parameter.start as usize, parameter.end as usize);
            Some((parameter.kind, watch.spot(start)?, watch.spot(end)?))
        };
        Some(Self {
            shape,
            text: text.into(),
            checks: watch.checks.borrow().as_slice().into(),
            parameters: parameters.iter().map(of_all).collect::<Option<_>>()?,
        })
    }

    /// Whether another content with the same outline, which was read last, is what the one before was.
    #[inline]
    pub(crate) fn is_of(&self, content: &str, outline: &Outline) -> bool {
        self.checks.iter().all(|check| check.holds(content.as_bytes(), outline))
    }

    /// The parameters of the content whose outline was read last.
    #[inline]
    pub(crate) fn parameters(&self, outline: &Outline, to: &mut Vec<Parameter>) {
        to.clear();
        to.extend(self.parameters.iter().map(|(kind, start, end)| Parameter {
            kind: *kind,
            start: outline.place(*start) as u32,
            end: outline.place(*end) as u32,
        }));
    }
}

impl Check {
    #[inline]
    fn holds(&self, content: &[u8], outline: &Outline) -> bool {
        let of = |part: &(Spot, Spot)| content.get(outline.place(part.0)..outline.place(part.1));
        match self {
            Self::Time { at, answer } => {
                let stamp = timestamp::read(content, outline.place(*at), Around::NOTHING);
                let end = |(end, spelling): (Spot, _)| (outline.place(end), spelling);
                told(stamp) == answer.map(end)
            }
            Self::Address { part, answer } => {
                let end = of(part).and_then(ipv4).map(|length| outline.place(part.0) + length);
                end == answer.map(|end| outline.place(end))
            }
            Self::Piece { part, classes, answer } => {
                of(part).is_some_and(|piece| kind_of(piece, Seen::of(*classes)) == *answer)
            }
        }
    }
}

/// What of a time decides about the rest of a content.
fn told(stamp: Option<Stamp>) -> Option<(usize, Spelling)> {
    stamp.filter(|stamp| stamp.spelling != Spelling::Epoch).map(|stamp| (stamp.end, stamp.spelling))
}

/// Takes the questions down while a content is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContentWatch {
    outline: Outline,
    /// Where its marks begin and end.
    marked: Vec<(usize, usize)>,
    /// The address of the content's first byte.
    base: usize,
    checks: RefCell<Vec<Check>>,
    spoiled: Cell<bool>,
}

impl ContentWatch {
    /// Begins with a content and its outline.
    pub(super) fn begin(&mut self, content: &str, outline: &Outline) {
        self.outline.clone_from(outline);
        self.marked.clear();
        self.marked.extend(outline.marked());
        self.base = content.as_ptr() as usize;
        self.checks.get_mut().clear();
        self.spoiled.set(false);
    }

    /// Nothing is to be remembered of this content.
    pub(super) fn spoil(&self) {
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

    fn spot(&self, at: usize) -> Option<Spot> {
        self.outline.spot(at, &self.marked)
    }

    /// Where a part of the content begins and ends.
    fn range(&self, part: &[u8]) -> (usize, usize) {
        let start = (part.as_ptr() as usize).wrapping_sub(self.base);
        (start, start + part.len())
    }

    fn part(&self, part: &[u8]) -> Option<(Spot, Spot)> {
        let (start, end) = self.range(part);
        Some((self.spot(start)?, self.spot(end)?))
    }

    /// Whether a time stands at `at` of the content.
    pub(super) fn time(&self, content: &[u8], at: usize, stamp: Option<Stamp>) {
        let stamp = told(stamp);
        if stamp.is_none() && !self.may_be_time(content, at) {
            return;
        }
        let answer = match stamp {
            None => Some(None),
            Some((end, spelling)) => self.spot(end).map(|end| Some((end, spelling))),
        };
        self.add(self.spot(at).zip(answer).map(|(at, answer)| Check::Time { at, answer }));
    }

    /// Whether other numbers could make a time of what is none. Runs of 8 and 14 digits have their length in all contents;
    /// longer ones are counts.
    fn may_be_time(&self, content: &[u8], at: usize) -> bool {
        let digits = content[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        matches!(digits, 0 | 8 | 14)
            || matches!(content.get(at + digits), Some(b':' | b'/' | b'-' | b'.' | b' '))
            || self.has_hex(&content[at..=at])
    }

    pub(super) fn address(&self, s: &[u8], length: Option<usize>) {
        // Whatever the numbers are.
        if s.iter().filter(|b| **b == b'.').count() < 3 {
            return;
        }
        let answer = match length {
            None => Some(None),
            Some(length) => self.spot(self.range(s).0 + length).map(Some),
        };
        self.add(self.part(s).zip(answer).map(|(part, answer)| Check::Address { part, answer }));
    }

    /// Whether a hexadecimal word stands in a part.
    pub(super) fn has_hex(&self, part: &[u8]) -> bool {
        let (start, end) = self.range(part);
        self.outline.hex_words().iter().any(|word| word.0 < end && word.1 > start)
    }

    pub(super) fn piece(&self, piece: &[u8], seen: Seen, kind: Option<ParameterKind>) {
        // What is a number, or has neither letters nor colons, is so whatever the numbers are.
        let may_be_name = |b: &u8| b.is_ascii_alphabetic() || *b == b':' || *b >= 0x80;
        let follows = seen.has_digits() && !is_number(piece) && piece.iter().any(may_be_name);
        if follows || self.has_hex(piece) {
            let part = self.part(piece);
            self.add(part.map(|part| Check::Piece { part, classes: seen.classes(), answer: kind }));
        }
    }

    /// A piece begins: what stands behind `=` is not known but as a value.
    pub(super) fn piece_at(&self, at: usize) {
        if self.outline.is_behind_key(at) && self.marked.iter().any(|(start, _)| *start == at) {
            self.spoil();
        }
    }

    /// A stretch of digits and marks that are read as if they were digits.
    pub(super) fn digits(&self, stretch: &[u8]) {
        if !stretch.iter().all(u8::is_ascii_digit) {
            self.spoil();
        }
    }

    /// What may be a path or a URL begins here. How long the name of a scheme is, and whether more than one byte stands
    /// behind a slash, may follow from how many digits there are.
    pub(super) fn path(&self, s: &[u8]) {
        let is_of_scheme = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        let scheme = s.iter().take_while(is_of_scheme).count();
        let by_scheme = s[scheme..].starts_with(b"://") && s[..scheme].iter().any(u8::is_ascii_digit);
        let by_digits = match s {
            [b'/' | b'\\', digits @ ..] => {
                let run = digits.iter().take_while(|b| b.is_ascii_digit()).count();
                run > 0 && !digits.get(run).is_some_and(u8::is_ascii_alphanumeric)
            }
            _ => false,
        };
        if by_scheme || by_digits {
            self.spoil();
        }
    }
}
