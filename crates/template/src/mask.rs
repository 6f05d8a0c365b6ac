//! Takes secrets and control characters out of a line before it is kept or sent as evidence.
//!
//! Errs on the side of hiding. A value that was hidden once is hidden wherever it stands in the line.

mod find;

use std::{borrow::Cow, ops::Range};

/// Longest masked line, in bytes, with the mark of what was cut off.
pub const MAX_MASKED_BYTES: usize = 2048;
/// What stands in place of a secret.
const MASK: &str = "***";
/// Bytes looked at; secrets are found before the line is cut to its final length.
const READ_BYTES: usize = 8192;
/// A shorter secret is hidden where it stands only: elsewhere the same letters are a coincidence.
const MIN_REPEATED_BYTES: usize = 6;
/// Secrets that are looked for again in the rest of the line.
const MAX_REPEATED: usize = 32;

/// The line without secrets (passwords, tokens, keys, cards, e-mail addresses), without control characters, and
/// 2 KiB long at most, cut at a character with `…` behind.
pub fn mask_secrets(line: &str) -> Cow<'_, str> {
    let cleaned = clean(line);
    let secrets = find::secrets(&cleaned);
    if secrets.is_empty() {
        return cut(cleaned);
    }
    let masked = hide(&cleaned, secrets);
    cut(Cow::Owned(masked))
}

/// Without control characters, terminal codes and marks that turn the direction of text.
fn clean(line: &str) -> Cow<'_, str> {
    let text = head(line);
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' && chars.peek() == Some(&'[') {
            chars.next();
            while chars.next_if(|c| c.is_ascii_digit() || *c == ';' || *c == '?').is_some() {}
            chars.next_if(char::is_ascii_alphabetic);
        } else if matches!(c, '\t' | '\n' | '\r') {
            out.push(' ');
        } else if !is_control(c) {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The part that is looked at. A token that its end cuts through is left out: half a secret is not recognised.
fn head(line: &str) -> &str {
    if line.len() <= READ_BYTES {
        return line;
    }
    let end = line.floor_char_boundary(READ_BYTES);
    let head = &line[..end];
    match head.rfind(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | ',' | ';' | '&')) {
        Some(end) => &head[..end],
        None => "…",
    }
}

fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    const MORE: &str = "…";
    if text.len() <= MAX_MASKED_BYTES {
        return text;
    }
    let end = text.floor_char_boundary(MAX_MASKED_BYTES - MORE.len());
    Cow::Owned(format!("{}{MORE}", &text[..end]))
}

/// Writes the mask over each range, and over what stood there wherever else it stands.
fn hide(text: &str, secrets: Vec<Range<usize>>) -> String {
    let mut repeated: Vec<&str> = Vec::new();
    for secret in &secrets {
        let value = text[secret.clone()].trim();
        if value.len() >= MIN_REPEATED_BYTES && !repeated.contains(&value) && repeated.len() < MAX_REPEATED {
            repeated.push(value);
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for secret in merged(secrets) {
        out.push_str(&text[at..secret.start]);
        out.push_str(MASK);
        at = secret.end;
    }
    out.push_str(&text[at..]);
    // Longest first: one may hold another.
    repeated.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in repeated {
        if out.contains(value) {
            out = out.replace(value, MASK);
        }
    }
    out
}

fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
