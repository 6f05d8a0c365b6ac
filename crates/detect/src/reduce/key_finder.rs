//! Which identifiers of a source's lines name sessions: found, not configured.
//!
//! An identifier that comes again in lines of other shapes ties them together. Identifiers are told apart by what stands
//! before them (`blk_`, `order=`, `job `); a class of them whose values mostly come again is taken for a key. All of it
//! follows from the source's own lines in their order.

use foreshock_model::fingerprint64;
use foreshock_template::{Parameter, ParameterKind};
use serde::{Deserialize, Serialize};

use super::shapes::ShapeId;

/// Parameters of a line that are looked at, and those of them that could be keys.
const PARAMETERS: usize = 16;
const CANDIDATES: usize = 4;
/// Shorter values name nothing.
const SHORTEST: usize = 8;
/// Digits of a number that stands behind a prefix of its own.
const PREFIXED_DIGITS: usize = 5;
/// Classes a source is looked at for, and keys it may have.
const CLASSES: usize = 32;
const KEYS: usize = 8;
/// Values remembered at a time.
const RECENT: usize = 256;
/// Values, or lines that hold one, none of which tied two shapes: no more are looked at until after a pause.
const VAIN_VALUES: u32 = 2 * RECENT as u32;
const VAIN_LINES: u32 = 4 * RECENT as u32;
/// Values that have to have come again in lines of another shape.
const LINKED: u32 = 12;
/// A value that comes more often than this, in the mean, names a thing and not a session.
const LINES_A_VALUE: u32 = 200;
/// Lines with a key after which no session is under way any more that was when the key was found.
const UNDER_WAY_LINES: u32 = 10_000;
/// Lines with a candidate that are looked at before a pause, and lines in a pause.
const LOOK: u32 = 20_000;
const PAUSE: u32 = 500_000;

/// The class of an identifier; `None` for what can't be one.
fn class(content: &str, parameter: &Parameter) -> Option<u64> {
    let before = content.get(..parameter.start as usize)?.as_bytes();
    let is_part = |b: &&u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.');
    let prefix = before.iter().rev().take_while(is_part).count();
    if prefix > 0 {
        return Some(fingerprint64(&before[before.len() - prefix..]));
    }
    // The word before, with what stands between: `order=`, `job `.
    let between = before.iter().rev().take_while(|b| !b.is_ascii_alphanumeric()).count();
    let word = before[..before.len() - between].iter().rev().take_while(is_part).count();
    if between > 4 {
        return None;
    }
    let word = &before[before.len() - between - word..before.len() - between];
    let hash = if word.iter().any(u8::is_ascii_uppercase) {
        fingerprint64(&word.to_ascii_lowercase())
    } else {
        fingerprint64(word)
    };
    Some(hash.rotate_left(1))
}

/// Whether a value could name something: whatever its kind, its look decides from line to line.
fn names(value: &str, kind: ParameterKind, content: &str, start: usize) -> bool {
    let has_digit = || value.bytes().any(|b| b.is_ascii_digit());
    match kind {
        ParameterKind::Number if value.len() < PREFIXED_DIGITS => false,
        ParameterKind::Number => {
            let before = content.as_bytes()[..start].last();
            let is_prefixed = before.is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-'));
            let enough = if is_prefixed { PREFIXED_DIGITS } else { SHORTEST };
            // Most are too short, whatever their bytes are.
            value.len() >= enough && value.bytes().filter(u8::is_ascii_digit).count() >= enough
        }
        ParameterKind::Value => value.len() >= SHORTEST && is_name_with_digit(value.as_bytes()),
        ParameterKind::Hex | ParameterKind::Id | ParameterKind::Uuid => {
            value.len() >= SHORTEST && has_digit()
        }
        _ => false,
    }
}

