//! Tokens of a header: where they end, what stands around them, whether they could be free text.
//!
//! What a token is not shows in its first bytes mostly: each question ends where the answer is known.

use crate::Level;

/// Ends a token: blanks and the beginning of a terminal colour code.
const BLANK: u16 = 1;
const DIGIT: u16 = 1 << 1;
const LOWER: u16 = 1 << 2;
const UPPER: u16 = 1 << 3;
/// Of a character beyond ASCII.
const HIGH: u16 = 1 << 4;
/// Marks that stand around a token, but for the next two.
const EDGE: u16 = 1 << 5;
pub(super) const COLON: u16 = 1 << 6;
const ANGLE: u16 = 1 << 7;
pub(super) const DOT: u16 = 1 << 8;
pub(super) const DOLLAR: u16 = 1 << 9;
/// Marks within names.
const NAME: u16 = 1 << 10;
const DASH: u16 = 1 << 11;
const QUOTE: u16 = 1 << 12;
const OTHER: u16 = 1 << 13;

const EDGES: u16 = EDGE | COLON | ANGLE;
const ALPHANUMERIC: u16 = DIGIT | LOWER | UPPER;

static CLASS: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\t' | 0x1b => BLANK,
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            0x80.. => HIGH,
            b'[' | b']' | b'(' | b')' | b'|' | b',' | b'*' | b'"' | b'=' => EDGE,
            b':' => COLON,
            b'<' | b'>' => ANGLE,
            b'.' => DOT,
            b'$' => DOLLAR,
            b'_' | b'/' | b'@' | b'#' => NAME,
            b'-' => DASH,
            b'\'' => QUOTE,
            _ => OTHER,
        };
        byte += 1;
    }
    table
}

fn class(b: u8) -> u16 {
    CLASS[usize::from(b)]
}

/// Whether a byte is a letter, a digit or of a character beyond ASCII.
pub(super) fn is_of_word(b: u8) -> bool {
    class(b) & (ALPHANUMERIC | HIGH) != 0
}

/// A token, or a group in brackets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) bytes: &'a [u8],
    /// First byte after it.
    pub(super) end: usize,
}

impl<'a> Token<'a> {
    /// The token at `at`; empty where a blank stands, or nothing.
    #[inline]
    pub(super) fn at(s: &'a [u8], at: usize) -> Self {
        let rest = s.get(at..).unwrap_or_default();
        let length = blank(rest);
        Self { bytes: &rest[..length], end: at + length }
    }

    /// The bracketed group that opens at `at`, if it closes soon.
    pub(super) fn group(s: &'a [u8], at: usize) -> Option<Self> {
        let mut open = 0usize;
        for (i, b) in s[at..].iter().take(320).enumerate() {
            match b {
                b'[' => open += 1,
                b']' => {
                    open -= 1;
                    if open == 0 {
                        return Some(Self { bytes: &s[at..=at + i], end: at + i + 1 });
                    }
                }
                _ => {}
            }
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether a byte has one of these classes.
    #[inline]
    pub(super) fn has(&self, any: u16) -> bool {
        self.bytes.iter().any(|b| class(*b) & any != 0)
    }

    /// Without the punctuation around it.
    #[inline]
    pub(super) fn bare(&self) -> &'a [u8] {
        let mut core = self.bytes;
        while let [first, rest @ ..] = core
            && class(*first) & EDGES != 0
        {
            core = rest;
        }
        while let [rest @ .., last] = core
            && class(*last) & EDGES != 0
        {
            core = rest;
        }
        core
    }

    /// A token of letters only: what free text is made of. Words in capitals alone are not: headers have them.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        let mut seen = 0;
        for b in self.bare() {
            let class = class(*b);
            if class & (LOWER | UPPER | HIGH | DASH | QUOTE) == 0 {
                return false;
            }
            seen |= class;
        }
        seen & (LOWER | HIGH) != 0
    }

    /// The level that it names.
    #[inline]
    pub(super) fn level(&self) -> Option<Level> {
        Level::from_bytes(self.bare())
    }

    /// Digits, and marks around them.
    #[inline]
    pub(super) fn is_number(&self) -> bool {
        let core = self.bare();
        !core.is_empty() && core.iter().all(u8::is_ascii_digit)
    }

    /// Digits alone.
    pub(super) fn is_digits(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_digit)
    }

    /// `[info]`, `<warn>`, `error:`, `(debug)`, `|INFO|`.
    #[inline]
    pub(super) fn is_delimited(&self) -> bool {
        matches!(self.bytes.last(), Some(b']' | b'>' | b':' | b')' | b'|'))
    }

    /// Whether all bytes may stand in the name of a logger.
    pub(super) fn may_be_name(&self) -> bool {
        self.bytes
            .iter()
            .all(|b| class(*b) & (ALPHANUMERIC | DOT | DOLLAR | COLON | NAME | DASH | ANGLE) != 0)
    }
}

/// The first byte that ends a token: eight at a time.
#[inline]
fn blank(s: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zeros = |step: u64| step.wrapping_sub(ONES) & !step & (ONES << 7);
    let mut length = 0;
    for step in s.as_chunks().0 {
        let step = u64::from_le_bytes(*step);
        let found =
            [b' ', b'\t', 0x1b].iter().fold(0, |found, b| found | zeros(step ^ (ONES * u64::from(*b))));
        if found != 0 {
            // A borrow marks bytes behind a true one only.
            return length + found.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + s[length..].iter().position(|b| class(*b) == BLANK).unwrap_or(s.len() - length)
}

/// First byte after blanks and terminal colour codes.
#[inline]
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
