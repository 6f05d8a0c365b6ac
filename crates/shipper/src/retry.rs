//! Which refusals OTLP wants retried, and when.
//!
//! Rules of the OTLP specification, section "Failures" of OTLP/gRPC. Never sleeps: says how long to wait.

use std::{
    error::Error as _,
    fmt,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use prost::Message;
use tonic::{Code, Status};

/// google.rpc.Status as it travels in `grpc-status-details-bin`.
#[derive(Clone, PartialEq, Message)]
struct StatusDetails {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<ProtoDuration>,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// A request that was not accepted: what the server, or the way to it, said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The gRPC status.
    pub code: Code,
    /// Its text.
    pub message: String,
    /// The delay of RetryInfo, where the server sent one.
    pub retry_after: Option<Duration>,
    /// The answer never came: the connection failed, so nobody knows what the server did.
    pub is_transport: bool,
}

impl Refusal {
    /// Reads a status.
    pub fn from_status(status: &Status) -> Self {
        // Only failures found on this side carry a source; what a server says comes from headers.
        let is_transport = status.source().is_some();
        Self {
            code: status.code(),
            message: match status.source() {
                Some(source) => format!("{}: {}", status.message(), innermost(source)),
                None => status.message().to_owned(),
            },
            retry_after: retry_info(status.details()),
            is_transport,
        }
    }

    /// Nothing was heard in time.
    pub(crate) fn deadline(deadline: Duration) -> Self {
        Self {
            code: Code::DeadlineExceeded,
            message: format!("no answer within {deadline:?}"),
            retry_after: None,
            is_transport: true,
        }
    }

    /// Whether the same request may be sent again, by the rules of OTLP.
    pub fn is_retryable(&self) -> bool {
        self.is_transport
            || match self.code {
                Code::Cancelled
                | Code::DeadlineExceeded
                | Code::Aborted
                | Code::OutOfRange
                | Code::Unavailable
                | Code::DataLoss => true,
                Code::ResourceExhausted => self.retry_after.is_some(),
                _ => false,
            }
    }

    /// Whether the sender itself is refused (token, address), so that no other request will fare better.
    pub fn is_of_the_sender(&self) -> bool {
        !self.is_transport
            && matches!(
                self.code,
                Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented | Code::NotFound
            )
    }

    /// Whether a smaller request, or the rest of this one, may be accepted.
    pub fn is_of_the_content(&self) -> bool {
        !self.is_transport && matches!(self.code, Code::InvalidArgument | Code::ResourceExhausted)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)
    }
}

fn innermost<'a>(mut error: &'a (dyn std::error::Error + 'static)) -> &'a dyn std::error::Error {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// The delay in a status' details; `None` where there is no RetryInfo. A RetryInfo without a delay means "now".
fn retry_info(details: &[u8]) -> Option<Duration> {
    if details.is_empty() {
        return None;
    }
    let details = StatusDetails::decode(details).ok()?;
    let any = details.details.iter().find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(any.value.as_slice()).ok()?.retry_delay.unwrap_or_default();
    Some(Duration::new(u64::try_from(delay.seconds).unwrap_or(0), u32::try_from(delay.nanos).unwrap_or(0)))
}

/// `grpc-status-details-bin` with a RetryInfo, as a server sends it; for servers in tests.
pub fn retry_info_details(code: Code, message: &str, delay: Duration) -> bytes::Bytes {
    let retry_delay =
        ProtoDuration { seconds: delay.as_secs().cast_signed(), nanos: delay.subsec_nanos().cast_signed() };
    let info = RetryInfo { retry_delay: Some(retry_delay) };
    StatusDetails {
        code: code as i32,
        message: message.to_owned(),
        details: vec![Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
            value: info.encode_to_vec(),
        }],
    }
    .encode_to_vec()
    .into()
}

/// How long to go on trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first wait.
    pub initial: Duration,
    /// The longest wait, unless the server asks for a longer one.
    pub max: Duration,
    /// Give up when this has passed since the first attempt; `None`: the caller ends it by dropping the future.
    pub give_up_after: Option<Duration>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            max: Duration::from_secs(5),
            give_up_after: Some(Duration::from_secs(300)),
        }
    }
}

/// A server's wish is honoured up to this.
const LONGEST_WISH: Duration = Duration::from_secs(300);

/// The waits between the attempts of one request: doubling, with jitter, never shorter than what the server asked.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self { policy, next: policy.initial }
    }

    /// The wait before the next attempt.
    pub(crate) fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let own = self.next;
        self.next = (self.next * 2).min(self.policy.max);
        match asked {
            // Spread a crowd of senders over a tenth more than asked, never less.
            Some(asked) => {
                let asked = asked.min(LONGEST_WISH);
                asked + asked.mul_f64(0.1 * jitter())
            }
            None => own.mul_f64(0.5 + 0.5 * jitter()),
        }
    }
}

/// In [0, 1). Only spreads waits in time; decides nothing else.
fn jitter() -> f64 {
    (RandomState::new().hash_one(0u8) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: &Status) -> Refusal {
        Refusal::from_status(status)
    }

    #[test]
    fn the_codes_of_the_specification_are_retried_and_no_others() {
        let retried = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        for code in (1..=16).map(Code::from_i32) {
            assert_eq!(refusal(&Status::new(code, "")).is_retryable(), retried.contains(&code), "{code:?}");
        }
    }

    #[test]
    fn resource_exhausted_is_retried_only_with_retry_info() {
        let delay = Duration::from_millis(1500);
        let details = retry_info_details(Code::ResourceExhausted, "full", delay);
        let with = refusal(&Status::with_details(Code::ResourceExhausted, "full", details));
        assert_eq!(with.retry_after, Some(delay));
        assert!(with.is_retryable());
        assert!(!refusal(&Status::resource_exhausted("too large")).is_retryable());
    }

    #[test]
    fn a_wait_is_never_shorter_than_what_the_server_asked_and_grows_to_its_limit() {
        let policy = RetryPolicy {
            initial: Duration::from_millis(100),
            max: Duration::from_millis(400),
            give_up_after: None,
        };
        let mut backoff = Backoff::new(policy);
        for _ in 0..20 {
            assert!(backoff.wait(None) <= policy.max);
        }
        assert!(backoff.wait(None) >= policy.max / 2);
        let asked = Duration::from_secs(2);
        let wait = backoff.wait(Some(asked));
        assert!(wait >= asked && wait <= asked.mul_f64(1.1), "{wait:?}");
    }
}
