//! The journal on a real Kafka keeps what the trait promises.
#![allow(clippy::unwrap_used)]

mod cluster;
mod entries;
mod secured;
mod shares;
mod snapshots;
mod topics;
mod trouble;
