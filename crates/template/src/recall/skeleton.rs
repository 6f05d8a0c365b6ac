//! The skeleton of a line: what is left when its digits are all the same.

use super::MAX_LINE_BYTES;

/// A hexadecimal word is at least so long, in bytes; behind `0x` less is enough.
const MIN_HEX_BYTES: usize = 8;
/// And no longer.
const MAX_HEX_BYTES: usize = 64;
/// Runs of hexadecimal digits that are looked at.
const MIN_RUN_BYTES: usize = 6;

/// Lines of bits, one a byte of the longest line.
const WORDS: usize = MAX_LINE_BYTES.div_ceil(64);

/// Scratch space for one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skeleton {
    bytes: Vec<u8>,
    /// Where hexadecimal words stand.
    words: Vec<(usize, usize)>,
}

impl Skeleton {
    /// Of a line's digits.
    #[inline]
    pub(crate) fn read(&mut self, line: &[u8]) -> &[u8] {
        self.bytes.clear();
        self.words.clear();
        self.bytes.extend(line.iter().map(|b| if b.wrapping_sub(b'0') < 10 { b'0' } else { *b }));
        &self.bytes
    }

    /// Of the hexadecimal words of the same line too, if it has any. A word keeps its length, its case, and whether it
    /// begins with a digit; what stands behind `0x` its length alone.
    pub(crate) fn read_hex(&mut self, line: &[u8]) -> Option<&[u8]> {
        // Of what stands behind a colour code, its digits belong to the code.
        if memchr::memchr(0x1b, line).is_some() {
            return None;
        }
        let hex = hex_bits(line);
        let mut behind = 0;
        while let Some((start, end)) = next_run(&hex, behind) {
            behind = end;
            self.word(line, start, end);
        }
        (!self.words.is_empty()).then_some(&self.bytes)
    }

    /// Looks at a run of hexadecimal digits.
    fn word(&mut self, line: &[u8], start: usize, end: usize) {
        let before = &line[..start];
        let is_open = |before: &[u8]| !before.last().is_some_and(u8::is_ascii_alphanumeric);
        if line.get(end).is_some_and(u8::is_ascii_alphanumeric) || end - start > MAX_HEX_BYTES {
            return;
        }
        if let [front @ .., b'0', b'x' | b'X'] = before {
            if is_open(front) {
                self.bytes[start..end].fill(b'f');
                self.words.push((start, end));
            }
        } else if end - start >= MIN_HEX_BYTES
            && is_open(before)
            && let Some(filling) = hex_letter(&line[start..end])
        {
            let first = if line[start].is_ascii_digit() { b'0' } else { filling };
            self.bytes[start..end].fill(filling);
            self.bytes[start] = first;
            self.words.push((start, end));
        }
    }

    /// Where the hexadecimal words of the last line stand.
    pub(crate) fn hex_words(&self) -> &[(usize, usize)] {
        &self.words
    }
}

/// One bit for each byte that is a hexadecimal digit.
fn hex_bits(line: &[u8]) -> [u64; WORDS] {
    let mut bits = [0; WORDS];
    let (steps, rest) = line.as_chunks::<8>();
    let mut words = bits.iter_mut();
    for (word, steps) in words.by_ref().zip(steps.chunks(8)) {
        for (i, step) in steps.iter().enumerate() {
            *word |= hex_bits_of(*step) << (8 * i);
        }
    }
    // The last bytes, which fill no step.
    if let Some(word) = bits.get_mut(steps.len() / 8) {
        let mut step = [0; 8];
        step[..rest.len()].copy_from_slice(rest);
        *word |= hex_bits_of(step) << (8 * (steps.len() % 8));
    }
    bits
}

