//! Sends telemetry as OTLP/gRPC: a client that retries as OTLP demands, and the tailing of files on top of it.
//!
//! Never drops in silence: what a receiver did not take is returned or counted.

mod client;
mod codec;
mod retry;
mod ship;
mod signal;
mod tls;

pub use client::{Accepted, ClientError, ClientOptions, Compression, OtlpClient, SendError, all};
pub use retry::{Refusal, RetryPolicy, retry_info_details};
pub use ship::{BatchLimits, Input, ShipError, ShipOptions, ShipReport, ship};
pub use signal::Signal;
pub use tls::TlsOptions;
