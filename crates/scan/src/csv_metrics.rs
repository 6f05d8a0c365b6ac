//! Metrics as comma-separated values: wide (each column a series) or long (a series column and a value column).
//!
//! Rows of a wide table are taken as they stand. Those of a long one are put in the order of time first: it often has one
//! series after the other.

use std::{collections::HashMap, io::BufRead};

use foreshock_detect::pipeline::METRICS;
use foreshock_model::Timestamp;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
    number_data_point,
};
use prost::Message;

use crate::{
    csv_columns::{Columns, ValueColumn, is_gap, parse_time},
    lines::resource,
    records::RecordEntry,
    time_order::{LongPoint, Ordered, TimeOrder},
};

/// Names of series and services in a long table that are told apart.
const NAMES: usize = 1_000_000;
/// Points of a long table in one entry.
const POINTS: usize = 10_000;

/// Reads rows of metrics.
pub(crate) struct CsvMetrics<R> {
    rows: csv::Reader<R>,
    columns: Columns,
    row: csv::StringRecord,
    /// The first row was read to understand the header, and is still to be taken.
    is_read_ahead: bool,
    next: Option<RecordEntry>,
    /// Of a long table, once it was read.
    ordered: Option<Ordered>,
    names: Names,
    service: String,
    /// Rows that can't be read, and why the first of them can't.
    pub(crate) bad_rows: u64,
    pub(crate) first_bad: Option<String>,
}

/// Names by number.
#[derive(Default)]
struct Names {
    by_name: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> Option<u32> {
        if let Some(number) = self.by_name.get(name) {
            return Some(*number);
        }
        let number = u32::try_from(self.names.len()).ok().filter(|_| self.names.len() < NAMES)?;
        self.by_name.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        Some(number)
    }

    fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }
}

impl<R: BufRead> CsvMetrics<R> {
    /// Reads the header. `service` is whose series they are where no column says.
    pub(crate) fn new(reader: R, service: String) -> Result<Self, String> {
        let mut rows = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(reader);
        let header = rows.headers().map_err(|error| error.to_string())?.clone();
        let mut row = csv::StringRecord::new();
        let is_read_ahead = rows.read_record(&mut row).map_err(|error| error.to_string())?;
        let columns = Columns::of(&header, &row)?;
        Ok(Self {
            rows,
            columns,
            row,
            is_read_ahead,
            next: None,
            ordered: None,
            names: Names::default(),
            service,
            bad_rows: 0,
            first_bad: None,
        })
    }

    /// The time of the next entry; `None` at the end.
    pub(crate) fn next_time(&mut self) -> Result<Option<Timestamp>, String> {
        if self.next.is_none() {
            self.next = match self.columns.series {
                Some(_) => self.next_points()?,
                None => self.next_row()?,
            };
        }
        Ok(self.next.as_ref().map(|entry| entry.time))
    }