/// The same of eight bytes.
#[inline(always)]
fn hex_bits_of(step: [u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    /// The high bits of the bytes that are `from` or more, of bytes below 0x80.
    #[inline(always)]
    fn at_least(step: u64, from: u8) -> u64 {
        step + ONES * u64::from(0x80 - from)
    }
    let step = u64::from_le_bytes(step);
    let ascii = step & !HIGH;
    let small = ascii | ONES << 5;
    let digits = at_least(ascii, b'0') & !at_least(ascii, b'9' + 1);
    let letters = at_least(small, b'a') & !at_least(small, b'f' + 1);
    let found = (digits | letters) & !step & HIGH;
    // Side by side.
    (found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The next run of so many bits from `from` on: its first and the one behind its last.
fn next_run(bits: &[u64; WORDS], from: usize) -> Option<(usize, usize)> {
    let mut skipped = !0 << (from % 64);
    for word in from / 64..WORDS {
        // Where a run of six begins, also one that goes on in the next word.
        let wide = u128::from(bits[word]) | u128::from(bits.get(word + 1).copied().unwrap_or(0)) << 64;
        let two = wide & wide >> 1;
        let runs = (two & two >> 2 & two >> 4) as u64 & skipped;
        skipped = !0;
        if runs != 0 {
            let start = word * 64 + runs.trailing_zeros() as usize;
            let is_hex = |at: usize| bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1);
            let length = (MIN_RUN_BYTES..).find(|length| !is_hex(start + length)).unwrap_or(MIN_RUN_BYTES);
            return Some((start, start + length));
        }
    }
    None
}

/// The letter that stands for a hexadecimal word, by its case: two digits and a letter at least, as
/// [`crate::Shaper`] asks too.
fn hex_letter(word: &[u8]) -> Option<u8> {
    let digits = word.iter().filter(|b| b.is_ascii_digit()).count();
    let small = word.iter().filter(|b| b.is_ascii_lowercase()).count();
    match word.len() - digits - small {
        0 if small > 0 && digits >= 2 => Some(b'f'),
        capitals if capitals > 0 && small == 0 && digits >= 2 => Some(b'F'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skeleton(line: &str) -> (String, Option<String>) {
        let mut skeleton = Skeleton::default();
        let digits = String::from_utf8_lossy(skeleton.read(line.as_bytes())).into_owned();
        let hex = skeleton.read_hex(line.as_bytes()).map(|hex| String::from_utf8_lossy(hex).into_owned());
        (digits, hex)
    }

    #[test]
    fn digits_are_the_same_and_hexadecimal_words_keep_their_length() {
        for (line, digits, hex) in [
            ("took 12 ms of 2024", "took 00 ms of 0000", None),
            (
                "trace 5af7183fb1d4cf5f done",
                "trace 0af0000fb0d0cf0f done",
                Some("trace 0fffffffffffffff done"),
            ),
            ("id=af71830042 é", "id=af00000000 é", Some("id=ffffffffff é")),
            ("id AF718342", "id AF000000", Some("id FFFFFFFF")),
            ("at 0x7ffe12, 0X12345678", "at 0x0ffe00, 0X00000000", Some("at 0xffffff, 0Xffffffff")),
            // Too short, mixed, part of a word, a word, a number.
            (
                "5af718 aF718342 xaf718342 af718342g deadbeef 12345678",
                "0af000 aF000000 xaf000000 af000000g deadbeef 00000000",
                None,
            ),
            ("\u{1b}[5af7183fb1d4cf5f", "\u{1b}[0af0000fb0d0cf0f", None),
        ] {
            assert_eq!(skeleton(line), (digits.to_owned(), hex.map(str::to_owned)), "{line}");
        }
    }

    #[test]
    fn words_are_found_at_any_place() {
        for place in 0..MAX_LINE_BYTES - 16 {
            let line = format!("{}5af7183fb1d4cf5f", "-".repeat(place));
            let (_, hex) = skeleton(&line);
            assert_eq!(hex, Some(format!("{}0fffffffffffffff", "-".repeat(place))), "{place}");
        }
    }
}
