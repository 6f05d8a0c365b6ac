//! What can be configured: the sections `[ingest]` and `[tenants]` of the configuration file.
//!
//! Every key has a default, so an empty section is a working one.

mod duration;
mod secret;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use foreshock_model::Tenant;
use foreshock_otlp::CheckLimits;
use serde::{Deserialize, Serialize};

use crate::{IngestError, tenants::Tenants, tls};

pub use secret::Secret;

/// The section `[ingest]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestConfig {
    /// Where OTLP/gRPC, gRPC health and reflection listen.
    pub grpc_address: SocketAddr,
    /// Where OTLP/HTTP listens.
    pub http_address: SocketAddr,
    /// Certificates for both addresses; absent: plain text.
    pub tls: Option<TlsConfig>,
    /// What one request and one record may be.
    pub limits: LimitsConfig,
    /// What one connection may be, and how many there may be.
    pub connections: ConnectionsConfig,
    /// Most bytes that may be received and not yet durable, over all requests. Above it requests are refused
    /// with the advice to send again.
    pub memory_limit_bytes: u64,
    /// What a refused sender is told to wait before it sends again.
    #[serde(with = "duration")]
    pub retry_after: Duration,
    /// On shutdown: how long health says NOT_SERVING before requests are refused, so that balancers move on.
    #[serde(with = "duration")]
    pub drain_notice: Duration,
    /// On shutdown: how long requests that were begun may take to be answered.
    #[serde(with = "duration")]
    pub drain_timeout: Duration,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            grpc_address: SocketAddr::from(([127, 0, 0, 1], 4317)),
            http_address: SocketAddr::from(([127, 0, 0, 1], 4318)),
            tls: None,
            limits: LimitsConfig::default(),
            connections: ConnectionsConfig::default(),
            memory_limit_bytes: 256 << 20,
            retry_after: Duration::from_secs(1),
            drain_notice: Duration::ZERO,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

impl IngestConfig {
    /// The first of [`Self::problems`].
    pub fn check(&self) -> Result<(), IngestError> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// Settings that would refuse everything, or that can't be; all of them.
    pub fn problems(&self) -> Vec<IngestError> {
        let (limits, connections) = (&self.limits, &self.connections);
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let positive = [
            ("memory_limit_bytes", self.memory_limit_bytes),
            ("limits.max_request_bytes", limits.max_request_bytes),
            ("limits.max_record_bytes", limits.max_record_bytes),
            ("limits.max_attribute_bytes", limits.max_attribute_bytes),
            ("limits.max_attributes", limits.max_attributes.into()),
            ("limits.max_depth", limits.max_depth.into()),
            ("connections.max_connections", connections.max_connections.into()),
            ("connections.max_concurrent_streams", connections.max_concurrent_streams.into()),
            ("connections.read_ahead_limit_bytes", connections.read_ahead_limit_bytes),
            ("connections.keepalive_interval", millis(connections.keepalive_interval)),
            ("connections.keepalive_timeout", millis(connections.keepalive_timeout)),
            ("connections.header_timeout", millis(connections.header_timeout)),
            ("connections.body_grace", millis(connections.body_grace)),
            ("connections.write_timeout", millis(connections.write_timeout)),
        ];
        let mut problems: Vec<IngestError> = positive
            .into_iter()
            .filter(|(_, value)| *value == 0)
            .map(|(key, value)| IngestError::Setting { key, value, reason: "leave it out for the default" })
            .collect();
        if limits.max_request_bytes > u64::from(u32::MAX) {
            problems.push(IngestError::Setting {
                key: "limits.max_request_bytes",
                value: limits.max_request_bytes,
                reason: "a gRPC message has less than 4 GiB",
            });
        }
        if self.memory_limit_bytes < limits.max_request_bytes {
            problems.push(IngestError::Setting {
                key: "memory_limit_bytes",
                value: self.memory_limit_bytes,
                reason: "it must hold at least one request of ingest.limits.max_request_bytes",
            });
        }
        problems.extend(self.tls.as_ref().and_then(|tls| tls::acceptor(tls, &[]).err()));
        problems
    }
}

/// The section `[ingest.tls]`. Paths of PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The server's certificate, followed by those between it and the root.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
    /// With it a client must show a certificate that one of these signed (mTLS).
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
}

/// The section `[ingest.limits]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Most bytes of one request, before and after decompression. Larger ones are refused for good.
    pub max_request_bytes: u64,
    /// Most bytes of one log record, data point or span.
    pub max_record_bytes: u64,
    /// Most bytes of one attribute's key and value.
    pub max_attribute_bytes: u64,
    /// Most attributes of one record or resource.
    pub max_attributes: u32,
    /// How deep attribute values and bodies may be nested.
    pub max_depth: u32,
    /// How far ahead of the receiver's clock a record's time may be.
    #[serde(with = "duration")]
    pub max_ahead: Duration,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_request_bytes: 64 << 20,
            max_record_bytes: 1 << 20,
            max_attribute_bytes: 256 << 10,
            max_attributes: 1024,
            max_depth: 32,
            max_ahead: Duration::from_secs(86_400),
        }
    }
}

