//! What a byte may mean for the shape of the token it stands in, and the search for bytes that mean something.
//!
//! Each class is a bit, and the classes of a content's bytes lie in a row: a stretch is searched, or its classes are
//! told, eight bytes at a time. That costs a line of 200 bytes a third of what looking at each byte did.

/// Ends a token: blanks and control characters.
pub(super) const BREAK: u8 = 1;
/// 0-9.
pub(super) const DIGIT: u8 = 2;
/// A mark that a parameter may hang on: `=`, quotes, slashes, `@`, `<`.
pub(super) const ACTIVE: u8 = 4;
/// Ends a piece within a token.
pub(super) const DELIMITER: u8 = 8;
/// Letters, and every byte of a character beyond ASCII.
pub(super) const LETTER: u8 = 16;
/// A full stop: within a word it may be a host's.
pub(super) const DOT: u8 = 32;
/// Marks within dates, addresses and hosts with a port.
pub(super) const JOINT: u8 = 64;
/// Ends the value of key=value.
pub(super) const VALUE_END: u8 = 128;

const CLASS: [u8; 256] = table();

const fn table() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            0..=b' ' | 0x7f => BREAK,
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => LETTER,
            b'"' | b'\'' | b'>' => ACTIVE | DELIMITER | VALUE_END,
            b'=' | b'`' | b'<' => ACTIVE | DELIMITER,
            b'/' => ACTIVE | JOINT,
            b':' | b'-' => JOINT,
            b'\\' | b'@' => ACTIVE,
            b',' | b';' | b')' | b']' | b'}' | b'|' => DELIMITER | VALUE_END,
            b'(' | b'[' | b'{' => DELIMITER,
            b'.' => DOT,
            b'&' => VALUE_END,
            _ => 0,
        };
        byte += 1;
    }
    table
}

/// Bytes looked at in one step.
const STEP: usize = 8;

/// The classes of a content's bytes: one byte each, and a step of breaks behind the last, so that a step may begin
/// at any of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Classes<'a>(&'a [u8]);

/// The classes that the bytes of a stretch have; the same class may stand in any of eight places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen(u64);

impl Seen {
    /// A delimiter, and nothing else.
    pub(super) const DELIMITED: Self = Self(DELIMITER as u64);

    /// Of a stretch whose bytes have these classes.
    pub(crate) fn of(classes: u8) -> Self {
        Self(u64::from(classes))
    }

    /// Whether digits are among its bytes.
    pub(crate) fn has_digits(self) -> bool {
        self.has(DIGIT)
    }

    /// All classes that its bytes have.
    pub(crate) fn classes(self) -> u8 {
        self.0.to_le_bytes().into_iter().fold(0, |classes, of_byte| classes | of_byte)
    }

    /// Whether a byte has one of these classes.
    #[inline(always)]
    pub(super) fn has(self, any: u8) -> bool {
        self.0 & each(any) != 0
    }

    /// Whether bytes are digits, and the others of no class that a token is told by.
    #[inline(always)]
    pub(super) fn is_digits(self) -> bool {
        self.0 & !each(VALUE_END | DIGIT) == 0 && self.has(DIGIT)
    }
}

impl std::ops::BitOr for Seen {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl<'a> Classes<'a> {
    /// Of `s`. The row is scratch space: it grows and is overwritten.
    pub(super) fn of(s: &[u8], row: &'a mut Vec<u8>) -> Self {
        let end = s.len() + STEP;
        if row.len() < end {
            row.resize(end, BREAK);
        }
        let row = &mut row[..end];
        let (steps, rest) = s.as_chunks::<STEP>();
        let (row_steps, _) = row.as_chunks_mut::<STEP>();
        for (classes, bytes) in row_steps.iter_mut().zip(steps) {
            // By place: half the instructions of an iterator over both.
            for at in 0..STEP {
                classes[at] = CLASS[usize::from(bytes[at])];
            }
        }
        let from = s.len() - rest.len();
        for (class, byte) in row[from..].iter_mut().zip(rest) {
            *class = CLASS[usize::from(*byte)];
        }
        row[s.len()..].fill(BREAK);
        Self(row)
    }

