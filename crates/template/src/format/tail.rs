//! What stands between a level and the message: process, thread, logger, caller, and the marks between them.

use super::token::{blanks, group_end, token_end};

/// Elements behind the level at most.
const ELEMENTS: usize = 6;

/// First byte after blanks and lone marks (`-`, `--`, `---`, `|`, `:`, `,`, `]`).
pub(super) fn separators(s: &[u8], mut at: usize) -> usize {
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

/// First byte of the message behind a level that ends at `at`. `name` is told where the logger stands.
pub(super) fn after_level(
    s: &[u8],
    at: usize,
    in_bracket: bool,
    name: &mut dyn FnMut(usize, usize),
) -> usize {
    let mut at = separators(s, at);
    for _ in 0..ELEMENTS {
        let Some(first) = s.get(at) else { return at };
        let end = match first {
            b'[' => match group_end(s, at) {
                Some(end) => end,
                None => return at,
            },
            _ => token_end(s, at),
        };
        let next = separators(s, end);
        let token = &s[at..end];
        let marked = is_marked(s, end, next);
        // A bare word is neither a name with parts nor a place in the source: the message begins.
        if first.is_ascii_alphabetic()
            && !marked
            && !in_bracket
            && memchr::memchr3(b'.', b':', b'$', token).is_none()
        {
            return at;
        }
        let accepted = match first {
            b'[' => marked || s.get(next) == Some(&b'[') || logger(s, next).is_some(),
            b'0'..=b'9' => {
                token.iter().all(u8::is_ascii_digit)
                    && (marked || s.get(next) == Some(&b'[') || logger(s, next).is_some())
            }
            _ if is_caller(token) => true,
            _ if in_bracket && token.ends_with(b"]") => {
                name(at, end - 1);
                return next;
            }
            _ => match logger(s, at) {
                Some(length) => {
                    name(at, at + length);
                    // The logger is the last of a header, but for a group of ids or a caller behind it.
                    let group = (s.get(next) == Some(&b'[') && !token.ends_with(b":"))
                        .then(|| group_end(s, next))
                        .flatten();
                    let behind = group.map_or(next, |end| separators(s, end));
                    let caller_end = token_end(s, behind);
                    return if is_caller(&s[behind..caller_end]) {
                        separators(s, caller_end)
                    } else {
                        behind
                    };
                }
                None => false,
            },
        };
        if !accepted {
            return at;
        }
        at = next;
    }
    at
}

/// Whether a lone mark, or a tab, stands between an element's end and the next.
fn is_marked(s: &[u8], end: usize, next: usize) -> bool {
    s[end..next].iter().any(|b| matches!(b, b'-' | b'|' | b':' | b'\t'))
}

/// The length of the logger's name that stands at `at`: `a.b.C:`, `a::b:`, `name - `, `a.b.C [`.
fn logger(s: &[u8], at: usize) -> Option<usize> {
    if !s.get(at).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') {
        return None;
    }
    let end = token_end(s, at);
    let token = &s[at..end];
    let body = token.strip_suffix(b":").unwrap_or(token);
    let has_colon = body.len() < token.len();
    if body.len() > 128 {
        return None;
    }
    let (mut dots, mut structured, mut before) = (0, false, 0);
    for b in body {
        match b {
            b'.' => dots += 1,
            b'$' => structured = true,
            b':' => structured |= before == b':',
            b'_' | b'-' | b'/' | b'@' | b'#' | b'<' | b'>' => {}
            b if b.is_ascii_alphanumeric() => {}
            _ => return None,
        }
        before = *b;
    }
    structured |= dots > 0;
    let next = separators(s, end);
    let before_group = s.get(next) == Some(&b'[');
    let accepted = if has_colon {
        structured
    } else {
        is_marked(s, end, next) || (structured && (before_group || dots > 1))
    };
    accepted.then_some(body.len())
}

/// `main.go:12`, `[server/peer.rs:101]`, with or without a colon behind.
pub(super) fn is_caller(token: &[u8]) -> bool {
    let body = token.strip_suffix(b":").unwrap_or(token);
    let Some(colon) = memchr::memrchr(b':', body) else { return false };
    let (file, line) = (&body[..colon], &body[colon + 1..]);
    let Some(dot) = memchr::memrchr(b'.', file) else { return false };
    let extension = &file[dot + 1..];
    !line.is_empty()
        && line.iter().all(u8::is_ascii_digit)
        && (1..=4).contains(&extension.len())
        && extension.iter().all(u8::is_ascii_lowercase)
        && file[..dot]
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b'@'))
        && dot > 0
        && SOURCE_EXTENSIONS.contains(&extension)
}

/// Endings of source files; other `name.end:number` are hosts with a port.
const SOURCE_EXTENSIONS: [&[u8]; 16] = [
    b"go", b"rs", b"py", b"java", b"kt", b"scala", b"js", b"ts", b"c", b"cc", b"cpp", b"h", b"rb", b"cs",
    b"php", b"ex",
];
