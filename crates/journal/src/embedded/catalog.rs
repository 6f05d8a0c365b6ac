//! The segments of a volume that are there, oldest first.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use super::{checkpoint::Head, segment::Segment, sync::locked};

/// Sealed segments that keep an index in memory, at most.
const INDEXED: usize = 16;

/// The list that the writer changes and readers look up.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    segments: RwLock<Vec<Arc<Segment>>>,
    /// Sequences of the sealed segments with an index, oldest build first.
    indexed: Mutex<VecDeque<u64>>,
}

impl Catalog {
    pub(super) fn new(segments: Vec<Arc<Segment>>) -> Self {
        Self { segments: RwLock::new(segments), indexed: Mutex::default() }
    }

    pub(super) fn push(&self, segment: Arc<Segment>) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).push(segment);
    }

    /// All of them, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the oldest off the list, unless it is the only one.
    pub(super) fn pop_oldest(&self) -> Option<Arc<Segment>> {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        (segments.len() > 1).then(|| segments.remove(0))
    }

    /// Takes one that holds nothing off the list.
    pub(super) fn remove(&self, sequence: u64) -> Option<Arc<Segment>> {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        let at = segments.iter().position(|segment| segment.header.sequence == sequence)?;
        Some(segments.remove(at))
    }

    /// The oldest and the one after it.
    pub(super) fn oldest_two(&self) -> Option<(Arc<Segment>, Arc<Segment>)> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        Some((segments.first()?.clone(), segments.get(1)?.clone()))
    }

    /// Where each partition begins.
    pub(super) fn start(&self, slot: usize) -> Head {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.first().map_or_else(Head::default, |segment| segment.start[slot])
    }

    /// The segment that holds an offset of a partition, if any does.
    pub(super) fn find(&self, slot: usize, offset: u64) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let behind = segments.partition_point(|segment| segment.start[slot].next <= offset);
        segments.get(behind.checked_sub(1)?).cloned()
    }

    /// The segment that follows another.
    pub(super) fn after(&self, sequence: u64) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.get(segments.partition_point(|segment| segment.header.sequence <= sequence)).cloned()
    }

    /// Bytes of all files.
    pub(super) fn file_bytes(&self) -> u64 {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.iter().map(|segment| segment.file_bytes()).sum()
    }

    /// Notes that a sealed segment has an index now; the one that has had its for longest loses it.
    pub(super) fn note_indexed(&self, sequence: u64) {
        let dropped = {
            let mut indexed = locked(&self.indexed);
            indexed.push_back(sequence);
            if indexed.len() > INDEXED { indexed.pop_front() } else { None }
        };
        if let Some(dropped) = dropped {
            let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(segment) = segments.iter().find(|segment| segment.header.sequence == dropped) {
                segment.drop_index();
            }
        }
    }
}
