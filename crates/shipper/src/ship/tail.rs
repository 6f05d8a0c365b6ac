//! One path followed through rotation: by rename and new file, or by copy and truncation.
//!
//! A file is known by device, inode and its first bytes, never by its name. Blocking; never waits for more to come.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use foreshock_model::fingerprint64;
use serde::{Deserialize, Serialize};

use super::splitter::{Line, Splitter};

/// First bytes of a file that tell it from another that got its inode.
const FINGERPRINT_BYTES: u64 = 256;
/// Files of one path that are read side by side; an older one is given up.
const MOST_FILES: usize = 64;
/// Read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// How far a file has been read and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    device: u64,
    inode: u64,
    /// How many first bytes the fingerprint covers.
    fingerprint_bytes: u64,
    fingerprint: u64,
    /// Everything before is done.
    offset: u64,
    /// The offset is inside the rest of a line that was cut.
    is_skipping: bool,
}

impl Position {
    /// Whether it is of the same file: one that got its inode begins otherwise.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        let is_another =
            self.fingerprint_bytes == other.fingerprint_bytes && self.fingerprint != other.fingerprint;
        (self.device, self.inode) == (other.device, other.inode) && !is_another
    }

    /// Nothing of it is done.
    pub(crate) fn at_its_beginning(self) -> Self {
        Self { offset: 0, is_skipping: false, ..self }
    }
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    device: u64,
    inode: u64,
    fingerprint_bytes: u64,
    fingerprint: u64,
    /// Bytes read so far.
    read: u64,
    splitter: Splitter,
    grew_at: Instant,
}

impl OpenFile {
    fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let mut open = Self {
            file,
            device: metadata.dev(),
            inode: metadata.ino(),
            fingerprint_bytes: 0,
            fingerprint: fingerprint64(b""),
            read: 0,
            splitter: Splitter::default(),
            grew_at: Instant::now(),
        };
        open.take_fingerprint(metadata.len())?;
        Ok(open)
    }

    fn is_at(&self, metadata: &fs::Metadata) -> bool {
        (self.device, self.inode) == (metadata.dev(), metadata.ino())
    }

    fn take_fingerprint(&mut self, length: u64) -> io::Result<()> {
        let wanted = length.min(FINGERPRINT_BYTES);
        if wanted > self.fingerprint_bytes
            && let Some(fingerprint) = fingerprint(&self.file, wanted)?
        {
            (self.fingerprint_bytes, self.fingerprint) = (wanted, fingerprint);
        }
        Ok(())
    }

    /// Whether the file begins as it did, and is at least as long as what was read of it.
    fn is_what_it_was(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() >= self.read
            && fingerprint(&self.file, self.fingerprint_bytes)? == Some(self.fingerprint))
    }

    /// Reads one chunk; says how many bytes there were.
    fn read(&mut self, chunk: &mut [u8], emit: impl FnMut(Line<'_>)) -> io::Result<usize> {
        let got = self.file.read(chunk)?;
        if got > 0 {
            self.read += got as u64;
            self.grew_at = Instant::now();
            self.take_fingerprint(self.read)?;
            self.splitter.feed(&chunk[..got], emit);
        }
        Ok(got)
    }

    fn position(&self) -> Position {
        Position {
            device: self.device,
            inode: self.inode,
            fingerprint_bytes: self.fingerprint_bytes,
            fingerprint: self.fingerprint,
            offset: self.read - self.splitter.unfinished() as u64,
            is_skipping: self.splitter.is_skipping(),
        }
    }
}

