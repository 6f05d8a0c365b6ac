//! Where secrets stand in a line.

use std::ops::Range;

/// Every stretch that must not be shown; they may overlap. All ends are at ASCII bytes, so at characters.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let s = text.as_bytes();
    private_keys(text, &mut found);
    named_values(s, &mut found);
    schemes(s, &mut found);
    url_userinfo(s, &mut found);
    spelled(s, &mut found);
    cards(s, &mut found);
    found.retain(|range| range.start < range.end && &text[range.clone()] != super::MASK);
    found
}

fn private_keys(text: &str, found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(at) = text[from..].find("-----BEGIN ").map(|at| from + at) {
        let head = &text[at..text.floor_char_boundary((at + 80).min(text.len()))];
        let end = text[at + 11..].find("-----END ").map(|end| at + 11 + end);
        let end = end.map_or(text.len(), |end| {
            text[end + 9..].find("-----").map_or(text.len(), |close| end + 9 + close + 5)
        });
        if head.contains("PRIVATE KEY") {
            found.push(at..end);
        }
        from = end;
    }
}

/// Names whose value is a secret, in lower case without `-`, `_` and `.`: the whole name, or its end.
const NAME_ENDS: [&[u8]; 21] = [
    b"password",
    b"passwd",
    b"passphrase",
    b"passcode",
    b"pwd",
    b"secret",
    b"secretkey",
    b"token",
    b"apikey",
    b"accesskey",
    b"accesskeyid",
    b"privatekey",
    b"encryptionkey",
    b"credential",
    b"credentials",
    b"authorization",
    b"cookie",
    b"sessionid",
    b"sessionkey",
    b"signature",
    b"cardnumber",
];
const NAMES: [&[u8]; 8] = [b"pass", b"auth", b"pin", b"cvv", b"cvc", b"ssn", b"sig", b"jsessionid"];

