//! One entry on disk, and the commit that ends a group of them.
//!
//! ```text
//!  0 crc32c of the header from byte 4, over segment salt and position
//!  4 crc32c of tenant and payload, over the same
//!  8 payload bytes, u32      12 telemetry records, u32 (commit: frames of the group)
//! 16 offset, u64 (commit: sequence of the group)
//! 24 receive time, u64 ns    32 stream    33 kind    34 partition, u16
//! 36 tenant bytes, u8        37 group tag, u24: low bits of the group's sequence
//! 40 tenant, payload, zeros up to a multiple of 8
//! ```
//! All little-endian. The seed makes a frame valid at one position of one life of one file, so neither what is left
//! in a recycled file nor a copy of a frame inside a payload can pass for a frame.

use crc32c::crc32c_append;
use foreshock_model::Timestamp;

use super::{
    buffer::AlignedBuffer,
    layout::{stream_code, stream_of},
};
use crate::{Entry, EntryKind, Offset, Partition, Payload};

/// Bytes before the tenant.
pub(super) const HEADER_BYTES: usize = 40;
/// Frames begin at multiples of this.
pub(super) const FRAME_ALIGN: usize = 8;
/// Copied and summed in pieces that stay in the first-level cache.
const PIECE: usize = 16 << 10;
const TAG_MASK: u64 = 0xff_ffff;

/// What binds checksums to one life of a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal(u32);

impl Seal {
    pub(super) fn new(salt: u64) -> Self {
        Self(crc32c::crc32c(&salt.to_le_bytes()))
    }

    fn at(self, position: u64) -> u32 {
        crc32c_append(self.0, &position.to_le_bytes())
    }
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Entry(EntryKind),
    /// Ends a group; without it the group never was.
    Commit,
}

impl FrameKind {
    fn code(self) -> u8 {
        match self {
            Self::Entry(EntryKind::Data) => 1,
            Self::Entry(EntryKind::Tick) => 2,
            Self::Entry(EntryKind::Marker) => 3,
            Self::Entry(EntryKind::Skip) => 4,
            Self::Commit => 5,
        }
    }

    fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Entry(EntryKind::Data),
            2 => Self::Entry(EntryKind::Tick),
            3 => Self::Entry(EntryKind::Marker),
            4 => Self::Entry(EntryKind::Skip),
            5 => Self::Commit,
            _ => return None,
        })
    }
}

/// The low bits of a group's sequence: tells a group's frames from its neighbours'.
pub(super) fn group_tag(sequence: u64) -> u32 {
    (sequence & TAG_MASK) as u32
}

/// A frame's header, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: FrameKind,
    pub(super) partition: Partition,
    pub(super) offset: u64,
    pub(super) received: Timestamp,
    pub(super) records: u32,
    pub(super) tenant_bytes: u8,
    pub(super) payload_bytes: u32,
    pub(super) tag: u32,
    body_crc: u32,
}

impl Header {
    /// Reads the header at `position` of a segment; `None` where its checksum does not fit.
    pub(super) fn read(bytes: &[u8], seal: Seal, position: u64) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        // Before the checksum, which takes longer: most places that are tried behind a bad one hold nothing like it.
        let (kind, stream) = (FrameKind::of(bytes[33])?, stream_of(bytes[32])?);
        if u32_at(bytes, 0) != crc32c_append(seal.at(position), &bytes[4..]) {
            return None;
        }
        Some(Self {
            kind,
            partition: Partition::new(stream, u16::from_le_bytes([bytes[34], bytes[35]])),
            offset: u64_at(bytes, 16),
            received: Timestamp(u64_at(bytes, 24)),
            records: u32_at(bytes, 12),
            tenant_bytes: bytes[36],
            payload_bytes: u32_at(bytes, 8),
            tag: u32::from_le_bytes([bytes[37], bytes[38], bytes[39], 0]),
            body_crc: u32_at(bytes, 4),
        })
    }

    /// Bytes of tenant and payload.
    pub(super) fn body_bytes(&self) -> usize {
        usize::from(self.tenant_bytes) + self.payload_bytes as usize
    }

    /// Bytes of the whole frame.
    pub(super) fn frame_bytes(&self) -> u64 {
        (HEADER_BYTES + self.body_bytes()).next_multiple_of(FRAME_ALIGN) as u64
    }

    /// Whether a body is the one that was written with this header.
    pub(super) fn fits(&self, body: &[u8], seal: Seal, position: u64) -> bool {
        self.body_crc == crc32c_append(!seal.at(position), body)
    }
}

/// Bytes an entry takes on disk.
pub(super) fn entry_bytes(entry: &Entry) -> usize {
    (HEADER_BYTES + entry.tenant.as_str().len() + entry.payload.len()).next_multiple_of(FRAME_ALIGN)
}

