//! Lines that differ from one read before in digits only need not be read again.
//!
//! A line's skeleton is the line with every digit made the same, and every digit and letter of a hexadecimal word. Lines
//! with one skeleton have their parts at the same places and the same shape, but for what depends on the values of
//! digits: whether a time is one, whether an address is. Those questions, and the answers to them, are taken down when a
//! skeleton is read for the second time; a line that answers them alike is what the one before was.
//!
//! Where digits differ in number as well, at least the shape of the message may be known: see [`Outline`].
//!
//! Nothing of a line's values is remembered. Bounded: sets of a few skeletons, the oldest goes first.

mod check;
mod content;
mod outline;
mod skeleton;
mod worth;

use xxhash_rust::xxh3::xxh3_128_with_seed;

pub(crate) use check::Watch;
use check::{Check, Span};
pub(crate) use content::ContentReading;
pub(crate) use outline::Outline;
pub(crate) use skeleton::Skeleton;
pub(crate) use worth::Worth;

use crate::{
    Format, Level, Line, Parameter, Shape,
    timestamp::{Around, Stamp},
};

/// Longer lines are read each time.
pub(crate) const MAX_LINE_BYTES: usize = 400;
/// Sets of skeletons; a power of two.
const SETS: usize = 1024;
/// Skeletons of a set.
const WAYS: usize = 4;

/// Checks that are kept beside the rest of a reading; of most lines these are all.
const NEAR_CHECKS: usize = 5;

/// What was read of lines, or of their contents, by their skeleton. The hashes lie by themselves: a set's fill one line of the processor's
/// cache, and most that a look-up costs is waiting for memory.
#[derive(Clone, Debug)]
pub(crate) struct Recall<R> {
    hashes: Vec<[u128; WAYS]>,
    readings: Vec<[Option<Box<R>>; WAYS]>,
    seen: Vec<Seen>,
}

impl<R> Default for Recall<R> {
    fn default() -> Self {
        Self { hashes: Vec::new(), readings: Vec::new(), seen: Vec::new() }
    }
}

/// What a set's skeletons were seen once: the next time they are taken down.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    candidates: [u64; 2],
    /// Turns of replacement, of readings and candidates.
    turn: u8,
    candidate_turn: u8,
}

/// Where a reading stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    set: usize,
    way: usize,
}

/// What is known of a skeleton.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known {
    Read(Place),
    /// Seen before, and worth being taken down.
    Seen(SkeletonHash),
    New,
}

/// Names a skeleton.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SkeletonHash(u128);

impl SkeletonHash {
    /// Of digits alone, or of hexadecimal words too: the two never meet.
    pub(crate) fn of(skeleton: &[u8], has_hex: bool) -> Self {
        Self(xxh3_128_with_seed(skeleton, u64::from(has_hex)))
    }

    /// Of an outline.
    pub(crate) fn of_outline(outline: &[u8]) -> Self {
        Self(xxh3_128_with_seed(outline, 2))
    }

    fn set(self) -> usize {
        self.0 as usize % SETS
    }
}

impl<R> Recall<R> {
    #[inline]
    pub(crate) fn find(&self, hash: SkeletonHash) -> Option<Place> {
        let set = hash.set();
        let way = self.hashes.get(set)?.iter().position(|known| *known == hash.0)?;
        Some(Place { set, way })
    }

    /// Takes note of a skeleton that was not found.
    pub(crate) fn see(&mut self, hash: SkeletonHash) -> Known {
        if self.seen.is_empty() {
            self.hashes.resize(SETS, [0; WAYS]);
            self.readings.resize_with(SETS, Default::default);
            self.seen.resize(SETS, Seen::default());
        }
        let Some(seen) = self.seen.get_mut(hash.set()) else { return Known::New };
        let candidate = (hash.0 >> 64) as u64;
        if seen.candidates.contains(&candidate) {
            return Known::Seen(hash);
        }
        seen.candidates[usize::from(seen.candidate_turn) % seen.candidates.len()] = candidate;
        seen.candidate_turn = seen.candidate_turn.wrapping_add(1);
        Known::New
    }

    #[inline]
    pub(crate) fn get(&self, place: Place) -> Option<&R> {
        self.readings.get(place.set)?.get(place.way)?.as_deref()
    }

    /// Keeps what was read, or that nothing of it can be kept.
    pub(crate) fn keep(&mut self, hash: SkeletonHash, reading: Option<R>) {
        let set = hash.set();
        let (Some(seen), Some(hashes), Some(readings)) =
            (self.seen.get_mut(set), self.hashes.get_mut(set), self.readings.get_mut(set))
        else {
            return;
        };
        let way = usize::from(seen.turn) % WAYS;
        seen.turn = seen.turn.wrapping_add(1);
        hashes[way] = hash.0;
        readings[way] = reading.map(Box::new);
    }
}

/// What lines with one skeleton are.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    level: Option<Level>,
    format: Format,
    host: Option<Span>,
    logger: Option<Span>,
    content: Span,
    /// Which of the checks tells the time.
    time: Option<u8>,
    count: u8,
    checks: [Check; NEAR_CHECKS],
    more_checks: Box<[Check]>,
    pub(crate) shape: Shape,
    pub(crate) text: Box<[u8]>,
    pub(crate) parameters: Box<[Parameter]>,
}

impl Reading {
    /// What was read of the watched line; `None` where more follows from its values than was taken down.
    pub(crate) fn of(
        line: &Line<'_>,
        shape: Shape,
        text: &[u8],
        parameters: &[Parameter],
        watch: &Watch,
    ) -> Option<Self> {
        // A digit in the text would be one of this line's.
        if text.iter().any(u8::is_ascii_digit) {
            return None;
        }
        let checks = watch.checks()?;
        let part =
            |part: Option<&str>| part.map_or(Some(None), |part| Some(Some(watch.span(part.as_bytes())?)));
        let time = match line.written {
            None if line.time.is_some() => return None,
            None => None,
            Some(written) => {
                let at = watch.place(written.address)?;
                Some(u8::try_from(checks.iter().position(|check| check.is_time_at(at))?).ok()?)
            }
        };
        let near = checks.len().min(NEAR_CHECKS);
        let mut near_checks = [Check::NONE; NEAR_CHECKS];
        near_checks[..near].copy_from_slice(&checks[..near]);
        Some(Self {
            level: line.level,
            format: line.format,
            host: part(line.host)?,
            logger: part(line.logger)?,
            content: watch.span(line.content.as_bytes())?,
            time,
            count: near as u8,
            checks: near_checks,
            more_checks: checks[near..].into(),
            shape,
            text: text.into(),
            parameters: parameters.into(),
        })
    }

    /// The line, if it answers what was asked of the one before as that did.
    #[inline]
    pub(crate) fn line<'a>(&self, text: &'a str, around: Around<'_>) -> Option<Line<'a>> {
        let mut time: Option<Stamp> = None;
        let checks = self.checks.get(..usize::from(self.count))?.iter().chain(&self.more_checks);
        for (i, check) in checks.enumerate() {
            let stamp = check.answer(text, around)?;
            if self.time == Some(i as u8) {
                time = stamp;
            }
        }
        let part = |span: Option<Span>| span.and_then(|span| span.of(text));
        Some(Line {
            text,
            time: time.and_then(|stamp| stamp.ns),
            level: self.level,
            host: part(self.host),
            logger: part(self.logger),
            content: self.content.of(text)?,
            format: self.format,
            written: time.map(|stamp| crate::format::Written { address: 0, shows: stamp.shows }),
        })
    }
}
