//! The share of errors of a service, a minute and an hour: a burst shows in the minute, a slow burn in the hour.

use foreshock_model::{Kind, Severity, Window};
use foreshock_stats::{ErrorShare, LevelShift, Verdict};
use serde::{Deserialize, Serialize};

use super::{
    ServiceKey,
    draft::{Draft, LEAST_SURPRISE, SURE, evidence, number, span},
    merged::{Example, MergedShape},
    report::Report,
};

/// A share this surprising does not teach, so that a rise which lasts stays one.
const SUSPECT: f64 = 3.0;
/// Of an hour from less on: a rise that is slow enough for the hour teaches itself in a few of them.
const HOUR_SUSPECT: f64 = 2.0;
/// Distinct lines shown as evidence.
const EXAMPLES: usize = 5;
/// A rise over an hour by less than this share matters to nobody.
const HOUR_EFFECT: f32 = 0.004;
/// Correlation of errors within an hour assumed at first.
const HOUR_CORRELATION: f32 = 0.0005;
/// Hours of rejected shares in a row that make the new share the normal one: a day.
const HOURS_TO_ACCEPT: u16 = 24;

/// What makes a rise matter: so much of all, so many times what was expected, so many errors more.
struct Floor {
    share: f64,
    times: f64,
    errors: f64,
}

const MINUTE_FLOOR: Floor = Floor { share: 0.02, times: 2.0, errors: 0.0 };
/// Lower, for the hour is there for what stays below the minute's.
const HOUR_FLOOR: Floor = Floor { share: 0.005, times: 1.5, errors: 20.0 };

/// What a share is of: the series of its findings.
pub(super) const LINES: &str = "logs";
pub(super) const SPANS: &str = "spans";

/// Errors of a total, and lines that show them.
#[derive(Serialize, Deserialize)]
pub(super) struct ErrorWatch {
    minute: Share,
    hour: Share,
    /// The most surprising of what the hour's minutes said.
    said: f64,
}

/// The share of one roll-up.
#[derive(Serialize, Deserialize)]
struct Share {
    baseline: ErrorShare,
    shift: LevelShift,
    total: u64,
    errors: u64,
    /// Errors of a shape and its first line.
    examples: Vec<(u64, Example)>,
}

impl Default for ErrorWatch {
    fn default() -> Self {
        Self {
            minute: Share::new(ErrorShare::default()),
            hour: Share::new(
                ErrorShare::new(HOUR_EFFECT, HOURS_TO_ACCEPT).with_prior_correlation(HOUR_CORRELATION),
            ),
            said: 0.0,
        }
    }
}

impl ErrorWatch {
    /// Adds a base window.
    pub(super) fn add<'a>(&mut self, total: u64, errors: u64, shapes: impl Iterator<Item = &'a MergedShape>) {
        self.minute.total += total;
        self.minute.errors += errors;
        self.hour.total += total;
        self.hour.errors += errors;
        if errors == 0 {
            return;
        }
        let erring = shapes.filter(|shape| shape.errors > 0);
        self.minute.examples.extend(erring.map(|shape| (shape.errors, shape.example.clone())));
        self.minute.sort_examples();
    }

    /// Judges the minute. `what` names what the share is of.
    pub(super) fn close_minute(&mut self, key: &ServiceKey, minute: Window, what: &str, report: &mut Report) {
        if self.minute.errors > 0 {
            self.hour.examples.extend(self.minute.examples.iter().take(EXAMPLES).cloned());
            self.hour.sort_examples();
        }
        let Some(closed) = self.minute.close(SUSPECT) else { return };
        if let Some(draft) = closed.judge(key, minute, what, &MINUTE_FLOOR, report) {
            let finding = closed.finish(draft, key);
            self.said = self.said.max(finding.surprise);
            report.findings.push(finding);
        }
    }

    /// Judges the hour. What one of its minutes has said already is not said again, and does not teach.
    pub(super) fn close_hour(&mut self, key: &ServiceKey, hour: Window, what: &str, report: &mut Report) {
        let said = std::mem::take(&mut self.said);
        let suspect = if said >= SURE { 0.0 } else { HOUR_SUSPECT };
        let Some(closed) = self.hour.close(suspect) else { return };
        if let Some(mut draft) = closed.judge(key, hour, what, &HOUR_FLOOR, report) {
            // What the minute would not wake anybody for, the hour does not either.
            if draft.observed - closed.verdict.mean < MINUTE_FLOOR.share {
                draft.severity = Severity::Warning;
            }
            let finding = closed.finish(draft, key);
            if said < finding.surprise.min(SURE) {
                report.findings.push(finding);
            }
        }
    }
}

