//! Quoted strings: lifted whole, unless they are a key or a request line.

use super::{Walk, kind::ParameterKind};

/// A quotation longer than this is not one.
const MAX_QUOTED_BYTES: usize = 1024;

/// Quotation marks of one line that were looked for in vain; after that its marks are just marks.
const MAX_UNCLOSED: u8 = 8;

impl Walk<'_> {
    /// Lifts the quotation that opens at `at`, if one does, and tells the first byte after it.
    pub(super) fn quoted(&mut self, at: usize) -> Option<usize> {
        let s = self.s;
        let (mark, body) = match s[at] {
            b'\\' if s.get(at + 1) == Some(&b'"') => (b'"', at + 2),
            quote @ (b'"' | b'\'' | b'`') => (quote, at + 1),
            _ => return None,
        };
        let escaped = body == at + 2;
        // An apostrophe within a word opens nothing.
        if at > 0 && (s[at - 1].is_ascii_alphanumeric() || s[at - 1] >= 0x80) {
            return None;
        }
        self.looked_beyond = true;
        if self.unclosed >= MAX_UNCLOSED {
            return None;
        }
        let Some(close) = self.closing(body, mark, escaped) else {
            self.unclosed += 1;
            return None;
        };
        let end = close + if escaped { 2 } else { 1 };
        let inner = &s[body..close];
        let may_be_key =
            matches!(s.get(end), Some(b':' | b'=')) && inner.len() <= 48 && !inner.contains(&b' ');
        if may_be_key
            && self.is_of_object(at, end)
            && inner.iter().any(u8::is_ascii_alphabetic)
            && !inner.iter().any(u8::is_ascii_digit)
        {
            self.text.extend_from_slice(&s[at..end]);
            return Some(end);
        }
        if mark == b'"' && is_request(inner) {
            return None;
        }
        self.lift(ParameterKind::Text, at, end);
        Some(end)
    }

    /// Whether a quotation stands where a key does: behind the mark that opens an object or parts its pairs, or right
    /// before its value. `file "a": gone` has none.
    fn is_of_object(&self, at: usize, end: usize) -> bool {
        let before = self.s[..at].iter().rev().find(|b| **b != b' ');
        matches!(before, None | Some(b'{' | b',' | b'(' | b'['))
            || self.s.get(end + 1).is_some_and(|b| !matches!(b, b' ' | b'\t'))
    }

    fn closing(&self, body: usize, mark: u8, escaped: bool) -> Option<usize> {
        let s = &self.s[..self.s.len().min(body + MAX_QUOTED_BYTES)];
        let mut at = body;
        while at < s.len() {
            at += memchr::memchr2(mark, b'\\', &s[at..])?;
            if s[at] == b'\\' {
                if escaped && s.get(at + 1) == Some(&b'"') {
                    return Some(at);
                }
                at += 2;
                continue;
            }
            // An apostrophe between letters closes nothing.
            let inside = mark == b'\'' && at + 1 < self.s.len() && self.s[at + 1].is_ascii_alphanumeric();
            if !inside && !escaped {
                return Some(at);
            }
            at += 1;
        }
        None
    }
}

/// `GET /path HTTP/1.1`: method and protocol are worth keeping.
fn is_request(inner: &[u8]) -> bool {
    let Some(blank) = memchr::memchr(b' ', inner) else { return false };
    matches!(
        &inner[..blank],
        b"GET" | b"POST" | b"PUT" | b"HEAD" | b"DELETE" | b"PATCH" | b"OPTIONS" | b"CONNECT" | b"TRACE"
    )
}
