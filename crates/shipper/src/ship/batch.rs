//! Lines into OTLP requests.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
};

use super::splitter::Line;

/// When a batch is sent though more lines are there. It may exceed both by the lines of one read (64 KiB).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Lines.
    pub lines: usize,
    /// Bytes of lines.
    pub bytes: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { lines: 1000, bytes: 1 << 20 }
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Where lines come from: one resource, and the attributes every record of it carries.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    resource: Resource,
    attributes: Vec<KeyValue>,
}

impl Origin {
    pub(crate) fn new(service: &str, host: &str, path: Option<&Path>) -> Self {
        let attributes = vec![
            attribute("service.name", Value::StringValue(service.to_owned())),
            attribute("host.name", Value::StringValue(host.to_owned())),
        ];
        let path = path.map(|path| path.to_string_lossy().into_owned());
        Self {
            resource: Resource { attributes, ..Resource::default() },
            attributes: path
                .map(|path| attribute("log.file.path", Value::StringValue(path)))
                .into_iter()
                .collect(),
        }
    }

    pub(crate) fn with_records(&self, log_records: Vec<LogRecord>) -> ResourceLogs {
        ResourceLogs {
            resource: Some(self.resource.clone()),
            scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }
    }

    /// A record for a line: its time is left to the receiver, who reads it from the text.
    pub(crate) fn record(&self, line: Line<'_>) -> (LogRecord, bool) {
        let text = String::from_utf8_lossy(line.bytes);
        let was_valid = matches!(text, std::borrow::Cow::Borrowed(_));
        let mut attributes = self.attributes.clone();
        if line.is_cut {
            attributes.push(attribute("log.record.truncated", Value::BoolValue(true)));
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let record = LogRecord {
            observed_time_unix_nano: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            body: Some(AnyValue { value: Some(Value::StringValue(text.into_owned())) }),
            attributes,
            ..LogRecord::default()
        };
        (record, was_valid)
    }
}

/// How many records a request holds.
pub(crate) fn count(request: &ExportLogsServiceRequest) -> usize {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.map(|scope| scope.log_records.len()).sum()
}

/// Two requests with half of the records each, in their order.
pub(crate) fn halves(request: ExportLogsServiceRequest) -> [ExportLogsServiceRequest; 2] {
    let mut left = count(&request) / 2;
    let [mut first, mut second] = [Vec::new(), Vec::new()];
    for mut resource in request.resource_logs {
        for scope in &mut resource.scope_logs {
            let records = std::mem::take(&mut scope.log_records);
            let place = left.min(records.len());
            left -= place;
            let (mut head, mut tail) = (records, Vec::new());
            tail.extend(head.drain(place..));
            for (records, to) in [(head, &mut first), (tail, &mut second)] {
                if !records.is_empty() {
                    to.push(ResourceLogs {
                        resource: resource.resource.clone(),
                        scope_logs: vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }],
                        ..ResourceLogs::default()
                    });
                }
            }
        }
    }
    [first, second].map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}
