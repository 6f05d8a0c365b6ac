//! The messages that Foreshock's own streams carry, generated from `proto/foreshock/v1/*.proto`.
//!
//! Fields are only ever added. A reader of version N reads what version N-1 wrote.
#![allow(missing_docs, clippy::all)]

/// Version 1 of the messages.
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/foreshock.v1.rs"));
}
