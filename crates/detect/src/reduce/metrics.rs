//! Folds metric points: gauges to their mean, sums to their increase, distributions to their rate, 95th percentile and cells.

use std::collections::BTreeMap;

use foreshock_model::{Timestamp, proto};
use foreshock_otlp::views::{
    self, Attributes, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, MetricData, NumberDataPoint,
    Temporality,
};
use serde::{Deserialize, Serialize};

use super::{
    Fold,
    bad::BadRecords,
    core::Core,
    distribution::Distribution,
    series::{SeriesId, SeriesNumber, SeriesTable},
    sources::{ServiceId, SourceId},
    windows::OpenWindows,
};
use crate::{Input, Outputs};

/// The quantile of a distribution that becomes a series.
const QUANTILE: f64 = 0.95;

/// The fold of the metrics stream.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct MetricFold {
    series: SeriesTable,
    /// Of cumulative distributions: what the next point is compared with.
    distributions: BTreeMap<SeriesNumber, Distribution>,
    windows: OpenWindows<MetricWindow>,
}

#[derive(Default, Serialize, Deserialize)]
struct MetricWindow {
    /// By series: place in `values` and 1, or 0.
    slots: Vec<u32>,
    values: Vec<Value>,
    /// By the series of their quantile.
    distributions: BTreeMap<SeriesNumber, Increase>,
    /// Points of each source, the first and the last.
    instances: BTreeMap<SourceId, (u64, Timestamp, Timestamp)>,
}

/// What a histogram grew by.
#[derive(Serialize, Deserialize)]
struct Increase {
    /// The series of its rate.
    rate: SeriesNumber,
    values: Distribution,
}

#[derive(Serialize, Deserialize)]
struct Value {
    series: SeriesNumber,
    samples: u32,
    /// Of a gauge the sum of its samples, of a rate the increase.
    sum: f64,
    mean: bool,
}

/// What a point is a point of.
#[derive(Clone, Copy)]
struct Owner<'a, 'm> {
    source: SourceId,
    service: ServiceId,
    instance: &'a str,
    metric: &'a Metric<'m>,
    id: SeriesId,
}

/// What a fold works with besides its tables.
struct Work<'w> {
    core: &'w mut Core,
    input: &'w Input<'w>,
    out: &'w mut Outputs<proto::Summaries>,
}

/// A point that can be placed: its attributes and times.
struct Point<'a> {
    attributes: Attributes<'a>,
    start: u64,
    time: u64,
}

impl Fold for MetricFold {
    fn fold(
        &mut self,
        core: &mut Core,
        input: &Input<'_>,
        out: &mut Outputs<proto::Summaries>,
    ) -> Result<(), String> {
        let mut bad = BadRecords::default();
        for resource in views::metrics(input.payload) {
            let Some(resource) = bad.sift(resource) else { continue };
            let source = core.source(input.tenant, &resource.resource);
            for scope in resource.scopes() {
                let Some(scope) = bad.sift(scope) else { continue };
                for metric in scope.records() {
                    let Some(metric) = bad.sift(metric) else { continue };
                    self.metric(&mut Work { core, input, out }, source, &metric, &mut bad);
                }
            }
        }
        bad.verdict()
    }

    fn summarise_due(
        &mut self,
        core: &Core,
        due: Timestamp,
    ) -> Option<BTreeMap<ServiceId, proto::WindowSummary>> {
        let (start, window) = self.windows.take_due(due)?;
        Some(self.summarise(core, start, window))
    }
}

impl MetricFold {
    fn metric(&mut self, work: &mut Work<'_>, source: SourceId, metric: &Metric<'_>, bad: &mut BadRecords) {
        let known = work.core.sources.source(source);
        let (service, instance) = (known.service, known.instance.clone());
        let id = SeriesId::new(known.identity, metric.name);
        let owner = Owner { source, service, instance: &instance, metric, id };
        match &metric.data {
            MetricData::None => {}
            MetricData::Gauge(points) => {
                for point in points.clone() {
                    let Some(point) = bad.sift(point) else { continue };
                    self.number(work, owner, &point, Temporality::Unspecified);
                }
            }
            MetricData::Sum { points, monotonic, temporality } => {
                // What may fall again and is told as a whole is a level, not a flow.
                let gauge = !monotonic && *temporality == Temporality::Cumulative;
                let temporality = if gauge { Temporality::Unspecified } else { *temporality };
                for point in points.clone() {
                    let Some(point) = bad.sift(point) else { continue };
                    self.number(work, owner, &point, temporality);
                }
            }
            MetricData::Histogram { points, temporality } => {
                for point in points.clone() {
                    let Some(point) = bad.sift(point).filter(|point| !point.no_recorded_value) else {
                        continue;
                    };
                    let place = Point::new(point.attributes(), point.start, point.time);
                    self.distribution(work, owner, &place, explicit(&point), *temporality);
                }
            }
            MetricData::ExponentialHistogram { points, temporality } => {
                for point in points.clone() {
                    let Some(point) = bad.sift(point).filter(|point| !point.no_recorded_value) else {
                        continue;
                    };
                    let place = Point::new(point.attributes(), point.start, point.time);
                    self.distribution(work, owner, &place, exponential(&point), *temporality);
                }
            }
            MetricData::Summary(points) => {
                for point in points.clone() {
                    let Some(point) = bad.sift(point).filter(|point| !point.no_recorded_value) else {
                        continue;
                    };
                    let place = Point::new(point.attributes(), point.start, point.time);
                    for quantile in point.quantiles() {
                        let name = format!("q{}", quantile.quantile);
                        self.gauge(work, owner, &place, &name, quantile.value);
                    }
                }
            }
        }
    }

