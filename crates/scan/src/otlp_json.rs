//! Lines of OTLP JSON, as the Collector's file exporter writes them: logs, metrics and traces mixed.

use std::{
    io::{self, BufRead},
    time::Duration,
};

use bytes::Bytes;
use foreshock_detect::pipeline::{LOGS, METRICS, SPANS};
use foreshock_model::{Tenant, Timestamp};
use foreshock_otlp::{
    CheckLimits, Signal, check, json,
    views::{self, MetricData, Resources},
};

use crate::{lines::read_line, records::RecordEntry};

/// Largest OTLP payload that one line of JSON may become.
const PAYLOAD_BYTES: usize = 64 << 20;
/// A line of OTLP JSON holds a whole request; a longer one is cut, and so can't be read.
const OTLP_LINE_BYTES: u64 = 64 << 20;
/// Old files are as good as new ones, and so is a simulation that is ahead: absurd is what is a century off.
const YEAR_2023: Timestamp = Timestamp::from_secs(1_700_000_000);
/// A time further ahead than this would make all that follows late.
const A_CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Reads lines of OTLP JSON, one ahead.
pub(crate) struct OtlpJson {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    next: Option<RecordEntry>,
    /// The time of what tells none.
    modified: Timestamp,
    /// Lines that can't be read in whole or part, and why the first of them can't.
    pub(crate) bad: u64,
    pub(crate) first_bad: Option<String>,
}

impl OtlpJson {
    pub(crate) fn new(reader: Box<dyn BufRead>, modified: Timestamp) -> Self {
        Self { reader, line: Vec::new(), next: None, modified, bad: 0, first_bad: None }
    }

    /// The time of the next entry's earliest record; `None` at the end.
    pub(crate) fn next_time(&mut self) -> io::Result<Option<Timestamp>> {
        if self.next.is_none() {
            self.next = self.read()?;
        }
        Ok(self.next.as_ref().map(|entry| entry.time))
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<RecordEntry>> {
        self.next_time()?;
        Ok(self.next.take())
    }

    fn read(&mut self) -> io::Result<Option<RecordEntry>> {
        while read_line(&mut *self.reader, &mut self.line, OTLP_LINE_BYTES)? {
            match entry(&self.line, self.modified) {
                Ok(Some((entry, left_out))) => {
                    self.bad += u64::from(left_out.is_some());
                    self.first_bad = self.first_bad.take().or(left_out);
                    return Ok(Some(entry));
                }
                Ok(None) => {}
                Err(reason) => {
                    self.bad += 1;
                    self.first_bad.get_or_insert(reason);
                }
            }
        }
        Ok(None)
    }
}

/// One line of OTLP JSON, and why some of it was left out; `None` for an empty one.
fn entry(line: &[u8], modified: Timestamp) -> Result<Option<(RecordEntry, Option<String>)>, String> {
    let has = |key: &str| line.windows(key.len()).take(4096).any(|window| window == key.as_bytes());
    let (stream, signal) = if has("\"resourceLogs\"") {
        (LOGS, Signal::Logs)
    } else if has("\"resourceMetrics\"") {
        (METRICS, Signal::Metrics)
    } else if has("\"resourceSpans\"") {
        (SPANS, Signal::Traces)
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
    let time = earliest(signal, &payload).unwrap_or(modified);
    let entry = RecordEntry { stream, payload, records: checked.accepted, time, written: None };
    Ok(Some((entry, (checked.rejected > 0).then_some(checked.reasons))))
}

/// The time of a payload's earliest record that tells one.
fn earliest(signal: Signal, payload: &[u8]) -> Option<Timestamp> {
    match signal {
        Signal::Logs => {
            records(views::logs(payload)).filter_map(|record| record.time.or(record.observed)).min()
        }
        Signal::Metrics => {
            records(views::metrics(payload)).filter_map(|metric| point_time(&metric.data)).min()
        }
        Signal::Traces => records(views::spans(payload)).filter_map(|span| span.end.or(span.start)).min(),
    }
}

fn records<'a, R: views::Record<'a> + 'a>(resources: Resources<'a, R>) -> impl Iterator<Item = R> + 'a {
    resources
        .flatten()
        .flat_map(|resource| resource.scopes().flatten().flat_map(|scope| scope.records().flatten()))
}

/// The points of a metric that come together were taken together: the first stands for all.
fn point_time(data: &MetricData<'_>) -> Option<Timestamp> {
    match data {
        MetricData::Gauge(points) | MetricData::Sum { points, .. } => {
            points.clone().flatten().find_map(|p| p.time)
        }
        MetricData::Histogram { points, .. } => points.clone().flatten().find_map(|p| p.time),
        MetricData::ExponentialHistogram { points, .. } => points.clone().flatten().find_map(|p| p.time),
        MetricData::Summary(points) => points.clone().flatten().find_map(|p| p.time),
        _ => None,
    }
}
