//! From what the system said to what the caller is told.

use std::{io, path::Path};

use super::storage::Storage;
use crate::JournalError;

/// The error of a write that failed.
pub(super) fn write_error(
    storage: &dyn Storage,
    dir: &Path,
    file: &Path,
    needed_bytes: u64,
    source: io::Error,
) -> JournalError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JournalError::DiskFull {
            path: dir.to_owned(),
            free_bytes: storage.free_bytes(dir).unwrap_or(0),
            needed_bytes,
        },
        _ => JournalError::Io { path: file.to_owned(), source },
    }
}

/// The same error once more, for the next one who waits.
pub(super) fn again(error: &JournalError) -> JournalError {
    match error {
        JournalError::DiskFull { path, free_bytes, needed_bytes } => JournalError::DiskFull {
            path: path.clone(),
            free_bytes: *free_bytes,
            needed_bytes: *needed_bytes,
        },
        JournalError::HeldBack { limit_bytes, consumer } => {
            JournalError::HeldBack { limit_bytes: *limit_bytes, consumer: consumer.clone() }
        }
        JournalError::Io { path, source } => {
            let source = match source.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(source.kind(), source.to_string()),
            };
            JournalError::Io { path: path.clone(), source }
        }
        _ => JournalError::Closed,
    }
}
