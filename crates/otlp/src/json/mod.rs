//! OTLP's JSON: proto3 JSON with lowerCamelCase names, enums as integers, ids in hexadecimal.
//!
//! Both ways go by the schema's table, without a tree in between.

mod base64;
mod read;
mod scalar;
mod write;

pub use read::{JsonError, from_json};
pub use write::{json_lines, to_json};
