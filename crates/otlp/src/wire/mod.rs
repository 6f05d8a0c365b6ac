//! Protobuf's wire format, as far as OTLP needs it: tags, varints, fixed-width words, length-delimited bytes.
//!
//! Never allocates when reading, never recurses, never reads groups (nothing in OTLP has one).

mod read;
mod write;

pub use read::{Fields, Numbers, Value, WireError, zigzag32};
pub(crate) use write::{close_length, copy_fields, put_bytes, put_tag, put_varint, varint_len};