    /// The next row, or the points of a long table that have the same time. `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<RecordEntry>, String> {
        self.next_time()?;
        Ok(self.next.take())
    }

    /// Moves on to the next row; `false` at the end.
    fn advance(&mut self) -> Result<bool, String> {
        if std::mem::take(&mut self.is_read_ahead) {
            return Ok(true);
        }
        self.rows.read_record(&mut self.row).map_err(|error| error.to_string())
    }

    fn set_aside(&mut self, reason: &str) {
        self.bad_rows += 1;
        let line = self.row.position().map_or(0, csv::Position::line);
        self.first_bad.get_or_insert_with(|| format!("line {line}: {reason}"));
    }

    fn next_row(&mut self) -> Result<Option<RecordEntry>, String> {
        while self.advance()? {
            match self.wide_entry() {
                Ok(entry) => return Ok(Some(entry)),
                Err(reason) => self.set_aside(&reason),
            }
        }
        Ok(None)
    }

    fn wide_entry(&self) -> Result<RecordEntry, String> {
        let time = self.time()?;
        let mut metrics = Vec::new();
        for column in &self.columns.values {
            // What is no number is a gap.
            if let Some(value) = number(self.field(column.at)) {
                metrics.push(metric(&column.name, &column.unit, time, value));
            }
        }
        if metrics.is_empty() {
            let mut fields = self.columns.values.iter().map(|column| self.field(column.at));
            if let Some(text) = fields.find(|text| !is_gap(text)) {
                return Err(format!("{text:?} is not a number"));
            }
        }
        Ok(entry(time, vec![(self.service_of_row(), metrics)]))
    }

    fn next_points(&mut self) -> Result<Option<RecordEntry>, String> {
        let mut ordered = match self.ordered.take() {
            Some(ordered) => ordered,
            None => self.read_all()?,
        };
        let points = self.points(&mut ordered);
        self.ordered = Some(ordered);
        points
    }

    fn read_all(&mut self) -> Result<Ordered, String> {
        let disk = |error: std::io::Error| format!("putting it in the order of time failed: {error}");
        let mut order = TimeOrder::default();
        while self.advance()? {
            match self.long_point() {
                Ok(Some(point)) => order.push(point).map_err(disk)?,
                Ok(None) => {}
                Err(reason) => self.set_aside(&reason),
            }
        }
        order.finish().map_err(disk)
    }

    fn long_point(&mut self) -> Result<Option<LongPoint>, String> {
        let (Some(series), Some(column)) = (self.columns.series, self.columns.values.first()) else {
            return Ok(None);
        };
        let time = self.time()?;
        let text = self.row.get(column.at).unwrap_or("");
        let Some(value) = number(text) else {
            return if is_gap(text) { Ok(None) } else { Err(format!("{text:?} is not a number")) };
        };
        let service = self.columns.service.and_then(|at| self.row.get(at)).filter(|name| !name.is_empty());
        let service = self.names.number(service.unwrap_or(&self.service));
        let series = self.names.number(self.row.get(series).unwrap_or(""));
        let (Some(service), Some(series)) = (service, series) else {
            return Err(format!("it is of a series beyond the first {NAMES}"));
        };
        Ok(Some(LongPoint { time, service, series, value }))
    }

    /// Points of the same time, by service.
    fn points(&self, ordered: &mut Ordered) -> Result<Option<RecordEntry>, String> {
        let Some(time) = ordered.next_time() else { return Ok(None) };
        let mut services: Vec<(u32, Vec<Metric>)> = Vec::new();
        let unit = self.columns.values.first().map_or("", |column: &ValueColumn| &column.unit);
        for _ in 0..POINTS {
            if ordered.next_time() != Some(time) {
                break;
            }
            let point = ordered.next().map_err(|error| error.to_string())?;
            let Some(LongPoint { service, series, value, .. }) = point else { break };
            let metric = metric(self.names.name(series), unit, time, value);
            match services.iter_mut().find(|(known, _)| *known == service) {
                Some((_, metrics)) => metrics.push(metric),
                None => services.push((service, vec![metric])),
            }
        }
        let services = services.into_iter().map(|(service, metrics)| (self.names.name(service), metrics));
        Ok(Some(entry(time, services.collect())))
    }

    fn field(&self, at: usize) -> &str {
        self.row.get(at).unwrap_or("")
    }

    fn time(&self) -> Result<Timestamp, String> {
        let text = self.field(self.columns.time);
        parse_time(text).ok_or_else(|| format!("{text:?} is not a time"))
    }

    fn service_of_row(&self) -> &str {
        let named = self.columns.service.map(|at| self.field(at)).filter(|name| !name.is_empty());
        named.unwrap_or(&self.service)
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn metric(name: &str, unit: &str, time: Timestamp, value: f64) -> Metric {
    let point = NumberDataPoint {
        time_unix_nano: time.nanos(),
        value: Some(number_data_point::Value::AsDouble(value)),
        ..Default::default()
    };
    let data = Some(Data::Gauge(Gauge { data_points: vec![point] }));
    Metric { name: name.to_owned(), unit: unit.to_owned(), data, ..Default::default() }
}

/// Metrics of one time, by service.
fn entry(time: Timestamp, services: Vec<(&str, Vec<Metric>)>) -> RecordEntry {
    let points: usize = services.iter().map(|(_, metrics)| metrics.len()).sum();
    let group = |(service, metrics): (&str, Vec<Metric>)| ResourceMetrics {
        resource: Some(resource(service, "")),
        scope_metrics: vec![ScopeMetrics { metrics, ..Default::default() }],
        ..Default::default()
    };
    let resource_metrics = services.into_iter().map(group).collect();
    let payload = MetricsData { resource_metrics }.encode_to_vec().into();
    RecordEntry { stream: METRICS, payload, records: points as u64, time, written: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> (Vec<(u64, u64)>, u64, Option<String>) {
        let mut rows = CsvMetrics::new(input.as_bytes(), "host".into()).expect("a header");
        let entries = std::iter::from_fn(|| rows.next().expect("rows"));
        let entries = entries.map(|entry| (entry.time.nanos() / 1_000_000_000, entry.records)).collect();
        (entries, rows.bad_rows, rows.first_bad)
    }

    #[test]
    fn rows_that_cannot_be_read_are_counted_and_the_others_are_kept() {
        let (points, bad, first) = read("timestamp,cpu,memory\n1,0.5,7\nnever,1,1\n2,,8\n3,low,high\n4,,\n");
        assert_eq!((points, bad), (vec![(1, 2), (2, 1), (4, 0)], 2));
        assert_eq!(first.as_deref(), Some("line 3: \"never\" is not a time"));
    }

    #[test]
    fn a_long_table_of_one_series_after_the_other_is_read_in_the_order_of_time() {
        let table = "series,ts,value\na,1,1\na,2,1\na,9,low\na,3,nan\nb,1,5\nb,2,6\nb,4,7\n";
        assert_eq!(
            read(table),
            (vec![(1, 2), (2, 2), (4, 1)], 1, Some("line 4: \"low\" is not a number".into()))
        );
    }
}
