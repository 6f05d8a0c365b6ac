//! What all partitions together saw of a service in one base window.
//!
//! Merging is exact and does not depend on order: integers are added, times are compared, examples are the least
//! of their kind. A metric series comes from one source, so its values are never merged.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use foreshock_model::{Timestamp, fingerprint64, proto};
use foreshock_stats::{End, range::merge, values::VALUES};
use serde::{Deserialize, Serialize};

use crate::{Folds, InputId, degraded::Unread};

/// The merged summaries of one service and base window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Merged {
    pub(super) lines: u64,
    pub(super) errors: u64,
    pub(super) late: u64,
    pub(super) ahead: u64,
    pub(super) shapes: BTreeMap<u64, MergedShape>,
    pub(super) instances: BTreeMap<String, MergedInstance>,
    pub(super) new_series: Vec<NewSeries>,
    /// Id, value, samples.
    pub(super) series: Vec<(u64, f64, u32)>,
    pub(super) histograms: Vec<HistogramWindow>,
    pub(super) operations: BTreeMap<String, MergedSpans>,
    /// Calls to other services, as this one saw them.
    pub(super) calls: BTreeMap<String, MergedSpans>,
    /// Steps of sessions.
    pub(super) steps: Steps,
    /// What reduce had no room for.
    pub(super) folds: Folds,
    /// Entries that reduce could not read, by where they lie.
    pub(super) unread: BTreeMap<InputId, Unread>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct MergedShape {
    pub(super) count: u64,
    pub(super) errors: u64,
    pub(super) late: u64,
    pub(super) level: u32,
    pub(super) trace: u64,
    /// Canonical text, where a partition met the shape for the first time.
    pub(super) text: String,
    pub(super) example: Example,
    pub(super) last: Timestamp,
    /// Of `count`: lines whose values could not be told apart by their places.
    pub(super) unplaced: u64,
    /// By the number of the parameter.
    pub(super) places: BTreeMap<u32, MergedPlace>,
}

/// What may be new or out of range at one place of a shape.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct MergedPlace {
    /// By hash.
    pub(super) values: BTreeMap<u64, MergedValue>,
    pub(super) overflow: bool,
    /// The farthest out first.
    pub(super) high: Vec<f64>,
    pub(super) highest: Option<Example>,
    pub(super) low: Vec<f64>,
    pub(super) lowest: Option<Example>,
}

/// A value, how often it came, as far as that matters, and the first line that holds it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct MergedValue {
    pub(super) times: u64,
    pub(super) value: String,
    pub(super) first: Example,
}

/// The first line of a shape in the window; of lines with the same time the least.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Example {
    pub(super) time: Timestamp,
    pub(super) line: String,
    pub(super) instance: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct MergedInstance {
    pub(super) records: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) version: String,
    /// Partitions it came on, by hash of stream and identity: one each, where order within it is kept.
    on: Vec<(u64, u16)>,
    pub(super) is_scattered: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NewSeries {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) instance: String,
    pub(super) unit: String,
    pub(super) kind: i32,
}

/// How the values of one histogram were spread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HistogramWindow {
    /// Of its quantile.
    pub(super) id: u64,
    pub(super) rate: u64,
    pub(super) cut: u32,
    pub(super) cells: Vec<(i32, u64)>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct MergedSpans {
    pub(super) count: u64,
    pub(super) errors: u64,
    pub(super) buckets: BTreeMap<u32, u64>,
}

/// The steps of sessions in a window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Steps {
    /// Name of each session, by the hash of its key.
    pub(super) names: BTreeMap<u64, String>,
    /// Text, where a partition passed the event on for the first time, and highest level.
    pub(super) events: BTreeMap<u64, (String, u32)>,
    /// By session.
    pub(super) lines: Vec<(u64, Example)>,
    steps: Vec<Step>,
}

/// One step of a session.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) at: Timestamp,
    /// Who wrote it: of steps at the same time those of one instance follow each other.
    source: u64,
    pub(super) session: u64,
    pub(super) event: u64,
}

impl Steps {
    /// By time; those of one instance at one time as it wrote them.
    pub(super) fn in_order(&mut self) -> Vec<Step> {
        let mut steps = std::mem::take(&mut self.steps);
        steps.sort_by_key(|step| (step.at, step.source));
        steps
    }