/// Appends an entry's frame, which lands at `position` of the segment. Returns where in the buffer its payload is.
pub(super) fn write_entry(
    buffer: &mut AlignedBuffer,
    seal: Seal,
    position: u64,
    tag: u32,
    partition: Partition,
    offset: Offset,
    entry: &Entry,
) -> std::ops::Range<usize> {
    let header = Header {
        kind: FrameKind::Entry(entry.kind),
        partition,
        offset: offset.0,
        received: entry.received,
        records: entry.records,
        // Tenants have at most 64 bytes, payloads fit a segment, which is below 4 GiB.
        tenant_bytes: entry.tenant.as_str().len() as u8,
        payload_bytes: entry.payload.len() as u32,
        tag,
        body_crc: 0,
    };
    write_frame(buffer, seal, position, header, entry.tenant.as_str().as_bytes(), &entry.payload)
}

/// Appends the frame that makes a group of `frames` frames count.
pub(super) fn write_commit(
    buffer: &mut AlignedBuffer,
    seal: Seal,
    position: u64,
    sequence: u64,
    frames: u32,
    body: Vec<u8>,
) {
    let header = Header {
        kind: FrameKind::Commit,
        partition: Partition::new(crate::Stream::Logs, 0),
        offset: sequence,
        received: Timestamp(0),
        records: frames,
        tenant_bytes: 0,
        payload_bytes: body.len() as u32,
        tag: group_tag(sequence),
        body_crc: 0,
    };
    write_frame(buffer, seal, position, header, &[], &Payload::from(body));
}

fn write_frame(
    buffer: &mut AlignedBuffer,
    seal: Seal,
    position: u64,
    header: Header,
    tenant: &[u8],
    payload: &Payload,
) -> std::ops::Range<usize> {
    let start = buffer.len();
    buffer.extend(&[0; HEADER_BYTES]);
    let mut crc = crc32c_append(!seal.at(position), tenant);
    buffer.extend(tenant);
    let payload_start = buffer.len();
    for piece in payload.slices().iter().flat_map(|slice| slice.chunks(PIECE)) {
        crc = crc32c_append(crc, piece);
        buffer.extend(piece);
    }
    let payload_range = payload_start..buffer.len();
    buffer.pad_to(FRAME_ALIGN);

    let mut bytes = [0; HEADER_BYTES];
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    bytes[8..12].copy_from_slice(&header.payload_bytes.to_le_bytes());
    bytes[12..16].copy_from_slice(&header.records.to_le_bytes());
    bytes[16..24].copy_from_slice(&header.offset.to_le_bytes());
    bytes[24..32].copy_from_slice(&header.received.nanos().to_le_bytes());
    bytes[32] = stream_code(header.partition.stream);
    bytes[33] = header.kind.code();
    bytes[34..36].copy_from_slice(&header.partition.index.to_le_bytes());
    bytes[36] = header.tenant_bytes;
    bytes[37..40].copy_from_slice(&header.tag.to_le_bytes()[..3]);
    let header_crc = crc32c_append(seal.at(position), &bytes[4..]);
    bytes[..4].copy_from_slice(&header_crc.to_le_bytes());
    buffer.patch(start, &bytes);
    payload_range
}

fn u32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use foreshock_model::Tenant;

    use super::*;
    use crate::{Stream, embedded::buffer::BufferPool};

    fn frame() -> (Vec<u8>, Seal) {
        let mut buffer = BufferPool::default().take(4096);
        let seal = Seal::new(42);
        let entry = Entry::data(Tenant::default(), Timestamp(9), 3, b"payload".to_vec());
        let at = Partition::new(Stream::Spans, 2);
        let payload = write_entry(&mut buffer, seal, 8192, 7, at, Offset(5), &entry);
        assert_eq!(&buffer.as_ref()[payload], b"payload");
        assert_eq!(buffer.len(), entry_bytes(&entry));
        (buffer.as_ref().to_vec(), seal)
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let (bytes, seal) = frame();
        let header = Header::read(&bytes, seal, 8192).unwrap();
        assert_eq!(header.partition, Partition::new(Stream::Spans, 2));
        assert_eq!((header.offset, header.records, header.tag), (5, 3, 7));
        assert_eq!(header.frame_bytes(), bytes.len() as u64);
        assert!(header.fits(&bytes[HEADER_BYTES..HEADER_BYTES + header.body_bytes()], seal, 8192));
    }

    #[test]
    fn a_frame_with_any_bit_flipped_or_in_another_place_or_life_is_no_frame() {
        let (bytes, seal) = frame();
        let valid = |bytes: &[u8], seal, at| {
            Header::read(bytes, seal, at).is_some_and(|header| {
                bytes
                    .get(HEADER_BYTES..HEADER_BYTES + header.body_bytes())
                    .is_some_and(|body| header.fits(body, seal, at))
            })
        };
        assert!(valid(&bytes, seal, 8192));
        assert!(!valid(&bytes, seal, 8200));
        assert!(!valid(&bytes, Seal::new(43), 8192));
        let body_end = HEADER_BYTES + "default".len() + "payload".len();
        for bit in 0..body_end * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!valid(&bytes, seal, 8192), "bit {bit}");
        }
    }
}
