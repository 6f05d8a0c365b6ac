//! Tokens of a header: where they end, what stands around them, whether they could be free text.

use crate::Level;

/// First byte after blanks and terminal colour codes.
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

/// First byte after the token at `at`.
pub(super) fn token_end(s: &[u8], at: usize) -> usize {
    let rest = s.get(at..).unwrap_or_default();
    rest.iter().position(|b| matches!(b, b' ' | b'\t' | 0x1b)).map_or(s.len(), |length| at + length)
}

/// First byte after the bracketed group that opens at `at`, if it closes soon.
pub(super) fn group_end(s: &[u8], at: usize) -> Option<usize> {
    let mut open = 0usize;
    for (i, b) in s[at..].iter().take(320).enumerate() {
        match b {
            b'[' => open += 1,
            b']' => {
                open -= 1;
                if open == 0 {
                    return Some(at + i + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// A token of letters only: what free text is made of. Words in capitals alone are not: headers have them.
pub(super) fn is_plain(token: &[u8]) -> bool {
    let core = bare(token);
    !core.is_empty()
        && core.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80 || matches!(b, b'\'' | b'-'))
        && core.iter().any(|b| b.is_ascii_lowercase() || *b >= 0x80)
}

/// Without the punctuation around it.
pub(super) fn bare(token: &[u8]) -> &[u8] {
    let edge = |b: &u8| {
        matches!(b, b'[' | b']' | b'(' | b')' | b'<' | b'>' | b':' | b'|' | b',' | b'*' | b'"' | b'=')
    };
    let start = token.iter().position(|b| !edge(b)).unwrap_or(token.len());
    let end = token.iter().rposition(|b| !edge(b)).map_or(start, |i| i + 1);
    &token[start..end]
}

pub(super) fn is_level(token: &[u8]) -> bool {
    Level::from_bytes(bare(token)).is_some()
}

/// `[info]`, `<warn>`, `error:`, `(debug)`, `|INFO|`.
pub(super) fn is_delimited(token: &[u8]) -> bool {
    matches!(token.last(), Some(b']' | b'>' | b':' | b')' | b'|'))
}
