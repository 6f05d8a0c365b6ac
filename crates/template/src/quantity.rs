//! What a parameter measures: the number that it spells, in the unit of its kind.

use crate::ParameterKind;

/// A number with its unit reduced: durations in seconds, sizes in bytes, all else as it stands. `None` for what is
/// negative or no number.
#[inline]
pub fn quantity(kind: ParameterKind, s: &[u8]) -> Option<f64> {
    if !s.first().is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'.')) {
        return None;
    }
    let value = match kind {
        ParameterKind::Number => number(s).map(|(value, _)| value),
        ParameterKind::Value => value_of_key(s),
        ParameterKind::Size => {
            let (value, end) = number(s)?;
            Some(value * size_unit(unit_of(&s[end..]))?)
        }
        ParameterKind::Duration => duration(s),
        _ => None,
    };
    value.filter(|value| value.is_finite())
}

/// Whatever a key is given is a value; it may be a number, with a unit or without. Most that begin with a digit are
/// identifiers, which is told by what comes behind the digits.
fn value_of_key(s: &[u8]) -> Option<f64> {
    let digits = s.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(s.len());
    let rest = &s[digits..];
    let is_number = match rest {
        [] | [b'.' | b',', ..] => true,
        [b'e' | b'E', b'+' | b'-', ..] => true,
        // What a unit begins with, and is a hexadecimal digit if nothing follows.
        [b'd' | b'b' | b'B'] => false,
        [b' ' | b'n' | b'u' | b'm' | b's' | b'h' | b'd' | b'w' | b'k' | b'K' | b'M' | b'G' | b'T', ..] => {
            true
        }
        [0xc2 | 0xce, ..] => true,
        _ => digits == 0,
    };
    if !is_number || rest.len() > LONGEST_REST {
        return None;
    }
    let (value, end) = number(s)?;
    let unit = unit_of(&s[end..]);
    match () {
        () if end == s.len() => Some(value),
        () if end + unit.len() == s.len() => size_unit(unit).map(|unit| value * unit).or_else(|| duration(s)),
        () => duration(s),
    }
}

/// A fraction and a unit, or the smaller units of a duration, are no longer.
const LONGEST_REST: usize = 18;
/// Longest stretch of digits that a 64-bit mantissa holds.
const DIGITS: u32 = 18;

/// A number at the start, and where it ends.
#[inline]
fn number(s: &[u8]) -> Option<(f64, usize)> {
    let (mut whole, mut at) = (0u64, 0);
    while let Some(byte) = s.get(at)
        && byte.is_ascii_digit()
        && at < DIGITS as usize
    {
        // Never more than 18 digits.
        whole = whole.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        at += 1;
    }
    match s.get(at) {
        _ if at == 0 => any_number(s),
        Some(b'0'..=b'9' | b'.' | b',' | b'e' | b'E') => any_number(s),
        _ => Some((whole as f64, at)),
    }
}

/// A number with sign, separators, fraction or exponent at the start, and where it ends. Commas between digits separate.
fn any_number(s: &[u8]) -> Option<(f64, usize)> {
    let mut at = usize::from(s.first() == Some(&b'+'));
    let (mut mantissa, mut digits, mut exponent, mut fraction) = (0u64, 0u32, 0i32, false);
    let start = at;
    while let Some(byte) = s.get(at) {
        match byte {
            b'0'..=b'9' => {
                if digits < DIGITS {
                    mantissa = mantissa * 10 + u64::from(byte - b'0');
                    digits += u32::from(mantissa > 0);
                    exponent -= i32::from(fraction);
                } else {
                    exponent += i32::from(!fraction);
                }
            }
            b'.' if !fraction => fraction = true,
            b',' if !fraction => {}
            _ => break,
        }
        at += 1;
    }
    if at == start || (at == start + 1 && fraction) {
        return None;
    }
    if let Some(b'e' | b'E') = s.get(at) {
        let (sign, from) = match s.get(at + 1) {
            Some(b'-') => (-1, at + 2),
            Some(b'+') => (1, at + 2),
            _ => (1, at + 1),
        };
        let end = from + s[from.min(s.len())..].iter().take(3).take_while(|b| b.is_ascii_digit()).count();
        // Machines write a sign or a point; `12e34` is an identifier that happens to have no other letter.
        if end > from && !fraction && from == at + 1 {
            return None;
        }
        if end > from {
            exponent += sign * s[from..end].iter().fold(0, |sum, b| sum * 10 + i32::from(b - b'0'));
            at = end;
        }
    }
    Some((scaled(mantissa as f64, exponent), at))
}