    /// A point of a gauge or a sum. A gauge has no temporality.
    fn number(
        &mut self,
        work: &mut Work<'_>,
        owner: Owner<'_, '_>,
        point: &NumberDataPoint<'_>,
        temporality: Temporality,
    ) {
        let Some(value) = point.value.map(views::Number::as_f64).filter(|value| value.is_finite()) else {
            return;
        };
        let place = Point::new(point.attributes(), point.start, point.time);
        if temporality == Temporality::Unspecified {
            return self.gauge(work, owner, &place, "", value);
        }
        let Some(series) = self.meet(work.core, owner, &place, "", proto::SeriesKind::Rate) else { return };
        let increase = match temporality {
            Temporality::Cumulative => self.series.increase(series, place.start, value),
            _ => Some(value),
        };
        self.put(work, owner.source, &place, |window| {
            if let Some(increase) = increase {
                window.add(series, increase, 1, false);
            }
        });
    }

    fn gauge(
        &mut self,
        work: &mut Work<'_>,
        owner: Owner<'_, '_>,
        place: &Point<'_>,
        derived: &str,
        value: f64,
    ) {
        let Some(series) = self.meet(work.core, owner, place, derived, proto::SeriesKind::Gauge) else {
            return;
        };
        self.put(work, owner.source, place, |window| window.add(series, value, 1, true));
    }

    /// A histogram: the rate of its values, and their quantile and cells at the window's close.
    fn distribution(
        &mut self,
        work: &mut Work<'_>,
        owner: Owner<'_, '_>,
        place: &Point<'_>,
        distribution: Distribution,
        temporality: Temporality,
    ) {
        let Some(rate) = self.meet(work.core, owner, place, "count", proto::SeriesKind::Rate) else { return };
        let Some(quantile) = self.meet(work.core, owner, place, "p95", proto::SeriesKind::Quantile) else {
            return;
        };
        let increase = match temporality {
            Temporality::Cumulative => {
                let increase = self.distributions.get(&quantile).map(|earlier| distribution.since(earlier));
                self.distributions.insert(quantile, distribution);
                increase
            }
            _ => Some(distribution),
        };
        self.put(work, owner.source, place, |window| {
            let Some(increase) = increase else { return };
            window.add(rate, increase.count() as f64, 1, false);
            match window.distributions.get_mut(&quantile) {
                Some(sum) => sum.values.add(&increase),
                None => drop(window.distributions.insert(quantile, Increase { rate, values: increase })),
            }
        });
    }

    /// The number of a point's series, or of what is derived from it under a name.
    fn meet(
        &mut self,
        core: &Core,
        owner: Owner<'_, '_>,
        place: &Point<'_>,
        derived: &str,
        kind: proto::SeriesKind,
    ) -> Option<SeriesNumber> {
        let id = place.attributes.fold(owner.id, |id, (key, value)| id.with(key, &value.to_text()));
        let id = id.derived(derived);
        self.series.meet(id, owner.service, core.config.limits.series, || proto::SeriesInfo {
            id,
            name: series_name(owner.metric.name, derived, place.attributes),
            instance: owner.instance.to_owned(),
            unit: if kind == proto::SeriesKind::Rate && !derived.is_empty() {
                String::new()
            } else {
                owner.metric.unit.to_owned()
            },
            kind: kind.into(),
        })
    }

    /// Puts a point into its window. A late one is passed over: it would only be judged as something that it is not.
    fn put(
        &mut self,
        work: &mut Work<'_>,
        source: SourceId,
        place: &Point<'_>,
        add: impl FnOnce(&mut MetricWindow),
    ) {
        let Work { core, input, out } = work;
        let timed = core.time_of(&[place.time], input.received);
        let slot = self.windows.place(timed.time, &core.watermark, core.config.limits.open_windows);
        if !slot.late {
            let window = self.windows.at(slot.window);
            let (points, first, last) = window.instances.entry(source).or_insert((0, timed.time, timed.time));
            *points += 1;
            *first = timed.time.min(*first);
            *last = timed.time.max(*last);
            add(window);
        }
        if let Some(due) = core.record_passed(timed.time) {
            self.close(core, due, input.offset, out);
        }
    }

