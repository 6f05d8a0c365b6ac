//! Little-endian fields of headers, checkpoints and commits.

use crate::{Offset, Partition};

use super::layout::{stream_code, stream_of};

/// Takes fields off the front of bytes; `None` once they are too few.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.bytes(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    pub(super) fn partition(&mut self) -> Option<Partition> {
        let stream = stream_of(self.u8()?)?;
        Some(Partition::new(stream, self.u16()?))
    }

    pub(super) fn offset(&mut self) -> Option<Offset> {
        self.u64().map(Offset)
    }

    /// A text of up to 255 bytes behind its length.
    pub(super) fn name(&mut self) -> Option<&'a str> {
        let length = usize::from(self.u8()?);
        std::str::from_utf8(self.bytes(length)?).ok()
    }
}

/// Appends a partition.
pub(super) fn put_partition(out: &mut Vec<u8>, partition: Partition) {
    out.push(stream_code(partition.stream));
    out.extend(partition.index.to_le_bytes());
}

/// Appends a text of up to 255 bytes behind its length.
pub(super) fn put_name(out: &mut Vec<u8>, name: &str) {
    debug_assert!(name.len() <= 255);
    out.push(name.len() as u8);
    out.extend(name.as_bytes());
}