/// `mantissa` times ten to the power of `exponent`. Powers up to 22 are exact.
fn scaled(mantissa: f64, exponent: i32) -> f64 {
    const POWERS: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    match exponent {
        0 => mantissa,
        -22..0 => mantissa / POWERS[exponent.unsigned_abs() as usize],
        1..=22 => mantissa * POWERS[exponent as usize],
        ..0 => scaled(mantissa / 1e22, exponent.max(-400) + 22),
        _ => scaled(mantissa * 1e22, exponent.min(400) - 22),
    }
}

/// The letters behind a number, without the blank before them and the marks after.
fn unit_of(s: &[u8]) -> &[u8] {
    let from = usize::from(s.first() == Some(&b' '));
    let s = &s[from..];
    let end = s.iter().position(|b| b.is_ascii() && !b.is_ascii_alphabetic()).unwrap_or(s.len());
    &s[..end]
}

fn size_unit(unit: &[u8]) -> Option<f64> {
    const KIB: f64 = 1024.0;
    Some(match unit {
        b"B" | b"b" | b"bytes" => 1.0,
        b"k" | b"K" | b"kB" | b"KB" | b"kb" | b"Kb" | b"KiB" | b"Ki" => KIB,
        b"M" | b"MB" | b"Mb" | b"mb" | b"MiB" | b"Mi" => KIB * KIB,
        b"G" | b"GB" | b"Gb" | b"gb" | b"GiB" | b"Gi" => KIB * KIB * KIB,
        b"T" | b"TB" | b"TiB" | b"Ti" => KIB * KIB * KIB * KIB,
        _ => return None,
    })
}

fn time_unit(unit: &[u8]) -> Option<f64> {
    Some(match unit {
        b"ns" | b"nsec" => 1e-9,
        b"us" | b"usec" | b"\xc2\xb5s" | b"\xce\xbcs" => 1e-6,
        b"ms" | b"msec" | b"msecs" | b"millis" => 1e-3,
        b"s" | b"S" | b"sec" | b"secs" | b"seconds" => 1.0,
        b"m" | b"min" | b"mins" | b"minutes" => 60.0,
        b"h" | b"hr" | b"hrs" => 3_600.0,
        b"d" | b"days" => 86_400.0,
        b"w" => 604_800.0,
        b"y" => 31_536_000.0,
        _ => return None,
    })
}

/// `12 ms`, `1h2m3.5s`: each unit smaller than the one before.
fn duration(s: &[u8]) -> Option<f64> {
    let (mut at, mut sum, mut before) = (0, 0.0, f64::INFINITY);
    while at < s.len() {
        let (value, end) = number(&s[at..])?;
        let blank = usize::from(s.get(at + end) == Some(&b' '));
        let unit = unit_of(&s[at + end..]);
        let length = time_unit(unit).filter(|length| *length < before)?;
        sum += value * length;
        before = length;
        at += end + blank + unit.len();
        if unit.is_empty() {
            return None;
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_the_unit_of_their_kind() {
        let of = |kind, text: &str| quantity(kind, text.as_bytes());
        let number = |text: &str| of(ParameterKind::Number, text);
        let readings = [
            number("0"),
            number("007"),
            number("1,234.5"),
            number("+3"),
            number("1.5e-3"),
            number("99.9%"),
            number("18446744073709551615"),
            of(ParameterKind::Duration, "12ms"),
            of(ParameterKind::Duration, "12 ms"),
            of(ParameterKind::Duration, "1h2m3.5s"),
            of(ParameterKind::Duration, "3µs"),
            of(ParameterKind::Size, "2.5 KB"),
            of(ParameterKind::Size, "4MiB"),
        ];
        let expected = [
            0.0,
            7.0,
            1_234.5,
            3.0,
            0.0015,
            99.9,
            18_446_744_073_709_551_610.0,
            0.012,
            0.012,
            3_723.5,
            3e-6,
            2_560.0,
            4_194_304.0,
        ];
        let near = |(read, value): (&Option<f64>, &f64)| {
            read.is_some_and(|read| (read - value).abs() <= value * 1e-12)
        };
        assert!(readings.iter().zip(&expected).all(near), "{readings:?}");
        assert_eq!([number("12e34"), of(ParameterKind::Value, "7x")], [None; 2]);
        assert_eq!(["3365038d", "12b", "64d9124d"].map(|text| of(ParameterKind::Value, text)), [None; 3]);
        let of_key = ["75", "75ms", "2KB", "1m3s", "7.x", "7-8"].map(|text| of(ParameterKind::Value, text));
        assert_eq!(of_key, [Some(75.0), Some(0.075), Some(2_048.0), Some(63.0), None, None]);
        assert_eq!([number("-5"), number("."), number("x"), of(ParameterKind::Path, "/1")], [None; 4]);
        assert_eq!(of(ParameterKind::Duration, "5"), None);
    }
}
