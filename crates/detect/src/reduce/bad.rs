//! Records of an entry that can't be read: passed over, counted, and the first of them named.

use std::fmt::Display;

/// What could not be read of one entry.
#[derive(Debug, Default)]
pub(super) struct BadRecords {
    count: u64,
    first: Option<String>,
}

impl BadRecords {
    /// The value, or nothing where it can't be read.
    pub(super) fn sift<T, E: Display>(&mut self, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.count += 1;
                self.first.get_or_insert_with(|| error.to_string());
                None
            }
        }
    }

    /// Nothing to say, or why the entry is to be set aside.
    pub(super) fn verdict(self) -> Result<(), String> {
        match self.first {
            None => Ok(()),
            Some(first) => {
                Err(format!("{} parts of it can't be read, the first because: {first}", self.count))
            }
        }
    }
}
