//! The same lines with other values in them, so that nothing that remembers lines is of use.

use foreshock_template::{ParameterKind, ShapeHash, Shaper, SourceFormat};

use super::lines::Lines;
use crate::random::Random;

/// Tries to find other values that leave a line what it is.
const TRIES: usize = 8;

/// `count` lines: the given ones again and again, in each round with other digits in their parameters, other
/// hexadecimal letters in those that have such, and other seconds in their header. Each keeps its shape.
pub(super) fn varied(lines: &[&str], count: usize, seed: u64) -> Lines {
    let mut random = Random(seed);
    let (mut format, mut shaper) = (SourceFormat::default(), Shaper::new());
    let mut varied = Lines::default();
    let mut bytes = Vec::new();
    for line in lines.iter().cycle().take(count) {
        let content = format.parse(line, 0).content;
        let from = content.as_ptr() as usize - line.as_ptr() as usize;
        let shape = shaper.shape(content).hash;
        let places: Vec<_> = shaper
            .parameters()
            .iter()
            .map(|p| (p.kind, from + p.start as usize, from + p.end as usize))
            .collect();
        let other = (0..TRIES).find_map(|_| {
            bytes.clear();
            bytes.extend_from_slice(line.as_bytes());
            other_seconds(&mut bytes[..from], &mut random);
            for (kind, start, end) in &places {
                other_value(*kind, &mut bytes[*start..*end], &mut random);
            }
            let line = std::str::from_utf8(&bytes).ok()?;
            is_alike(line, shape, &mut format, &mut shaper).then(|| line.to_owned())
        });
        varied.push(other.as_deref().unwrap_or(line));
    }
    varied
}

fn is_alike(line: &str, shape: ShapeHash, format: &mut SourceFormat, shaper: &mut Shaper) -> bool {
    shaper.shape(format.parse(line, 0).content).hash == shape
}

/// Other last digits of `hh:mm:ss`.
fn other_seconds(header: &mut [u8], random: &mut Random) {
    for at in 7..header.len() {
        let clock = &header[at - 7..=at];
        let is_clock = clock.iter().enumerate().all(|(i, b)| match i {
            2 | 5 => *b == b':',
            _ => b.is_ascii_digit(),
        });
        if is_clock {
            header[at] = b'0' + random.below(10) as u8;
        }
    }
}

/// The first digit of a run stays: it says what the run may be.
fn other_value(kind: ParameterKind, value: &mut [u8], random: &mut Random) {
    let is_hex = matches!(kind, ParameterKind::Hex | ParameterKind::Uuid);
    let mut in_run = false;
    for b in value {
        match *b {
            b'0'..=b'9' if in_run => *b = b'0' + random.below(10) as u8,
            b'a'..=b'f' if is_hex => *b = b'a' + random.below(6) as u8,
            b'A'..=b'F' if is_hex => *b = b'A' + random.below(6) as u8,
            _ => {}
        }
        in_run = b.is_ascii_digit();
    }
}
