//! Span operations of a service: how many, how slow, how many fail.

use std::collections::BTreeMap;

use foreshock_model::{Kind, Severity, Timestamp, Window};
use foreshock_stats::{Level, LevelShift};
use serde::{Deserialize, Serialize};

use super::{
    ServiceKey,
    draft::{Draft, LEAST_SURPRISE, number},
    errors::{ErrorWatch, SPANS},
    merged::MergedSpans,
    report::Report,
};
use crate::{Limits, PEER, workings::numbers};

/// Spans a minute below which a latency says nothing.
const FEWEST: u64 = 10;
/// A latency that rose matters from this many times what was expected.
const RISE: f64 = 1.5;

/// Errors of all spans, each operation's latency, and that of the calls to each other service.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Operations {
    errors: ErrorWatch,
    operations: BTreeMap<String, Operation>,
    calls: BTreeMap<String, Operation>,
    since: Timestamp,
}

#[derive(Default, Serialize, Deserialize)]
struct Operation {
    minute: MergedSpans,
    /// Of the logarithm of the 95th percentile.
    latency: Level,
    shift: LevelShift,
}

impl Operations {
    /// Adds a base window. Returns how many spans there was no room for.
    pub(super) fn take(
        &mut self,
        spans: BTreeMap<String, MergedSpans>,
        calls: BTreeMap<String, MergedSpans>,
        window: Timestamp,
        limits: &Limits,
    ) -> u64 {
        if spans.is_empty() {
            return 0;
        }
        if self.since == Timestamp::default() {
            self.since = window;
        }
        let total = spans.values().map(|spans| spans.count).sum();
        let errors = spans.values().map(|spans| spans.errors).sum();
        self.errors.add(total, errors, [].iter());
        let limit = limits.operations as usize;
        add(&mut self.operations, spans, limit) + add(&mut self.calls, calls, limit)
    }

    /// Judges the minute.
    pub(super) fn close_minute(&mut self, key: &ServiceKey, minute: Window, report: &mut Report) {
        if minute.start < self.since {
            let all = self.operations.values_mut().chain(self.calls.values_mut());
            all.for_each(|operation| operation.minute = MergedSpans::default());
            return;
        }
        self.errors.close_minute(key, minute, SPANS, report);
        for (name, operation) in &mut self.operations {
            operation.close_minute(key, name, "", minute, report);
        }
        for (callee, operation) in &mut self.calls {
            operation.close_minute(key, &calls_to(callee), callee, minute, report);
        }
    }

    /// Every number that a finding of the series is held against.
    pub(super) fn workings(&self, series: &str) -> serde_json::Value {
        if series == SPANS {
            return numbers(&self.errors);
        }
        let operation = self.operations.iter().find(|(name, _)| series_of(name) == series);
        let call = self.calls.iter().find(|(callee, _)| series_of(&calls_to(callee)) == series);
        operation.or(call).map_or(serde_json::Value::Null, |(_, operation)| numbers(operation))
    }

    /// Judges the hour.
    pub(super) fn close_hour(&mut self, key: &ServiceKey, hour: Window, report: &mut Report) {
        self.errors.close_hour(key, hour, SPANS, report);
    }
}

/// The name of the calls to a service.
fn calls_to(callee: &str) -> String {
    format!("calls to {callee}")
}

/// The series of an operation's findings.
fn series_of(name: &str) -> String {
    format!("span.duration.p95{{operation={name}}}")
}

/// Adds a base window to the minutes of operations. Returns how many spans were over the limit.
fn add(to: &mut BTreeMap<String, Operation>, spans: BTreeMap<String, MergedSpans>, limit: usize) -> u64 {
    let mut folded = 0;
    for (name, spans) in spans {
        if !to.contains_key(&name) && to.len() >= limit {
            folded += spans.count;
            continue;
        }
        let minute = &mut to.entry(name).or_default().minute;
        minute.count += spans.count;
        minute.errors += spans.errors;
        for (bucket, count) in spans.buckets {
            *minute.buckets.entry(bucket).or_default() += count;
        }
    }
    folded
}

impl Operation {
    fn close_minute(
        &mut self,
        key: &ServiceKey,
        name: &str,
        callee: &str,
        minute: Window,
        report: &mut Report,
    ) {
        let spans = std::mem::take(&mut self.minute);
        let Some(p95) = spans.quantile(0.95).filter(|_| spans.count >= FEWEST) else { return };
        let verdict = self.latency.observe(libm::log2(p95));
        let shift = self.shift.observe(if verdict.learned.is_ready() { verdict.score() } else { f64::NAN });
        if verdict.new_normal {
            self.shift.restart();
        }
        if !verdict.learned.is_ready() {
            return;
        }
        report.told(&key.0, Kind::LevelShift, 60, 1, shift.up);
        let mean = libm::exp2(verdict.mean);
        if shift.up.surprise() < LEAST_SURPRISE || p95 < RISE * mean {
            return;
        }
        let draft = Draft {
            key,
            kind: Kind::LevelShift,
            series: &series_of(name),
            window: minute,
            tail: shift.up,
            effect: p95 / mean,
            observed: p95,
            expected: (libm::exp2(verdict.expected.0), libm::exp2(verdict.expected.1)),
            severity: Severity::Critical,
            title: format!(
                "{} is slow: 95 % of {name} take up to {} s for {} minutes, {} s are usual",
                key.1,
                number(p95),
                shift.windows.max(1),
                number(mean)
            ),
        };
        let mut finding = draft.finish();
        if !callee.is_empty() {
            finding.labels.insert(PEER.to_owned(), callee.to_owned());
        }
        report.findings.push(finding);
    }
}
