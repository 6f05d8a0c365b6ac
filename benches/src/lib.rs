//! Load for a receiver, and what it made of it; templates beside a peer.
//!
//! Payloads are encoded before the clock starts. What is counted is what the receiver acknowledged.

mod aftermath;
pub mod chaos;
pub mod load;
pub mod noise;
pub mod overload;
pub mod payload;
pub mod process;
mod random;
mod remains;
pub mod report;
mod server;
pub mod templates;
pub mod transport;
