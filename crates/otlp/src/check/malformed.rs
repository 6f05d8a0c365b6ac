//! A request that can't be read at all, and where it breaks.

use std::fmt;

use crate::{Signal, wire::WireError};

/// The envelope of a request is broken: there is no telling which records it holds. Sending it again does not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    signal: Signal,
    path: String,
    offset: usize,
    broke: Broke,
}

/// How an envelope breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broke {
    Wire(WireError),
    WireType,
}

impl Malformed {
    /// Breaks `offset` bytes after the start of the message that is being walked.
    #[cold]
    pub(crate) fn new(signal: Signal, broke: Broke, offset: usize) -> Self {
        Self { signal, path: String::new(), offset, broke }
    }

    /// The broken message is element `index` of `list`, and starts `start` bytes after its parent.
    #[cold]
    pub(crate) fn within(mut self, list: &str, index: usize, start: usize) -> Self {
        let separator = if self.path.is_empty() { "" } else { "." };
        self.path = format!("{list}[{index}]{separator}{}", self.path);
        self.offset += start;
        self
    }

    /// The way to the broken message, for example `resourceLogs[3].scopeLogs[0]`; empty for the request itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The byte of the request near which it breaks.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body is not a protobuf {}: near byte {}", self.signal.request(), self.offset)?;
        if !self.path.is_empty() {
            write!(f, ", in {}", self.path)?;
        }
        match self.broke {
            Broke::Wire(error) => write!(f, ", {error}"),
            Broke::WireType => f.write_str(", a field has the wrong wire type"),
        }
    }
}

impl std::error::Error for Malformed {}
