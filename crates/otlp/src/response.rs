//! What a receiver answers: nothing where all is well, a partial success where something was refused.

use serde_json::json;

use crate::{
    Signal,
    wire::{put_bytes, put_tag, put_varint},
};

/// An Export...ServiceResponse in protobuf. Empty, so with `partial_success` unset, where `rejected` is 0 and
/// `message` is empty.
pub fn response(rejected: u64, message: &str) -> Vec<u8> {
    let mut partial = Vec::new();
    if rejected > 0 {
        put_tag(&mut partial, 1, 0);
        put_varint(&mut partial, rejected);
    }
    if !message.is_empty() {
        put_bytes(&mut partial, 2, message.as_bytes());
    }
    let mut response = Vec::new();
    if !partial.is_empty() {
        put_bytes(&mut response, 1, &partial);
    }
    response
}

/// The same in JSON: `{}` where all is well.
pub fn response_json(signal: Signal, rejected: u64, message: &str) -> Vec<u8> {
    if rejected == 0 && message.is_empty() {
        return b"{}".to_vec();
    }
    let count = match signal {
        Signal::Logs => "rejectedLogRecords",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Traces => "rejectedSpans",
    };
    json!({ "partialSuccess": { count: rejected.to_string(), "errorMessage": message } })
        .to_string()
        .into_bytes()
}
