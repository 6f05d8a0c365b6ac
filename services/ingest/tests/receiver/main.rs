//! The receiver over real sockets: what it takes, what it refuses, and that it stays unharmed.

#![allow(clippy::unwrap_used)]

#[path = "../harness/mod.rs"]
mod harness;

mod bad_input;
mod clients;
mod drain;
mod export;
mod overload;
mod tenants;
mod tls;
