//! Snapshots of states: one file a consumer and partition, replaced whole.
//!
//! ```text
//!  0 "FSHKSNAP"   8 version, u32   12 stream, partition (3 bytes)   16 covers, u64
//! 24 content bytes, u64   32 crc32c of the content   36 crc32c of the 36 bytes before   40 content
//! ```

use std::{
    io::{self, BufReader, BufWriter, Read, Write},
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use crc32c::{crc32c, crc32c_append};

use super::{
    codec::{Fields, put_partition},
    failure::write_error,
    layout::Paths,
    storage::{Access, File, Storage},
};
use crate::{JournalError, LoadedSnapshot, Offset, SnapshotKey, WriteSnapshot};

const MAGIC: &[u8; 8] = b"FSHKSNAP";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 40;
const PIECE: usize = 1 << 20;

/// What the head of a snapshot file says.
struct SnapshotHeader {
    key: SnapshotKey,
    covers: Offset,
    content_bytes: u64,
    content_crc: u32,
}

fn path_of(paths: &Paths, key: &SnapshotKey) -> PathBuf {
    let SnapshotKey { consumer, partition } = key;
    paths.snapshots().join(format!("{consumer}-{}-{}.snap", partition.stream.name(), partition.index))
}

/// Writes a snapshot and puts it in the place of the key's older one. Durable when it returns.
pub(super) fn save(
    storage: &dyn Storage,
    paths: &Paths,
    key: &SnapshotKey,
    covers: Offset,
    write: WriteSnapshot<'_>,
) -> Result<(), JournalError> {
    /// So that two writers of one key do not write one file.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let dir = paths.snapshots();
    let path = path_of(paths, key);
    let part = path.with_extension(format!("{}.part", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let mut written = 0;
    let mut save = || -> io::Result<()> {
        storage.create_dir(&dir)?;
        let file = storage.create(&part, Access::Write)?;
        let mut content =
            BufWriter::with_capacity(PIECE, Content { file: &*file, at: HEADER_BYTES as u64, crc: 0 });
        write(&mut content)?;
        let content = content.into_inner().map_err(io::IntoInnerError::into_error)?;
        written = content.at;
        let header = SnapshotHeader {
            key: key.clone(),
            covers,
            content_bytes: content.at - HEADER_BYTES as u64,
            content_crc: content.crc,
        };
        file.write_at(&header.encode(), 0)?;
        file.sync()?;
        storage.rename(&part, &path)?;
        storage.sync_dir(&dir)
    };
    save().map_err(|source| {
        // The older one is still there.
        let _ = storage.remove(&part);
        write_error(storage, &dir, &part, written, source)
    })
}

/// The key's snapshot, if there is a whole one, and what it covers.
pub(super) fn load(
    storage: &dyn Storage,
    paths: &Paths,
    key: &SnapshotKey,
) -> Result<Option<LoadedSnapshot>, JournalError> {
    let path = path_of(paths, key);
    let io = |source| JournalError::Io { path: path.clone(), source };
    let file = match storage.open(&path, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(io)?,
    };
    let bad = |what: &str| {
        tracing::error!(path = %path.display(), "a snapshot is not used: {what}; its state is rebuilt from the log");
        Ok(None)
    };
    let Some(header) = read_header(&*file, key.consumer.clone()).map_err(io)? else {
        return bad("its header is damaged or of another version");
    };
    if header.key != *key {
        return bad("it is another partition's");
    }
    let mut content = Content { file: &*file, at: HEADER_BYTES as u64, crc: 0 };
    let mut piece = vec![0; PIECE];
    let mut left = header.content_bytes;
    while left > 0 {
        let wanted = left.min(PIECE as u64) as usize;
        let read = content.read(&mut piece[..wanted]).map_err(io)?;
        if read == 0 {
            return bad("it is cut short");
        }
        left -= read as u64;
    }
    if content.crc != header.content_crc {
        return bad("it has a bad checksum");
    }
    let reader =
        OwnedContent { file, at: HEADER_BYTES as u64, end: HEADER_BYTES as u64 + header.content_bytes };
    Ok(Some((header.covers, Box::new(BufReader::with_capacity(64 << 10, reader)))))
}

/// What each snapshot covers that is there, by its header alone. Takes away what was never finished.
pub(super) fn all(storage: &dyn Storage, paths: &Paths) -> io::Result<Vec<(SnapshotKey, Offset)>> {
    let dir = paths.snapshots();
    let mut found = Vec::new();
    for file in storage.list(&dir)? {
        let path = dir.join(&file.name);
        if file.name.ends_with(".part") {
            storage.remove(&path)?;
            continue;
        }
        let Some(stem) = file.name.strip_suffix(".snap") else { continue };
        // The consumer's name may hold the separator; stream and partition do not.
        let Some(consumer) = stem.rsplitn(3, '-').nth(2) else { continue };
        let opened = storage.open(&path, Access::Read)?;
        if let Some(header) = read_header(&*opened, consumer.to_owned())? {
            found.push((header.key, header.covers));
        }
    }
    Ok(found)
}

fn read_header(file: &dyn File, consumer: String) -> io::Result<Option<SnapshotHeader>> {
    let mut bytes = [0; HEADER_BYTES];
    let read = file.read_at(&mut bytes, 0)?;
    Ok((read == HEADER_BYTES).then(|| SnapshotHeader::decode(&bytes, consumer)).flatten())
}

impl SnapshotHeader {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        put_partition(&mut out, self.key.partition);
        out.push(0);
        out.extend(self.covers.0.to_le_bytes());
        out.extend(self.content_bytes.to_le_bytes());
        out.extend(self.content_crc.to_le_bytes());
        out.extend(crc32c(&out).to_le_bytes());
        out
    }

    fn decode(bytes: &[u8; HEADER_BYTES], consumer: String) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.bytes(MAGIC.len())? != MAGIC || fields.u32()? != VERSION {
            return None;
        }
        let partition = fields.partition()?;
        fields.u8()?;
        let covers = fields.offset()?;
        let (content_bytes, content_crc, crc) = (fields.u64()?, fields.u32()?, fields.u32()?);
        let key = SnapshotKey { consumer, partition };
        (crc == crc32c(&bytes[..HEADER_BYTES - 4])).then_some(Self {
            key,
            covers,
            content_bytes,
            content_crc,
        })
    }
}

/// The content of a snapshot as a stream, summed as it goes by.
struct Content<'a> {
    file: &'a dyn File,
    at: u64,
    crc: u32,
}

impl Write for Content<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        self.crc = crc32c_append(self.crc, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Content<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        self.crc = crc32c_append(self.crc, &into[..read]);
        Ok(read)
    }
}

struct OwnedContent {
    file: Box<dyn File>,
    at: u64,
    end: u64,
}

impl Read for OwnedContent {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let wanted = ((self.end - self.at) as usize).min(into.len());
        let read = self.file.read_at(&mut into[..wanted], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
