//! Metric series: their minutes, their baselines, their verdicts. Dense: a table of states by number.

use std::collections::BTreeMap;

use crate::{Asked, PEER_ADDRESS, Table, workings::numbers};
use foreshock_model::{Finding, Kind, ServiceName, Severity, Tenant, Timestamp, Window, proto};
use foreshock_stats::{
    FlatLine, Level, LevelShift, RunOut, Verdict,
    tail::{negative_binomial_lower, negative_binomial_upper},
};
use serde::{Deserialize, Serialize};

use super::{
    ServiceKey,
    draft::{Draft, LEAST_SURPRISE, number, span},
    harm::more_harms,
    merged::NewSeries,
    report::Report,
};

/// A deviation matters from this share of what was expected.
const SHARE: f64 = 0.2;
/// And of a ratio between 0 and 1 from this much.
const RATIO_STEP: f64 = 0.05;
/// A quantile of fewer samples a minute says nothing.
const FEWEST_SAMPLES: u32 = 20;
/// A rise of what harms pages from this many times what was expected.
const PAGE_RISE: f64 = 2.0;
/// And of a flow from this much a minute.
const RATE_STEP: f64 = 5.0;
/// Size of the negative binomial: variance mean + mean² / 20.
const COUNT_SIZE: f64 = 20.0;
/// Above this an increase is taken for a quantity.
const MOST_COUNTED: f64 = 1e6;
/// Surprise of a flat line that is put out; equal values also have harmless reasons.
const FLAT_SURPRISE: f64 = 6.0;
/// What is used up within this many seconds pages: eight hours.
const PAGE_HORIZON: f64 = 28_800.0;
/// What is used up within this many seconds is told: two days.
const TELL_HORIZON: f64 = 172_800.0;

/// Every metric series of the partition.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct SeriesTable {
    by_id: Table<u64, u32>,
    states: Vec<SeriesState>,
    texts: Vec<SeriesText>,
    services: Vec<ServiceKey>,
    by_service: Table<ServiceKey, u32>,
    /// Series of each tenant.
    by_tenant: BTreeMap<Tenant, usize>,
}

/// What every minute touches.
#[derive(Serialize, Deserialize)]
struct SeriesState {
    /// Of the minute: sum of values and of samples.
    sum: f64,
    samples: u32,
    service: u32,
    kind: Measure,
    /// The base window of its first value. Not that of its announcement, which comes early where other sources of
    /// its partition move time on: what is learned must not depend on who shares a partition.
    since: Option<Timestamp>,
    level: Level,
    shift: LevelShift,
    flat: FlatLine,
    run_out: Option<Box<RunOut>>,
}