/// Whether a value is of letters, digits, `-` and `_` alone, and has a digit.
fn is_name_with_digit(value: &[u8]) -> bool {
    const DIGIT: u8 = 1;
    const NAME: u8 = 2;
    const OTHER: u8 = 4;
    static CLASS: [u8; 256] = {
        let mut classes = [OTHER; 256];
        let mut b = 0;
        while b < 256 {
            match b as u8 {
                b'0'..=b'9' => classes[b] = DIGIT,
                b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' => classes[b] = NAME,
                _ => {}
            }
            b += 1;
        }
        classes
    };
    let seen = value.iter().fold(0, |seen, b| seen | CLASS[usize::from(*b)]);
    seen & (DIGIT | OTHER) == DIGIT
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Recent {
    value: u64,
    shape: ShapeId,
    linked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Class {
    class: u64,
    lines: u32,
    values: u32,
    /// Values that came in lines of at least two shapes.
    linked: u32,
}

/// What one source's lines taught of keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct KeyFinder {
    /// Classes that are keys, the one that ties most together first when it was found.
    keys: Vec<u64>,
    classes: Vec<Class>,
    recent: Vec<Recent>,
    looked: u32,
    pause: u32,
    /// Values that were there before their class was found: of their sessions the beginning is not known.
    under_way: Vec<u64>,
    under_way_lines: u32,
}

impl KeyFinder {
    /// The key of a line.
    pub(super) fn find<'a>(
        &mut self,
        content: &'a str,
        parameters: &[Parameter],
        shape: ShapeId,
    ) -> Option<&'a str> {
        let looks = self.pause == 0 && self.keys.len() < KEYS;
        self.pause = self.pause.saturating_sub(1);
        if self.keys.is_empty() && !looks {
            return None;
        }
        let mut best: Option<(usize, &'a str)> = None;
        let mut candidates = 0;
        for parameter in parameters.iter().take(PARAMETERS) {
            let (start, end) = (parameter.start as usize, parameter.end as usize);
            let Some(value) = content.get(start..end) else { continue };
            if !names(value, parameter.kind, content, start) {
                continue;
            }
            let Some(class) = class(content, parameter) else { continue };
            candidates += 1;
            match self.keys.iter().position(|key| *key == class) {
                Some(rank) if best.is_none_or(|(known, _)| rank < known) => best = Some((rank, value)),
                Some(_) => {}
                None if looks && best.is_none() => self.look(class, value, shape),
                None => {}
            }
            if candidates == CANDIDATES {
                break;
            }
        }
        let (_, value) = best?;
        if self.under_way.is_empty() {
            return Some(value);
        }
        let is_under_way = self.under_way.contains(&fingerprint64(value.as_bytes()));
        self.under_way_lines += 1;
        if self.under_way_lines >= UNDER_WAY_LINES {
            (self.under_way, self.under_way_lines) = (Vec::new(), 0);
        }
        (!is_under_way).then_some(value)
    }

    fn look(&mut self, class: u64, value: &str, shape: ShapeId) {
        self.looked += 1;
        if self.looked > LOOK {
            *self = Self { keys: std::mem::take(&mut self.keys), pause: PAUSE, ..Self::default() };
            return;
        }
        let at = match self.classes.iter().position(|known| known.class == class) {
            Some(at) => at,
            None if self.classes.len() < CLASSES => {
                self.classes.push(Class { class, lines: 0, values: 0, linked: 0 });
                self.classes.len() - 1
            }
            None => return,
        };
        if self.recent.is_empty() {
            self.recent.resize(RECENT, Recent::default());
        }
        let known = &mut self.classes[at];
        if known.linked == 0 && (known.values >= VAIN_VALUES || known.lines >= VAIN_LINES) {
            return;
        }
        known.lines += 1;
        let value = fingerprint64(value.as_bytes());
        let recent = &mut self.recent[value as usize % RECENT];
        if recent.value != value {
            *recent = Recent { value, shape, linked: false };
            known.values += 1;
        } else if recent.shape != shape && !recent.linked {
            recent.linked = true;
            known.linked += 1;
            let Class { lines, values, linked, .. } = *known;
            if linked >= LINKED && linked * 3 >= values && lines <= values * LINES_A_VALUE {
                self.classes.swap_remove(at);
                self.keys.push(class);
                self.under_way_lines = 0;
                self.under_way.extend(self.recent.iter().filter(|recent| recent.value != 0).map(|r| r.value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use foreshock_template::Shaper;

    use super::*;

    /// The keys that are found in the lines, with a shape's number for each.
    fn keys<'a>(lines: &'a [String]) -> Vec<Option<&'a str>> {
        let (mut finder, mut shaper) = (KeyFinder::default(), Shaper::new());
        let mut shapes: Vec<u128> = Vec::new();
        let mut find = |line: &'a String| {
            let hash = shaper.shape(line).hash.0;
            let shape = shapes.iter().position(|known| *known == hash).unwrap_or_else(|| {
                shapes.push(hash);
                shapes.len() - 1
            });
            finder.find(line, shaper.parameters(), shape as ShapeId)
        };
        lines.iter().map(&mut find).collect()
    }

    #[test]
    fn an_identifier_that_ties_lines_of_several_shapes_together_is_found() {
        let lines: Vec<String> = (0..200u64)
            .flat_map(|n| {
                let id = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                [
                    format!("job {id:08x} submitted by 10.0.0.{}", n % 9),
                    format!("cache entry {:016x} expired after {n} s", id.wrapping_mul(id)),
                    format!("job {id:08x} finished in {n} ms, wrote 1048576{n} bytes"),
                ]
            })
            .collect();
        let found = keys(&lines);
        let jobs = |from: usize| found[from..].iter().step_by(3).flatten().count();
        assert!(jobs(300) > 95 && jobs(302) > 95, "{} {}", jobs(300), jobs(302));
        assert_eq!(found.iter().skip(1).step_by(3).flatten().count(), 0);
        assert!(found.iter().flatten().all(|key| key.len() == 8), "{found:?}");
    }

    #[test]
    fn what_names_a_thing_and_not_a_session_is_no_key() {
        let lines: Vec<String> = (0..4_000)
            .flat_map(|n| {
                [format!("disk sd_100{} read", 1000 + n % 3), format!("disk sd_100{} written", 1000 + n % 3)]
            })
            .collect();
        assert_eq!(keys(&lines).iter().flatten().count(), 0);
    }
}
