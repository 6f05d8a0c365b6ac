//! The few things the journal asks of a file system, as a seam where tests put one that fails.
//!
//! Nothing here knows segments or frames. Paths are whole; a `File` is read and written at positions only.

use std::{io, path::Path, time::Duration};

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Writing whole aligned blocks, past the page cache where the file system can.
    WriteBlocks,
    /// Writing through the page cache.
    Write,
}

/// A file in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, without the directory.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// The outcome of asking for a lock.
pub enum Lock {
    /// Ours until this is dropped.
    Held(Box<dyn Send + Sync>),
    /// Somebody else's; the process id where the file tells it, else 0.
    TakenBy(u32),
}

/// A file system.
pub trait Storage: Send + Sync + 'static {
    /// Makes a directory and its parents; one that is there is fine.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// The files of a directory, in no order. A directory that is not there has none.
    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>>;
    /// Makes a file, empty; takes the place of one that is there.
    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>>;
    /// Opens a file that is there.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>>;
    /// Renames; takes the place of one that is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Bytes that can still be written.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
    /// Takes the exclusive lock of a file, at once or not at all.
    fn lock(&self, path: &Path) -> io::Result<Lock>;
}

/// An open file.
pub trait File: Send + Sync {
    /// Its length in bytes.
    fn bytes(&self) -> io::Result<u64>;
    /// Reads at a position; fewer bytes than asked only at the end of the file.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes all of it at a position.
    fn write_at(&self, from: &[u8], at: u64) -> io::Result<()>;
    /// Reserves room up to a length.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
    /// Cuts or extends to a length.
    fn set_bytes(&self, bytes: u64) -> io::Result<()>;
    /// Makes everything written durable (fdatasync). After a failure nothing may be believed of the file.
    fn sync(&self) -> io::Result<()>;
    /// Asks that the next read come from the device.
    fn forget_cache(&self);
}

/// How long to wait before the device is tried again after it failed.
pub(super) const RETRY_AFTER: Duration = Duration::from_millis(100);