impl Share {
    fn new(baseline: ErrorShare) -> Self {
        Self { baseline, shift: LevelShift::default(), total: 0, errors: 0, examples: Vec::new() }
    }

    /// First the most frequent ones, then by their first line; the rest is left out.
    fn sort_examples(&mut self) {
        self.examples.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        self.examples.truncate(4 * EXAMPLES);
    }

    /// Takes the roll-up's share into the baseline, unless it is as surprising as `suspect`.
    fn close(&mut self, suspect: f64) -> Option<Closed> {
        let (total, errors) = (std::mem::take(&mut self.total), std::mem::take(&mut self.errors));
        let examples = std::mem::take(&mut self.examples);
        if total == 0 {
            return None;
        }
        let verdict = if self.baseline.judge(errors, total).up.surprise() >= suspect {
            self.baseline.observe_excluded(errors, total)
        } else {
            self.baseline.observe(errors, total)
        };
        let shift = self.shift.observe(if verdict.learned.is_ready() { verdict.score() } else { f64::NAN });
        if verdict.new_normal {
            self.shift.restart();
        }
        // A burst in one roll-up, or a rise that lasts.
        let tail = verdict.up.min(shift.up).among(2.0);
        Some(Closed { verdict, tail, total, errors, examples })
    }
}

/// A roll-up that has ended, and what its share is worth.
struct Closed {
    verdict: Verdict,
    tail: foreshock_stats::Tail,
    total: u64,
    errors: u64,
    examples: Vec<(u64, Example)>,
}

impl Closed {
    fn judge<'a>(
        &self,
        key: &'a ServiceKey,
        window: Window,
        what: &'a str,
        floor: &Floor,
        report: &mut Report,
    ) -> Option<Draft<'a>> {
        if !self.verdict.learned.is_ready() {
            return None;
        }
        report.tested(
            &key.0,
            Kind::ErrorShare,
            u32::try_from(window.length.as_secs()).unwrap_or(u32::MAX),
            1,
        );
        let (share, mean) = (self.errors as f64 / self.total as f64, self.verdict.mean);
        let rose = share - mean >= floor.share
            && share >= floor.times * mean
            && self.errors as f64 - mean * self.total as f64 >= floor.errors;
        if self.tail.surprise() < LEAST_SURPRISE || !rose {
            return None;
        }
        let length = match window.length.as_secs() {
            60 => "a minute".to_owned(),
            3600 => "an hour".to_owned(),
            seconds => span(seconds as f64),
        };
        Some(Draft {
            key,
            kind: Kind::ErrorShare,
            series: what,
            window,
            tail: self.tail,
            effect: share / mean.max(1e-4),
            observed: share,
            expected: self.verdict.expected,
            severity: Severity::Critical,
            title: format!(
                "{}: {} % of {what} are errors ({} of {} in {length}), about {} % are usual",
                key.1,
                number(share * 100.0),
                self.errors,
                self.total,
                number(mean * 100.0)
            ),
        })
    }

    fn finish(&self, draft: Draft<'_>, key: &ServiceKey) -> foreshock_model::Finding {
        let mut finding = draft.finish();
        finding.evidence =
            self.examples.iter().take(EXAMPLES).map(|(_, example)| evidence(key, example)).collect();
        finding
    }
}
