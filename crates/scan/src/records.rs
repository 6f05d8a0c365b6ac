//! An open source as entries for the stages, whatever kind it is of.

use std::{io::BufRead, time::Duration};

use bytes::Bytes;
use foreshock_model::{Tenant, Timestamp};
use foreshock_otlp::{CheckLimits, Signal, check, json};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::{
    InputKind, ScanError, SourceError,
    csv_metrics::CsvMetrics,
    input::Opened,
    lines::{read_entry, read_line, resource},
};

/// Largest OTLP payload that one line of JSON may become.
const PAYLOAD_BYTES: usize = 64 << 20;

/// A line of OTLP JSON holds a whole request; a longer one is cut, and so can't be read.
const OTLP_LINE_BYTES: u64 = 64 << 20;
/// Old files are as good as new ones, and so is a simulation that is ahead: absurd is what is a century off.
const YEAR_2023: Timestamp = Timestamp::from_secs(1_700_000_000);
/// A time further ahead than this would make all that follows late.
const A_CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Telemetry of one signal.
pub(crate) struct RecordEntry {
    /// As [`foreshock_detect::pipeline::TELEMETRY`] counts.
    pub(crate) stream: usize,
    pub(crate) payload: Bytes,
    pub(crate) records: u64,
}

/// Reads a source's records.
pub(crate) struct Records {
    name: String,
    form: Form,
}

enum Form {
    Lines(Box<dyn BufRead>, Resource),
    OtlpJson { reader: Box<dyn BufRead>, line: Vec<u8>, bad: u64, first_bad: Option<String> },
    Csv(CsvMetrics<Box<dyn BufRead>>),
}

impl Records {
    /// Finds out what kind of input it is. `service` is whose it is, where nothing in it tells.
    pub(crate) fn new(opened: Opened, service: &str) -> Result<Self, ScanError> {
        let Opened { name, mut reader, .. } = opened;
        let start = reader.fill_buf().map_err(|source| SourceError::Io { name: name.clone(), source })?;
        let form = match InputKind::of(start) {
            InputKind::Lines => Form::Lines(reader, resource(service, &name)),
            InputKind::OtlpJson => Form::OtlpJson { reader, line: Vec::new(), bad: 0, first_bad: None },
            InputKind::CsvMetrics => match CsvMetrics::new(reader, service.to_owned()) {
                Ok(csv) => Form::Csv(csv),
                Err(reason) => return Err(ScanError::Csv { name, reason }),
            },
        };
        Ok(Self { name, form })
    }

    /// The next entry; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<RecordEntry>, ScanError> {
        let io = |source| SourceError::Io { name: self.name.clone(), source };
        match &mut self.form {
            Form::Lines(reader, resource) => {
                let entry = read_entry(reader, resource).map_err(io)?;
                Ok(entry.map(|(payload, records)| RecordEntry { stream: 0, payload, records }))
            }
            Form::OtlpJson { reader, line, bad, first_bad } => {
                while read_line(reader, line, OTLP_LINE_BYTES).map_err(io)? {
                    match otlp(line) {
                        Ok(Some((entry, left_out))) => {
                            *bad += u64::from(left_out.is_some());
                            *first_bad = first_bad.take().or(left_out);
                            return Ok(Some(entry));
                        }
                        Ok(None) => {}
                        Err(reason) => {
                            *bad += 1;
                            first_bad.get_or_insert(reason);
                        }
                    }
                }
                Ok(None)
            }
            Form::Csv(csv) => {
                let entry =
                    csv.next().map_err(|reason| ScanError::Csv { name: self.name.clone(), reason })?;
                Ok(entry.map(|(payload, records)| RecordEntry { stream: 1, payload, records }))
            }
        }
    }

    /// What could not be read so far, in one sentence.
    pub(crate) fn unreadable(&self) -> Option<String> {
        let (count, first) = match &self.form {
            Form::Lines(..) => return None,
            Form::OtlpJson { bad, first_bad, .. } => (*bad, first_bad.as_deref()),
            Form::Csv(csv) => (csv.bad_rows, csv.first_bad.as_deref()),
        };
        first.map(|first| format!("{count} lines can't be read in whole or part, the first because {first}"))
    }
}

/// One line of OTLP JSON, and why some of it was left out; `None` for an empty one.
fn otlp(line: &[u8]) -> Result<Option<(RecordEntry, Option<String>)>, String> {
    let has = |key: &str| line.windows(key.len()).take(4096).any(|window| window == key.as_bytes());
    let (stream, signal) = if has("\"resourceLogs\"") {
        (0, Signal::Logs)
    } else if has("\"resourceMetrics\"") {
        (1, Signal::Metrics)
    } else if has("\"resourceSpans\"") {
        (2, Signal::Traces)
    } else if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    } else {
        return Err("it has no resourceLogs, resourceMetrics or resourceSpans".into());
    };
    let payload = json::from_json(signal, line, PAYLOAD_BYTES).map_err(|error| error.to_string())?.into();
    // As at the receiver: a bad record is left out, its neighbours are kept.
    let limits = CheckLimits { ahead: A_CENTURY, ..CheckLimits::default() };
    let checked = check(signal, &Tenant::default(), &payload, &limits, YEAR_2023, 1)
        .map_err(|error| error.to_string())?;
    let pieces: Vec<&[u8]> = checked.parts.iter().flat_map(|part| &part.payload).map(Bytes::as_ref).collect();
    let payload = Bytes::from(pieces.concat());
    let entry = RecordEntry { stream, payload, records: checked.accepted };
    Ok(Some((entry, (checked.rejected > 0).then_some(checked.reasons))))
}
