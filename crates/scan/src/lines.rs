//! Raw lines as OTLP log records.

use std::{
    collections::VecDeque,
    io::{self, BufRead},
};

use foreshock_detect::pipeline::LOGS;
use foreshock_model::Timestamp;
use foreshock_template::{SourceFormat, Zone};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message;

use crate::{input::Opened, records::RecordEntry};

/// Lines in one entry.
const LINES: usize = 1_000;
/// Bytes of lines in one entry.
const BYTES: usize = 1 << 20;
/// A line is cut here.
const LINE_BYTES: u64 = 1 << 20;

/// A source's identity as resource attributes.
pub(crate) fn resource(service: &str, instance: &str) -> Resource {
    let attribute = |key: &str, value: &str| KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.into())) }),
        ..Default::default()
    };
    let mut attributes = vec![attribute("service.name", service)];
    if !instance.is_empty() {
        attributes.push(attribute("service.instance.id", instance));
    }
    Resource { attributes, ..Default::default() }
}

/// Reads lines of log text.
///
/// What the lines say is read by the stages; here their times are read, and only where they are needed: of the first
/// lines, because what stands before the first time in a file belongs to that time; of all lines, where files are
/// merged by it.
pub(crate) struct Lines {
    reader: Box<dyn BufRead>,
    resource: Resource,
    format: SourceFormat,
    /// Of times that name none.
    zone: Zone,
    /// Read and not yet passed on.
    ahead: VecDeque<Line>,
    /// When the file was last written.
    written: Timestamp,
    /// The time of the line that was read last.
    reached: Timestamp,
    /// Every line's time is read.
    is_timed: bool,
}

struct Line {
    text: String,
    /// Its own time, or that of the line before.
    time: Timestamp,
    /// Its own text says that time, or nobody knows.
    tells: bool,
}

impl Lines {
    /// `is_timed`: every line's time is wanted.
    pub(crate) fn new(opened: Opened, service: &str, zone: Zone, is_timed: bool) -> io::Result<Self> {
        let Opened { reader, name, modified, .. } = opened;
        let mut lines = Self {
            reader,
            resource: resource(service, &name),
            format: SourceFormat::default(),
            zone,
            ahead: VecDeque::new(),
            written: modified,
            reached: modified,
            is_timed,
        };
        lines.read_to_first_time()?;
        Ok(lines)
    }

    /// Gives the lines before the first one that tells a time the time of that one.
    fn read_to_first_time(&mut self) -> io::Result<()> {
        let mut bytes = 0;
        while self.ahead.len() < LINES && bytes < BYTES && self.read_ahead(true)? {
            let Some(last) = self.ahead.back() else { break };
            bytes += last.text.len();
            if last.tells {
                let first = last.time;
                self.ahead.iter_mut().for_each(|line| line.time = first);
                break;
            }
        }
        Ok(())
    }

    /// The time of the next line, or where that is not read, one that is not after it; `None` at the end.
    pub(crate) fn next_time(&mut self) -> io::Result<Option<Timestamp>> {
        if self.ahead.is_empty() {
            self.read_ahead(self.is_timed)?;
        }
        Ok(self.ahead.front().map(|line| line.time))
    }

    /// Up to an entry's worth of lines whose time is not after `until`. `None` where there is none.
    pub(crate) fn next(&mut self, until: Timestamp) -> io::Result<Option<RecordEntry>> {
        let mut records = Vec::new();
        let mut bytes = 0;
        let Some(time) = self.next_time()? else { return Ok(None) };
        while records.len() < LINES && bytes < BYTES && self.next_time()?.is_some_and(|time| time <= until) {
            let Some(line) = self.ahead.pop_front() else { break };
            bytes += line.text.len();
            records.push(LogRecord {
                observed_time_unix_nano: if line.tells { 0 } else { line.time.nanos() },
                body: Some(AnyValue { value: Some(Value::StringValue(line.text)) }),
                ..Default::default()
            });
        }
        if records.is_empty() {
            return Ok(None);
        }
        let count = records.len() as u64;
        let scope_logs = vec![ScopeLogs { log_records: records, ..Default::default() }];
        let resource_logs =
            vec![ResourceLogs { resource: Some(self.resource.clone()), scope_logs, ..Default::default() }];
        let payload = LogsData { resource_logs }.encode_to_vec().into();
        Ok(Some(RecordEntry { stream: LOGS, payload, records: count, time, written: Some(self.written) }))
    }

    fn read_ahead(&mut self, is_timed: bool) -> io::Result<bool> {
        let mut line = Vec::new();
        if !read_line(&mut *self.reader, &mut line, LINE_BYTES)? {
            return Ok(false);
        }
        let text = match String::from_utf8(line) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        let format = &mut self.format;
        let mut time = || format.parse_in(&text, self.written.nanos(), &self.zone).time;
        let told = if is_timed { time() } else { None };
        self.reached = told.map_or(self.reached, Timestamp);
        self.ahead.push_back(Line { text, time: self.reached, tells: told.is_some() || !is_timed });
        Ok(true)
    }
}

/// Reads one line without its end; what is beyond `limit` bytes is passed over. `false` at the end of the input.
pub(crate) fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>, limit: u64) -> io::Result<bool> {
    line.clear();
    let read = io::Read::take(&mut *reader, limit).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else {
        reader.skip_until(b'\n')?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_and_the_next_line_is_whole() {
        let mut input = vec![b'a'; (LINE_BYTES + 10) as usize];
        input.extend(b"\nnext\r\nlast");
        let (mut reader, mut line) = (input.as_slice(), Vec::new());
        assert!(
            read_line(&mut reader, &mut line, LINE_BYTES).expect("memory") && line.len() as u64 == LINE_BYTES
        );
        assert!(read_line(&mut reader, &mut line, LINE_BYTES).expect("memory") && line == b"next");
        assert!(read_line(&mut reader, &mut line, LINE_BYTES).expect("memory") && line == b"last");
        assert!(!read_line(&mut reader, &mut line, LINE_BYTES).expect("memory"));
    }
}
