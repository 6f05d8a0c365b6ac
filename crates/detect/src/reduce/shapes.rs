//! The line shapes an input partition has met, interned to dense numbers.

use crate::Table;
use serde::{Deserialize, Serialize};

use super::sources::ServiceId;

/// Dense number of a shape of a service in its partition.
pub(super) type ShapeId = u32;

/// Hash of the shape that all are folded into that are over the limit.
pub(super) const OTHER_SHAPE: u64 = 0;

/// A shape of one service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) service: ServiceId,
    pub(super) hash: u64,
    /// Canonical text until it was passed on.
    pub(super) text: Option<Box<str>>,
}

/// How often a service's lines bring a shape it never had; new ones are passed on at once only where they are rare.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Rarity {
    lines: u64,
    /// Lines seen when each of the last new shapes came.
    recent: [u64; RECENT],
}

const RECENT: usize = 8;
/// A service that has shown fewer lines is not known yet.
const KNOWN_LINES: u64 = 1_000;
/// The last `RECENT` new shapes must lie at least this many lines back for the next to be rare.
const RARE_LINES: u64 = 1_000;

/// Interning table of shapes by service and hash.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Shapes {
    by_key: Table<(ServiceId, u64), ShapeId>,
    shapes: Vec<Shape>,
    rarity: Table<ServiceId, Rarity>,
}

/// What came of looking up a shape.
pub(super) enum Met {
    /// Met before, or folded.
    Known(ShapeId),
    /// Never met in this service and partition.
    New(ShapeId),
    /// Never met, and one more would be too many: the shape that stands for all those.
    Folded(ShapeId),
}

impl Shapes {
    /// The number of a service's shape. `text` is asked for only where it is new.
    pub(super) fn meet(
        &mut self,
        service: ServiceId,
        hash: u64,
        limit: u32,
        text: impl FnOnce() -> Box<str>,
    ) -> Met {
        if let Some(id) = self.by_key.get(&(service, hash)) {
            return Met::Known(*id);
        }
        if self.shapes.len() < limit as usize {
            return Met::New(self.add(service, hash, text()));
        }
        match self.by_key.get(&(service, OTHER_SHAPE)) {
            Some(id) => Met::Folded(*id),
            None => Met::Folded(self.add(service, OTHER_SHAPE, "<other>".into())),
        }
    }

    fn add(&mut self, service: ServiceId, hash: u64, text: Box<str>) -> ShapeId {
        let id = u32::try_from(self.shapes.len()).unwrap_or(u32::MAX);
        self.shapes.push(Shape { service, hash, text: Some(text) });
        self.by_key.insert((service, hash), id);
        id
    }

    /// The shape of a number.
    pub(super) fn get(&self, id: ShapeId) -> &Shape {
        &self.shapes[id as usize]
    }

    /// The same for a number that may be none.
    pub(super) fn try_get(&self, id: ShapeId) -> Option<&Shape> {
        self.shapes.get(id as usize)
    }

    /// The text of a shape whose text was not passed on yet; leaves it passed on.
    pub(super) fn take_text(&mut self, id: ShapeId) -> Option<Box<str>> {
        self.shapes[id as usize].text.take()
    }

    /// Counts lines of a service.
    pub(super) fn count_lines(&mut self, service: ServiceId, lines: u64) {
        self.rarity.entry(service).or_default().lines += lines;
    }

    /// Takes note of a new shape and says whether such are rare in this service.
    pub(super) fn note_new(&mut self, service: ServiceId) -> bool {
        let rarity = self.rarity.entry(service).or_default();
        let oldest = rarity.recent[0];
        let rare = rarity.lines >= KNOWN_LINES && rarity.lines - oldest >= RARE_LINES;
        rarity.recent.rotate_left(1);
        rarity.recent[RECENT - 1] = rarity.lines;
        rare
    }
}
