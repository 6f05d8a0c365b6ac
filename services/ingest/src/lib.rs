//! The OTLP receiver: gRPC and HTTP in, the journal out.
//!
//! A request is read as bytes, checked in one walk, cut by partition and appended; it is acknowledged when it is
//! durable, and never before. What can't be taken now is refused with the advice to send again, what can't be
//! taken ever is refused for good, and a bad record does not spoil its neighbours. Nothing here outlives its
//! limits: bytes in flight, connections, requests a connection, and the time each may take.
//!
//! The way of a request: `listener` -> `connection` -> `grpc` or `http` -> `receiver` -> the journal.

mod body;
mod budget;
mod clock;
mod compression;
mod config;
mod connection;
mod discovery;
mod error;
mod grpc;
mod http;
mod listener;
mod metrics;
mod quota;
mod read_ahead;
mod receiver;
mod refusal;
mod rules;
mod server;
mod socket;
mod tenants;
mod tls;

pub use config::{
    ConnectionsConfig, IngestConfig, LimitsConfig, Secret, TenantConfig, TenantsConfig, TlsConfig,
};
pub use error::IngestError;
pub use metrics::{IngestMetrics, IngestSnapshot, Traffic, Transport};
pub use refusal::Reason;
pub use rules::{NewRules, Reload};
pub use server::{Ingest, run};
