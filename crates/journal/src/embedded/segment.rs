//! A segment file: a header (twice, so that one bad block does not take the file with it), the checkpoint of what
//! was before, then groups of frames.
//!
//! A file gets its `.seg` name only after header and checkpoint are durable, so a segment whose header is bad was
//! damaged, never half made. No block is written twice in one life of a file: opening a journal begins a new
//! segment, and so does going on after a failed write.

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use crc32c::crc32c;
use foreshock_model::Timestamp;

use super::{
    buffer::BufferPool,
    checkpoint::{Checkpoint, Head},
    codec::Fields,
    frame::Seal,
    index::Index,
    layout::{BLOCK, Counts, Slots, Volume, block_up},
    storage::{Access, File, Storage},
    sync::locked,
};
use crate::JournalError;

const MAGIC: &[u8; 8] = b"FSHKSEG\n";
const VERSION: u32 = 1;
/// The part of the header's block that is used; its last four bytes are the checksum, in every version.
const HEADER_BYTES: usize = 256;
const CHECKPOINT_AT: u64 = 2 * BLOCK;

/// What the head of a segment file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) volume: Volume,
    pub(super) sequence: u64,
    pub(super) salt: u64,
    pub(super) created: Timestamp,
    /// Sequence of the segment before it.
    pub(super) previous: u64,
    /// Where the valid bytes of the segment before it end: what lies beyond was never acknowledged.
    pub(super) previous_end: u64,
    pub(super) counts: Counts,
}

/// A segment as readers, retention and recovery see it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) path: PathBuf,
    pub(super) seal: Seal,
    /// Where each partition stood at its start, by slot.
    pub(super) start: Vec<Head>,
    /// Where its first group begins.
    pub(super) data_start: u64,
    /// Where its last durable group ends.
    end: AtomicU64,
    /// Length of the file.
    file_bytes: AtomicU64,
    /// Where each partition's frames are; `None` until a reader needs it.
    pub(super) index: Mutex<Option<Index>>,
}