fn fingerprint(file: &File, length: u64) -> io::Result<Option<u64>> {
    let mut first = [0u8; FINGERPRINT_BYTES as usize];
    let first = &mut first[..length.min(FINGERPRINT_BYTES) as usize];
    match file.read_exact_at(first, 0) {
        Ok(()) => Ok(Some(fingerprint64(first))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// How a path is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TailOptions {
    /// Go on when the end is reached.
    pub(crate) follow: bool,
    /// Hand out a line without an end after this pause.
    pub(crate) flush_after: Duration,
    /// Keep a file that was rotated away open until nothing has come for this long.
    pub(crate) linger: Duration,
}

/// One path and the files that are, or were, under its name. The newest is last.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    options: TailOptions,
    files: VecDeque<OpenFile>,
    chunk: Vec<u8>,
    is_done: bool,
}

impl Tail {
    /// Opens the path where `checkpoint` says; what the checkpoint does not know is read from its beginning.
    pub(crate) fn open(path: &Path, options: TailOptions, checkpoint: &[Position]) -> io::Result<Self> {
        let mut tail = Self {
            path: path.to_owned(),
            options,
            files: VecDeque::new(),
            chunk: vec![0; CHUNK_BYTES],
            is_done: false,
        };
        if !checkpoint.is_empty() {
            tail.resume(checkpoint)?;
        }
        tail.look()?;
        if tail.files.is_empty() && !options.follow {
            return Err(io::Error::new(io::ErrorKind::NotFound, "there is no such file"));
        }
        Ok(tail)
    }

    /// Finds the files of a checkpoint again, under whatever name, and those that came after the first of them.
    fn resume(&mut self, checkpoint: &[Position]) -> io::Result<()> {
        let mut found: Vec<(SystemTime, OpenFile)> = Vec::new();
        let mut unknown: Vec<(SystemTime, PathBuf)> = Vec::new();
        let current = fs::metadata(&self.path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
        let mut was_rotated = false;
        for path in self.siblings()? {
            let Ok(file) = File::open(&path) else { continue };
            let metadata = file.metadata()?;
            let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let known = checkpoint.iter().find(|position| {
                (position.device, position.inode) == (metadata.dev(), metadata.ino())
                    && metadata.len() >= position.offset
                    && matches!(fingerprint(&file, position.fingerprint_bytes), Ok(Some(f)) if f == position.fingerprint)
            });
            match known {
                Some(position) => {
                    was_rotated |= current != Some((metadata.dev(), metadata.ino()));
                    let mut open = OpenFile::new(file)?;
                    open.file.seek(SeekFrom::Start(position.offset))?;
                    open.read = position.offset;
                    open.splitter = Splitter::resumed(position.is_skipping);
                    found.push((changed, open));
                }
                None if current == Some((metadata.dev(), metadata.ino())) => {}
                None => unknown.push((changed, path)),
            }
        }
        let Some(oldest) = found.iter().map(|(changed, _)| *changed).min() else {
            tracing::warn!(path = %self.path.display(), "the file of the checkpoint is gone: reading from the beginning");
            return Ok(());
        };
        for (changed, path) in unknown {
            // Of one tick of the clock: rather a line twice than none.
            if was_rotated && changed >= oldest {
                found.push((changed, OpenFile::new(File::open(path)?)?));
            }
        }
        found.sort_by_key(|(changed, _)| *changed);
        self.files = found.into_iter().map(|(_, open)| open).collect();
        // The one under the path's own name is read last, whatever its time.
        let place = self.files.iter().position(|open| Some((open.device, open.inode)) == current);
        if let Some(current) = place.and_then(|at| self.files.remove(at)) {
            self.files.push_back(current);
        }
        Ok(())
    }

    /// The path, and what rotation may have called earlier files of it. Compressed ones are left out.
    fn siblings(&self) -> io::Result<Vec<PathBuf>> {
        // Behind a link the earlier files lie where it leads to.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let other = entry.file_name();
            let other = other.as_encoded_bytes();
            let is_compressed =
                [".gz", ".zst", ".bz2", ".xz"].iter().any(|end| other.ends_with(end.as_bytes()));
            let is_rotated = other
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b".") || rest.starts_with(b"-"));
            if is_rotated && !is_compressed && entry.file_type()?.is_file() {
                paths.push(directory.join(entry.file_name()));
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Looks what is under the path's name now, and opens it where it is another file.
    fn look(&mut self) -> io::Result<()> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if self.files.back().is_some_and(|current| current.is_at(&metadata)) {
            return Ok(());
        }
        match File::open(&self.path) {
            Ok(file) => self.files.push_back(OpenFile::new(file)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if self.files.len() > MOST_FILES {
            tracing::warn!(path = %self.path.display(), "rotated faster than it can be sent: the oldest file is given up");
            self.files.pop_front();
        }
        Ok(())
    }

    /// Hands out the lines that are there, until `is_full` says so. Says whether there was anything.
    pub(crate) fn read(
        &mut self,
        mut emit: impl FnMut(Line<'_>),
        is_full: impl Fn() -> bool,
    ) -> io::Result<bool> {
        let mut any = false;
        let mut at = 0;
        while at < self.files.len() && !is_full() {
            let is_newest = at + 1 == self.files.len();
            let open = &mut self.files[at];
            if !open.is_what_it_was()? {
                // Truncated, or truncated and written again: what there was of a last line, then from the beginning.
                open.splitter.flush(|line| {
                    any = true;
                    emit(line);
                });
                let mut file = open.file.try_clone()?;
                file.seek(SeekFrom::Start(0))?;
                *open = OpenFile::new(file)?;
            }
            if open.read(&mut self.chunk, |line| {
                any = true;
                emit(line);
            })? > 0
            {
                continue;
            }
            // At its end.
            let quiet = open.grew_at.elapsed();
            let ends = !self.options.follow;
            if ends || quiet >= self.options.flush_after || (!is_newest && quiet >= self.options.linger) {
                open.splitter.flush(|line| {
                    any = true;
                    emit(line);
                });
            }
            if !is_newest && (ends || quiet >= self.options.linger) {
                self.files.remove(at);
                continue;
            }
            if is_newest && self.options.follow {
                let before = self.files.len();
                self.look()?;
                if self.files.len() > before {
                    at = self.files.len() - 1;
                    continue;
                }
            }
            at += 1;
        }
        self.is_done = !self.options.follow && at >= self.files.len() && !is_full();
        Ok(any)
    }

    /// Nothing more will come (only without `follow`).
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    /// How far everything handed out reaches.
    pub(crate) fn positions(&self) -> Vec<Position> {
        self.files.iter().map(OpenFile::position).collect()
    }
}
