//! Metrics as comma-separated values: wide (each column a series) or long (a series column and a value column).

use std::io::BufRead;

use foreshock_model::Timestamp;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
    number_data_point,
};
use prost::Message;

use crate::{kind::is_time_column, lines::resource, records::RecordEntry};

/// A time after this is none: time never goes back, so one absurd row would make all that follow late.
const YEAR_2200_NANOS: f64 = 7_258_118_400e9;

/// Where everything stands in a row.
#[derive(Debug, PartialEq, Eq)]
struct Columns {
    time: usize,
    /// Of long input.
    series: Option<usize>,
    service: Option<usize>,
    /// Name and place of each value.
    values: Vec<(String, usize)>,
}

/// Reads rows of metrics.
pub(crate) struct CsvMetrics<R> {
    rows: csv::Reader<R>,
    columns: Columns,
    row: csv::StringRecord,
    next: Option<RecordEntry>,
    service: String,
    /// Rows that can't be read, and why the first of them can't.
    pub(crate) bad_rows: u64,
    pub(crate) first_bad: Option<String>,
}

impl<R: BufRead> CsvMetrics<R> {
    /// Reads the header. `service` is whose series they are where no column says.
    pub(crate) fn new(reader: R, service: String) -> Result<Self, String> {
        let mut rows = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(reader);
        let columns = columns(rows.headers().map_err(|error| error.to_string())?)?;
        Ok(Self {
            rows,
            columns,
            row: csv::StringRecord::new(),
            next: None,
            service,
            bad_rows: 0,
            first_bad: None,
        })
    }

    /// The time of the next row; `None` at the end.
    pub(crate) fn next_time(&mut self) -> Result<Option<Timestamp>, String> {
        if self.next.is_none() {
            self.next = self.read()?;
        }
        Ok(self.next.as_ref().map(|entry| entry.time))
    }

    /// The next row as one entry. `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<RecordEntry>, String> {
        self.next_time()?;
        Ok(self.next.take())
    }

    fn read(&mut self) -> Result<Option<RecordEntry>, String> {
        loop {
            if !self.rows.read_record(&mut self.row).map_err(|error| error.to_string())? {
                return Ok(None);
            }
            match self.entry() {
                Ok(entry) => return Ok(Some(entry)),
                Err(reason) => {
                    self.bad_rows += 1;
                    let line = self.row.position().map_or(0, csv::Position::line);
                    self.first_bad.get_or_insert_with(|| format!("line {line}: {reason}"));
                }
            }
        }
    }

    fn entry(&self) -> Result<RecordEntry, String> {
        let field = |at: usize| self.row.get(at).unwrap_or("");
        let time = parse_time(field(self.columns.time))
            .ok_or_else(|| format!("{:?} is not a time", field(self.columns.time)))?;
        let series = self.columns.series.map(field);
        let service = self.columns.service.map(field).filter(|name| !name.is_empty());
        let mut metrics = Vec::new();
        for (name, at) in &self.columns.values {
            // What is no number is a gap.
            let Some(value) = field(*at).parse::<f64>().ok().filter(|value| value.is_finite()) else {
                continue;
            };
            let point = NumberDataPoint {
                time_unix_nano: time.nanos(),
                value: Some(number_data_point::Value::AsDouble(value)),
                ..Default::default()
            };
            let name = series.unwrap_or(name).to_owned();
            let data = Some(Data::Gauge(Gauge { data_points: vec![point] }));
            metrics.push(Metric { name, data, ..Default::default() });
        }
        if metrics.is_empty() {
            let mut fields = self.columns.values.iter().map(|(_, at)| field(*at));
            if let Some(text) = fields.find(|text| !text.is_empty() && !text.eq_ignore_ascii_case("nan")) {
                return Err(format!("{text:?} is not a number"));
            }
        }
        let points = metrics.len() as u64;
        let group = ResourceMetrics {
            resource: Some(resource(service.unwrap_or(&self.service), "")),
            scope_metrics: vec![ScopeMetrics { metrics, ..Default::default() }],
            ..Default::default()
        };
        let payload = MetricsData { resource_metrics: vec![group] }.encode_to_vec().into();
        Ok(RecordEntry { stream: 1, payload, records: points, time, written: None })
    }
}

fn columns(header: &csv::StringRecord) -> Result<Columns, String> {
    let names: Vec<String> =
        header.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
    let lower: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let time =
        lower.iter().position(|name| is_time_column(name)).ok_or("it has no timestamp or ts column")?;
    let series = lower.iter().position(|name| name == "series");
    let service = lower.iter().position(|name| name == "service");
    let values = names
        .into_iter()
        .enumerate()
        .filter(|(at, _)| *at != time && Some(*at) != series && Some(*at) != service);
    let mut values: Vec<(String, usize)> = values.map(|(at, name)| (name, at)).collect();
    if series.is_some() {
        values.truncate(1);
    }
    if values.is_empty() {
        return Err("it has no column of values".into());
    }
    Ok(Columns { time, series, service, values })
}

/// RFC 3339, `YYYY-MM-DD HH:MM:SS` as UTC, or the epoch in seconds, milliseconds, microseconds or nanoseconds.
fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(number) = text.parse::<f64>() {
        let scale = match number {
            n if n < 1e11 => 1e9,
            n if n < 1e14 => 1e6,
            n if n < 1e17 => 1e3,
            _ => 1.0,
        };
        let nanos = number * scale;
        return (0.0..YEAR_2200_NANOS).contains(&nanos).then_some(Timestamp(nanos as u64));
    }
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        return Some(time);
    }
    let civil: jiff::civil::DateTime = text.replace('/', "-").parse().ok()?;
    let instant = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
    u64::try_from(instant.as_nanosecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_spelling() {
        let expected = Some(Timestamp::from_secs(1_396_310_400));
        for text in [
            "2014-04-01 00:00:00",
            "2014-04-01T00:00:00Z",
            "1396310400",
            "1396310400000",
            "1396310400000000000",
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
        for text in ["yesterday", "", "nan", "inf", "-1", "1e30"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn rows_that_cannot_be_read_are_counted_and_the_others_are_kept() {
        let input = "timestamp,cpu,memory\n1,0.5,7\nnever,1,1\n2,,8\n3,low,high\n4,,\n";
        let mut rows = CsvMetrics::new(input.as_bytes(), "host".into()).expect("a header");
        let points: Vec<u64> =
            std::iter::from_fn(|| rows.next().expect("rows")).map(|entry| entry.records).collect();
        assert_eq!((points, rows.bad_rows), (vec![2, 1, 0], 2));
        assert_eq!(rows.first_bad.as_deref(), Some("line 3: \"never\" is not a time"));
    }
}