impl Segment {
    pub(super) fn new(
        header: SegmentHeader,
        path: PathBuf,
        start: Vec<Head>,
        data_start: u64,
        file_bytes: u64,
    ) -> Self {
        Self {
            seal: Seal::new(header.salt),
            header,
            path,
            start,
            data_start,
            end: AtomicU64::new(data_start),
            file_bytes: AtomicU64::new(file_bytes),
            index: Mutex::new(None),
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(super) fn set_end(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn set_file_bytes(&self, bytes: u64) {
        self.file_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.end() == self.data_start
    }

    pub(super) fn drop_index(&self) {
        *locked(&self.index) = None;
    }
}

impl SegmentHeader {
    fn encode(&self, checkpoint: &[u8]) -> [u8; HEADER_BYTES] {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend((self.volume.index() as u32).to_le_bytes());
        for field in [self.sequence, self.salt, self.created.nanos(), self.previous, self.previous_end] {
            out.extend(field.to_le_bytes());
        }
        for count in self.counts.0 {
            out.extend(count.to_le_bytes());
        }
        out.extend((checkpoint.len() as u32).to_le_bytes());
        out.extend(crc32c(checkpoint).to_le_bytes());
        let mut block = [0; HEADER_BYTES];
        block[..out.len()].copy_from_slice(&out);
        let crc = crc32c(&block[..HEADER_BYTES - 4]);
        block[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        block
    }

    /// Header, checkpoint length and checksum; `Err` with a reason where this version can't read it.
    fn decode(block: &[u8]) -> Option<Result<(Self, u32, u32), String>> {
        let (body, crc) = block.get(..HEADER_BYTES)?.split_at(HEADER_BYTES - 4);
        if crc32c(body).to_le_bytes() != crc {
            return None;
        }
        let mut fields = Fields(body);
        if fields.bytes(MAGIC.len())? != MAGIC {
            return None;
        }
        let version = fields.u32()?;
        if version != VERSION {
            return Some(Err(format!(
                "its format is {version}, this version reads {VERSION}; use the version that wrote it"
            )));
        }
        let volume = *Volume::ALL.get(fields.u32()? as usize)?;
        let (sequence, salt, created) = (fields.u64()?, fields.u64()?, Timestamp(fields.u64()?));
        let (previous, previous_end) = (fields.u64()?, fields.u64()?);
        let mut counts = Counts([0; 9]);
        for count in &mut counts.0 {
            *count = fields.u16()?;
        }
        let header = Self { volume, sequence, salt, created, previous, previous_end, counts };
        Some(Ok((header, fields.u32()?, fields.u32()?)))
    }
}

/// What the head of a file turned out to be.
pub(super) enum HeadOfFile {
    /// The header, the place of the first group, and the checkpoint where it is whole.
    Segment { header: SegmentHeader, data_start: u64, checkpoint: Option<Checkpoint> },
    /// Neither copy of the header has its checksum.
    Damaged,
}

/// Reads the head of a segment file. Fails where this version can't read it.
pub(super) fn read_head(
    file: &dyn File,
    path: &Path,
    slots: impl FnOnce(&SegmentHeader) -> Result<Slots, String>,
) -> Result<HeadOfFile, JournalError> {
    let io = |source| JournalError::Io { path: path.to_owned(), source };
    let unreadable = |reason| JournalError::Unreadable { path: path.to_owned(), reason };
    let mut blocks = vec![0; CHECKPOINT_AT as usize];
    let read = file.read_at(&mut blocks, 0).map_err(io)?;
    let copies =
        [&blocks[..read.min(BLOCK as usize)], blocks[..read].get(BLOCK as usize..).unwrap_or_default()];
    let Some(found) = copies.into_iter().find_map(SegmentHeader::decode) else {
        return Ok(HeadOfFile::Damaged);
    };
    let (header, length, crc) = found.map_err(unreadable)?;
    let slots = slots(&header).map_err(unreadable)?;
    let data_start = block_up(CHECKPOINT_AT + u64::from(length));
    let mut bytes = vec![0; length as usize];
    let read = file.read_at(&mut bytes, CHECKPOINT_AT).map_err(io)?;
    let whole = read == bytes.len() && crc32c(&bytes) == crc;
    let checkpoint = whole.then(|| Checkpoint::decode(&bytes, &slots)).flatten();
    Ok(HeadOfFile::Segment { header, data_start, checkpoint })
}

/// Whether an open file still holds a segment, and was not given a new life meanwhile.
pub(super) fn is_still(file: &dyn File, segment: &Segment) -> bool {
    let mut block = vec![0; HEADER_BYTES];
    let read = file.read_at(&mut block, 0);
    // A header that is damaged tells nothing either way.
    match read.ok().and_then(|_| SegmentHeader::decode(&block)) {
        Some(Ok((header, ..))) => header.salt == segment.header.salt,
        _ => true,
    }
}

/// A segment to be made.
pub(super) struct NewSegment<'a> {
    /// The file to begin with, by a name that counts for nothing.
    pub(super) spare: &'a Path,
    /// Whether that file is there, to be written over.
    pub(super) recycled: bool,
    /// The name it gets once it is durable.
    pub(super) path: &'a Path,
    pub(super) header: SegmentHeader,
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) segment_bytes: u64,
}

/// Makes a segment under a name that counts for nothing, then gives it its own. Durable when it returns.
pub(super) fn create(
    storage: &dyn Storage,
    buffers: &BufferPool,
    new: NewSegment<'_>,
) -> std::io::Result<(Box<dyn File>, Segment)> {
    let NewSegment { spare, recycled, path, header, checkpoint, segment_bytes } = new;
    let file = if recycled {
        storage.open(spare, Access::WriteBlocks)?
    } else {
        storage.create(spare, Access::WriteBlocks)?
    };
    file.allocate(segment_bytes)?;
    let body = checkpoint.encode();
    let block = header.encode(&body);
    let mut buffer = buffers.take(CHECKPOINT_AT as usize + body.len() + BLOCK as usize);
    for _ in 0..2 {
        buffer.extend(&block);
        buffer.pad_to(BLOCK as usize);
    }
    buffer.extend(&body);
    buffer.pad_to(BLOCK as usize);
    let bytes = buffer.freeze();
    file.write_at(&bytes, 0)?;
    file.sync()?;
    storage.rename(spare, path)?;
    if let Some(dir) = path.parent() {
        storage.sync_dir(dir)?;
    }
    let data_start = bytes.len() as u64;
    let segment = Segment::new(header, path.to_owned(), checkpoint.heads.clone(), data_start, segment_bytes);
    *locked(&segment.index) = Some(Index::new(checkpoint.heads.len()));
    Ok((file, segment))
}