impl LimitsConfig {
    pub(crate) fn check_limits(&self) -> CheckLimits {
        CheckLimits {
            depth: self.max_depth,
            record_bytes: usize::try_from(self.max_record_bytes).unwrap_or(usize::MAX),
            attributes: self.max_attributes as usize,
            attribute_bytes: usize::try_from(self.max_attribute_bytes).unwrap_or(usize::MAX),
            ahead: self.max_ahead,
            ..CheckLimits::default()
        }
    }
}

/// The section `[ingest.connections]`; each limit holds for each of the two addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionsConfig {
    /// Most connections at a time; further ones wait to be accepted.
    pub max_connections: u32,
    /// Most requests at a time on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// HTTP/2: how long a silent connection is left before it is pinged.
    #[serde(with = "duration")]
    pub keepalive_interval: Duration,
    /// HTTP/2: how long a ping may stay unanswered before the connection is closed.
    #[serde(with = "duration")]
    pub keepalive_timeout: Duration,
    /// How old a connection may become before its client is asked to make a new one, so that balancers spread
    /// the load; varied by a tenth each way. Zero: for ever.
    #[serde(with = "duration")]
    pub max_age: Duration,
    /// How long a connection that was asked to end may go on.
    #[serde(with = "duration")]
    pub max_age_grace: Duration,
    /// How long the TLS handshake, and how long the headers of a request may take.
    #[serde(with = "duration")]
    pub header_timeout: Duration,
    /// How long the body of a request may take whatever its size.
    #[serde(with = "duration")]
    pub body_grace: Duration,
    /// Beyond `body_grace` a body must have come at this rate on average.
    pub min_body_bytes_per_second: u32,
    /// Most bytes, over all connections and beyond 64 KiB on each, that were read and belong to no request yet:
    /// beginnings of HTTP/2 frames. A connection that would go above it is closed.
    pub read_ahead_limit_bytes: u64,
    /// How long a client may leave an answer unread.
    #[serde(with = "duration")]
    pub write_timeout: Duration,
}

impl Default for ConnectionsConfig {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_concurrent_streams: 256,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            max_age: Duration::from_secs(30 * 60),
            max_age_grace: Duration::from_secs(30),
            header_timeout: Duration::from_secs(15),
            body_grace: Duration::from_secs(10),
            min_body_bytes_per_second: 16 << 10,
            read_ahead_limit_bytes: 256 << 20,
            write_timeout: Duration::from_secs(20),
        }
    }
}

/// The section `[tenants]`: a table for each tenant by its name.
///
/// Where no tenant has a token, every request belongs to the tenant `default`; where one has, a request without
/// a known token is refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantsConfig(pub BTreeMap<Tenant, TenantConfig>);

impl TenantsConfig {
    /// What is wrong with the tokens where they are, files and variables included.
    pub fn problems(&self) -> Vec<IngestError> {
        Tenants::load(self, None).err().unwrap_or_default()
    }
}

/// The section `[tenants.NAME]`. Unset keys of a quota set no limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantConfig {
    /// A bearer token. Meant for the environment; in a file say `token_file` or `token_env`.
    pub token: Option<Secret>,
    /// A file of bearer tokens, one a line, so that an old one and its successor hold side by side.
    /// Empty lines and lines that begin with `#` are passed over.
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds a bearer token.
    pub token_env: Option<String>,
    /// Most bytes a second, uncompressed, on average.
    pub max_bytes_per_second: Option<u64>,
    /// Most log records, data points and spans a second, on average.
    pub max_records_per_second: Option<u64>,
    /// Most metric series kept apart; enforced by the stages.
    pub max_series: Option<u64>,
    /// Most log patterns kept apart; enforced by the stages.
    pub max_patterns: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_is_the_default() {
        assert_eq!(serde_json::from_str::<IngestConfig>("{}").unwrap(), IngestConfig::default());
        assert_eq!(serde_json::from_str::<TenantsConfig>("{}").unwrap(), TenantsConfig::default());
    }

    #[test]
    fn the_default_can_be_written_down_and_read_back() {
        let text = serde_json::to_string(&IngestConfig::default()).unwrap();
        assert!(text.contains(r#""retry_after":"1s""#), "{text}");
        assert_eq!(serde_json::from_str::<IngestConfig>(&text).unwrap(), IngestConfig::default());
    }

    #[test]
    fn every_problem_is_told_and_the_default_has_none() {
        assert!(IngestConfig::default().problems().is_empty());
        let text =
            r#"{"limits": {"max_depth": 0}, "connections": {"body_grace": "0s"}, "memory_limit_bytes": 5}"#;
        let problems = serde_json::from_str::<IngestConfig>(text).unwrap().problems();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let keys = ["limits.max_depth", "connections.body_grace", "memory_limit_bytes"];
        assert!(told.len() == 3 && keys.iter().zip(&told).all(|(key, told)| told.contains(key)), "{told:?}");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = serde_json::from_str::<IngestConfig>(r#"{"grpc_adress": "127.0.0.1:1"}"#).unwrap_err();
        assert!(error.to_string().contains("grpc_adress"), "{error}");
    }
}