/// What only findings and views need.
#[derive(Serialize, Deserialize)]
struct SeriesText {
    name: Box<str>,
    instance: Box<str>,
    unit: Box<str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Measure {
    Gauge,
    Rate,
    Quantile,
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
    /// What is expected next.
    pub expected: f64,
    /// Minutes that taught.
    pub learned_minutes: u32,
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
        let service = match self.by_service.get(key) {
            Some(service) => *service,
            None => {
                let number = u32::try_from(self.services.len()).unwrap_or(u32::MAX);
                self.services.push(key.clone());
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
            let kind = match proto::SeriesKind::try_from(series.kind) {
                Ok(proto::SeriesKind::Rate) => Measure::Rate,
                Ok(proto::SeriesKind::Quantile) => Measure::Quantile,
                _ => Measure::Gauge,
            };
            let limit = limit_of(&series.name, &series.unit).filter(|_| kind == Measure::Gauge);
            self.by_id.insert(series.id, u32::try_from(self.states.len()).unwrap_or(u32::MAX));
            self.states.push(SeriesState {
                sum: 0.0,
                samples: 0,
                service,
                kind,
                since: None,
                level: Level::default(),
                shift: LevelShift::default(),
                flat: FlatLine::default(),
                run_out: limit.map(|limit| Box::new(RunOut::new(60.0).bounded_by(limit))),
            });
            self.texts.push(SeriesText {
                name: series.name.into(),
                instance: series.instance.into(),
                unit: series.unit.into(),
            });
        }
    }

    /// Adds the values of the base window that starts at `start`: id, value, samples. Returns how many are of series that are not watched, for want
    /// of room.
    pub(super) fn take(&mut self, start: Timestamp, values: &[(u64, f64, u32)]) -> u64 {
        let mut unwatched = 0;
        for (id, value, samples) in values {
            let Some(number) = self.by_id.get(id) else {
                unwatched += 1;
                continue;
            };
            let state = &mut self.states[*number as usize];
            state.since.get_or_insert(start);
            match state.kind {
                Measure::Rate => state.sum += value,
                Measure::Gauge | Measure::Quantile => state.sum += value * f64::from(*samples),
            }
            state.samples = state.samples.saturating_add(*samples);
        }
        unwatched
    }

    /// Judges the minute of every series.
    pub(super) fn close_minute(&mut self, minute: Window, report: &mut Report) {
        for (state, text) in self.states.iter_mut().zip(&self.texts) {
            let key = &self.services[state.service as usize];
            state.close_minute(key, text, minute, report);
        }
    }

    /// Forecasts what is used up.
    pub(super) fn close_ten_minutes(&mut self, ten: Window, report: &mut Report) {
        for (state, text) in self.states.iter_mut().zip(&self.texts) {
            let key = &self.services[state.service as usize];
            if let Some(finding) = state.forecast(key, text, ten, report) {
                report.findings.push(finding);
            }
        }
    }

    /// The id that reduce gave the series of a finding.
    pub(super) fn id_of(&self, asked: &Asked) -> Option<u64> {
        let number = self.number_of(asked)?;
        self.by_id.iter().find(|(_, of)| **of as usize == number).map(|(id, _)| *id)
    }

    /// Every number kept of the series of a finding.
    pub(super) fn workings(&self, asked: &Asked) -> Option<serde_json::Value> {
        self.number_of(asked).map(|number| numbers(&self.states[number]))
    }

    fn number_of(&self, asked: &Asked) -> Option<usize> {
        let service = *self.by_service.get(&asked.key())?;
        let mut rows = self.states.iter().zip(&self.texts);
        rows.position(|(state, text)| state.service == service && text.series() == asked.series)
    }

    pub(super) fn views(&self, tenant: &Tenant, limit: usize) -> Vec<SeriesView> {
        let rows = self.states.iter().zip(&self.texts);
        rows.filter(|(state, _)| self.services[state.service as usize].0 == *tenant)
            .take(limit)
            .map(|(state, text)| SeriesView {
                name: text.name.to_string(),
                service: self.services[state.service as usize].1.clone(),
                instance: text.instance.to_string(),
                unit: text.unit.to_string(),
                expected: state.level.judge(f64::NAN).mean,
                learned_minutes: state.level.windows(),
            })
            .collect()
    }
}

impl SeriesState {
    fn close_minute(&mut self, key: &ServiceKey, text: &SeriesText, minute: Window, report: &mut Report) {
        let (sum, samples) = (std::mem::take(&mut self.sum), std::mem::take(&mut self.samples));
        if samples == 0 || self.since.is_none_or(|since| minute.start < since) {
            return;
        }
        if self.kind == Measure::Quantile && samples < FEWEST_SAMPLES {
            return;
        }
        let value = match self.kind {
            Measure::Rate => sum / 60.0,
            Measure::Gauge | Measure::Quantile => sum / f64::from(samples),
        };
        let mut verdict = self.level.observe(value);
        if self.kind == Measure::Rate {
            hold_to_counts(&mut verdict, sum);
        }
        let shift = self.shift.observe(if verdict.learned.is_ready() { verdict.score() } else { f64::NAN });
        if verdict.new_normal {
            self.shift.restart();
        }
        if let Some(run_out) = &mut self.run_out {
            run_out.observe(minute.end().as_secs_f64(), value);
        }
        if self.kind == Measure::Gauge {
            self.judge_flat(key, text, value, minute, report);
        }
        if verdict.learned.is_ready() {
            self.judge_level(key, text, value, minute, verdict, shift, report);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one verdict")]
    fn judge_level(
        &self,
        key: &ServiceKey,
        text: &SeriesText,
        value: f64,
        minute: Window,
        verdict: Verdict,
        shift: foreshock_stats::ShiftVerdict,
        report: &mut Report,
    ) {
        for kind in [Kind::Spike, Kind::Dip, Kind::LevelShift] {
            report.tested(&key.0, kind, 60, 1);
        }
        let (up, mean) = (value >= verdict.mean, verdict.mean);
        let lone = if up { verdict.up } else { verdict.down };
        let lasting = if up { shift.up } else { shift.down };
        if lone.surprise().max(lasting.surprise()) < LEAST_SURPRISE || !self.matters(text, value, mean) {
            return;
        }
        let harms = up && more_harms(&text.name, &text.unit);
        let (kind, tail, word, severity) = if lasting.surprise() >= LEAST_SURPRISE {
            let pages = harms && value >= PAGE_RISE * mean;
            let severity = if pages { Severity::Critical } else { Severity::Warning };
            (Kind::LevelShift, lasting, if up { "stays high" } else { "stays low" }, severity)
        } else {
            let severity = if harms { Severity::Warning } else { Severity::Info };
            if up { (Kind::Spike, lone, "jumped", severity) } else { (Kind::Dip, lone, "dropped", severity) }
        };
        let draft = Draft {
            key,
            kind,
            series: &text.series(),
            window: minute,
            tail,
            effect: value / if mean == 0.0 { 1.0 } else { mean },
            observed: value,
            expected: verdict.expected,
            severity,
            title: format!(
                "{}: {} {word}: {}{}, about {} expected",
                key.1,
                text.shown(),
                number(value),
                text.unit_shown(),
                number(mean)
            ),
        };
        let mut finding = draft.finish();
        if let Some(address) = attribute(&text.name, "server.address") {
            finding.labels.insert(PEER_ADDRESS.to_owned(), address.to_owned());
        }
        report.findings.push(finding);
    }

    /// Practical significance: a share of what was expected, and of a ratio an absolute step.
    fn matters(&self, text: &SeriesText, value: f64, mean: f64) -> bool {
        let difference = (value - mean).abs();
        let ratio = limit_of(&text.name, &text.unit);
        let step = match self.kind {
            Measure::Rate => RATE_STEP / 60.0,
            Measure::Gauge | Measure::Quantile => ratio.map_or(0.0, |limit| RATIO_STEP * limit),
        };
        difference > step && difference >= SHARE * mean.abs()
    }

    fn judge_flat(
        &mut self,
        key: &ServiceKey,
        text: &SeriesText,
        value: f64,
        minute: Window,
        report: &mut Report,
    ) {
        let verdict = self.flat.observe(value);
        if !verdict.learned.is_ready() {
            return;
        }
        report.tested(&key.0, Kind::FlatLine, 60, 1);
        if verdict.tail.surprise() < FLAT_SURPRISE {
            return;
        }
        let draft = Draft {
            key,
            kind: Kind::FlatLine,
            series: &text.series(),
            window: minute,
            tail: verdict.tail,
            effect: f64::from(verdict.run),
            observed: value,
            expected: (value, value),
            severity: Severity::Warning,
            title: format!(
                "{}: {} does not move any more: {}{} for {} minutes",
                key.1,
                text.shown(),
                number(value),
                text.unit_shown(),
                verdict.run
            ),
        };
        report.findings.push(draft.finish());
    }

    fn forecast(
        &mut self,
        key: &ServiceKey,
        text: &SeriesText,
        ten: Window,
        report: &mut Report,
    ) -> Option<Finding> {
        let run_out = self.run_out.as_mut()?;
        let limit = limit_of(&text.name, &text.unit)?;
        report.tested(&key.0, Kind::WillRunOut, 600, 1);
        let forecast = run_out.forecast(limit)?;
        let now = ten.end().as_secs_f64();
        let left = forecast.at - now;
        if forecast.p_not_trend.surprise() < LEAST_SURPRISE || left > TELL_HORIZON {
            return None;
        }
        run_out.keep(limit, &forecast);
        let fared = run_out.fared();
        let draft = Draft {
            key,
            kind: Kind::WillRunOut,
            series: &text.series(),
            window: ten,
            tail: forecast.p_not_trend,
            effect: left.max(0.0),
            observed: forecast.at,
            expected: (forecast.low, forecast.high),
            severity: if left <= PAGE_HORIZON { Severity::Critical } else { Severity::Warning },
            title: format!(
                "{}: {} will be full in about {} (80 %: {} to {})",
                key.1,
                text.shown(),
                span(left.max(0.0)),
                span((forecast.low - now).max(0.0)),
                span((forecast.high - now).max(0.0))
            ),
        };
        let mut finding = draft.finish();
        finding.labels.insert("full_at".into(), Timestamp((forecast.at.max(0.0) * 1e9) as u64).to_rfc3339());
        if fared.judged > 0 {
            let of = |count: u32| format!("{count} of {}", fared.judged);
            finding.labels.insert("forecasts_right".into(), of(fared.right));
            finding.labels.insert("forecasts_within".into(), of(fared.held));
        }
        Some(finding)
    }
}

impl SeriesText {
    /// The series of a finding: name, and the instance it is of.
    fn series(&self) -> String {
        if self.instance.is_empty() {
            self.name.to_string()
        } else {
            format!("{}@{}", self.name, self.instance)
        }
    }

    /// For titles: the metric and the values of its attributes.
    fn shown(&self) -> String {
        let Some((metric, attributes)) = self.name.trim_end_matches('}').split_once('{') else {
            return self.name.to_string();
        };
        let values: Vec<&str> =
            attributes.split(',').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value)).collect();
        format!("{metric} ({})", values.join(" "))
    }

