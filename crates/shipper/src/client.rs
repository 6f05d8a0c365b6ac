//! An OTLP/gRPC client that sends requests that are encoded already.
//!
//! Retries as OTLP demands and never otherwise: a request that was accepted in part is not sent again. Holds at
//! most `max_in_flight` requests; who calls beyond that waits.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{sync::Semaphore, time};
use tonic::{
    Request,
    client::Grpc,
    codec::CompressionEncoding,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

use crate::{
    Refusal, RetryPolicy, Signal, TlsOptions,
    codec::{ExportResponse, RawCodec},
    retry::Backoff,
    tls,
};

/// How the body of a request is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, which every receiver must know.
    Gzip,
    /// zstd, which a receiver may know.
    Zstd,
}

/// How to reach a receiver.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// `http://host:port` or `https://host:port`; `http://` is assumed where there is no scheme.
    pub to: String,
    /// Sent as `authorization: Bearer TOKEN`.
    pub token: Option<String>,
    /// Compression of requests.
    pub compression: Compression,
    /// TLS, for `https`.
    pub tls: TlsOptions,
    /// How long one attempt may take.
    pub deadline: Duration,
    /// Requests on their way at the same time, those that wait for another attempt included.
    pub max_in_flight: usize,
    /// When to try again.
    pub retry: RetryPolicy,
}

impl ClientOptions {
    /// The defaults for a receiver at `to`.
    pub fn new(to: impl Into<String>) -> Self {
        Self {
            to: to.into(),
            token: None,
            compression: Compression::None,
            tls: TlsOptions::default(),
            deadline: Duration::from_secs(30),
            max_in_flight: 8,
            retry: RetryPolicy::default(),
        }
    }
}

/// The client can't be made as asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("{to:?} is not an address: give http://HOST:PORT or https://HOST:PORT ({reason})")]
    Address {
        /// What was given.
        to: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token can't travel in a header.
    #[error("the token holds characters that can't be sent in a header; give visible ASCII only")]
    Token,
    /// No authorities to trust.
    #[error(
        "no file of trusted certificates was found on this system; install ca-certificates or name a file"
    )]
    NoAuthorities,
    /// A certificate or key can't be read.
    #[error("{path} can't be read: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What the receiver said to a request that it accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Records of it that it did not keep, and that must not be sent again.
    pub rejected: u64,
    /// Why, or a warning; empty on full success.
    pub message: String,
}

/// A request that was given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The receiver will not take it, now or later.
    #[error("the receiver refuses the request for good ({0})")]
    Refused(Refusal),
    /// The receiver would have taken it later, but it lasted too long.
    #[error("given up after {attempts} attempts in {waited:?} ({last}); is the receiver up?")]
    GaveUp {
        /// How often it was sent.
        attempts: u32,
        /// Since the first attempt.
        waited: Duration,
        /// What was said last.
        last: Refusal,
    },
}

impl SendError {
    /// What the receiver said last.
    pub fn refusal(&self) -> &Refusal {
        match self {
            Self::Refused(refusal) | Self::GaveUp { last: refusal, .. } => refusal,
        }
    }
}

/// One connection to one receiver. Cheap to clone; clones share the connection and the limit.
#[derive(Clone, Debug)]
pub struct OtlpClient {
    grpc: Grpc<Channel>,
    authorization: Option<MetadataValue<Ascii>>,
    deadline: Duration,
    retry: RetryPolicy,
    in_flight: Arc<Semaphore>,
}

impl OtlpClient {
    /// Connects at the first request, and again whenever the connection is lost. Call inside a tokio runtime.
    pub fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        let invalid = |reason: String| ClientError::Address { to: options.to.clone(), reason };
        let address = match options.to.contains("://") {
            true => options.to.clone(),
            false => format!("http://{}", options.to),
        };
        let mut endpoint = Endpoint::from_shared(address).map_err(|error| invalid(error.to_string()))?;
        let is_tls = match endpoint.uri().scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(invalid(format!("{other}:// is not known here"))),
            None => return Err(invalid("it names no scheme".to_owned())),
        };
        endpoint = endpoint
            .connect_timeout(options.deadline.min(Duration::from_secs(10)))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        if is_tls {
            endpoint = endpoint
                .tls_config(tls::config(&options.tls)?)
                .map_err(|error| invalid(error.to_string()))?;
        }
        let mut grpc = Grpc::new(endpoint.connect_lazy());
        grpc = match options.compression {
            Compression::None => grpc,
            Compression::Gzip => grpc.send_compressed(CompressionEncoding::Gzip),
            Compression::Zstd => grpc.send_compressed(CompressionEncoding::Zstd),
        };
        let authorization = match &options.token {
            Some(token) => Some(format!("Bearer {token}").parse().map_err(|_| ClientError::Token)?),
            None => None,
        };
        Ok(Self {
            grpc,
            authorization,
            deadline: options.deadline,
            retry: options.retry,
            in_flight: Arc::new(Semaphore::new(options.max_in_flight.max(1))),
        })
    }

    /// Sends one encoded Export request, again where OTLP wants that, until it is accepted, refused for good, or
    /// the policy gives it up. Dropping the future gives it up at once.
    pub async fn send(&self, signal: Signal, body: Bytes) -> Result<Accepted, SendError> {
        let _permit = self.in_flight.acquire().await.expect("the semaphore is never closed");
        let began = time::Instant::now();
        let mut backoff = Backoff::new(self.retry);
        let mut attempts = 0u32;
        loop {
            attempts += 1;
            let refusal = match self.attempt(signal, body.clone()).await {
                Ok(accepted) => return Ok(accepted),
                Err(refusal) if !refusal.is_retryable() => return Err(SendError::Refused(refusal)),
                Err(refusal) => refusal,
            };
            let wait = backoff.wait(refusal.retry_after);
            let waited = began.elapsed();
            if self.retry.give_up_after.is_some_and(|limit| waited + wait > limit) {
                return Err(SendError::GaveUp { attempts, waited, last: refusal });
            }
            if attempts == 1 {
                tracing::warn!(signal = signal.name(), %refusal, "not accepted, trying again");
            }
            time::sleep(wait).await;
        }
    }

    /// Sends one encoded Export request once. Not bounded by `max_in_flight`.
    pub async fn attempt(&self, signal: Signal, body: Bytes) -> Result<Accepted, Refusal> {
        let mut request = Request::new(body);
        request.set_timeout(self.deadline);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
        let mut grpc = self.grpc.clone();
        let answer = time::timeout(self.deadline, async {
            let ready = grpc.ready().await;
            ready.map_err(|error| Refusal::from_status(&tonic::Status::from_error(error.into())))?;
            let codec = RawCodec { size_hint: request.get_ref().len() };
            grpc.unary(request, signal.path(), codec).await.map_err(|status| Refusal::from_status(&status))
        });
        match answer.await {
            Ok(Ok(response)) => Ok(accepted(response.into_inner())),
            Ok(Err(refusal)) => Err(refusal),
            Err(_) => Err(Refusal::deadline(self.deadline)),
        }
    }
}

/// Waits for sends side by side; the first failure ends them all.
pub async fn all<T, E>(
    sends: impl IntoIterator<Item = impl Future<Output = Result<T, E>>>,
) -> Result<Vec<T>, E> {
    futures_util::future::try_join_all(sends).await
}

fn accepted(response: ExportResponse) -> Accepted {
    let partial = response.partial_success.unwrap_or_default();
    Accepted { rejected: u64::try_from(partial.rejected).unwrap_or(0), message: partial.error_message }
}
