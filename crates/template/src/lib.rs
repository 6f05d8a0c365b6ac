//! Raw line -> what it is: format, time, level, content, shape, template.
//!
//! A pure library: no clock, no randomness, no I/O; the same lines in the same order give the same answers. The way
//! of a line:
//!
//! 1. [`SourceFormat::parse`] finds time, level and the message behind the header,
//! 2. [`Shaper::shape`] lifts the parameters out of the message; what is left is its shape,
//! 3. [`Miner::learn`] learns templates from shapes: words that vary become parameters too.
//!
//! The first two run for every line and allocate nothing; the third runs for shapes.

mod continuation;
mod format;
mod level;
mod marks;
mod mask;
mod miner;
mod quantity;
mod shape;
mod timestamp;
mod trace;

pub use continuation::Continuation;
pub use format::{Format, Line, SourceFormat};
pub use level::Level;
pub use marks::{Mark, marks, words_where_open};
pub use mask::{MAX_MASKED_BYTES, mask_secrets};
pub use miner::{Learned, Miner, MinerLimits, Outcome, TemplateId};
pub use quantity::quantity;
pub use shape::{
    MAX_CONTENT_BYTES, MAX_PARAMETERS, MAX_TOKENS, Parameter, ParameterKind, Shape, ShapeHash, Shaper,
};
pub use trace::TraceFingerprint;
