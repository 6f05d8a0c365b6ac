//! How odd each value of a metric is, a row for each row of the input: what the estimator of a series says, without the
//! stages.
//!
//! Rows are taken in the order of the input, files in the order they are named. A score depends on what stands before it
//! only.

use std::{
    collections::HashMap,
    io::{self, BufRead, Write},
};

use foreshock_detect::pipeline::METRICS;
use foreshock_otlp::views::Number;
use foreshock_stats::SeriesScore;

use crate::{
    InputKind, ScanError, Source, SourceError,
    csv_columns::{Columns, parse_time},
    input::Opened,
    otlp_json::OtlpJson,
    points::{numbers, worth},
};

/// Series that are scored; values of more score 0.
const SERIES: usize = 200_000;

/// Writes `timestamp,value,score`, or `series,timestamp,value,score` where there are several series.
pub fn write_scores(sources: &[Source], service: Option<&str>, out: &mut dyn Write) -> Result<(), ScanError> {
    let mut tables = Vec::with_capacity(sources.len());
    for source in sources {
        let name = source.name();
        let mut opened = source.open()?;
        let start =
            opened.reader.fill_buf().map_err(|source| SourceError::Io { name: name.clone(), source })?;
        let table = match InputKind::of(start) {
            InputKind::Lines => return Err(ScanError::NoMetrics { option: "--scores", name }),
            InputKind::OtlpJson => Table::Otlp(OtlpJson::new(opened.reader, opened.modified)),
            InputKind::CsvMetrics => Table::Csv(Box::new(Csv::new(opened)?)),
        };
        tables.push((service.map_or_else(|| source.service(), str::to_owned), table));
    }
    let mut scorer =
        Scorer { out: csv::Writer::from_writer(out), names: are_several(&tables), watches: HashMap::new() };
    scorer.header()?;
    for ((service, table), source) in tables.iter_mut().zip(sources) {
        match table {
            Table::Csv(csv) => csv.score(service, &mut scorer)?,
            Table::Otlp(otlp) => score_otlp(otlp, &source.name(), &mut scorer)?,
        }
    }
    Ok(scorer.out.flush()?)
}

enum Table {
    Csv(Box<Csv>),
    Otlp(OtlpJson),
}

/// Whether the rows have to say which series they are of.
fn are_several(tables: &[(String, Table)]) -> bool {
    let mut only: Option<(&str, &str)> = None;
    for (service, table) in tables {
        let Table::Csv(csv) = table else { return true };
        let columns = &csv.columns;
        let [column] = &columns.values[..] else { return true };
        let own = (service.as_str(), column.name.as_str());
        if columns.series.is_some() || columns.service.is_some() || only.is_some_and(|known| known != own) {
            return true;
        }
        only = Some(own);
    }
    false
}

struct Scorer<'o> {
    out: csv::Writer<&'o mut dyn Write>,
    /// Rows begin with the series.
    names: bool,
    watches: HashMap<(String, String), Watch>,
}

struct Watch {
    watch: SeriesScore,
    /// Of what counts up: the count before.
    count: Option<f64>,
}

/// One value of the input, as it stood there.
struct Cell<'c> {
    service: &'c str,
    series: &'c str,
    timestamp: &'c str,
    value: &'c str,
    /// Seconds and value, where they can be read.
    read: Option<(f64, f64)>,
    counts: bool,
}

