//! An open source as entries for the stages, whatever kind it is of.

use std::io::BufRead;

use bytes::Bytes;
use foreshock_model::Timestamp;
use foreshock_template::Zone;

use crate::{
    InputKind, ScanError, SourceError, csv_metrics::CsvMetrics, input::Opened, lines::Lines,
    otlp_json::OtlpJson,
};

/// Telemetry of one signal.
pub(crate) struct RecordEntry {
    /// As [`foreshock_detect::pipeline::TELEMETRY`] counts.
    pub(crate) stream: usize,
    pub(crate) payload: Bytes,
    pub(crate) records: u64,
    /// That of its earliest record, as far as that is known.
    pub(crate) time: Timestamp,
    /// Of raw lines: when the last of them was written at the latest. It completes times without a year or a day, for which
    /// the time of the line before is no help: it does not say whether the next one is two days or a year later.
    pub(crate) written: Option<Timestamp>,
}

/// Reads a source's records, one entry ahead at most.
pub(crate) struct Records {
    name: String,
    form: Form,
}

enum Form {
    Lines(Lines),
    OtlpJson(OtlpJson),
    Csv(CsvMetrics<Box<dyn BufRead>>),
}

impl Records {
    /// Finds out what kind of input it is. `service` is whose it is, where nothing in it tells; `zone`: of times that name
    /// none; `is_timed`: the times of its records are wanted.
    pub(crate) fn new(opened: Opened, service: &str, zone: Zone, is_timed: bool) -> Result<Self, ScanError> {
        let mut opened = opened;
        let name = opened.name.clone();
        let io = |source| SourceError::Io { name: name.clone(), source };
        let kind = InputKind::of(opened.reader.fill_buf().map_err(io)?);
        let form = match kind {
            InputKind::Lines => Form::Lines(Lines::new(opened, service, zone, is_timed).map_err(io)?),
            InputKind::OtlpJson => Form::OtlpJson(OtlpJson::new(opened.reader, opened.modified)),
            InputKind::CsvMetrics => match CsvMetrics::new(opened.reader, service.to_owned()) {
                Ok(csv) => Form::Csv(csv),
                Err(reason) => return Err(ScanError::Csv { name, reason }),
            },
        };
        Ok(Self { name, form })
    }

    pub(crate) fn may_hold_metrics(&self) -> bool {
        !matches!(self.form, Form::Lines(_))
    }

    /// The time of the next record; `None` at the end.
    pub(crate) fn next_time(&mut self) -> Result<Option<Timestamp>, ScanError> {
        let io = |source| SourceError::Io { name: self.name.clone(), source };
        match &mut self.form {
            Form::Lines(lines) => Ok(lines.next_time().map_err(io)?),
            Form::OtlpJson(otlp) => Ok(otlp.next_time().map_err(io)?),
            Form::Csv(csv) => {
                csv.next_time().map_err(|reason| ScanError::Csv { name: self.name.clone(), reason })
            }
        }
    }

    /// The next entry: records up to `until` where they can be told apart. `None` where there are none.
    pub(crate) fn next(&mut self, until: Timestamp) -> Result<Option<RecordEntry>, ScanError> {
        let io = |source| SourceError::Io { name: self.name.clone(), source };
        match &mut self.form {
            Form::Lines(lines) => Ok(lines.next(until).map_err(io)?),
            Form::OtlpJson(otlp) => Ok(otlp.next().map_err(io)?),
            Form::Csv(csv) => csv.next().map_err(|reason| ScanError::Csv { name: self.name.clone(), reason }),
        }
    }

    /// What could not be read so far, in one sentence.
    pub(crate) fn unreadable(&self) -> Option<String> {
        let (count, first) = match &self.form {
            Form::Lines(_) => return None,
            Form::OtlpJson(otlp) => (otlp.bad, otlp.first_bad.as_deref()),
            Form::Csv(csv) => (csv.bad_rows, csv.first_bad.as_deref()),
        };
        let name = &self.name;
        first.map(|first| {
            format!("{name}: {count} lines can't be read in whole or part, the first because {first}")
        })
    }
}
