//! The response messages of the three services; their fields have the same numbers.

use foreshock_otlp::Signal;
use prost::Message;

use crate::receiver::Outcome;

/// ExportLogsServiceResponse and its siblings.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// ExportLogsPartialSuccess and its siblings.
#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// In protobuf. Full success is the empty message, not one with an empty `partial_success`.
pub(crate) fn protobuf(outcome: &Outcome) -> Vec<u8> {
    let partial_success = outcome.is_partial().then(|| PartialSuccess {
        rejected: i64::try_from(outcome.rejected).unwrap_or(i64::MAX),
        error_message: outcome.reasons.clone(),
    });
    ExportResponse { partial_success }.encode_to_vec()
}

/// In JSON. Full success is the empty object.
pub(crate) fn json(signal: Signal, outcome: &Outcome) -> Vec<u8> {
    if !outcome.is_partial() {
        return b"{}".to_vec();
    }
    let rejected = match signal {
        Signal::Logs => "rejectedLogRecords",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Traces => "rejectedSpans",
    };
    // Protobuf's JSON writes 64-bit numbers as text.
    serde_json::json!({
        "partialSuccess": { rejected: outcome.rejected.to_string(), "errorMessage": outcome.reasons }
    })
    .to_string()
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_success_leaves_partial_success_unset() {
        let full = Outcome { rejected: 0, reasons: String::new() };
        assert!(protobuf(&full).is_empty());
        assert_eq!(json(Signal::Logs, &full), b"{}");
    }
}
