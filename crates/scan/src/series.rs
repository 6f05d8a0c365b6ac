//! The metric series of a scan: their values over time in columns, and how odd they were found.

use std::collections::HashMap;

use foreshock_model::{Finding, ServiceName, Severity, Timestamp};

use crate::{
    grid::{COLUMNS, Grid},
    points::{NumberSeen, numbers, worth},
};

/// Series kept for people to look at; of more, only the findings are told.
const SERIES: usize = 10_000;
/// Height of the highest column of a chart; the lowest is 1, and what has no value 0.
const HEIGHT: f64 = 1_000.0;

/// A series, its values over time, and what was found of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesSeen {
    /// Whose it is.
    pub service: ServiceName,
    /// As findings name it.
    pub name: String,
    /// Its unit, without annotations.
    pub unit: String,
    /// Values read.
    pub values: u64,
    /// The lowest value; of what counts up, the least it grew by.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// Height of each column of time, from the first to the last that any series has a value in; 0 where it has none.
    pub heights: Vec<u32>,
    /// Final findings of it.
    pub findings: u64,
    /// The gravest of them.
    pub severity: Severity,
    /// The surprise of the most surprising of them.
    pub surprise: f64,
}

/// Gathers series while they are read.
#[derive(Default)]
pub(crate) struct SeriesTally {
    grid: Option<Grid>,
    places: HashMap<(String, String), usize>,
    series: Vec<Gathered>,
}

struct Gathered {
    seen: SeriesSeen,
    columns: Box<[(f64, u32); COLUMNS]>,
    /// Of what counts up: the count before.
    count: Option<f64>,
}

impl SeriesTally {
    /// Takes the values of a payload of metrics.
    pub(crate) fn add(&mut self, payload: &[u8]) {
        numbers(payload, &mut |number| self.add_one(number));
    }

    fn add_one(&mut self, number: NumberSeen<'_>) {
        let NumberSeen { service, series, unit, time, value, counts } = number;
        let value = value.as_f64();
        if !value.is_finite() {
            return;
        }
        let key = (service.to_owned(), series);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None if self.series.len() >= SERIES => return,
            None => {
                self.series.push(Gathered::new(&key, unit));
                self.places.insert(key, self.series.len() - 1);
                self.series.len() - 1
            }
        };
        let column = self.column(time);
        self.series[place].add(column, value, counts);
    }

    /// The column of a time, for which the grid is moved or made wider if need be.
    fn column(&mut self, time: Timestamp) -> usize {
        let grid = self.grid.get_or_insert_with(|| Grid::at(time));
        if let Some(moved) = grid.hold(time) {
            for series in &mut self.series {
                let mut columns = [(0.0, 0); COLUMNS];
                for (column, (sum, count)) in series.columns.iter().enumerate().filter(|(_, (_, n))| *n > 0) {
                    let to = &mut columns[moved.place(column)];
                    (to.0, to.1) = (to.0 + sum, to.1 + count);
                }
                *series.columns = columns;
            }
        }
        grid.column(time).unwrap_or(0)
    }

    /// Takes note of a final finding.
    pub(crate) fn note(&mut self, finding: &Finding) {
        let key = (finding.service.as_str().to_owned(), finding.series.clone());
        let Some(series) = self.places.get(&key).and_then(|place| self.series.get_mut(*place)) else {
            return;
        };
        let seen = &mut series.seen;
        seen.findings += 1;
        seen.severity = seen.severity.max(finding.severity);
        seen.surprise = seen.surprise.max(finding.surprise);
    }

    /// The series, the oddest first, then by name.
    pub(crate) fn finish(self) -> Vec<SeriesSeen> {
        let is_used = |column: &usize| self.series.iter().any(|series| series.columns[*column].1 > 0);
        let first = (0..COLUMNS).find(is_used).unwrap_or(0);
        let end = (0..COLUMNS).rev().find(is_used).map_or(first, |last| last + 1);
        let mut all: Vec<SeriesSeen> = self
            .series
            .into_iter()
            .map(|series| series.finish(first..end))
            .filter(|s| s.values > 0)
            .collect();
        all.sort_by(|a, b| {
            (b.findings > 0, b.severity)
                .cmp(&(a.findings > 0, a.severity))
                .then_with(|| b.surprise.total_cmp(&a.surprise))
                .then_with(|| (&a.service, &a.name).cmp(&(&b.service, &b.name)))
        });
        all
    }
}

impl Gathered {
    fn new((service, name): &(String, String), unit: &str) -> Self {
        let seen = SeriesSeen {
            service: service.as_str().into(),
            name: name.clone(),
            unit: unit.split('{').next().unwrap_or("").to_owned(),
            values: 0,
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            heights: Vec::new(),
            findings: 0,
            severity: Severity::Info,
            surprise: 0.0,
        };
        Self { seen, columns: Box::new([(0.0, 0); COLUMNS]), count: None }
    }

    fn add(&mut self, column: usize, value: f64, counts: bool) {
        let Some(value) = worth(value, counts, &mut self.count) else { return };
        let (sum, count) = &mut self.columns[column];
        (*sum, *count) = (*sum + value, count.saturating_add(1));
        let seen = &mut self.seen;
        seen.values += 1;
        (seen.low, seen.high) = (seen.low.min(value), seen.high.max(value));
    }

    fn finish(self, used: std::ops::Range<usize>) -> SeriesSeen {
        let mut seen = self.seen;
        let means =
            self.columns[used].iter().map(|(sum, count)| (*count > 0).then(|| sum / f64::from(*count)));
        let means: Vec<Option<f64>> = means.collect();
        let low = means.iter().flatten().copied().fold(f64::INFINITY, f64::min);
        let range = means.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max) - low;
        let height =
            |mean: f64| if range > 0.0 { 1.0 + (HEIGHT - 1.0) * ((mean - low) / range) } else { 1.0 };
        seen.heights = means.iter().map(|mean| mean.map_or(0, |mean| height(mean) as u32)).collect();
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{csv_metrics::CsvMetrics, records::RecordEntry};

    #[test]
    fn a_series_is_drawn_between_its_lowest_and_its_highest_and_a_gap_is_seen() {
        let mut table = String::from("ts,cpu\n");
        for minute in (0..64).filter(|minute| !(20..30).contains(minute)) {
            table.push_str(&format!("{},{}\n", 1_700_000_000 + minute * 60, minute));
        }
        let mut rows = CsvMetrics::new(table.as_bytes(), "host".into()).expect("a header");
        let mut tally = SeriesTally::default();
        while let Some(RecordEntry { payload, .. }) = rows.next().expect("rows") {
            tally.add(&payload);
        }
        let [cpu] = &tally.finish()[..] else { panic!("one series") };
        assert_eq!((cpu.name.as_str(), cpu.values, cpu.low, cpu.high), ("cpu", 54, 0.0, 63.0));
        let (first, last) = (cpu.heights[0], cpu.heights[cpu.heights.len() - 1]);
        assert!(first == 1 && last == 1_000 && cpu.heights.contains(&0), "{:?}", cpu.heights);
        assert!(cpu.heights.iter().filter(|height| **height > 0).is_sorted());
    }
}
