//! OTLP on the wire, without materialising it.
//!
//! [`check`] is what a receiver does with a request: one walk that finds what is bad and splits the rest by
//! partition, as slices of the request. [`views`] are what the stages read: borrowed, iterated, trusting nothing.
//! [`json`] is OTLP's JSON, both ways. The request message, the stored payload and LogsData (MetricsData,
//! TracesData) have one wire form, so all of this works on any of them.
//!
//! Knows no socket, no clock, no journal.

mod check;
mod count;
pub mod json;
mod response;
mod schema;
mod signal;
mod split;
pub mod views;
pub mod wire;

pub use check::{CheckLimits, Checked, Malformed, Part, check};
pub use count::count_records;
pub use response::{response, response_json};
pub use signal::Signal;
pub use split::split_records;
