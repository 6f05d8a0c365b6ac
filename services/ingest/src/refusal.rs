//! Why a request is refused, and how OTLP says so over gRPC and over HTTP.
//!
//! What decides is what the sender should do: send the same again later (UNAVAILABLE with RetryInfo; 503 or 429
//! with Retry-After), or never (any other status). A passing fault is never INTERNAL or UNKNOWN: clients drop
//! their data on those.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use prost::Message;
use tonic::{Code, Status};

/// Longest message sent to a client, in bytes; what it says may quote the request.
const MAX_MESSAGE_BYTES: usize = 1024;

/// A request that is not accepted. Nothing of it was kept, unless it says otherwise.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) message: Cow<'static, str>,
    /// When to send the same request again; `None`: never.
    pub(crate) retry_after: Option<Duration>,
}

/// Why a request was refused, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It can't be read: not OTLP, cut short, or badly compressed.
    Unreadable,
    /// It is above the size limit, before or after decompression.
    TooLarge,
    /// It carries no token, or one that nobody has.
    Unauthenticated,
    /// It is in a content type or encoding that is not spoken here, or sent to no known method or path.
    Unsupported,
    /// The memory limit is reached.
    Overloaded,
    /// The tenant's quota is used up.
    Quota,
    /// The journal can't be written at present.
    Journal,
    /// The server is about to end.
    Draining,
    /// Its body came too slowly.
    TooSlow,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: [Self; 9] = [
        Self::Unreadable,
        Self::TooLarge,
        Self::Unauthenticated,
        Self::Unsupported,
        Self::Overloaded,
        Self::Quota,
        Self::Journal,
        Self::Draining,
        Self::TooSlow,
    ];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::Unauthenticated => "unauthenticated",
            Self::Unsupported => "unsupported",
            Self::Overloaded => "overloaded",
            Self::Quota => "quota",
            Self::Journal => "journal",
            Self::Draining => "draining",
            Self::TooSlow => "too_slow",
        }
    }

    fn code(self) -> Code {
        match self {
            Self::Unreadable => Code::InvalidArgument,
            Self::TooLarge => Code::ResourceExhausted,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Unsupported => Code::Unimplemented,
            Self::Overloaded | Self::Quota | Self::Journal | Self::Draining | Self::TooSlow => {
                Code::Unavailable
            }
        }
    }

    fn http(self) -> StatusCode {
        match self {
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Quota => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded | Self::Journal | Self::Draining | Self::TooSlow => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

impl Refusal {
    /// Never to be sent again as it is.
    pub(crate) fn for_good(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, message: message.into(), retry_after: None }
    }

    /// To be sent again after `retry_after`.
    pub(crate) fn for_now(
        reason: Reason,
        retry_after: Duration,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { reason, message: message.into(), retry_after: Some(retry_after) }
    }

    pub(crate) fn unreadable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::for_good(Reason::Unreadable, message)
    }

    pub(crate) fn too_large(limit_bytes: u64) -> Self {
        Self::for_good(
            Reason::TooLarge,
            format!(
                "the request is above the limit of {limit_bytes} bytes, which holds before and after decompression; send smaller batches"
            ),
        )
    }

    fn message(&self) -> &str {
        let end = self.message.floor_char_boundary(MAX_MESSAGE_BYTES);
        &self.message[..end]
    }

    /// As gRPC has it: RetryInfo in grpc-status-details-bin where it should be sent again.
    pub(crate) fn status(&self) -> Status {
        match self.retry_after {
            None => Status::new(self.reason.code(), self.message()),
            Some(_) => Status::with_details(
                self.reason.code(),
                self.message(),
                Bytes::from(self.rpc_status().encode_to_vec()),
            ),
        }
    }

    /// As HTTP has it.
    pub(crate) fn http_status(&self) -> StatusCode {
        self.reason.http()
    }

    /// Whole seconds for the header Retry-After.
    pub(crate) fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    /// The body of an HTTP answer in protobuf.
    pub(crate) fn protobuf(&self) -> Vec<u8> {
        self.rpc_status().encode_to_vec()
    }

    /// The body of an HTTP answer in JSON.
    pub(crate) fn json(&self) -> Vec<u8> {
        let mut body =
            serde_json::json!({ "code": i32::from(self.reason.code()), "message": self.message() });
        if let Some(wait) = self.retry_after {
            let delay = format!("{}.{:09}s", wait.as_secs(), wait.subsec_nanos());
            body["details"] = serde_json::json!([{ "@type": RETRY_INFO, "retryDelay": delay }]);
        }
        body.to_string().into_bytes()
    }

    fn rpc_status(&self) -> RpcStatus {
        let details = self.retry_after.map(|wait| {
            let delay = ProtoDuration {
                seconds: wait.as_secs().cast_signed(),
                nanos: wait.subsec_nanos().cast_signed(),
            };
            let info = RetryInfo { retry_delay: Some(delay) };
            Any { type_url: RETRY_INFO.to_owned(), value: info.encode_to_vec() }
        });
        RpcStatus {
            code: i32::from(self.reason.code()),
            message: self.message().to_owned(),
            details: details.into_iter().collect(),
        }
    }
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// google.rpc.Status.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// google.protobuf.Any.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// google.rpc.RetryInfo.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<ProtoDuration>,
}

/// google.protobuf.Duration.
#[derive(Clone, PartialEq, Message)]
struct ProtoDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_sent_again_says_when_and_what_is_not_does_not() {
        let later = Refusal::for_now(Reason::Overloaded, Duration::from_millis(1_500), "full");
        let status = later.status();
        assert_eq!(status.code(), Code::Unavailable);
        let details = RpcStatus::decode(status.details()).unwrap();
        assert_eq!(details.code, 14);
        let info = RetryInfo::decode(details.details[0].value.as_slice()).unwrap();
        assert_eq!(info.retry_delay, Some(ProtoDuration { seconds: 1, nanos: 500_000_000 }));
        assert_eq!(later.retry_after_seconds(), Some(2));
        let json: serde_json::Value = serde_json::from_slice(&later.json()).unwrap();
        assert_eq!(json["details"][0]["retryDelay"], "1.500000000s");

        let never = Refusal::too_large(10);
        assert_eq!(never.status().code(), Code::ResourceExhausted);
        assert!(never.status().details().is_empty());
        assert_eq!(never.retry_after_seconds(), None);
    }

    #[test]
    fn a_message_is_cut_at_a_character() {
        let refusal = Refusal::unreadable("ä".repeat(4_000));
        assert!(refusal.status().message().len() <= MAX_MESSAGE_BYTES);
    }
}