fn is_secret_name(name: &[u8]) -> bool {
    let mut lower = [0u8; 64];
    let mut length = 0;
    for b in name {
        if matches!(b, b'-' | b'_' | b'.') {
            continue;
        }
        if length == lower.len() {
            return false;
        }
        lower[length] = b.to_ascii_lowercase();
        length += 1;
    }
    let lower = &lower[..length];
    NAMES.contains(&lower) || NAME_ENDS.iter().any(|end| lower.ends_with(end))
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// `name=value`, `name: value`, `"name":"value"`, `--name value`.
fn named_values(s: &[u8], found: &mut Vec<Range<usize>>) {
    for separator in memchr::memchr2_iter(b'=', b':', s) {
        let mut end = separator;
        while end > 0 && matches!(s[end - 1], b' ' | b'"' | b'\'' | b'\\' | b'`' | b']') {
            end -= 1;
        }
        let start = s[..end].iter().rposition(|b| !is_name_byte(*b)).map_or(0, |i| i + 1);
        if start == end || end - start > 64 || separator - end > 6 {
            continue;
        }
        let name = &s[start..end];
        if is_secret_name(name) {
            let is_header = name.len() >= 6
                && (name.eq_ignore_ascii_case(b"cookie")
                    || name.eq_ignore_ascii_case(b"set-cookie")
                    || ends_with_ignoring_case(name, b"authorization"));
            found.push(value(s, separator + 1, is_header));
        }
    }
    for flag in memchr::memmem::find_iter(s, b"--") {
        let start = flag + 2;
        let end = start + s[start..].iter().take_while(|b| is_name_byte(**b)).count();
        if end > start && s.get(end) == Some(&b' ') && is_secret_name(&s[start..end]) {
            found.push(value(s, end, false));
        }
    }
}

fn ends_with_ignoring_case(name: &[u8], end: &[u8]) -> bool {
    name.len() >= end.len() && name[name.len() - end.len()..].eq_ignore_ascii_case(end)
}

/// The value that begins behind a separator: to its closing quote, or to the next delimiter. Headers reach to the
/// end of what they stand in.
fn value(s: &[u8], from: usize, is_header: bool) -> Range<usize> {
    let mut start = from;
    while start < s.len() && matches!(s[start], b' ' | b'>' | b'=' | b':') {
        start += 1;
    }
    let escaped = s.get(start) == Some(&b'\\') && matches!(s.get(start + 1), Some(b'"' | b'\''));
    let quote_at = if escaped { start + 1 } else { start };
    if let Some(quote @ (b'"' | b'\'' | b'`')) = s.get(quote_at) {
        let body = quote_at + 1;
        let mut end = body;
        while end < s.len() {
            if s[end] == b'\\' {
                if escaped && s.get(end + 1) == Some(quote) {
                    break;
                }
                end += 2;
                continue;
            }
            if s[end] == *quote {
                break;
            }
            end += 1;
        }
        return body..end.min(s.len());
    }
    let ends = |b: &u8| {
        if is_header {
            matches!(b, b'"' | b'\'' | b'}' | b'\\')
        } else {
            matches!(b, b' ' | b',' | b';' | b'&' | b')' | b']' | b'}' | b'"' | b'\'' | b'\\' | b'|' | b'<')
        }
    };
    let end = s[start..].iter().position(ends).map_or(s.len(), |length| start + length);
    start..end
}

/// `Bearer token`, `Basic credentials`, wherever they stand.
fn schemes(s: &[u8], found: &mut Vec<Range<usize>>) {
    for (i, _) in s.iter().enumerate().filter(|(_, b)| matches!(b, b'B' | b'b')) {
        let rest = &s[i..];
        let after = if rest.len() > 7 && rest[..7].eq_ignore_ascii_case(b"bearer ") {
            7
        } else if rest.len() > 6 && rest[..6].eq_ignore_ascii_case(b"basic ") {
            6
        } else {
            continue;
        };
        if i > 0 && s[i - 1].is_ascii_alphanumeric() {
            continue;
        }
        let start = i + after;
        let length = s[start..]
            .iter()
            .take_while(|b| is_key_byte(**b) || matches!(b, b'+' | b'/' | b'=' | b'~'))
            .count();
        let token = &s[start..start + length];
        let mixed = token
            .iter()
            .any(|b| b.is_ascii_digit() || b.is_ascii_uppercase() || matches!(b, b'=' | b'.' | b'_'));
        if length >= 8 && mixed {
            found.push(start..start + length);
        }
    }
}

/// `scheme://user:password@host`.
fn url_userinfo(s: &[u8], found: &mut Vec<Range<usize>>) {
    for colon in memchr::memmem::find_iter(s, b"://") {
        let start = colon + 3;
        let length = s[start..]
            .iter()
            .position(|b| matches!(b, b'/' | b' ' | b'"' | b'\'' | b'<' | b'>' | b'?' | b'#'))
            .unwrap_or(s.len() - start);
        if let Some(at) = memchr::memrchr(b'@', &s[start..start + length]) {
            found.push(start..start + at);
        }
    }
}

fn is_key_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// Beginnings of keys that issuers make recognisable, and how many more places they have at least.
const PREFIXES: [(&[u8], usize); 26] = [
    (b"AKIA", 16),
    (b"ASIA", 16),
    (b"AROA", 16),
    (b"AIDA", 16),
    (b"ghp_", 20),
    (b"gho_", 20),
    (b"ghu_", 20),
    (b"ghs_", 20),
    (b"ghr_", 20),
    (b"github_pat_", 20),
    (b"glpat-", 16),
    (b"xoxb-", 10),
    (b"xoxp-", 10),
    (b"xoxa-", 10),
    (b"xoxs-", 10),
    (b"xapp-", 10),
    (b"sk_live_", 10),
    (b"rk_live_", 10),
    (b"sk_test_", 10),
    (b"sk-", 20),
    (b"AIza", 30),
    (b"npm_", 30),
    (b"hvs.", 20),
    (b"SG.", 20),
    (b"dop_v1_", 20),
    (b"eyJ", 20),
];

/// Tokens known by their spelling: e-mail addresses, JWT, keys of known issuers.
fn spelled(s: &[u8], found: &mut Vec<Range<usize>>) {
    let is_token = |b: u8| is_key_byte(b) || matches!(b, b'@' | b'+' | b'%');
    let mut at = 0;
    while at < s.len() {
        if !is_token(s[at]) {
            at += 1;
            continue;
        }
        let length = s[at..].iter().take_while(|b| is_token(**b)).count();
        let token = &s[at..at + length];
        if is_email(token) {
            found.push(at..at + length);
        } else if length >= 12 {
            for (prefix, more) in PREFIXES {
                let Some(start) = memchr::memmem::find(token, prefix) else { continue };
                let key = &token[start..];
                let begins = start == 0 || !token[start - 1].is_ascii_alphanumeric();
                let is_jwt = prefix != b"eyJ" || key.iter().filter(|b| **b == b'.').count() == 2;
                if begins && is_jwt && key.len() >= prefix.len() + more {
                    found.push(at + start..at + length);
                }
            }
        }
        at += length;
    }
}

fn is_email(token: &[u8]) -> bool {
    let Some(at) = memchr::memrchr(b'@', token) else { return false };
    let host = &token[at + 1..];
    at > 0 && memchr::memchr(b'.', host).is_some_and(|dot| dot > 0 && dot + 1 < host.len())
}

/// Card numbers: 13 to 19 digits, in one piece or in groups, that begin as cards do and pass the Luhn test.
fn cards(s: &[u8], found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while at < s.len() {
        if !s[at].is_ascii_digit() || (at > 0 && (s[at - 1].is_ascii_alphanumeric() || s[at - 1] == b'.')) {
            at += 1;
            continue;
        }
        let mut digits = [0u8; 20];
        let (mut count, mut end) = (0, at);
        while end < s.len() && count < 20 {
            match s[end] {
                digit @ b'0'..=b'9' => {
                    digits[count] = digit - b'0';
                    count += 1;
                }
                b' ' | b'-'
                    if s.get(end + 1).is_some_and(u8::is_ascii_digit) && s[end - 1].is_ascii_digit() => {}
                _ => break,
            }
            end += 1;
        }
        let digits = &digits[..count];
        if (13..=19).contains(&count) && matches!(digits[0], 2..=6) && passes_luhn(digits) {
            found.push(at..end);
        }
        at = end.max(at + 1);
    }
}

fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, digit)| match (i % 2, *digit) {
            (0, digit) => u32::from(digit),
            (_, digit @ 5..) => u32::from(digit) * 2 - 9,
            (_, digit) => u32::from(digit) * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}
