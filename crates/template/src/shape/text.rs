//! The canonical text as it is written: of a size that no content exceeds, so that writing asks for no memory.

use std::ops::Deref;

use super::{MAX_CONTENT_BYTES, ParameterKind};

/// Bytes written in one step; what is beyond the end is overwritten by the next.
pub(super) const BLOCK: usize = 16;

/// The largest text: `1a1a` becomes `<num>a<num>a`, nothing grows more.
const CAPACITY: usize = 8 * MAX_CONTENT_BYTES + BLOCK;

#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    length: usize,
}

impl Text {
    /// Empty, and ready to be written.
    pub(super) fn clear(&mut self) {
        if self.bytes.is_empty() {
            self.bytes.resize(CAPACITY, 0);
        }
        self.length = 0;
    }

    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// The first `length` bytes of a block.
    #[inline(always)]
    pub(super) fn push_block<const N: usize>(&mut self, block: &[u8; N], length: usize) {
        if let Some(place) = self.bytes.get_mut(self.length..self.length + N) {
            place.copy_from_slice(block);
            self.length += length.min(N);
        }
    }

    pub(super) fn extend_from_slice(&mut self, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            place.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    /// Leaves one parameter of several of a kind with nothing but commas between them, in the token written from
    /// `from` on: `["red","old"]`.
    pub(super) fn shorten_lists(&mut self, from: usize) {
        if memchr::memmem::find(&self[from..], b">,<").is_none() {
            return;
        }
        let mark_at =
            |s: &[u8]| ParameterKind::MARKS.iter().find(|mark| s.starts_with(mark.as_bytes())).copied();
        let (mut at, mut kept) = (from, from);
        while at < self.length {
            let mark = mark_at(&self.bytes[at..self.length]);
            let length = mark.map_or(1, str::len);
            self.bytes.copy_within(at..at + length, kept);
            (at, kept) = (at + length, kept + length);
            // The same again, behind a comma.
            while let Some(mark) = mark
                && self.bytes[at..self.length]
                    .strip_prefix(b",")
                    .is_some_and(|s| s.starts_with(mark.as_bytes()))
            {
                at += 1 + mark.len();
            }
        }
        self.length = kept;
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}

impl Deref for Text {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
