//! The outline of a content: what is left when its numbers may have any value and any length.
//!
//! Each run of digits is one mark, and so is each word with a digit in it that stands behind `=`; a hexadecimal word
//! keeps its length and whether it begins with a digit, as in a skeleton. Runs that a date may begin with keep their length: what is
//! read of a line depends on it. Of what else depends on lengths the shaper tells the [`super::Watch`].

use super::{MAX_LINE_BYTES, SkeletonHash};

/// A hexadecimal word is at least so long, and no longer, in bytes.
const HEX_BYTES: std::ops::RangeInclusive<usize> = 8..=64;

/// Marks, none of which is a byte of UTF-8: digits; a value; the first byte of a hexadecimal word, if it is a digit;
/// its others, by their case.
const DIGITS: u8 = 0xff;
const VALUE: u8 = 0xfe;
const HEX_FIRST: u8 = 0xfd;
const HEX_SMALL: u8 = 0xfc;
const HEX_CAPITAL: u8 = 0xfb;

/// Bytes copied in one step.
const BLOCK: usize = 16;
/// Lines of bits, one a byte, and at least one more byte that is of no word.
const WORDS: usize = MAX_LINE_BYTES / 64 + 1;
const BYTES: usize = WORDS * 64;
/// More than any content has, as other bytes stand between two; a power of two.
const MARKS: usize = 256;

/// Scratch space for one.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    /// The content, and nothing behind it.
    content: Box<[u8; BYTES + BLOCK]>,
    bytes: Box<[u8; BYTES + BLOCK]>,
    length: usize,
    /// Runs and values that are one mark.
    marks: usize,
    /// Bytes left out before each of these and behind the last.
    left_out: Box<[u16; MARKS]>,
    /// Where hexadecimal words stand.
    hex_words: Vec<(usize, usize)>,
}

/// A place in all contents with one outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// In the outline.
    at: u16,
    /// Marks before it.
    marks: u16,
}

impl Default for Outline {
    fn default() -> Self {
        Self {
            content: Box::new([0; BYTES + BLOCK]),
            bytes: Box::new([0; BYTES + BLOCK]),
            length: 0,
            marks: 0,
            left_out: Box::new([0; MARKS]),
            hex_words: Vec::new(),
        }
    }
}

impl Outline {
    /// Of a content that is not longer than [`MAX_LINE_BYTES`]; `None` for one with colour codes, whose digits mean
    /// something else.
    pub(crate) fn read(&mut self, content: &[u8]) -> Option<SkeletonHash> {
        self.content.get_mut(..content.len())?.copy_from_slice(content);
        let words = content.len() / 64 + 1;
        self.content[content.len()..words * 64].fill(0);
        let (digits, words) = bits(&self.content[..words * 64])?;
        self.length = 0;
        self.marks = 0;
        self.hex_words.clear();
        let mut behind = 0;
        let mut at = 0;
        while let Some(digit) = first(&digits, at) {
            // Most are numbers: a word is what is no longer.
            let run = end(&digits, digit);
            let start = if has(&words, digit.wrapping_sub(1)) { begin(&words, digit) } else { digit };
            let word_end = if has(&words, run) { end(&words, run) } else { run };
            behind = self.word(content, (start, word_end), (digit, run), &digits, behind);
            at = word_end;
        }
        self.copy(behind, content.len());
        Some(SkeletonHash::of_outline(&self.bytes[..self.length]))
    }

    /// Takes in a word, the first digits of which stand from `digit` to `run`; what stands before `behind` was taken in.
    /// Tells what was then.
    #[inline(always)]
    fn word(
        &mut self,
        content: &[u8],
        (start, word_end): (usize, usize),
        (digit, run): (usize, usize),
        digits: &Bits,
        behind: usize,
    ) -> usize {
        if start > 0 && content[start - 1] == b'=' {
            self.copy(behind, start);
            self.mark(VALUE, word_end);
            return word_end;
        }
        if digit == start && run == word_end {
            return self.run(content, (start, word_end), behind);
        }
        if let Some((from, filling)) = hex_word(&content[start..word_end]) {
            let from = start + from;
            self.copy(behind, from);
            let first = if content[from].is_ascii_digit() && from == start { HEX_FIRST } else { filling };
            self.bytes[self.length..self.length + (word_end - from)].fill(filling);
            self.bytes[self.length] = first;
            self.length += word_end - from;
            self.hex_words.push((from, word_end));
            return word_end;
        }
        let (mut behind, mut at, mut run) = (behind, digit, run);
        loop {
            behind = self.run(content, (at, run), behind);
            match first(digits, run).filter(|next| *next < word_end) {
                Some(next) => (at, run) = (next, end(digits, next)),
                None => return behind,
            }
        }
    }

