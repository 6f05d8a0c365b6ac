//! Offline look at files: the very stages of the stream, on event time, strictly in the order of the input.
//!
//! Several files are merged by the time of their records. A file is read once, from front to back, in bounded memory. What kind of input it is, is found by its content.

mod alarms;
mod csv_columns;
mod csv_metrics;
mod forecasts;
mod grid;
mod input;
mod kind;
mod line_shapes;
mod lines;
mod merge;
mod otlp_json;
mod page;
mod points;
mod records;
mod scanned;
mod scanner;
mod scores;
mod series;
mod story;
mod summary;
mod tally;
mod templates;
mod time_order;
mod words;

pub use alarms::Alarms;
pub use forecasts::Forecasts;
pub use input::{Source, SourceError};
pub use kind::InputKind;
pub use page::write_page;
pub use scanned::{PatternSeen, Scanned, Timeline};
pub use scanner::{Progress, ScanError, ScanOptions, scan};
pub use scores::write_scores;
pub use series::SeriesSeen;
pub use summary::{Look, write_summary};