    fn unit_shown(&self) -> String {
        match annotated(&self.unit).0 {
            "" | "1" => String::new(),
            unit => format!(" {unit}"),
        }
    }
}

/// An increase by whole numbers is a count of events, so it is never more surprising than such a count would be:
/// negative binomial with the overdispersion that counts are given at first, half an event added to what is expected.
fn hold_to_counts(verdict: &mut Verdict, increase: f64) {
    if increase < 0.0 || increase.fract() != 0.0 || increase > MOST_COUNTED {
        return;
    }
    let (count, expected) = (increase as u64, (verdict.mean * 60.0).max(0.0) + 0.5);
    verdict.up = verdict.up.max(negative_binomial_upper(count, expected, COUNT_SIZE));
    verdict.down = verdict.down.max(negative_binomial_lower(count, expected, COUNT_SIZE));
}

/// The value of an attribute in a series' name.
fn attribute<'a>(name: &'a str, key: &str) -> Option<&'a str> {
    let (_, attributes) = name.strip_suffix('}')?.split_once('{')?;
    attributes.split(',').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

/// The value at which a bounded resource is used up, where the metric's name and unit tell: a share of 1, a
/// percentage of 100. A unit may say in an annotation, as UCUM has them, what it is a percentage of: `%{used}`.
fn limit_of(name: &str, unit: &str) -> Option<f64> {
    let metric = name.split('{').next().unwrap_or(name);
    let (unit, annotation) = annotated(unit);
    let says = |word: &&str| metric.contains(*word) || annotation.contains(*word);
    let used = ["utilization", "usage", "used", "utilisation"].iter().any(says);
    let is_percentage = matches!(unit, "%" | "percent")
        || (matches!(unit, "" | "1") && (metric.ends_with("percent") || metric.ends_with("pct")));
    match unit {
        _ if is_percentage => used.then_some(100.0),
        "1" | "" if used && metric.contains("utili") => Some(1.0),
        _ => None,
    }
}

/// A unit and what its annotation says.
fn annotated(unit: &str) -> (&str, &str) {
    let (unit, annotation) = unit.split_once('{').unwrap_or((unit, ""));
    (unit, annotation.trim_end_matches('}'))
}

#[cfg(test)]
mod tests {
    use super::limit_of;

    #[test]
    fn names_and_units_tell_the_limit_of_what_can_be_used_up() {
        for (name, unit, limit) in [
            ("system.filesystem.utilization{device=sda}", "1", Some(1.0)),
            ("disk.used", "%", Some(100.0)),
            ("d07", "%{used_percent}", Some(100.0)),
            ("disk_used_percent", "", Some(100.0)),
            ("utilization_percent", "1", Some(100.0)),
            ("cpu.idle", "%", None),
            ("d07", "%{free_percent}", None),
            ("disk.used", "By", None),
        ] {
            assert_eq!(limit_of(name, unit), limit, "{name} in {unit}");
        }
    }
}