    /// Takes in a run of digits.
    #[inline(always)]
    fn run(&mut self, content: &[u8], (start, end): (usize, usize), behind: usize) -> usize {
        self.copy(behind, start);
        if crate::shape::is_date_like(content, start, end) {
            self.bytes[self.length..self.length + (end - start)].fill(b'0');
            self.length += end - start;
        } else {
            self.mark(DIGITS, end);
        }
        end
    }

    #[inline(always)]
    fn mark(&mut self, mark: u8, end: usize) {
        self.bytes[self.length] = mark;
        self.length += 1;
        self.marks += 1;
        self.left_out[self.marks % MARKS] = (end - self.length) as u16;
    }

    /// Takes in a stretch of the content as it is.
    #[inline(always)]
    fn copy(&mut self, from: usize, to: usize) {
        let mut at = from;
        let mut length = self.length;
        while at < to {
            // What is copied beyond the end is overwritten by the next.
            let block = self.content.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>);
            let place = self.bytes.get_mut(length..).and_then(<[u8]>::first_chunk_mut::<BLOCK>);
            if let (Some(block), Some(place)) = (block, place) {
                *place = *block;
            }
            (at, length) = (at + BLOCK, length + BLOCK);
        }
        self.length += to - from;
    }

    /// Where hexadecimal words stand.
    pub(super) fn hex_words(&self) -> &[(usize, usize)] {
        &self.hex_words
    }

    /// Where runs and values that are one mark begin and end in the content.
    pub(super) fn marked(&self) -> impl Iterator<Item = (usize, usize)> {
        let marks = self.bytes[..self.length].iter().enumerate();
        let marks = marks.filter(|(_, b)| matches!(**b, DIGITS | VALUE)).map(|(at, _)| at);
        let left_out = self.left_out.windows(2).map(|pair| (usize::from(pair[0]), usize::from(pair[1])));
        marks.zip(left_out).map(|(at, (before, behind))| (at + before, at + 1 + behind))
    }

    /// Whether what begins at `at` stands behind `=`, as values do.
    pub(super) fn is_behind_key(&self, at: usize) -> bool {
        at > 0 && self.content[at - 1] == b'='
    }

    /// The place in all contents with this outline, whose marks are `marked`; `None` within what is one mark.
    pub(super) fn spot(&self, at: usize, marked: &[(usize, usize)]) -> Option<Spot> {
        let marks = marked.partition_point(|(_, end)| *end <= at);
        if marked.get(marks).is_some_and(|(start, _)| *start < at) {
            return None;
        }
        let left_out = usize::from(self.left_out[marks % MARKS]);
        Some(Spot { at: at.checked_sub(left_out)? as u16, marks: marks as u16 })
    }

    /// Where a place of all contents is in this one.
    #[inline(always)]
    pub(super) fn place(&self, spot: Spot) -> usize {
        usize::from(spot.at) + usize::from(self.left_out[usize::from(spot.marks) % MARKS])
    }
}

type Bits = [u64; WORDS];

/// One bit for each byte that is a digit, and one for each that is a letter or digit; `None` if an escape is among them.
fn bits(content: &[u8]) -> Option<(Bits, Bits)> {
    let (mut digits, mut words) = ([0; WORDS], [0; WORDS]);
    let mut escapes = 0;
    for ((digits, words), bytes) in digits.iter_mut().zip(&mut words).zip(content.as_chunks::<64>().0) {
        // By themselves: the compiler does each sixteen bytes at a time.
        let (mut is_digit, mut is_of_word) = ([0u8; 64], [0u8; 64]);
        for at in 0..64 {
            let b = bytes[at];
            let digit = u8::from(b.wrapping_sub(b'0') < 10);
            is_digit[at] = digit;
            is_of_word[at] = digit | u8::from((b | 0x20).wrapping_sub(b'a') < 26);
            escapes |= u8::from(b == 0x1b);
        }
        (*digits, *words) = (side_by_side(&is_digit), side_by_side(&is_of_word));
    }
    (escapes == 0).then_some((digits, words))
}

/// One bit for each byte that is 1; the others are 0.
#[inline(always)]
fn side_by_side(bytes: &[u8; 64]) -> u64 {
    let steps = bytes.as_chunks::<8>().0.iter().enumerate();
    steps.fold(0, |bits, (i, step)| {
        bits | (u64::from_le_bytes(*step).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i)
    })
}

