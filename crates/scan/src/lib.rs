//! Offline look at files: the very stages of the stream, on event time, strictly in the order of the input.
//!
//! A file is read once, from front to back, in bounded memory. What kind of input it is, is found by its content.

mod csv_metrics;
mod input;
mod kind;
mod lines;
mod records;
mod scanner;
mod summary;

pub use input::{Source, SourceError};
pub use kind::InputKind;
pub use scanner::{Progress, ScanError, ScanOptions, Scanned, scan};
pub use summary::write_summary;
