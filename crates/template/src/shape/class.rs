//! One look-up a byte: what a byte may mean for the shape of the token it stands in.

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

pub(super) const CLASS: [u8; 256] = table();

const fn table() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            0..=b' ' | 0x7f => BREAK,
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => LETTER,
            b'=' | b'"' | b'\'' | b'`' | b'<' | b'>' => ACTIVE | DELIMITER,
            b'/' => ACTIVE | JOINT,
            b':' | b'-' => JOINT,
            b'\\' | b'@' => ACTIVE,
            b',' | b';' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'|' => DELIMITER,
            b'.' => DOT,
            _ => 0,
        };
        byte += 1;
    }
    table
}
