//! Metric series: their minutes, what watches them, what is told of them.
//!
//! Dense: a table of states by number. A minute goes over all of them once ([`one`]), then over the services they are of
//! ([`service`]).

mod histogram;
mod one;
mod run_out;
mod service;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use foreshock_model::{Kind, ServiceName, Severity, Tenant, Timestamp, Window};
use foreshock_stats::Fared;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::{
    histogram::Histogram,
    one::{Measure, Place, SeriesState},
    service::ServiceMetrics,
    text::{Names, SeriesText, limit_of},
};
use super::{
    ServiceKey,
    merged::{HistogramWindow, NewSeries},
    report::Report,
};
use crate::{Asked, Table, workings::numbers};

/// What was not reported for so long is not on its way anywhere.
const STALE_SECONDS: f64 = 3_600.0;

/// Every metric series of the partition.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct SeriesTable {
    by_id: Table<u64, u32>,
    states: Vec<SeriesState>,
    names: Names,
    /// By the series of their quantile.
    histograms: BTreeMap<u32, Histogram>,
    services: Vec<ServiceMetrics>,
    by_service: Table<ServiceKey, u32>,
    /// How the forecasts of all have fared.
    fared: Fared,
    /// Series of each tenant.
    by_tenant: BTreeMap<Tenant, usize>,
}

/// A series as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesView {
    /// Metric and attributes.
    pub name: String,
    /// Whose it is.
    pub service: ServiceName,
    /// Which instance's.
    pub instance: String,
    /// Its unit.
    pub unit: String,
    /// The value of the latest closed minute that had one, and the end of that minute: the mean of a gauge, of a counter
    /// how much it grew a second.
    pub last: Option<(Timestamp, f64)>,
    /// What is expected next.
    pub expected: f64,
    /// Minutes that taught.
    pub learned_minutes: u32,
    /// How its forecasts have fared, of what can be used up.
    pub forecasts: Option<Fared>,
}