impl Scorer<'_> {
    fn header(&mut self) -> Result<(), ScanError> {
        let header: &[&str] = if self.names {
            &["series", "timestamp", "value", "score"]
        } else {
            &["timestamp", "value", "score"]
        };
        self.out.write_record(header).map_err(|error| ScanError::Output(error.into()))
    }

    fn score(&mut self, cell: &Cell<'_>) -> Result<(), ScanError> {
        let score = self.watch(cell).map_or(0.0, |score| score.clamp(0.0, 1.0));
        let score = format!("{score:.6}");
        let row = [cell.series, cell.timestamp, cell.value, &score];
        let row = if self.names { &row[..] } else { &row[1..] };
        self.out.write_record(row).map_err(|error| ScanError::Output(error.into()))
    }

    fn watch(&mut self, cell: &Cell<'_>) -> Option<f64> {
        let (secs, value) = cell.read?;
        let key = (cell.service.to_owned(), cell.series.to_owned());
        if !self.watches.contains_key(&key) && self.watches.len() >= SERIES {
            return None;
        }
        let watch =
            self.watches.entry(key).or_insert_with(|| Watch { watch: SeriesScore::default(), count: None });
        let value = worth(value, cell.counts, &mut watch.count)?;
        Some(watch.watch.observe(secs, value))
    }
}

/// A table whose fields are kept as they stand.
struct Csv {
    name: String,
    rows: csv::Reader<Box<dyn BufRead>>,
    columns: Columns,
    /// The first row, which the header is understood by.
    first: Option<csv::StringRecord>,
}

impl Csv {
    fn new(opened: Opened) -> Result<Self, ScanError> {
        let name = opened.name;
        let refused = |reason: String| ScanError::Csv { name: name.clone(), reason };
        let mut rows =
            csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::Headers).from_reader(opened.reader);
        let header = rows.headers().map_err(|error| refused(error.to_string()))?.clone();
        let mut first = csv::StringRecord::new();
        let is_there = rows.read_record(&mut first).map_err(|error| refused(error.to_string()))?;
        let columns = Columns::of(&header, &first).map_err(refused)?;
        Ok(Self { name, rows, columns, first: is_there.then_some(first) })
    }

    fn score(&mut self, service: &str, scorer: &mut Scorer<'_>) -> Result<(), ScanError> {
        let mut row = csv::StringRecord::new();
        if let Some(first) = self.first.take() {
            self.score_row(&first, service, scorer)?;
        }
        let refused =
            |error: csv::Error| ScanError::Csv { name: self.name.clone(), reason: error.to_string() };
        while self.rows.read_record(&mut row).map_err(refused)? {
            self.score_row(&row, service, scorer)?;
        }
        Ok(())
    }

    fn score_row(
        &self,
        row: &csv::StringRecord,
        service: &str,
        scorer: &mut Scorer<'_>,
    ) -> Result<(), ScanError> {
        let field = |at: usize| row.get(at).unwrap_or("");
        let named = self.columns.service.map(|at| field(at).trim()).filter(|name| !name.is_empty());
        let timestamp = field(self.columns.time);
        let time = parse_time(timestamp.trim());
        for column in &self.columns.values {
            let value = field(column.at);
            let number = value.trim().parse::<f64>().ok().filter(|value| value.is_finite());
            scorer.score(&Cell {
                service: named.unwrap_or(service),
                series: self.columns.series.map_or(column.name.as_str(), field),
                timestamp,
                value,
                read: time.zip(number).map(|(time, value)| (time.as_secs_f64(), value)),
                counts: false,
            })?;
        }
        Ok(())
    }
}

/// Timestamps are nanoseconds since the epoch, as OTLP has them.
fn score_otlp(otlp: &mut OtlpJson, name: &str, scorer: &mut Scorer<'_>) -> Result<(), ScanError> {
    let io = |source: io::Error| SourceError::Io { name: name.to_owned(), source };
    while let Some(entry) = otlp.next().map_err(io)? {
        if entry.stream != METRICS {
            continue;
        }
        let mut written = Ok(());
        numbers(&entry.payload, &mut |seen| {
            let value = match seen.value {
                Number::Int(value) => value.to_string(),
                Number::Double(value) => value.to_string(),
            };
            let number = seen.value.as_f64();
            let cell = Cell {
                service: seen.service,
                series: &seen.series,
                timestamp: &seen.time.nanos().to_string(),
                value: &value,
                read: number.is_finite().then(|| (seen.time.as_secs_f64(), number)),
                counts: seen.counts,
            };
            if written.is_ok() {
                written = scorer.score(&cell);
            }
        });
        written?;
    }
    Ok(())
}
