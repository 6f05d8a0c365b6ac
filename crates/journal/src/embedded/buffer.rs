//! Memory that direct writes accept, and that readers then share.
//!
//! Direct writes want an address that is a multiple of a block. A `Vec` has none in particular, so one block more
//! is taken and the bytes begin where the address fits. The buffer is given back to the pool when the last
//! reader's slice of it is dropped.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
};

use bytes::Bytes;

use super::{layout::BLOCK, sync::locked};

const ALIGN: usize = BLOCK as usize;
/// Larger buffers are given back to the allocator.
const LARGEST_KEPT: usize = 5 << 20;
const KEPT_BYTES: usize = 16 << 20;

/// Buffers that wait to be used again.
#[derive(Clone, Debug, Default)]
pub(super) struct BufferPool(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    by_capacity: BTreeMap<usize, Vec<Vec<u8>>>,
    bytes: usize,
}

/// Bytes that begin at a multiple of a block.
#[derive(Debug)]
pub(super) struct AlignedBuffer {
    memory: Vec<u8>,
    start: usize,
    pool: Weak<Mutex<Kept>>,
}

impl BufferPool {
    /// An empty buffer with room for `bytes`.
    pub(super) fn take(&self, bytes: usize) -> AlignedBuffer {
        let (mut memory, start) = self.take_memory(bytes);
        memory.clear();
        memory.resize(start, 0);
        AlignedBuffer { memory, start, pool: Arc::downgrade(&self.0) }
    }

    /// A buffer of `bytes`, all of which are to be overwritten: whatever was in it last.
    pub(super) fn take_to_fill(&self, bytes: usize) -> AlignedBuffer {
        let (mut memory, start) = self.take_memory(bytes);
        memory.resize(start + bytes, 0);
        AlignedBuffer { memory, start, pool: Arc::downgrade(&self.0) }
    }

    /// Memory with room for `bytes`, and where they are to begin in it.
    fn take_memory(&self, bytes: usize) -> (Vec<u8>, usize) {
        // Rounded so that buffers of about the same size can take each other's place.
        let step = if bytes > 64 << 10 { 64 << 10 } else { ALIGN };
        let wanted = bytes.next_multiple_of(step) + ALIGN;
        let kept = {
            let mut pool = locked(&self.0);
            // A little larger is fine; much larger would be pinned by a small entry.
            let fitting =
                pool.by_capacity.range(wanted..=wanted + wanted / 4).map(|(capacity, _)| *capacity).next();
            fitting.and_then(|capacity| pool.take(capacity))
        };
        let memory = kept.unwrap_or_else(|| Vec::with_capacity(wanted));
        let start = match memory.as_ptr().align_offset(ALIGN) {
            // The address can't be known (never so on a real machine): unaligned, the file falls back.
            usize::MAX => 0,
            start => start,
        };
        (memory, start)
    }
}

impl Kept {
    fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let buffers = self.by_capacity.get_mut(&capacity)?;
        let buffer = buffers.pop();
        if buffers.is_empty() {
            self.by_capacity.remove(&capacity);
        }
        self.bytes -= buffer.as_ref().map_or(0, Vec::capacity);
        buffer
    }

    fn give(&mut self, buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity <= LARGEST_KEPT && self.bytes + capacity <= KEPT_BYTES {
            self.bytes += capacity;
            self.by_capacity.entry(capacity).or_default().push(buffer);
        }
    }
}

impl AlignedBuffer {
    pub(super) fn len(&self) -> usize {
        self.memory.len() - self.start
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    pub(super) fn pad_to(&mut self, multiple: usize) {
        let length = self.len().next_multiple_of(multiple);
        self.memory.resize(self.start + length, 0);
    }

    pub(super) fn patch(&mut self, at: usize, bytes: &[u8]) {
        let at = self.start + at;
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for AlignedBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[self.start..]
    }
}

impl AsMut<[u8]> for AlignedBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..]
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            locked(&pool).give(std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_and_comes_back_when_its_last_slice_is_dropped() {
        let pool = BufferPool::default();
        let mut buffer = pool.take(10_000);
        buffer.extend(&[7; 10_000]);
        buffer.pad_to(ALIGN);
        assert_eq!(buffer.as_ref().as_ptr().align_offset(ALIGN), 0);
        assert_eq!(buffer.len(), 3 * ALIGN);
        let bytes = buffer.freeze();
        let slice = bytes.slice(5_000..5_010);
        drop(bytes);
        assert_eq!(locked(&pool.0).bytes, 0);
        assert_eq!(slice, &[7; 10][..]);
        drop(slice);
        assert!(locked(&pool.0).bytes > 10_000);
        let again = pool.take(11_000);
        assert_eq!((again.len(), locked(&pool.0).bytes), (0, 0));
        drop(again);
        let mut to_fill = pool.take_to_fill(11_000);
        assert_eq!((to_fill.as_mut().len(), locked(&pool.0).bytes), (11_000, 0));
    }
}
