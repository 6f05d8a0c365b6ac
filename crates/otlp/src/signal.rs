//! The three kinds of telemetry and what their messages are called.

use std::fmt;

use crate::schema::{LOG_RECORD, LOGS_DATA, METRIC, METRICS_DATA, Message, SPAN, TRACES_DATA};

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// LogsData, ExportLogsServiceRequest.
    Logs,
    /// MetricsData, ExportMetricsServiceRequest.
    Metrics,
    /// TracesData, ExportTraceServiceRequest.
    Traces,
}

impl Signal {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Logs, Self::Metrics, Self::Traces];

    /// `logs`, `metrics` or `traces`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Traces => "traces",
        }
    }

    /// What its records are called: `log records`, `data points` or `spans`.
    pub const fn records(self) -> &'static str {
        match self {
            Self::Logs => "log records",
            Self::Metrics => "data points",
            Self::Traces => "spans",
        }
    }

    /// The message of the receiver's service: the request body has its wire form.
    pub const fn request(self) -> &'static str {
        match self {
            Self::Logs => "ExportLogsServiceRequest",
            Self::Metrics => "ExportMetricsServiceRequest",
            Self::Traces => "ExportTraceServiceRequest",
        }
    }

    /// The whole message.
    pub(crate) fn schema(self) -> &'static Message {
        match self {
            Self::Logs => &LOGS_DATA,
            Self::Metrics => &METRICS_DATA,
            Self::Traces => &TRACES_DATA,
        }
    }

    /// What a scope holds: log records, metrics, spans.
    pub(crate) fn item(self) -> &'static Message {
        match self {
            Self::Logs => &LOG_RECORD,
            Self::Metrics => &METRIC,
            Self::Traces => &SPAN,
        }
    }

    /// The names in JSON of the lists of resources, of scopes and of what a scope holds.
    pub(crate) const fn lists(self) -> [&'static str; 3] {
        match self {
            Self::Logs => ["resourceLogs", "scopeLogs", "logRecords"],
            Self::Metrics => ["resourceMetrics", "scopeMetrics", "metrics"],
            Self::Traces => ["resourceSpans", "scopeSpans", "spans"],
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