impl SeriesTable {
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Takes note of series that were met for the first time, in the order of their ids: up to `limit` in all, and up
    /// to `most` of the tenant.
    pub(super) fn announce(&mut self, key: &ServiceKey, mut new: Vec<NewSeries>, limit: u32, most: usize) {
        if new.is_empty() {
            return;
        }
        new.sort_by_key(|series| series.id);
        let held = self.by_tenant.entry(key.0.clone()).or_default();
        let number = match self.by_service.get(key) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.services.len()).unwrap_or(u32::MAX);
                self.services.push(ServiceMetrics::new(key.clone()));
                self.by_service.insert(key.clone(), number);
                number
            }
        };
        for series in new {
            if self.by_id.contains_key(&series.id) {
                continue;
            }
            if self.states.len() >= limit as usize || *held >= most {
                continue;
            }
            *held += 1;
            let measure = Measure::of(series.kind);
            let limit = limit_of(&series.name, &series.unit).filter(|_| measure == Measure::Gauge);
            let service = &mut self.services[number as usize];
            let (instance, metric) = (service.instance(&series.instance), service.metric(&series.name));
            let of = Place { service: number, instance, metric };
            self.by_id.insert(series.id, u32::try_from(self.states.len()).unwrap_or(u32::MAX));
            self.states.push(SeriesState::new(of, measure, limit));
            self.names.push(series.name, series.unit);
        }
    }

    /// Adds the values of the base window that starts at `start`: id, value, samples. Returns how many are of series that are not watched, for want
    /// of room.
    pub(super) fn take(&mut self, start: Timestamp, values: &[(u64, f64, u32)]) -> u64 {
        let mut unwatched = 0;
        for (id, value, samples) in values {
            match self.by_id.get(id) {
                Some(number) => self.states[*number as usize].take(start, *value, *samples),
                None => unwatched += 1,
            }
        }
        unwatched
    }

    /// Adds how the values of histograms were spread in a base window. Those whose series are not watched are passed over.
    pub(super) fn take_histograms(&mut self, mut histograms: Vec<HistogramWindow>) {
        // In an order of their own, should one have come on two partitions.
        histograms.sort_by_key(|histogram| (histogram.id, histogram.cut));
        for histogram in histograms {
            let numbers = self.by_id.get(&histogram.id).zip(self.by_id.get(&histogram.rate));
            let Some((quantile, rate)) = numbers else { continue };
            self.histograms
                .entry(*quantile)
                .or_insert_with(|| Histogram::new(*rate))
                .take(histogram.cut, &histogram.cells);
        }
    }

    /// Judges the minute of every series, of every histogram, then that of every service.
    pub(super) fn close_minute(&mut self, minute: Window, report: &mut Report) {
        let mut told = BTreeSet::new();
        for (number, state) in (0..).zip(&mut self.states) {
            let before = report.findings.len();
            let service = &mut self.services[state.service() as usize];
            state.close_minute(number, service, &self.names, minute, report);
            if report.findings[before..].iter().any(|finding| finding.severity > Severity::Info) {
                told.insert(number);
            }
        }
        self.close_histograms(&told, minute, report);
        for service in &mut self.services {
            service.close_minute(&self.names, minute, report);
        }
    }

    /// `told`: the series of which more than information was told in the minute.
    fn close_histograms(&mut self, told: &BTreeSet<u32>, minute: Window, report: &mut Report) {
        let mut tested = BTreeSet::new();
        for (number, histogram) in &mut self.histograms {
            let state = &self.states[*number as usize];
            let service = &self.services[state.service() as usize];
            histogram.note_told(*number, told, minute);
            let Some(seen) = histogram.close_minute(minute) else { continue };
            tested.insert(state.service());
            let text = self.names.of(*number, state.instance(), service);
            report.findings.extend(histogram.tell(&seen, service, text, minute));
        }
        for service in tested {
            let service = &self.services[service as usize];
            let seconds = service.window(minute).length.as_secs() as u32;
            // What one is worth is what it is among all of the service.
            report.tested(&service.key().0, Kind::DistributionMoved, seconds, 1);
        }
    }

    pub(super) fn fared(&self) -> Fared {
        self.fared
    }

    /// Forecasts what is used up.
    pub(super) fn close_ten_minutes(&mut self, ten: Window, report: &mut Report) {
        self.fared = Fared::default();
        for (number, state) in (0..).zip(&mut self.states) {
            let Some(fared) = state.fared() else { continue };
            self.fared += fared;
            if state.watch().silent_secs(ten.end().as_secs_f64()) > STALE_SECONDS {
                continue;
            }
            let service = &self.services[state.service() as usize];
            let text = self.names.of(number, state.instance(), service);
            let Some(run_out) = state.run_out() else { continue };
            let finding = run_out::forecast(run_out, service.key(), text, ten, report);
            report.findings.extend(finding);
        }
    }

    /// The id that reduce gave the series of a finding.
    pub(super) fn id_of(&self, asked: &Asked) -> Option<u64> {
        let number = self.number_of(asked)?;
        self.by_id.iter().find(|(_, of)| **of as usize == number).map(|(id, _)| *id)
    }

    /// Every number kept of the series of a finding, and of its service.
    pub(super) fn workings(&self, asked: &Asked) -> Option<serde_json::Value> {
        let service = &self.services[*self.by_service.get(&asked.key())? as usize];
        if asked.series == service::TOGETHER {
            return Some(json!({ "metrics": numbers(service) }));
        }
        let number = self.number_of(asked)?;
        if asked.kind == Kind::DistributionMoved {
            let histogram = self.histograms.get(&(number as u32)).map(numbers);
            return Some(json!({ "histogram": histogram, "metrics": numbers(service) }));
        }
        Some(json!({ "series": numbers(&self.states[number]), "metrics": numbers(service) }))
    }

    fn number_of(&self, asked: &Asked) -> Option<usize> {
        let service = *self.by_service.get(&asked.key())?;
        let is_asked = |text: &SeriesText<'_>| match asked.kind {
            Kind::DistributionMoved => text
                .histogram()
                .is_some_and(|name| SeriesText { name: &name, ..*text }.series() == asked.series),
            _ => text.series() == asked.series,
        };
        self.rows().position(|(state, text)| state.service() == service && is_asked(&text))
    }

    fn rows(&self) -> impl Iterator<Item = (&SeriesState, SeriesText<'_>)> {
        (0..).zip(&self.states).map(|(number, state)| {
            let service = &self.services[state.service() as usize];
            (state, self.names.of(number, state.instance(), service))
        })
    }

    pub(super) fn views(&self, tenant: &Tenant, limit: usize) -> Vec<SeriesView> {
        let of = |state: &SeriesState| self.services[state.service() as usize].key();
        self.rows()
            .filter(|(state, _)| of(state).0 == *tenant)
            .take(limit)
            .map(|(state, text)| SeriesView {
                name: text.name.to_string(),
                service: of(state).1.clone(),
                instance: text.instance.to_string(),
                unit: text.unit.to_string(),
                last: state.last(),
                expected: state.watch().mean(),
                learned_minutes: state.watch().learned(),
                forecasts: state.fared(),
            })
            .collect()
    }
}
