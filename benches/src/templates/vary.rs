//! The same lines with other values in them, so that nothing that remembers lines is of use.

use foreshock_template::{ParameterKind, ShapeHash, Shaper, SourceFormat};

use super::lines::Lines;
use crate::random::Random;

/// Tries to find other values that leave a line what it is.
const TRIES: usize = 8;

/// `count` lines: the given ones again and again, in each round with other values in their parameters: numbers of other
/// length, other addresses, other digits, other hexadecimal letters where there are such; and other seconds in their
/// header. Each keeps its shape.
pub(super) fn varied(lines: &[&str], count: usize, seed: u64) -> Lines {
    let mut random = Random(seed);
    let (mut format, mut shaper) = (SourceFormat::default(), Shaper::new());
    let mut varied = Lines::default();
    let mut other = String::new();
    for line in lines.iter().cycle().take(count) {
        let content = format.parse(line, 0).content;
        let from = content.as_ptr() as usize - line.as_ptr() as usize;
        let shape = shaper.shape(content).hash;
        let places: Vec<_> = shaper
            .parameters()
            .iter()
            .map(|p| (p.kind, from + p.start as usize, from + p.end as usize))
            .collect();
        let found = (0..TRIES).any(|_| {
            other.clear();
            push_other_seconds(&line[..from], &mut random, &mut other);
            let mut behind = from;
            for (kind, start, end) in &places {
                other.push_str(&line[behind..*start]);
                push_other_value(*kind, &line[*start..*end], &mut random, &mut other);
                behind = *end;
            }
            other.push_str(&line[behind..]);
            is_alike(&other, shape, &mut format, &mut shaper)
        });
        varied.push(if found { &other } else { line });
    }
    varied
}

fn is_alike(line: &str, shape: ShapeHash, format: &mut SourceFormat, shaper: &mut Shaper) -> bool {
    shaper.shape(format.parse(line, 0).content).hash == shape
}

/// Other last digits of `hh:mm:ss`.
fn push_other_seconds(header: &str, random: &mut Random, out: &mut String) {
    let s = header.as_bytes();
    for (at, c) in header.char_indices() {
        let is_clock = at >= 7
            && s[at - 7..=at].iter().enumerate().all(|(i, b)| match i {
                2 | 5 => *b == b':',
                _ => b.is_ascii_digit(),
            });
        out.push(if is_clock { digit(random) } else { c });
    }
}

fn push_other_value(kind: ParameterKind, value: &str, random: &mut Random, out: &mut String) {
    let is_plain = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    if kind == ParameterKind::Number && is_plain && !value.starts_with('0') {
        // One digit more or less.
        let length = (value.len() as u64 + random.below(3)).saturating_sub(1).max(1);
        out.push(char::from(b'1' + random.below(9) as u8));
        (1..length).for_each(|_| out.push(digit(random)));
    } else if kind == ParameterKind::Ip && value.bytes().filter(|b| *b == b'.').count() == 3 {
        let (_, rest) = value.split_at(value.find([':', '/', '#']).unwrap_or(value.len()));
        let part = |random: &mut Random| random.below(256).to_string();
        let address = [part(random), part(random), part(random), part(random)].join(".");
        out.push_str(&address);
        push_other_digits(kind, rest, random, out);
    } else {
        push_other_digits(kind, value, random, out);
    }
}

/// The first digit of a run stays: it says what the run may be.
fn push_other_digits(kind: ParameterKind, value: &str, random: &mut Random, out: &mut String) {
    let is_hex = matches!(kind, ParameterKind::Hex | ParameterKind::Uuid);
    let mut in_run = false;
    for c in value.chars() {
        out.push(match c {
            '0'..='9' if in_run => digit(random),
            'a'..='f' if is_hex => char::from(b'a' + random.below(6) as u8),
            'A'..='F' if is_hex => char::from(b'A' + random.below(6) as u8),
            c => c,
        });
        in_run = c.is_ascii_digit();
    }
}

fn digit(random: &mut Random) -> char {
    char::from(b'0' + random.below(10) as u8)
}
