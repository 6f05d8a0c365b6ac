//! Tokens of a header: where they end, what stands around them, whether they could be free text.
//!
//! A token's bytes are looked at once; what they are told by are the classes of byte that it has.

use crate::Level;

/// Ends a token: blanks and the beginning of a terminal colour code.
const BLANK: u16 = 1;
pub(super) const DIGIT: u16 = 1 << 1;
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

/// A token, or a group in brackets, and the classes of its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) bytes: &'a [u8],
    /// First byte after it.
    pub(super) end: usize,
    seen: u16,
}

impl<'a> Token<'a> {
    /// The token at `at`; empty where a blank stands, or nothing.
    #[inline]
    pub(super) fn at(s: &'a [u8], at: usize) -> Self {
        let rest = s.get(at..).unwrap_or_default();
        let (mut length, mut seen) = (0, 0);
        // Names of classes are long: eight bytes at a time as long as no blank is among them.
        for step in rest.as_chunks::<8>().0 {
            let step = step.iter().fold(0, |seen, b| seen | class(*b));
            if step & BLANK != 0 {
                break;
            }
            seen |= step;
            length += 8;
        }
        for b in &rest[length..] {
            let class = class(*b);
            if class == BLANK {
                break;
            }
            seen |= class;
            length += 1;
        }
        Self { bytes: &rest[..length], end: at + length, seen }
    }

    /// The bracketed group that opens at `at`, if it closes soon.
    pub(super) fn group(s: &'a [u8], at: usize) -> Option<Self> {
        let (mut open, mut seen) = (0usize, 0);
        for (i, b) in s[at..].iter().take(320).enumerate() {
            seen |= class(*b);
            match b {
                b'[' => open += 1,
                b']' => {
                    open -= 1;
                    if open == 0 {
                        return Some(Self { bytes: &s[at..=at + i], end: at + i + 1, seen });
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
    pub(super) fn has(&self, any: u16) -> bool {
        self.seen & any != 0
    }

    /// Without the punctuation around it.
    #[inline]
    pub(super) fn bare(&self) -> &'a [u8] {
        if self.seen & EDGES == 0 { self.bytes } else { bare(self.bytes) }
    }

    /// A token of letters only: what free text is made of. Words in capitals alone are not: headers have them.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        if self.seen & !(LOWER | UPPER | HIGH | DASH | QUOTE | EDGES) != 0 || self.seen & (LOWER | HIGH) == 0
        {
            return false;
        }
        let is_letter = |b: &u8| class(*b) & (LOWER | UPPER | HIGH | DASH | QUOTE) != 0;
        self.seen & EDGES == 0 || self.bare().iter().all(is_letter)
    }

    /// The level that it names.
    #[inline]
    pub(super) fn level(&self) -> Option<Level> {
        if self.seen & !(ALPHANUMERIC | EDGES) != 0 { None } else { Level::from_bytes(self.bare()) }
    }

    /// Digits, and marks around them.
    #[inline]
    pub(super) fn is_number(&self) -> bool {
        self.seen & !(DIGIT | EDGES) == 0
            && self.seen & DIGIT != 0
            && (self.seen == DIGIT || self.bare().iter().all(u8::is_ascii_digit))
    }

    /// Digits alone.
    pub(super) fn is_digits(&self) -> bool {
        self.seen == DIGIT
    }

    /// `[info]`, `<warn>`, `error:`, `(debug)`, `|INFO|`.
    #[inline]
    pub(super) fn is_delimited(&self) -> bool {
        matches!(self.bytes.last(), Some(b']' | b'>' | b':' | b')' | b'|'))
    }

    /// Whether all bytes may stand in the name of a logger.
    pub(super) fn may_be_name(&self) -> bool {
        self.seen & !(ALPHANUMERIC | DOT | DOLLAR | COLON | NAME | DASH | ANGLE) == 0
    }
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

fn bare(token: &[u8]) -> &[u8] {
    let edge = |b: &u8| class(*b) & EDGES != 0;
    let start = token.iter().position(|b| !edge(b)).unwrap_or(token.len());
    let end = token.iter().rposition(|b| !edge(b)).map_or(start, |i| i + 1);
    &token[start..end]
}