    fn add(&mut self, start: Timestamp, window: proto::SessionWindow) {
        for (session, name) in window.session.iter().zip(window.name) {
            let known = self.names.entry(*session).or_insert_with(|| name.clone());
            if name < *known {
                *known = name;
            }
        }
        let events: Vec<u64> = window.event.iter().map(|event| event.id).collect();
        for event in window.event {
            let known = self.events.entry(event.id).or_default();
            known.1 = known.1.max(event.level);
            if known.0.is_empty() || (!event.text.is_empty() && event.text < known.0) {
                known.0 = event.text;
            }
        }
        let columns = window.step_session.iter().zip(&window.step_event).zip(&window.step_ms);
        let first = self.steps.len();
        for ((session, event), ms) in columns {
            let place = (window.session.get(*session as usize), events.get(*event as usize));
            let (Some(session), Some(event)) = place else { continue };
            let at = start.plus(Duration::from_millis((*ms).into()));
            self.steps.push(Step { at, source: window.source, session: *session, event: *event });
        }
        for line in window.lines {
            let Some(step) = self.steps.get(first + line.step as usize) else { continue };
            let example = Example { time: step.at, line: line.line, instance: window.instance.clone() };
            self.lines.push((step.session, example));
        }
    }
}

impl Merged {
    /// Adds what one input partition saw.
    pub(super) fn add(&mut self, summary: proto::WindowSummary, source: &InputId) {
        if let Some(logs) = summary.logs {
            self.lines += logs.lines;
            self.errors += logs.errors;
            self.late += logs.late;
            self.ahead += logs.ahead;
        }
        for shape in summary.shapes {
            self.shapes.entry(shape.shape).or_default().add(shape);
        }
        let stream = fingerprint64(source.stream.as_bytes());
        for instance in summary.instances {
            self.add_instance(instance, stream, source.partition);
        }
        self.new_series.extend(summary.new_series.into_iter().map(|info| NewSeries {
            id: info.id,
            name: info.name,
            instance: info.instance,
            unit: info.unit,
            kind: info.kind,
        }));
        if let Some(columns) = summary.series {
            let rows = columns.id.into_iter().zip(columns.value).zip(columns.samples);
            self.series.extend(rows.map(|((id, value), samples)| (id, value, samples)));
        }
        if let Some(columns) = summary.histograms {
            self.add_histograms(columns);
        }
        for spans in summary.spans {
            let merged = if spans.callee.is_empty() {
                self.operations.entry(spans.operation).or_default()
            } else {
                self.calls.entry(spans.callee).or_default()
            };
            merged.count += spans.count;
            merged.errors += spans.errors;
            for (bucket, count) in spans.bucket.into_iter().zip(spans.bucket_count) {
                *merged.buckets.entry(bucket).or_default() += count;
            }
        }
        for sessions in summary.sessions {
            self.steps.add(Timestamp(summary.window_start), sessions);
        }
        if let Some(folded) = summary.folded {
            self.folds.add(&Folds::of(&folded));
        }
        if let Some(unread) = summary.unread {
            let partition = u16::try_from(unread.partition).unwrap_or(u16::MAX);
            let of = InputId { stream: unread.stream, partition };
            self.unread.entry(of).or_default().note(unread.count, unread.offset, &unread.reason);
        }
    }

    /// Instances that came on several partitions of a stream.
    pub(super) fn scattered(&self) -> u64 {
        self.instances.values().filter(|instance| instance.is_scattered).count() as u64
    }

    /// What concerns one series, for people: totals, the value of the metric that has the number, shapes that `of` names.
    pub(super) fn seen_of(&self, metric: Option<u64>, of: impl Fn(u64) -> bool) -> serde_json::Value {
        let shapes: BTreeMap<String, &MergedShape> = self
            .shapes
            .iter()
            .filter(|(hash, _)| of(**hash))
            .map(|(hash, s)| (format!("{hash:016x}"), s))
            .collect();
        let values = self.series.iter().filter(|(id, ..)| Some(*id) == metric);
        let values: Vec<(f64, u32)> = values.map(|(_, value, samples)| (*value, *samples)).collect();
        let of_metric = self.histograms.iter().filter(|histogram| Some(histogram.id) == metric);
        let cells: Vec<&[(i32, u64)]> = of_metric.map(|histogram| &*histogram.cells).collect();
        serde_json::json!({
            "lines": self.lines,
            "errors": self.errors,
            "late": self.late,
            "values_and_samples": values,
            "cells_and_counts": cells,
            "shapes": shapes,
            "instances": self.instances.len(),
        })
    }

