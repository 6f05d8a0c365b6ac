//! Load for a receiver, and what it made of it.
//!
//! Payloads are encoded before the clock starts. What is counted is what the receiver acknowledged.

pub mod chaos;
pub mod load;
pub mod payload;
pub mod process;
pub mod report;
pub mod transport;
