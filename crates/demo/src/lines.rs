//! Log lines of one instance, encoded as OTLP log records as they are written.
//!
//! A line may be written ahead of time (the end of a request that has just begun): it is kept back until its time
//! has come, so that an instance's lines always leave in the order of their times.

use std::fmt::{self, Write as _};

use crate::wire;

/// Level of a line. Sent as a severity number only by services that use an SDK; elsewhere it is in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Debug = 5,
    Info = 9,
    Warn = 13,
    Error = 17,
}

/// The trace a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceContext {
    pub(crate) trace: u128,
    pub(crate) span: u64,
}

/// What the shipper adds to a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    /// Whether the shipper knows the record's own time; if not, only the time it was observed.
    pub(crate) timed: bool,
    /// Severity, where the shipper knows it.
    pub(crate) severity: Option<Level>,
    /// Attributes as encoded fields of a LogRecord.
    pub(crate) attributes: &'a [u8],
    /// Trace context.
    pub(crate) context: Option<TraceContext>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    at: u64,
    start: usize,
    end: usize,
}

/// Lines that were written and did not leave yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogBuffer {
    records: Vec<u8>,
    lines: Vec<Line>,
    text: String,
    kept: Vec<u8>,
}

/// A file shipper sees a line this much after it was written.
const PICKED_UP_AFTER: u64 = 40_000_000;

impl LogBuffer {
    /// Writes one line as `log_records` of ScopeLogs.
    pub(crate) fn write(&mut self, at: u64, envelope: Envelope<'_>, line: fmt::Arguments<'_>) {
        self.text.clear();
        // Writing to a String never fails.
        let _ = self.text.write_fmt(line);
        let start = self.records.len();
        let value = 1 + wire::varint_len(self.text.len()) + self.text.len();
        let mut size = 9 + 1 + wire::varint_len(value) + value + envelope.attributes.len();
        size += if envelope.timed { 9 } else { 0 };
        size += if envelope.severity.is_some() { 2 } else { 0 };
        size += if envelope.context.is_some() { 18 + 10 } else { 0 };

        let out = &mut self.records;
        out.push(wire::LOG_RECORDS);
        wire::put_varint(out, size);
        if envelope.timed {
            out.push(0x09);
            out.extend_from_slice(&at.to_le_bytes());
        }
        if let Some(level) = envelope.severity {
            out.extend_from_slice(&[0x10, level as u8]);
        }
        out.push(0x2a);
        wire::put_varint(out, value);
        out.push(0x0a);
        wire::put_varint(out, self.text.len());
        out.extend_from_slice(self.text.as_bytes());
        out.extend_from_slice(envelope.attributes);
        if let Some(context) = envelope.context {
            out.extend_from_slice(&[0x4a, 16]);
            out.extend_from_slice(&context.trace.to_be_bytes());
            out.extend_from_slice(&[0x52, 8]);
            out.extend_from_slice(&context.span.to_be_bytes());
        }
        out.push(0x59);
        out.extend_from_slice(&(at + PICKED_UP_AFTER).to_le_bytes());
        self.lines.push(Line { at, start, end: self.records.len() });
    }

    /// Moves the lines before `horizon` to `out`, in the order of their times; says how many.
    pub(crate) fn drain_before(&mut self, horizon: u64, out: &mut Vec<u8>) -> u32 {
        // Lines of one time stay as they were written: the sort is stable.
        self.lines.sort_by_key(|line| line.at);
        let due = self.lines.partition_point(|line| line.at < horizon);
        for line in &self.lines[..due] {
            out.extend_from_slice(&self.records[line.start..line.end]);
        }
        self.lines.drain(..due);
        self.kept.clear();
        for line in &mut self.lines {
            let start = self.kept.len();
            self.kept.extend_from_slice(&self.records[line.start..line.end]);
            (line.start, line.end) = (start, self.kept.len());
        }
        std::mem::swap(&mut self.records, &mut self.kept);
        u32::try_from(due).unwrap_or(u32::MAX)
    }

    /// Takes back what was written for `from` and later: the process died before it could.
    pub(crate) fn forget_from(&mut self, from: u64) {
        self.lines.retain(|line| line.at < from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::{common::v1::any_value::Value, logs::v1::ScopeLogs};
    use prost::Message;

    fn bodies(encoded: &[u8]) -> Vec<(u64, String)> {
        let scope = ScopeLogs::decode(encoded).unwrap();
        let body = |record: &opentelemetry_proto::tonic::logs::v1::LogRecord| match record
            .body
            .clone()
            .unwrap()
            .value
            .unwrap()
        {
            Value::StringValue(text) => text,
            other => panic!("{other:?}"),
        };
        scope.log_records.iter().map(|record| (record.time_unix_nano, body(record))).collect()
    }

    #[test]
    fn lines_leave_in_the_order_of_their_times_and_not_before() {
        let envelope = Envelope {
            timed: true,
            severity: Some(Level::Warn),
            attributes: &[],
            context: Some(TraceContext { trace: 7, span: 9 }),
        };
        let mut buffer = LogBuffer::default();
        for at in [30, 10, 20, 10] {
            let place = buffer.lines.len();
            buffer.write(at, envelope, format_args!("line {at} written as number {place}"));
        }
        let mut out = Vec::new();
        assert_eq!(buffer.drain_before(30, &mut out), 3);
        let first = bodies(&out);
        assert_eq!(first.iter().map(|line| line.0).collect::<Vec<_>>(), [10, 10, 20]);
        assert!(first[0].1.ends_with("number 1") && first[1].1.ends_with("number 3"));
        out.clear();
        assert_eq!(buffer.drain_before(31, &mut out), 1);
        assert_eq!(bodies(&out)[0].1, "line 30 written as number 0");
        assert!(buffer.lines.is_empty());
        let record = &ScopeLogs::decode(out.as_slice()).unwrap().log_records[0];
        assert_eq!((record.severity_number, record.observed_time_unix_nano), (13, 30 + PICKED_UP_AFTER));
        assert_eq!(record.trace_id, 7u128.to_be_bytes());
        assert_eq!(record.span_id, 9u64.to_be_bytes());
    }
}