    /// The classes of one byte; a break at the end of the content.
    #[inline(always)]
    pub(super) fn at(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(BREAK)
    }

    /// The end of the token that begins at `from`, and the classes of its bytes.
    #[inline(always)]
    pub(super) fn token(self, from: usize) -> (usize, Seen) {
        let (mut at, mut seen) = (from, 0);
        loop {
            let step = self.step(at);
            let found = step & each(BREAK);
            if found != 0 {
                return (at + first(found), Seen(seen | step & below(found)));
            }
            seen |= step;
            at += STEP;
        }
    }

    /// The first byte from `from` on that has one of the classes `any`, or `to`.
    #[inline(always)]
    pub(super) fn find(self, from: usize, to: usize, any: u8) -> usize {
        let mut at = from;
        while at < to {
            let found = self.step(at) & each(any);
            if found != 0 {
                return (at + first(found)).min(to);
            }
            at += STEP;
        }
        to
    }

    /// The first byte from `from` on, before a break, that is no letter.
    #[inline(always)]
    pub(super) fn letters_end(self, from: usize) -> usize {
        let mut at = from;
        loop {
            let found = !self.step(at) & each(LETTER);
            if found != 0 {
                return at + first(found);
            }
            at += STEP;
        }
    }

    /// The first byte from `from` on that ends a piece, or `to`, and the classes of all bytes before it.
    #[inline(always)]
    pub(super) fn piece(self, from: usize, to: usize) -> (usize, Seen) {
        let end = self.find(from, to, DELIMITER);
        let (mut at, mut seen) = (from, 0);
        while at + STEP <= end {
            seen |= self.step(at);
            at += STEP;
        }
        (end, Seen(seen | self.step(at) & ((1 << (8 * (end - at))) - 1)))
    }

    #[inline(always)]
    fn step(self, at: usize) -> u64 {
        match self.0.get(at..at + STEP).and_then(<[u8]>::first_chunk) {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => each(BREAK),
        }
    }
}

/// A class in each byte of a step.
fn each(class: u8) -> u64 {
    u64::from(class) * 0x0101_0101_0101_0101
}

/// The bytes before the first that is not zero.
fn below(step: u64) -> u64 {
    (1 << (8 * first(step))) - 1
}

/// The place of the first byte that is not zero.
fn first(step: u64) -> usize {
    step.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searching_in_steps_finds_what_looking_at_each_byte_does() {
        let s = "a,b c=\"9\" \u{e9}t\u{e9}.x/y&z-12:30\tend, of a longer stretch without a digit";
        let mut row = vec![DIGIT; 200];
        let classes = Classes::of(s.as_bytes(), &mut row);
        let class = |at: usize| CLASS[usize::from(s.as_bytes()[at])];
        let seen = |from: usize, to: usize| (from..to).fold(0, |seen, at| seen | class(at));
        let told = |seen: Seen| (0..8).map(|bit| 1 << bit).filter(|bit| seen.has(*bit)).sum::<u8>();
        for from in 0..=s.len() {
            let end = (from..s.len()).find(|at| class(*at) & BREAK != 0).unwrap_or(s.len());
            let (token_end, token) = classes.token(from);
            assert_eq!((token_end, told(token)), (end, seen(from, end)), "{from}");
            let letters = (from..s.len()).find(|at| class(*at) & LETTER == 0).unwrap_or(s.len());
            assert_eq!(classes.letters_end(from), letters, "{from}");
            for to in from..=s.len() {
                let end = (from..to).find(|at| class(*at) & DELIMITER != 0).unwrap_or(to);
                let (piece_end, piece) = classes.piece(from, to);
                assert_eq!((piece_end, told(piece)), (end, seen(from, end)), "{from}..{to}");
                for any in [BREAK, DIGIT, DELIMITER, DOT, VALUE_END, BREAK | DIGIT] {
                    let found = (from..to).find(|at| class(*at) & any != 0).unwrap_or(to);
                    assert_eq!(classes.find(from, to, any), found, "{from}..{to} {any}");
                }
            }
        }
    }
}