/// The first bit from `from` on.
#[inline(always)]
fn first(bits: &Bits, from: usize) -> Option<usize> {
    let mut word = from / 64;
    let mut found = bits.get(word)? & (!0 << (from % 64));
    while found == 0 {
        word += 1;
        found = *bits.get(word)?;
    }
    Some(word * 64 + found.trailing_zeros() as usize)
}

/// Whether a bit is set; there is none beyond the last.
#[inline(always)]
fn has(bits: &Bits, at: usize) -> bool {
    bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
}

/// The end of the bits in a row that `at` is one of.
#[inline(always)]
fn end(bits: &Bits, at: usize) -> usize {
    let mut word = at / 64;
    let mut gaps = !bits[word] & (!0 << (at % 64));
    while gaps == 0 && word + 1 < WORDS {
        word += 1;
        gaps = !bits[word];
    }
    word * 64 + gaps.trailing_zeros() as usize
}

/// The begin of the bits in a row that `at` is one of.
#[inline(always)]
fn begin(bits: &Bits, at: usize) -> usize {
    let mut word = at / 64;
    let mut gaps = !bits[word] & !(!0 << (at % 64));
    while gaps == 0 && word > 0 {
        word -= 1;
        gaps = !bits[word];
    }
    if gaps == 0 { 0 } else { word * 64 + 64 - gaps.leading_zeros() as usize }
}

/// Where the digits begin that a hexadecimal word's values are, and the mark of its others.
fn hex_word(word: &[u8]) -> Option<(usize, u8)> {
    if let [b'0', b'x' | b'X', digits @ ..] = word {
        let is_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
        return is_hex.then_some((2, HEX_SMALL));
    }
    if !HEX_BYTES.contains(&word.len()) {
        return None;
    }
    let (mut digits, mut small, mut capitals) = (0, 0, 0);
    for b in word {
        match b {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'f' => small += 1,
            b'A'..=b'F' => capitals += 1,
            _ => return None,
        }
    }
    match (small, capitals) {
        _ if digits < 2 => None,
        (1.., 0) => Some((0, HEX_SMALL)),
        (0, 1..) => Some((0, HEX_CAPITAL)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outline as text, with marks of their own for those of the outline.
    fn outline(content: &str) -> String {
        let mut outline = Outline::default();
        let _ = outline.read(content.as_bytes());
        let readable = |b: &u8| match *b {
            DIGITS => b'N',
            VALUE => b'V',
            HEX_FIRST => b'9',
            HEX_SMALL => b'h',
            HEX_CAPITAL => b'H',
            b => b,
        };
        String::from_utf8_lossy(&outline.bytes[..outline.length].iter().map(readable).collect::<Vec<_>>())
            .into_owned()
    }

    #[test]
    fn numbers_are_one_mark_whatever_their_length() {
        for (content, expected) in [
            ("took 12 ms of 2024", "took N ms of N"),
            ("from 10.2.33.4:8080, é7", "from N.N.N.N:N, éN"),
            ("key=1f, id=x7-12 level=info ref=12345678", "key=V, id=V-N level=info ref=V"),
            ("trace 5af7183fb1d4cf5f of af71830042", "trace 9hhhhhhhhhhhhhhh of hhhhhhhhhh"),
            ("at 0x7ffe12, AF718342", "at 0xhhhhhh, HHHHHHHH"),
            // Too short, mixed, a word.
            ("5af718 aF718342 deadbeef web12a3", "NafN aFN deadbeef webNaN"),
            // A date may begin with these.
            (
                "12345678 5 Mar 05 Mar 123 Mar 240305 112233 240305 x",
                "00000000 0 Mar 00 Mar N Mar 000000 000000 N x",
            ),
        ] {
            assert_eq!(outline(content), expected, "{content}");
        }
    }

    #[test]
    fn words_are_found_at_any_place() {
        for place in 0..MAX_LINE_BYTES - 80 {
            let front = "-".repeat(place);
            let content = format!("{front}{}.ab{}=x{}", "1".repeat(70), "2".repeat(3), "3".repeat(2));
            assert_eq!(outline(&content), format!("{front}N.abN=V"), "{place}");
            let place = place + 1;
            let mut outline = Outline::default();
            let _ = outline.read(content.as_bytes());
            let spots = [place - 1, place + 69, place + 70, place + 72, place + 75, content.len()];
            let marked: Vec<_> = outline.marked().collect();
            let again = |at: usize| outline.spot(at, &marked).map(|spot| outline.place(spot));
            assert_eq!(spots.map(again), spots.map(Some));
            assert_eq!(again(place), None);
        }
    }

    #[test]
    fn a_content_with_colour_codes_has_none() {
        assert!(Outline::default().read(b"\x1b[31mfailed 12").is_none());
    }
}
