//! Span operations of a service: how many, how slow, how many fail.

use std::collections::BTreeMap;

use foreshock_model::{Kind, Severity, Timestamp, Window};
use foreshock_stats::{Level, LevelShift};
use serde::{Deserialize, Serialize};

use super::{
    ServiceKey,
    draft::{Draft, LEAST_SURPRISE, number},
    errors::ErrorWatch,
    merged::MergedSpans,
    report::Report,
};
use crate::Limits;

/// Spans a minute below which a latency says nothing.
const FEWEST: u64 = 20;
/// A latency that rose matters from this many times what was expected.
const RISE: f64 = 1.5;

/// Errors of all spans, and each operation's latency.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Operations {
    errors: ErrorWatch,
    operations: BTreeMap<String, Operation>,
    since: Timestamp,
    folded: u64,
}

#[derive(Default, Serialize, Deserialize)]
struct Operation {
    minute: MergedSpans,
    /// Of the logarithm of the 95th percentile.
    latency: Level,
    shift: LevelShift,
}

impl Operations {
    /// Adds a base window.
    pub(super) fn take(&mut self, spans: BTreeMap<String, MergedSpans>, window: Timestamp, limits: &Limits) {
        if spans.is_empty() {
            return;
        }
        if self.since == Timestamp::default() {
            self.since = window;
        }
        let total = spans.values().map(|spans| spans.count).sum();
        let errors = spans.values().map(|spans| spans.errors).sum();
        self.errors.add(total, errors, [].iter());
        for (name, spans) in spans {
            if !self.operations.contains_key(&name) && self.operations.len() >= limits.operations as usize {
                self.folded += spans.count;
                continue;
            }
            let minute = &mut self.operations.entry(name).or_default().minute;
            minute.count += spans.count;
            minute.errors += spans.errors;
            for (bucket, count) in spans.buckets {
                *minute.buckets.entry(bucket).or_default() += count;
            }
        }
    }

    /// Judges the minute.
    pub(super) fn close_minute(&mut self, key: &ServiceKey, minute: Window, report: &mut Report) {
        if minute.start < self.since {
            self.operations.values_mut().for_each(|operation| operation.minute = MergedSpans::default());
            return;
        }
        self.errors.close_minute(key, minute, "spans", report);
        for (name, operation) in &mut self.operations {
            operation.close_minute(key, name, minute, report);
        }
    }
}

impl Operation {
    fn close_minute(&mut self, key: &ServiceKey, name: &str, minute: Window, report: &mut Report) {
        let spans = std::mem::take(&mut self.minute);
        let Some(p95) = spans.quantile(0.95).filter(|_| spans.count >= FEWEST) else { return };
        let verdict = self.latency.observe(p95.log2());
        let shift = self.shift.observe(if verdict.learned.is_ready() { verdict.score() } else { f64::NAN });
        if verdict.new_normal {
            self.shift.restart();
        }
        if !verdict.learned.is_ready() {
            return;
        }
        report.tested(&key.0, Kind::LevelShift, 60, 1);
        let mean = verdict.mean.exp2();
        if shift.up.surprise() < LEAST_SURPRISE || p95 < RISE * mean {
            return;
        }
        let draft = Draft {
            key,
            kind: Kind::LevelShift,
            series: &format!("span.duration.p95{{operation={name}}}"),
            window: minute,
            tail: shift.up,
            effect: p95 / mean,
            observed: p95,
            expected: (verdict.expected.0.exp2(), verdict.expected.1.exp2()),
            severity: Severity::Critical,
            title: format!(
                "{} is slow: 95 % of {name} take up to {} s for {} minutes, {} s are usual",
                key.1,
                number(p95),
                shift.windows.max(1),
                number(mean)
            ),
        };
        report.findings.push(draft.finish());
    }
}
