//! Reads a partition's entries from segment files: for readers that are behind what memory holds.

use std::sync::Arc;

use bytes::Bytes;
use foreshock_model::Tenant;

use super::{
    buffer::BufferPool,
    catalog::Catalog,
    damage::Damage,
    frame::{FrameKind, Header},
    index::{Index, Run},
    layout::Slots,
    scan::{Chunk, Found, Frame, Resync, Scanner},
    segment::{Segment, is_still},
    storage::{Access, File, Storage},
    sync::locked,
};
use crate::{Entry, Fetched, JournalError, Offset, Partition, Payload};

/// What reading from disk needs of a volume.
#[derive(Clone)]
pub(super) struct VolumeFiles {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) slots: Slots,
    pub(super) damage: Arc<Damage>,
    /// What is read into.
    pub(super) buffers: BufferPool,
}

/// Where a reader is in the files, so that it goes on without looking for its place again.
pub(super) struct Cursor {
    segment: Arc<Segment>,
    file: Box<dyn File>,
    /// The place behind the entry read last, and the offset wanted there.
    resume: Option<(u64, u64)>,
    /// What was read last: it mostly reaches beyond what was wanted.
    chunk: Chunk,
    tenant: Tenant,
}

/// Reads from `position` on, about `max_bytes` of payloads and at least one entry where there is one. Moves
/// `position` behind what was read, and over what is damaged.
pub(super) fn fetch(
    files: &VolumeFiles,
    partition: Partition,
    position: &mut u64,
    max_bytes: usize,
    held: &mut Option<Cursor>,
) -> Result<Fetched, JournalError> {
    let slot = files.slots.slot(partition).ok_or(JournalError::NoPartition(partition))?;
    let Some(mut segment) = files.catalog.find(slot, *position) else {
        let first = Offset(files.catalog.start(slot).next);
        return Err(JournalError::OutOfRange { partition, first, asked: Offset(*position) });
    };
    loop {
        let mut cursor = match held.take() {
            Some(cursor) if cursor.segment.header.sequence == segment.header.sequence => cursor,
            _ => Cursor::open(files, segment.clone())?,
        };
        let fetched = cursor.read(files, slot, partition, *position, max_bytes)?;
        if let Some((last, _)) = fetched.last() {
            *position = last.0 + 1;
            *held = Some(cursor);
            return Ok(fetched);
        }
        // Nothing more in this one: the end, or the rest of it is damaged.
        match files.catalog.after(segment.header.sequence) {
            Some(next) => {
                *position = next.start[slot].next.max(*position);
                segment = next;
            }
            None => {
                *held = Some(cursor);
                return Ok(Fetched::new());
            }
        }
    }
}