    fn summarise(
        &mut self,
        core: &Core,
        start: Timestamp,
        mut window: MetricWindow,
    ) -> BTreeMap<ServiceId, proto::WindowSummary> {
        let mut summaries: BTreeMap<ServiceId, proto::WindowSummary> = BTreeMap::new();
        let distributions = std::mem::take(&mut window.distributions);
        let quantile = |(series, Increase { values, .. }): (&SeriesNumber, &Increase)| {
            let samples = u32::try_from(values.count()).unwrap_or(u32::MAX);
            Some((*series, values.quantile(QUANTILE)?, samples))
        };
        let quantiles: Vec<(SeriesNumber, f64, u32)> = distributions.iter().filter_map(quantile).collect();
        let values = window.values.iter().map(|value| {
            let mean = value.sum / f64::from(value.samples.max(1));
            (value.series, if value.mean { mean } else { value.sum }, value.samples)
        });
        for (series, value, samples) in values.chain(quantiles) {
            let series = self.series.get(series);
            let summary =
                summaries.entry(series.service).or_insert_with(|| core.summary(series.service, start));
            let columns = summary.series.get_or_insert_default();
            columns.id.push(series.id);
            columns.value.push(value);
            columns.samples.push(samples);
        }
        for (series, Increase { rate, values }) in distributions {
            let cells = values.cells();
            if cells.is_empty() {
                continue;
            }
            let series = self.series.get(series);
            let summary =
                summaries.entry(series.service).or_insert_with(|| core.summary(series.service, start));
            let columns = summary.histograms.get_or_insert_default();
            columns.id.push(series.id);
            columns.rate.push(self.series.get(rate).id);
            columns.cut.push(values.cut());
            columns.cells.push(u32::try_from(cells.len()).unwrap_or(u32::MAX));
            for (cell, count) in cells {
                columns.cell.push(cell);
                columns.count.push(count);
            }
        }
        for (service, info) in self.series.take_unannounced() {
            let summary = summaries.entry(service).or_insert_with(|| core.summary(service, start));
            summary.new_series.push(info);
        }
        for (source, (points, first, last)) in window.instances {
            let source = core.sources.source(source);
            let summary =
                summaries.entry(source.service).or_insert_with(|| core.summary(source.service, start));
            summary.instances.push(source.seen(points, first, last));
        }
        for (service, folded) in std::mem::take(&mut self.series.folded) {
            let summary = summaries.entry(service).or_insert_with(|| core.summary(service, start));
            summary.folded.get_or_insert_default().series += folded;
        }
        summaries
    }
}

impl MetricWindow {
    fn add(&mut self, series: SeriesNumber, value: f64, samples: u32, mean: bool) {
        if self.slots.len() <= series as usize {
            self.slots.resize(series as usize + 1, 0);
        }
        let slot = &mut self.slots[series as usize];
        if *slot == 0 {
            self.values.push(Value { series, samples: 0, sum: 0.0, mean });
            *slot = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        }
        let kept = &mut self.values[*slot as usize - 1];
        kept.sum += value;
        kept.samples = kept.samples.saturating_add(samples);
    }
}

impl<'a> Point<'a> {
    fn new(attributes: Attributes<'a>, start: Option<Timestamp>, time: Option<Timestamp>) -> Self {
        let nanos = |time: Option<Timestamp>| time.map_or(0, Timestamp::nanos);
        Self { attributes, start: nanos(start), time: nanos(time) }
    }
}

/// How a series is called: `metric.derived{key=value,...}`, keys sorted.
pub fn series_name(metric: &str, derived: &str, attributes: Attributes<'_>) -> String {
    let mut name = metric.to_owned();
    if !derived.is_empty() {
        name.push('.');
        name.push_str(derived);
    }
    let mut pairs: Vec<String> =
        attributes.map(|(key, value)| format!("{key}={}", value.to_text())).collect();
    pairs.sort();
    if !pairs.is_empty() {
        name.push('{');
        name.push_str(&pairs.join(","));
        name.push('}');
    }
    name
}

fn explicit(point: &HistogramDataPoint<'_>) -> Distribution {
    Distribution::Explicit { bounds: point.bounds().collect(), counts: point.bucket_counts().collect() }
}

/// Negative values are counted with those of about zero: latencies and sizes have none.
fn exponential(point: &ExponentialHistogramDataPoint<'_>) -> Distribution {
    let below: u64 = point.negative.counts().sum();
    let indexes = (0i32..).map(|index| index.saturating_add(point.positive.offset));
    let counts = indexes.zip(point.positive.counts()).filter(|(_, count)| *count > 0).collect();
    Distribution::Exponential { scale: point.scale, zero: point.zero_count.saturating_add(below), counts }
}
