//! Numbers, with sign, separators, exponent and unit; versions; clocks.

use super::kind::ParameterKind;

/// The kind of a piece that begins with a digit, a sign or a dot and is a number as a whole.
pub(super) fn kind(piece: &[u8]) -> Option<ParameterKind> {
    let body = match piece {
        [b'+' | b'-', rest @ ..] => rest,
        _ => piece,
    };
    if !body.first().is_some_and(|b| b.is_ascii_digit() || *b == b'.') {
        return None;
    }
    let end =
        body.iter().position(|b| !(b.is_ascii_digit() || matches!(b, b'.' | b','))).unwrap_or(body.len());
    let (digits, unit) = body.split_at(end);
    if !digits.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let dots = digits.iter().filter(|b| **b == b'.').count();
    if unit.is_empty() {
        return Some(if dots > 1 { ParameterKind::Version } else { ParameterKind::Number });
    }
    if dots > 1 {
        return None;
    }
    let kind = unit_kind(unit);
    if kind.is_some() {
        return kind;
    }
    if is_exponent(unit) {
        return Some(ParameterKind::Number);
    }
    if is_clock(body) {
        return Some(ParameterKind::Time);
    }
    is_compound_duration(body).then_some(ParameterKind::Duration)
}

/// Whether a piece is a number as a whole; how many digits it has makes no difference.
pub(crate) fn is_number(piece: &[u8]) -> bool {
    kind(piece).is_some()
}

fn unit_kind(unit: &[u8]) -> Option<ParameterKind> {
    match unit {
        b"ns" | b"us" | b"ms" | b"s" | b"sec" | b"secs" | b"m" | b"min" | b"mins" | b"h" | b"hr" | b"hrs"
        | b"d" | b"days" | b"msec" | b"usec" | b"nsec" | b"seconds" | b"minutes" | b"\xc2\xb5s"
        | b"\xce\xbcs" => Some(ParameterKind::Duration),
        b"B" | b"b" | b"k" | b"K" | b"kB" | b"KB" | b"kb" | b"Kb" | b"KiB" | b"Ki" | b"M" | b"MB" | b"Mb"
        | b"mb" | b"MiB" | b"Mi" | b"G" | b"GB" | b"Gb" | b"gb" | b"GiB" | b"Gi" | b"T" | b"TB" | b"TiB"
        | b"Ti" | b"bytes" => Some(ParameterKind::Size),
        b"%" | b"x" | b"Hz" | b"kHz" | b"MHz" | b"GHz" | b"C" | b"V" | b"W" | b"st" | b"nd" | b"rd"
        | b"th" | b"L" | b"f" | b"u" | b"*" => Some(ParameterKind::Number),
        _ => None,
    }
}

/// The kind that a unit makes of the number before it, where it is a word of its own. Units that are words as well
/// (`seconds`, `bytes`) stay: people read them.
pub(super) fn unit_word(unit: &[u8]) -> Option<ParameterKind> {
    match unit {
        b"ns" | b"us" | b"ms" | b"s" | b"sec" | b"secs" => Some(ParameterKind::Duration),
        b"B" | b"kB" | b"KB" | b"KiB" | b"MB" | b"MiB" | b"GB" | b"GiB" | b"TB" | b"TiB" => {
            Some(ParameterKind::Size)
        }
        _ => None,
    }
}

fn is_exponent(unit: &[u8]) -> bool {
    let [b'e' | b'E', rest @ ..] = unit else { return false };
    let digits = match rest {
        [b'+' | b'-', digits @ ..] => digits,
        _ => rest,
    };
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// `1:02`, `01:02:03.5`: groups of digits with one to three colons between.
fn is_clock(body: &[u8]) -> bool {
    let mut colons = 0;
    for (i, b) in body.iter().enumerate() {
        match b {
            b'0'..=b'9' => {}
            b':' | b'.' | b',' if i > 0 && body[i - 1].is_ascii_digit() => colons += u8::from(*b == b':'),
            _ => return false,
        }
    }
    (1..=3).contains(&colons) && body.last().is_some_and(u8::is_ascii_digit)
}

/// `1h2m3.5s`, `2d4h`.
fn is_compound_duration(body: &[u8]) -> bool {
    let mut rest = body;
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
        let letters = rest[digits..].iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let unit = &rest[digits..digits + letters];
        if digits == 0 || !matches!(unit, b"d" | b"h" | b"m" | b"s" | b"ms" | b"us" | b"ns" | b"w" | b"y") {
            return false;
        }
        parts += 1;
        rest = &rest[digits + letters..];
    }
    parts > 1
}
