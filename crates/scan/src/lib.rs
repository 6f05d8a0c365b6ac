//! Offline look at files: the very stages of the stream, on event time, strictly in the order of the input.
//!
//! Several files are merged by the time of their records. A file is read once, from front to back, in bounded memory. What kind of input it is, is found by its content.

mod csv_metrics;
mod grid;
mod input;
mod kind;
mod line_shapes;
mod lines;
mod merge;
mod otlp_json;
mod page;
mod records;
mod scanned;
mod scanner;
mod story;
mod summary;
mod tally;
mod templates;
mod words;

pub use input::{Source, SourceError};
pub use kind::InputKind;
pub use page::write_page;
pub use scanned::{PatternSeen, Scanned, Timeline};
pub use scanner::{Progress, ScanError, ScanOptions, scan};
pub use summary::{Look, write_summary};