impl Cursor {
    fn open(files: &VolumeFiles, segment: Arc<Segment>) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: segment.path.clone(), source };
        let file = files.storage.open(&segment.path, Access::Read).map_err(io)?;
        ensure_index(files, &segment, &*file).map_err(io)?;
        Ok(Self { segment, file, resume: None, chunk: Chunk::default(), tenant: Tenant::default() })
    }

    fn read(
        &mut self,
        files: &VolumeFiles,
        slot: usize,
        partition: Partition,
        position: u64,
        max_bytes: usize,
    ) -> Result<Fetched, JournalError> {
        let io = |source| JournalError::Io { path: self.segment.path.clone(), source };
        let mut fetched = Fetched::new();
        let mut bytes = 0;
        let mut from = match self.resume {
            Some((offset, at)) if offset == position => at,
            _ => self.indexed(files, |index| index.locate(slot, position)).map_err(io)?,
        };
        while let Some(stretch) = self.indexed(files, |index| index.stretch(slot, from)).map_err(io)? {
            from = stretch.end;
            let wants = |header: &Header| {
                matches!(header.kind, FrameKind::Entry(_))
                    && header.partition == partition
                    && header.offset >= position
            };
            let mut scanner =
                Scanner::new(&*self.file, self.segment.seal, stretch.start, stretch.end, Resync::Everywhere)
                    .going_on(std::mem::take(&mut self.chunk), &files.buffers);
            let mut tried_again = None;
            loop {
                match scanner.next(wants).map_err(io)? {
                    Found::End => break,
                    Found::Frame(Frame { body: None, .. }) => {}
                    Found::Frame(Frame { at, end, header, body: Some(body) }) => {
                        if bytes > 0 && bytes + header.payload_bytes as usize > max_bytes {
                            self.chunk = scanner.into_chunk();
                            return Ok(fetched);
                        }
                        let Some(entry) = entry_of(&header, &body, &mut self.tenant) else {
                            let why = "a frame names no tenant";
                            files.damage.set_aside(&self.segment, &*self.file, at..end, why);
                            continue;
                        };
                        bytes += header.payload_bytes as usize;
                        fetched.push((Offset(header.offset), entry));
                        self.resume = Some((header.offset + 1, end));
                    }
                    // What the page cache holds may be older than what was written past it.
                    Found::Bad { at, .. } if tried_again != Some(at) => {
                        tried_again = Some(at);
                        scanner.again_from(at);
                    }
                    Found::Bad { at, end, .. } => {
                        if !is_still(&*self.file, &self.segment) {
                            let first = Offset(files.catalog.start(slot).next);
                            return Err(JournalError::OutOfRange {
                                partition,
                                first,
                                asked: Offset(position),
                            });
                        }
                        let why = "a frame has a bad checksum";
                        files.damage.set_aside(&self.segment, &*self.file, at..end, why);
                    }
                }
            }
            self.chunk = scanner.into_chunk();
            if bytes >= max_bytes {
                break;
            }
        }
        Ok(fetched)
    }

    /// Looks something up in the segment's index, which may have been dropped since.
    fn indexed<T>(&self, files: &VolumeFiles, look: impl Fn(&Index) -> T) -> std::io::Result<T> {
        loop {
            if let Some(index) = &*locked(&self.segment.index) {
                return Ok(look(index));
            }
            ensure_index(files, &self.segment, &*self.file)?;
        }
    }
}

/// Builds a sealed segment's index where it has none. Readers that need the same one wait for the first.
fn ensure_index(files: &VolumeFiles, segment: &Segment, file: &dyn File) -> std::io::Result<()> {
    let mut held = locked(&segment.index);
    if held.is_some() {
        return Ok(());
    }
    let mut index = Index::new(files.slots.len());
    let mut scanner = Scanner::new(file, segment.seal, segment.data_start, segment.end(), Resync::Everywhere)
        .headers_only();
    let mut tried_again = None;
    loop {
        match scanner.next(|_| false)? {
            Found::End => break,
            Found::Frame(frame) => note(&mut index, &files.slots, &frame),
            Found::Bad { at, .. } if tried_again != Some(at) => {
                tried_again = Some(at);
                scanner.again_from(at);
            }
            Found::Bad { at, end, .. } => {
                files.damage.set_aside(segment, file, at..end, "frames have bad headers");
            }
        }
    }
    *held = Some(index);
    drop(held);
    files.catalog.note_indexed(segment.header.sequence);
    Ok(())
}

/// Notes a frame in an index.
pub(super) fn note(index: &mut Index, slots: &Slots, frame: &Frame) {
    if let (FrameKind::Entry(_), Some(slot)) = (frame.header.kind, slots.slot(frame.header.partition)) {
        index.note(slot, Run { first: frame.header.offset, start: frame.at, end: frame.end });
    }
}

/// The entry of a frame; `None` where its tenant is no name.
fn entry_of(header: &Header, body: &Bytes, last_tenant: &mut Tenant) -> Option<Entry> {
    let FrameKind::Entry(kind) = header.kind else { return None };
    let tenant_bytes = usize::from(header.tenant_bytes);
    let name = std::str::from_utf8(body.get(..tenant_bytes)?).ok()?;
    if last_tenant.as_str() != name {
        *last_tenant = Tenant::new(name).ok()?;
    }
    Some(Entry {
        tenant: last_tenant.clone(),
        received: header.received,
        kind,
        records: header.records,
        payload: Payload::Whole(body.slice(tenant_bytes..)),
        key: None,
    })
}
