//! What kind of input something is, by its beginning.

use crate::csv_columns::are_metrics;

/// The kinds of input that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// Lines of log text, JSON objects among them.
    Lines,
    /// A LogsData, MetricsData or TracesData as JSON on each line.
    OtlpJson,
    /// Metrics as comma-separated values with a header.
    CsvMetrics,
}

impl InputKind {
    /// By the first bytes: an OTLP object, a header that names a time column above rows that are mostly numbers, or else
    /// lines.
    pub fn of(start: &[u8]) -> Self {
        let text = String::from_utf8_lossy(start);
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("").trim();
        let otlp = ["\"resourceLogs\"", "\"resourceMetrics\"", "\"resourceSpans\""];
        if first.starts_with('{') && otlp.iter().any(|key| first.contains(key)) {
            return Self::OtlpJson;
        }
        let may_be_header = first.contains(',') && !first.contains('{');
        if may_be_header && are_metrics(text) { Self::CsvMetrics } else { Self::Lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_content() {
        assert_eq!(InputKind::of(b"timestamp,value\n2014-04-01 00:00:00,1\n"), InputKind::CsvMetrics);
        assert_eq!(InputKind::of(b"\xef\xbb\xbf\"ts\",\"value\"\r\n1,1\r\n"), InputKind::CsvMetrics);
        assert_eq!(InputKind::of(b"ts,series,value\n1,a,2\n"), InputKind::CsvMetrics);
        assert_eq!(InputKind::of(b"{\"resourceLogs\":[]}\n"), InputKind::OtlpJson);
        assert_eq!(InputKind::of(b"{\"level\":\"info\",\"ts\":1}\n"), InputKind::Lines);
        assert_eq!(InputKind::of(b"Jun 14 15:16:01 combo sshd: timestamp, failed\n"), InputKind::Lines);
        assert_eq!(InputKind::of(b"time,message\n2014-04-01 00:00:00,disk is full\n"), InputKind::Lines);
    }
}
