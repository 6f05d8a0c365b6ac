//! From a verdict to a finding.

use std::{collections::BTreeMap, time::Duration};

use foreshock_model::{Evidence, Expected, Finding, Id, Kind, Severity, Window};
use foreshock_stats::Tail;
use foreshock_template::mask_secrets;

use super::{ServiceKey, merged::Example};

/// Findings less surprising than this are not put out: p of one in a thousand.
pub(super) const LEAST_SURPRISE: f64 = 3.0;
/// No p-value is believed to be smaller than this says.
const MOST_SURPRISE: f64 = 100.0;
/// The roll-up that most kinds are judged on.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// The roll-up that slow kinds are judged on.
pub(super) const TEN_MINUTES: Duration = Duration::from_secs(600);

/// The roll-up that shows what burns slowly.
pub(super) const HOUR: Duration = Duration::from_secs(3600);
/// What a shorter roll-up has said with this surprise is not said again by a longer one that holds it: the longer
/// would only say it later, and of more time than it took.
pub(super) const SURE: f64 = 10.0;

/// False findings a day that a service may have of one kind and length of windows.
const FALSE_A_DAY: f64 = 0.1;

/// How surprising a finding must be that stands out of so many tests a day. Among `n` honest tests the expected number
/// of p-values at or below `a` is `n a`, whatever hangs together among them.
pub(super) fn bar(tests_a_day: f64) -> f64 {
    LEAST_SURPRISE.max(libm::log10(tests_a_day.max(1.0) / FALSE_A_DAY))
}

/// The [`bar`] of what is tested `tests` times a window of this length.
pub(super) fn window_bar(tests: usize, window: Duration) -> f64 {
    bar(tests as f64 * 86_400.0 / window.as_secs_f64().max(1.0))
}

/// A finding being written.
pub(super) struct Draft<'a> {
    pub(super) key: &'a ServiceKey,
    pub(super) kind: Kind,
    pub(super) series: &'a str,
    pub(super) window: Window,
    pub(super) tail: Tail,
    pub(super) effect: f64,
    pub(super) observed: f64,
    pub(super) expected: (f64, f64),
    /// The most it may matter, by practical significance.
    pub(super) severity: Severity,
    pub(super) title: String,
}

impl Draft<'_> {
    /// The final finding.
    pub(super) fn finish(self) -> Finding {
        let (tenant, service) = self.key;
        Finding {
            id: Id::finding(tenant, service, self.series, self.window, self.kind, false),
            tenant: tenant.clone(),
            kind: self.kind,
            service: service.clone(),
            series: self.series.to_owned(),
            window_start: self.window.start,
            window_end: self.window.end(),
            surprise: self.tail.surprise().clamp(0.0, MOST_SURPRISE),
            effect: finite(self.effect),
            observed: finite(self.observed),
            expected: Expected { low: finite(self.expected.0), high: finite(self.expected.1) },
            severity: self.severity,
            title: self.title,
            template: String::new(),
            evidence: Vec::new(),
            provisional: false,
            replaces: Vec::new(),
            labels: BTreeMap::new(),
        }
    }
}

/// A line as evidence, secrets masked.
pub(super) fn evidence(key: &ServiceKey, example: &Example) -> Evidence {
    Evidence {
        time: example.time,
        service: key.1.clone(),
        instance: example.instance.clone(),
        line: mask_secrets(&example.line).into_owned(),
    }
}

/// JSON has no infinity.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::MAX.copysign(value) }
}

/// A number for people: three significant digits.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1e15 || (size > 0.0 && size < 1e-4) {
        return format!("{value:.2e}");
    }
    let decimals = if size >= 100.0 || value.fract() == 0.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        4
    };
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// A length of time for people.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
