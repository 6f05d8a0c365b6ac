//! Walks the frames of a stretch of a segment file, and finds its way again behind a bad place.

use std::io;

use bytes::Bytes;

use super::{
    buffer::BufferPool,
    frame::{FRAME_ALIGN, FrameKind, HEADER_BYTES, Header, Seal},
    layout::{BLOCK, block_up},
    storage::File,
};

/// How much is read at once.
const CHUNK_BYTES: u64 = 1 << 20;
/// The same where only headers are wanted and most bodies are passed over.
const HEADERS_CHUNK_BYTES: u64 = 16 << 10;
/// As far as one group of small batches reaches.
const NEARBY_BYTES: u64 = 5 << 20;
/// How often a block that the device can't read is tried before it counts as damaged.
const READ_TRIES: usize = 3;

/// How far to look for valid frames behind a bad place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resync {
    /// To the end of the stretch: everything in it was acknowledged, or may have been.
    Everywhere,
    /// A little, and further only if a later group begins somewhere behind it: else the bad place is most probably
    /// where writing stopped.
    Nearby,
}

/// What comes next in a stretch.
#[derive(Debug)]
pub(super) enum Found {
    /// A frame; with its body, checked, where it was wanted.
    Frame(Frame),
    /// Bytes from `at` to `end` that are no valid frame. With the header where only the body is bad.
    Bad { at: u64, end: u64, header: Option<Header> },
    /// No more.
    End,
}

/// A valid frame.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) at: u64,
    pub(super) end: u64,
    pub(super) header: Header,
    /// Tenant and payload, where they were wanted.
    pub(super) body: Option<Bytes>,
}

/// A piece of a file, as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    at: u64,
    bytes: Bytes,
}

/// A walk over the frames from `at` to `end`.
pub(super) struct Scanner<'a> {
    file: &'a dyn File,
    seal: Seal,
    at: u64,
    end: u64,
    resync: Resync,
    chunk_bytes: u64,
    chunk: Chunk,
    buffers: BufferPool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(file: &'a dyn File, seal: Seal, at: u64, end: u64, resync: Resync) -> Self {
        let (chunk_bytes, chunk, buffers) = (CHUNK_BYTES, Chunk::default(), BufferPool::default());
        Self { file, seal, at, end, resync, chunk_bytes, chunk, buffers }
    }

    /// For a walk that goes on where another of the same file ended, with what that one had read, in memory of a pool.
    pub(super) fn going_on(self, chunk: Chunk, buffers: &BufferPool) -> Self {
        Self { chunk, buffers: buffers.clone(), ..self }
    }

    /// What was read last.
    pub(super) fn into_chunk(self) -> Chunk {
        self.chunk
    }

    /// For a walk that wants no bodies.
    pub(super) fn headers_only(self) -> Self {
        Self { chunk_bytes: HEADERS_CHUNK_BYTES, ..self }
    }

    /// Goes back to a place and reads it from the device again.
    pub(super) fn again_from(&mut self, at: u64) {
        self.file.forget_cache();
        self.chunk = Chunk::default();
        self.at = at;
    }

    /// The next frame or bad place. `wants` says whether a frame's body is to be read and checked.
    pub(super) fn next(&mut self, wants: impl Fn(&Header) -> bool) -> io::Result<Found> {
        let at = self.at;
        if at + HEADER_BYTES as u64 > self.end {
            return Ok(Found::End);
        }
        let header = Header::read(&self.window(at, HEADER_BYTES)?, self.seal, at)
            .filter(|header| at + header.frame_bytes() <= self.end);
        let Some(header) = header else {
            let Some(end) = self.next_valid(at)? else {
                self.at = self.end;
                return Ok(match self.resync {
                    Resync::Everywhere => Found::Bad { at, end: self.end, header: None },
                    Resync::Nearby => Found::End,
                });
            };
            self.at = end;
            return Ok(Found::Bad { at, end, header: None });
        };
        let end = at + header.frame_bytes();
        self.at = if header.kind == FrameKind::Commit { block_up(end) } else { end };
        if !wants(&header) {
            return Ok(Found::Frame(Frame { at, end, header, body: None }));
        }
        let body = self.window(at, HEADER_BYTES + header.body_bytes())?.slice(HEADER_BYTES..);
        Ok(if body.len() == header.body_bytes() && header.fits(&body, self.seal, at) {
            Found::Frame(Frame { at, end, header, body: Some(body) })
        } else {
            Found::Bad { at, end, header: Some(header) }
        })
    }

    /// The next place behind `at` where a frame's header is valid.
    fn next_valid(&mut self, at: u64) -> io::Result<Option<u64>> {
        let limit = match self.resync {
            Resync::Everywhere => self.end,
            Resync::Nearby => {
                let group = self.search(block_up(at + 1), self.end, BLOCK)?;
                group.map_or(self.end.min(at + NEARBY_BYTES), |group| group + HEADER_BYTES as u64)
            }
        };
        self.search(at + FRAME_ALIGN as u64, limit, FRAME_ALIGN as u64)
    }

    fn search(&mut self, from: u64, to: u64, step: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at + HEADER_BYTES as u64 <= to {
            self.window(at, HEADER_BYTES)?;
            // As far as what is in memory reaches.
            let mut left = &self.chunk.bytes[(at - self.chunk.at) as usize..];
            while left.len() >= HEADER_BYTES && at + HEADER_BYTES as u64 <= to {
                if Header::read(left, self.seal, at).is_some_and(|h| at + h.frame_bytes() <= self.end) {
                    return Ok(Some(at));
                }
                at += step;
                left = left.get(step as usize..).unwrap_or_default();
            }
        }
        Ok(None)
    }

    /// The bytes at a place, fewer than asked only where the stretch or the file ends.
    fn window(&mut self, at: u64, bytes: usize) -> io::Result<Bytes> {
        let bytes = bytes.min((self.end - at) as usize);
        if !self.chunk.holds(at, bytes) {
            let wanted = self.chunk_bytes.max(bytes as u64).min(self.end - at) as usize;
            let mut buffer = self.buffers.take_to_fill(wanted);
            read_into(self.file, at, buffer.as_mut())?;
            self.chunk = Chunk { at, bytes: buffer.freeze() };
        }
        let from = (at - self.chunk.at) as usize;
        Ok(self.chunk.bytes.slice(from..(from + bytes).min(self.chunk.bytes.len())))
    }
}

impl Chunk {
    fn holds(&self, at: u64, bytes: usize) -> bool {
        at >= self.at && at + bytes as u64 <= self.at + self.bytes.len() as u64
    }
}

/// Fills `chunk` with what stands at a place of a file. Blocks that the device can't read are zeros, which no frame's
/// checksum fits.
pub(super) fn read_into(file: &dyn File, at: u64, chunk: &mut [u8]) -> io::Result<()> {
    let bytes = chunk.len();
    match file.read_at(chunk, at) {
        // Behind the end of the file there is nothing, which is as good as zeros.
        Ok(read) => {
            chunk[read..].fill(0);
            return Ok(());
        }
        Err(error) => tracing::warn!(%error, at, bytes, "a stretch can't be read, trying block by block"),
    }
    let mut from = 0;
    while from < bytes {
        let place = at + from as u64;
        let to = ((block_up(place + 1) - at) as usize).min(bytes);
        let piece = &mut chunk[from..to];
        if !(0..READ_TRIES).any(|_| file.read_at(piece, place).is_ok()) {
            piece.fill(0);
        }
        from = to;
    }
    Ok(())
}