    /// Whether nothing of the service itself was seen: what there is, is said of Foreshock.
    pub(super) fn is_of_foreshock_alone(&self) -> bool {
        self.shapes.is_empty()
            && self.instances.is_empty()
            && self.new_series.is_empty()
            && self.series.is_empty()
            && self.operations.is_empty()
            && self.calls.is_empty()
    }

    fn add_histograms(&mut self, columns: proto::HistogramColumns) {
        let mut all = columns.cell.into_iter().zip(columns.count);
        let rows = columns.id.into_iter().zip(columns.rate).zip(columns.cut).zip(columns.cells);
        for (((id, rate), cut), cells) in rows {
            let cells = all.by_ref().take(cells as usize).collect();
            self.histograms.push(HistogramWindow { id, rate, cut, cells });
        }
    }

    fn add_instance(&mut self, instance: proto::InstanceWindow, stream: u64, partition: u16) {
        let first = Timestamp(instance.first);
        let merged = self
            .instances
            .entry(instance.instance)
            .or_insert_with(|| MergedInstance { first, ..MergedInstance::default() });
        merged.records += instance.records;
        merged.first = merged.first.min(first);
        merged.last = merged.last.max(Timestamp(instance.last));
        if instance.version > merged.version {
            merged.version = instance.version;
        }
        if instance.identity != 0 {
            let key = stream ^ instance.identity;
            match merged.on.iter().find(|(of, _)| *of == key) {
                Some((_, on)) => merged.is_scattered |= *on != partition,
                None => merged.on.push((key, partition)),
            }
        }
    }
}

impl MergedShape {
    fn add(&mut self, shape: proto::ShapeWindow) {
        let example = Example { time: Timestamp(shape.first), line: shape.line, instance: shape.instance };
        let untouched = self.count + self.late == 0;
        if untouched || example < self.example {
            self.example = example;
        }
        self.count += shape.count;
        self.errors += shape.errors;
        self.late += shape.late;
        self.level = self.level.max(shape.level);
        self.trace = self.trace.max(shape.trace);
        self.last = self.last.max(Timestamp(shape.last));
        if self.text.is_empty() {
            self.text = shape.text;
        }
        self.unplaced += shape.unplaced;
        let lines: Vec<Example> = shape.lines.into_iter().map(Example::from).collect();
        for place in shape.places {
            self.places.entry(place.place).or_default().add(place, &lines);
        }
    }
}

impl MergedPlace {
    fn add(&mut self, place: proto::PlaceWindow, lines: &[Example]) {
        self.overflow |= place.overflow;
        for seen in place.values {
            let first = lines.get(seen.line as usize).cloned().unwrap_or_default();
            match self.values.entry(seen.hash) {
                Entry::Vacant(free) => {
                    free.insert(MergedValue { times: seen.times.into(), value: seen.value, first });
                }
                Entry::Occupied(known) => {
                    let known = known.into_mut();
                    known.times += u64::from(seen.times);
                    if first < known.first {
                        (known.value, known.first) = (seen.value, first);
                    }
                }
            }
        }
        // All are values of the place, so it has too many, in whatever order they came.
        self.overflow |= self.values.len() > VALUES;
        if self.overflow {
            self.values.clear();
        }
        let lines = [(place.highest, End::High), (place.lowest, End::Low)];
        for ((line, end), values) in lines.into_iter().zip([place.high, place.low]) {
            let (own, own_line) = match end {
                End::High => (&mut self.high, &mut self.highest),
                End::Low => (&mut self.low, &mut self.lowest),
            };
            let line = line.map(Example::from);
            let farther = match (own.first(), values.first()) {
                (Some(own), Some(its)) if own == its => line < *own_line,
                (Some(own), Some(its)) => (its > own) == (end == End::High),
                (own, _) => own.is_none(),
            };
            if farther {
                *own_line = line;
            }
            merge(own, &values, end);
        }
    }
}

impl From<proto::Sighting> for Example {
    fn from(sighting: proto::Sighting) -> Self {
        Self { time: Timestamp(sighting.time), line: sighting.line, instance: sighting.instance }
    }
}

impl MergedSpans {
    /// The `q` quantile of the latency in seconds: the upper bound of its bucket, base 2^(1/8) nanoseconds.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let count: u64 = self.buckets.values().sum();
        let rank = ((q * count as f64).ceil() as u64).max(1);
        let mut below = 0;
        for (bucket, count) in &self.buckets {
            below += count;
            if below >= rank {
                return Some(libm::exp2(f64::from(*bucket + 1) / 8.0) / 1e9);
            }
        }
        None
    }
}
