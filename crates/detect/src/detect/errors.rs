//! The share of errors of a service, a minute.

use foreshock_model::{Kind, Severity, Window};
use foreshock_stats::{ErrorShare, LevelShift};
use serde::{Deserialize, Serialize};

use super::{
    ServiceKey,
    draft::{Draft, LEAST_SURPRISE, evidence, number},
    merged::{Example, MergedShape},
    report::Report,
};

/// A share that rose matters from this much, and this many times what was expected.
const RISE_SHARE: f64 = 0.02;
const RISE: f64 = 2.0;
/// A share this surprising does not teach, so that a rise which lasts stays one.
const SUSPECT: f64 = 3.0;
/// Distinct lines shown as evidence.
const EXAMPLES: usize = 5;

/// Errors of a total, and lines that show them.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct ErrorWatch {
    baseline: ErrorShare,
    shift: LevelShift,
    total: u64,
    errors: u64,
    /// Of the minute: errors of a shape and its first line.
    examples: Vec<(u64, Example)>,
}

impl ErrorWatch {
    /// Adds a base window.
    pub(super) fn add<'a>(&mut self, total: u64, errors: u64, shapes: impl Iterator<Item = &'a MergedShape>) {
        self.total += total;
        self.errors += errors;
        if errors == 0 {
            return;
        }
        let erring = shapes.filter(|shape| shape.errors > 0);
        self.examples.extend(erring.map(|shape| (shape.errors, shape.example.clone())));
        // First the first line, then the most frequent ones; the rest is left out.
        self.examples.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        self.examples.truncate(4 * EXAMPLES);
    }

    /// Judges the minute. `what` names what the share is of.
    pub(super) fn close_minute(&mut self, key: &ServiceKey, minute: Window, what: &str, report: &mut Report) {
        let (total, errors) = (std::mem::take(&mut self.total), std::mem::take(&mut self.errors));
        let examples = std::mem::take(&mut self.examples);
        if total == 0 {
            return;
        }
        let suspect = self.baseline.judge(errors, total).up.surprise() >= SUSPECT;
        let verdict = if suspect {
            self.baseline.observe_excluded(errors, total)
        } else {
            self.baseline.observe(errors, total)
        };
        let shift = self.shift.observe(if verdict.learned.is_ready() { verdict.score() } else { f64::NAN });
        if verdict.new_normal {
            self.shift.restart();
        }
        if !verdict.learned.is_ready() {
            return;
        }
        // A burst in one minute, or a rise that lasts.
        let tail = verdict.up.min(shift.up).among(2.0);
        report.tested(&key.0, Kind::ErrorShare, 60, 1);
        let (share, mean) = (errors as f64 / total as f64, verdict.mean);
        if tail.surprise() < LEAST_SURPRISE || share - mean < RISE_SHARE || share < RISE * mean {
            return;
        }
        let draft = Draft {
            key,
            kind: Kind::ErrorShare,
            series: what,
            window: minute,
            tail,
            effect: share / mean.max(1e-4),
            observed: share,
            expected: verdict.expected,
            severity: Severity::Critical,
            title: format!(
                "{}: {} % of {what} are errors ({errors} of {total} in a minute), about {} % are usual",
                key.1,
                number(share * 100.0),
                number(mean * 100.0)
            ),
        };
        let mut finding = draft.finish();
        finding.evidence =
            examples.iter().take(EXAMPLES).map(|(_, example)| evidence(key, example)).collect();
        report.findings.push(finding);
    }
}
