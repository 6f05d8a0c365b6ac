//! Raw lines as OTLP log records.

use std::io::{self, BufRead};

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};
use prost::Message;

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

/// Reads up to an entry's worth of lines. `None` at the end.
pub(crate) fn read_entry(reader: &mut dyn BufRead, resource: &Resource) -> io::Result<Option<(Bytes, u64)>> {
    let mut records = Vec::new();
    let (mut bytes, mut line) = (0, Vec::new());
    while records.len() < LINES && bytes < BYTES && read_line(reader, &mut line, LINE_BYTES)? {
        bytes += line.len();
        let text = String::from_utf8_lossy(&line).into_owned();
        let body = Some(AnyValue { value: Some(Value::StringValue(text)) });
        records.push(LogRecord { body, ..Default::default() });
    }
    if records.is_empty() {
        return Ok(None);
    }
    let count = records.len() as u64;
    let scope_logs = vec![ScopeLogs { log_records: records, ..Default::default() }];
    let resource_logs =
        vec![ResourceLogs { resource: Some(resource.clone()), scope_logs, ..Default::default() }];
    Ok(Some((LogsData { resource_logs }.encode_to_vec().into(), count)))
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
