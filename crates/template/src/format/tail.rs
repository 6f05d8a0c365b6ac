//! What stands between a level and the message: process, thread, logger, caller, and the marks between them.

use std::ops::Range;

use super::token::{COLON, DOLLAR, DOT, Token, blanks, is_of_word};

/// Elements behind the level at most.
const ELEMENTS: usize = 6;

/// First byte after blanks and lone marks (`-`, `--`, `---`, `|`, `:`, `,`, `]`).
#[inline]
pub(super) fn separators(s: &[u8], at: usize) -> usize {
    // One blank is what stands between most tokens.
    if let Some([b' ', next]) = s.get(at..at + 2)
        && (is_of_word(*next) || *next == b'[')
    {
        return at + 1;
    }
    all_separators(s, at)
}

fn all_separators(s: &[u8], mut at: usize) -> usize {
    // What closes the token before.
    while matches!(s.get(at), Some(b',' | b':' | b']' | b'|' | b';')) {
        at += 1;
    }
    loop {
        at = blanks(s, at);
        let run = s[at.min(s.len())..]
            .iter()
            .take(4)
            .take_while(|b| matches!(b, b'-' | b'|' | b':' | b']'))
            .count();
        let alone = run > 0 && s.get(at + run).is_none_or(|b| matches!(b, b' ' | b'\t'));
        if alone {
            at += run;
        } else if run > 0 && s[at] == b'|' {
            at += 1;
        } else {
            return at.min(s.len());
        }
    }
}

/// Where the message behind a level begins, and where the logger stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) message: usize,
    pub(super) logger: Option<Range<usize>>,
}

impl Tail {
    /// Reads what stands behind a level that ends at `at`.
    pub(super) fn behind(s: &[u8], at: usize, in_bracket: bool) -> Self {
        let mut at = separators(s, at);
        for _ in 0..ELEMENTS {
            let without = Self { message: at, logger: None };
            let Some(first) = s.get(at) else { return without };
            let token = match first {
                b'[' => match Token::group(s, at) {
                    Some(group) => group,
                    None => return without,
                },
                _ => Token::at(s, at),
            };
            // A bare word is neither a name with parts nor a place in the source: the message begins.
            let is_bare = first.is_ascii_alphabetic() && !in_bracket && !token.has(DOT | COLON | DOLLAR);
            let next = separators(s, token.end);
            let marked = is_marked(s, token.end, next);
            if is_bare && !marked {
                return without;
            }
            let before_element = || marked || begins_element(s, next);
            let accepted = match first {
                b'[' => token.bytes.starts_with(b"[pid ") || before_element(),
                b'0'..=b'9' => token.is_digits() && before_element(),
                _ if is_caller(&token) => true,
                _ if in_bracket && token.bytes.ends_with(b"]") => {
                    return Self { message: next, logger: Some(at..token.end - 1) };
                }
                _ => match logger(s, &token) {
                    Some(length) => {
                        let message = behind_logger(s, next, &token);
                        return Self { message, logger: Some(at..at + length) };
                    }
                    None => false,
                },
            };
            if !accepted {
                return without;
            }
            at = next;
        }
        Self { message: at, logger: None }
    }
}

/// Whether a group, a logger, or a number before either stands at `at`.
fn begins_element(s: &[u8], at: usize) -> bool {
    let token = Token::at(s, at);
    match token.bytes.first() {
        Some(b'[') => true,
        Some(b'0'..=b'9') if token.is_digits() => {
            let next = separators(s, token.end);
            is_marked(s, token.end, next) && s.get(next) == Some(&b'[')
        }
        _ => logger(s, &token).is_some(),
    }
}

/// The logger is the last of a header, but for a group of ids or a caller behind it.
fn behind_logger(s: &[u8], next: usize, logger: &Token<'_>) -> usize {
    let group = (s.get(next) == Some(&b'[') && !logger.bytes.ends_with(b":"))
        .then(|| Token::group(s, next))
        .flatten();
    let behind = group.map_or(next, |group| separators(s, group.end));
    let caller = Token::at(s, behind);
    if is_caller(&caller) { separators(s, caller.end) } else { behind }
}

/// Whether a lone mark, or a tab, stands between an element's end and the next.
#[inline]
pub(super) fn is_marked(s: &[u8], end: usize, next: usize) -> bool {
    !matches!(&s[end..next], [b' '] | [])
        && s[end..next].iter().any(|b| matches!(b, b'-' | b'|' | b':' | b'\t'))
}

/// The length of the logger's name that the token is: `a.b.C:`, `a::b:`, `name - `, `a.b.C [`.
fn logger(s: &[u8], token: &Token<'_>) -> Option<usize> {
    if !token.may_be_name() || !token.bytes.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') {
        return None;
    }
    let body = token.bytes.strip_suffix(b":").unwrap_or(token.bytes);
    let has_colon = body.len() < token.bytes.len();
    if body.len() > 128 {
        return None;
    }
    let structured =
        token.has(DOT | DOLLAR) || (token.has(COLON) && body.windows(2).any(|pair| pair == b"::"));
    let accepted = if has_colon {
        structured
    } else {
        let next = separators(s, token.end);
        let is_long = || s.get(next) == Some(&b'[') || body.iter().filter(|b| **b == b'.').count() > 1;
        is_marked(s, token.end, next) || (structured && is_long())
    };
    accepted.then_some(body.len())
}

/// `main.go:12`, `server/peer.rs:101`, with or without a colon behind.
pub(super) fn is_caller(token: &Token<'_>) -> bool {
    let body = token.bytes.strip_suffix(b":").unwrap_or(token.bytes);
    // The number of the line, which few tokens end with.
    let digits = body.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let Some((b':', file)) = body[..body.len() - digits].split_last() else { return false };
    let Some(dot) = memchr::memrchr(b'.', file) else { return false };
    let extension = &file[dot + 1..];
    digits > 0
        && (1..=MAX_EXTENSION_BYTES).contains(&extension.len())
        && extension.iter().all(u8::is_ascii_lowercase)
        && file[..dot]
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b'@'))
        && dot > 0
        && SOURCE_EXTENSIONS.contains(&extension)
}

/// The longest of them, in bytes.
const MAX_EXTENSION_BYTES: usize = 5;

/// Endings of source files; other `name.end:number` are hosts with a port.
const SOURCE_EXTENSIONS: [&[u8]; 16] = [
    b"go", b"rs", b"py", b"java", b"kt", b"scala", b"js", b"ts", b"c", b"cc", b"cpp", b"h", b"rb", b"cs",
    b"php", b"ex",
];
