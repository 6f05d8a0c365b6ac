//! The three kinds of telemetry OTLP carries.

use http::uri::PathAndQuery;

/// Which export service a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// ExportLogsServiceRequest.
    Logs,
    /// ExportMetricsServiceRequest.
    Metrics,
    /// ExportTraceServiceRequest.
    Traces,
}

impl Signal {
    /// Every signal there is.
    pub const ALL: [Self; 3] = [Self::Logs, Self::Metrics, Self::Traces];

    /// Its name in OTLP/HTTP paths and messages to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Traces => "traces",
        }
    }

    /// Path of the unary Export method over gRPC.
    pub const fn grpc_path(self) -> &'static str {
        match self {
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        }
    }

    /// Path over HTTP.
    pub const fn http_path(self) -> &'static str {
        match self {
            Self::Logs => "/v1/logs",
            Self::Metrics => "/v1/metrics",
            Self::Traces => "/v1/traces",
        }
    }

    pub(crate) fn path(self) -> PathAndQuery {
        PathAndQuery::from_static(self.grpc_path())
    }
}
