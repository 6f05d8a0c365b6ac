//! A service or an instance that regularly says something and stopped.

use std::{collections::BTreeMap, time::Duration};

use foreshock_model::{Kind, Severity, Timestamp, Window};
use foreshock_stats::{Overdue, Regularity};
use serde::{Deserialize, Serialize};

use super::{
    ServiceKey,
    draft::{Draft, bar, span},
    merged::Merged,
    report::Report,
};
use crate::workings::numbers;

/// The series of a whole service's silence.
const SERVICE: &str = "service";
/// That something came in a window tells when to half of it, in seconds: between two that follow one another lies no gap.
const HALF_WINDOW: f32 = 5.0;
/// Arrivals nearer than this are one run of a job, in seconds.
const BURST_SECONDS: f32 = 45.0;
/// A silence shorter than this does not matter, in seconds: a restart takes as long.
const SHORTEST_SECONDS: f64 = 120.0;
/// Instances watched a service. Those beyond are not missed one by one, the service still is.
const INSTANCES: usize = 1_000;
/// A silence that lasts is told again so often, and judged on so much time.
pub(super) const AGAIN: Duration = Duration::from_secs(600);
pub(super) const JUDGED_ON: Duration = Duration::from_secs(300);
/// An instance that began this long before another fell silent, or later, took its place.
const REPLACED_WITHIN: Duration = Duration::from_secs(600);
/// An instance that was silent for this many of its periods is gone: scaled down or replaced.
const GONE_PERIODS: f64 = 50.0;
/// And for this long at least, in seconds.
const GONE_SECONDS: f64 = 3_600.0;

/// When a service and its instances were heard.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Sources {
    service: Heard,
    instances: BTreeMap<String, Heard>,
}

/// When one of them was heard, looked at in two ways: one that speaks all the time is missed after some windows, one
/// that speaks in bursts, as a job does, when the next burst does not come.
#[derive(Serialize, Deserialize)]
struct Heard {
    first: Timestamp,
    last: Timestamp,
    windows: Regularity,
    bursts: Regularity,
    /// Until when its silence was told last.
    told: Timestamp,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            first: Timestamp::MAX,
            last: Timestamp::default(),
            windows: Regularity::new(HALF_WINDOW),
            bursts: Regularity::new(BURST_SECONDS),
            told: Timestamp::default(),
        }
    }
}

impl Heard {
    fn note(&mut self, window: Window, first: Timestamp, last: Timestamp) {
        self.first = self.first.min(first);
        self.last = self.last.max(last);
        self.windows.arrival(window.end().as_secs_f64());
        self.bursts.arrival(first.as_secs_f64());
        self.bursts.arrival(last.as_secs_f64());
    }

    /// The more surprising of both ways, corrected for looking twice.
    fn overdue(&self, now_secs: f64) -> Overdue {
        let (windows, bursts) = (self.windows.overdue(now_secs), self.bursts.overdue(now_secs));
        let mut overdue =
            if bursts.learned.is_ready() && bursts.tail < windows.tail || !windows.learned.is_ready() {
                bursts
            } else {
                windows
            };
        overdue.tail = overdue.tail.among(2.0);
        overdue
    }
}

impl Sources {
    /// Takes note of who was heard in a base window.
    pub(super) fn take(&mut self, merged: &Merged, window: Window) {
        let first = merged.instances.values().map(|instance| instance.first).min();
        let last = merged.instances.values().map(|instance| instance.last).max();
        if let (Some(first), Some(last)) = (first, last) {
            self.service.note(window, first, last);
        }
        for (name, instance) in &merged.instances {
            if self.instances.len() < INSTANCES || self.instances.contains_key(name) {
                self.instances.entry(name.clone()).or_default().note(window, instance.first, instance.last);
            }
        }
    }

    /// Every number that a silence is held against: of the service, or of an instance.
    pub(super) fn workings(&self, series: &str) -> serde_json::Value {
        let heard = if series == SERVICE { Some(&self.service) } else { self.instances.get(series) };
        heard.map_or(serde_json::Value::Null, numbers)
    }

    /// Judges who is overdue.
    pub(super) fn close_minute(&mut self, key: &ServiceKey, minute: Window, report: &mut Report) {
        let silent = judge(&mut self.service, key, "", minute, 1, Severity::Critical, report);
        let now = minute.end().as_secs_f64();
        let newest = self.instances.values().map(|heard| heard.first).max().unwrap_or_default();
        self.instances.retain(|_, heard| {
            let overdue = heard.overdue(now);
            let gone = overdue.silence_secs >= (GONE_PERIODS * overdue.mean_secs).max(GONE_SECONDS);
            // Another began about when this one ended: it took its place.
            let replaced = overdue.silence_secs >= SHORTEST_SECONDS
                && newest > heard.first
                && newest.plus(REPLACED_WITHIN) >= heard.last;
            !gone && !replaced
        });
        if silent || self.instances.len() < 2 {
            return;
        }
        let among = self.instances.len();
        for (instance, heard) in &mut self.instances {
            judge(heard, key, instance, minute, among, Severity::Warning, report);
        }
    }
}

/// Gaps that end in a minute, where there is one in so many seconds: each is one test, however often it is looked at
/// while it lasts.
pub(super) fn gaps(minute: Window, mean_secs: f64) -> u64 {
    let length = mean_secs.clamp(60.0, 1e9);
    let ended = |at: Timestamp| (at.as_secs_f64() / length).floor();
    (ended(minute.end()) - ended(minute.start)) as u64
}

/// Reports a silence, one of so many that are watched. Returns whether there is one.
fn judge(
    heard: &mut Heard,
    key: &ServiceKey,
    instance: &str,
    minute: Window,
    among: usize,
    severity: Severity,
    report: &mut Report,
) -> bool {
    let overdue = heard.overdue(minute.end().as_secs_f64());
    if !overdue.learned.is_ready() {
        return false;
    }
    report.told(&key.0, Kind::Silence, 60, gaps(minute, overdue.mean_secs), overdue.tail);
    let bar = bar(among as f64 * 86_400.0 / overdue.mean_secs.max(60.0));
    if overdue.tail.surprise() < bar || overdue.silence_secs < SHORTEST_SECONDS {
        return false;
    }
    if heard.told >= heard.last && minute.end().since(heard.told) < AGAIN {
        return true;
    }
    // An incident is over when three windows of what it was judged on brought nothing: so long a window keeps it open
    // from one telling to the next.
    let window = Window { start: minute.end().minus(JUDGED_ON), length: JUDGED_ON };
    heard.told = minute.end();
    let who = if instance.is_empty() { key.1.to_string() } else { format!("{} on {instance}", key.1) };
    let draft = Draft {
        key,
        kind: Kind::Silence,
        series: if instance.is_empty() { SERVICE } else { instance },
        window,
        tail: overdue.tail,
        effect: overdue.silence_secs / overdue.mean_secs.max(1.0),
        observed: overdue.silence_secs,
        expected: overdue.expected_secs,
        severity,
        title: format!(
            "{who} is silent for {}; it usually says something every {}",
            span(overdue.silence_secs),
            span(overdue.mean_secs),
        ),
    };
    report.findings.push(draft.finish());
    true
}
