//! What Foreshock says of itself: where it sees only a part, late, or nothing.
//!
//! A service whose telemetry is folded is told under its own name; what concerns Foreshock's own work under
//! [`OWN_SERVICE`]. All of it follows from the entries of the partition, so a replay says the same.

use foreshock_model::{
    BASE_WINDOW, Expected, Finding, Id, Kind, ServiceName, Severity, Tenant, Timestamp, Window, proto,
};
use foreshock_template::mask_secrets;
use serde::{Deserialize, Serialize};

use crate::InputId;

/// The service under whose name Foreshock speaks of itself.
pub const OWN_SERVICE: &str = "foreshock";

/// No doubt: it was counted, not inferred.
const SURPRISE: f64 = 20.0;
/// A stage that is so far behind judges nothing of the present, in seconds.
const BLIND_SECONDS: f64 = 600.0;
/// Reasons are cut at this many characters.
const REASON: usize = 200;

/// A finding of kind `degraded`.
struct Degraded {
    tenant: Tenant,
    service: ServiceName,
    series: String,
    window: Window,
    observed: f64,
    severity: Severity,
    title: String,
}

impl Degraded {
    fn finish(self, provisional: bool) -> Finding {
        let Self { tenant, service, series, window, observed, severity, title } = self;
        Finding {
            id: Id::finding(&tenant, &service, &series, window, Kind::Degraded, provisional),
            tenant,
            kind: Kind::Degraded,
            service,
            series,
            window_start: window.start,
            window_end: window.end(),
            surprise: SURPRISE,
            effect: observed,
            observed,
            expected: Expected { low: 0.0, high: 0.0 },
            severity,
            title,
            template: String::new(),
            evidence: Vec::new(),
            provisional,
            replaces: Vec::new(),
            labels: Default::default(),
        }
    }
}

/// What went over a limit, by what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folds {
    /// Lines of shapes that one partition of reduce had no room for.
    pub shapes: u64,
    /// Lines of patterns that a service or its tenant had no room for.
    pub patterns: u64,
    /// Points and values of series that there was no room for.
    pub series: u64,
    /// Times a resource was met that there was no room for.
    pub sources: u64,
    /// Spans of operations that there was no room for.
    pub operations: u64,
    /// Windows of services that there was no room for.
    pub services: u64,
    /// Steps of sessions that there was no room for.
    pub steps: u64,
}

impl Folds {
    /// As reduce passed them on.
    pub(crate) fn of(folded: &proto::Folded) -> Self {
        Self {
            shapes: folded.shapes,
            series: folded.series,
            sources: folded.sources,
            operations: folded.operations,
            steps: folded.steps,
            ..Self::default()
        }
    }

    /// Adds what else was folded.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { shapes, patterns, series, sources, operations, services, steps } = other;
        self.shapes += shapes;
        self.patterns += patterns;
        self.series += series;
        self.sources += sources;
        self.operations += operations;
        self.services += services;
        self.steps += steps;
    }

    /// Each kind by its name.
    pub fn by_kind(&self) -> [(&'static str, u64); 7] {
        let Self { shapes, patterns, series, sources, operations, services, steps } = *self;
        [
            ("shapes", shapes),
            ("patterns", patterns),
            ("series", series),
            ("sources", sources),
            ("operations", operations),
            ("services", services),
            ("steps", steps),
        ]
    }

    /// One finding a kind, of a service's window.
    pub(crate) fn findings(&self, tenant: &Tenant, service: &ServiceName, window: Window) -> Vec<Finding> {
        let folded = self.by_kind().into_iter().filter(|(_, count)| *count > 0);
        let finding = |(kind, count): (&str, u64)| {
            let (what, limit) = match kind {
                "shapes" => ("lines are counted as one other shape", "detect.limits.shapes"),
                "patterns" => (
                    "lines are counted as one other pattern",
                    "detect.limits.patterns or shapes, or the tenant's max_patterns",
                ),
                "series" => {
                    ("values of metrics are not watched", "detect.limits.series, or the tenant's max_series")
                }
                "sources" => ("times telemetry was counted for one other source", "detect.limits.sources"),
                "operations" => ("spans are counted as one other operation", "detect.limits.operations"),
                "steps" => ("steps of sessions are not watched", "detect.limits.sessions"),
                _ => ("services are not watched at all", "detect.limits.services"),
            };
            let degraded = Degraded {
                tenant: tenant.clone(),
                service: service.clone(),
                series: format!("foreshock.folded.{kind}"),
                window,
                observed: count as f64,
                severity: Severity::Warning,
                title: format!("Foreshock sees {service} only in part: {count} {what}; raise {limit}"),
            };
            degraded.finish(false)
        };
        folded.map(finding).collect()
    }
}

/// Entries that a stage could not read, or panicked over, and that were set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unread {
    pub(crate) count: u64,
    /// Of the last of them.
    pub(crate) offset: u64,
    pub(crate) reason: String,
}

impl Unread {
    /// Takes note of `count` entries, the last of them at `offset`.
    pub(crate) fn note(&mut self, count: u64, offset: u64, reason: &str) {
        if self.count == 0 || offset >= self.offset {
            self.offset = offset;
            self.reason = cut(&mask_secrets(reason)).to_owned();
        }
        self.count += count;
    }

    /// What there is to tell of entries of `input`.
    pub(crate) fn finding(&self, tenant: &Tenant, input: &InputId, window: Window) -> Option<Finding> {
        let Self { count, offset, reason } = self;
        let degraded = Degraded {
            tenant: tenant.clone(),
            service: OWN_SERVICE.into(),
            series: format!("foreshock.unread.{input}"),
            window,
            observed: *count as f64,
            severity: Severity::Warning,
            title: format!(
                "Foreshock could not read {count} entries of {input} and set them aside on the poison stream; the last at offset {offset}: {reason}"
            ),
        };
        (*count > 0).then(|| degraded.finish(false))
    }
}

/// A source was not waited for. Says the same whichever partition gave it up, so that it is one finding.
pub(crate) fn given_up(source: &InputId, times: u64, window: Window) -> Finding {
    let degraded = Degraded {
        tenant: Tenant::default(),
        service: OWN_SERVICE.into(),
        series: format!("foreshock.given_up.{source}"),
        window,
        observed: times as f64,
        severity: Severity::Warning,
        title: format!(
            "Foreshock gave up waiting for {source}, which stands still behind the others: what comes from there now is late"
        ),
    };
    degraded.finish(false)
}

/// Instances of a service come on several partitions of a stream.
pub(crate) fn scattered(tenant: &Tenant, service: &ServiceName, instances: u64, window: Window) -> Finding {
    let degraded = Degraded {
        tenant: tenant.clone(),
        service: service.clone(),
        series: "foreshock.scattered".to_owned(),
        window,
        observed: instances as f64,
        severity: Severity::Warning,
        title: format!(
            "Foreshock can't tell the order within {instances} instances of {service}, and counts increases of their metrics twice: they come on several partitions of a stream; let whoever writes them use the key of docs/partitioning.md (the Collector's Kafka exporter: partition_logs_by_resource_attributes and its like)"
        ),
    };
    degraded.finish(false)
}

/// A stage is behind: the final finding of the window that `now` lies in, and the provisional one that stands for the
/// whole episode of lag.
pub(crate) fn lagging(lagging: &proto::Lagging, now: Timestamp) -> (Finding, Finding) {
    let input = InputId {
        stream: lagging.stream.clone(),
        partition: u16::try_from(lagging.partition).unwrap_or(u16::MAX),
    };
    let degraded = |at: Timestamp| Degraded {
        tenant: Tenant::default(),
        service: OWN_SERVICE.into(),
        series: format!("foreshock.lag.{}.{input}", lagging.stage),
        window: at.window(BASE_WINDOW),
        observed: lagging.seconds,
        severity: if lagging.seconds >= BLIND_SECONDS { Severity::Critical } else { Severity::Warning },
        title: format!(
            "Foreshock is {:.0} s behind: its stage {} has not come further in {input}; what happens now is judged only then",
            lagging.seconds, lagging.stage
        ),
    };
    let began = Timestamp(lagging.since).min(now);
    (degraded(now).finish(false), degraded(began).finish(true))
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(REASON).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_folded_is_told_by_kind_with_what_to_raise() {
        let window = Timestamp::from_secs(1_000).window(BASE_WINDOW);
        let folds = Folds { patterns: 3, services: 1, ..Folds::default() };
        let told = folds.findings(&Tenant::default(), &"cart".into(), window);
        let told: Vec<_> = told.iter().map(|f| (f.series.as_str(), f.severity, f.title.as_str())).collect();
        assert_eq!(
            told,
            [
                (
                    "foreshock.folded.patterns",
                    Severity::Warning,
                    "Foreshock sees cart only in part: 3 lines are counted as one other pattern; raise detect.limits.patterns or shapes, or the tenant's max_patterns"
                ),
                (
                    "foreshock.folded.services",
                    Severity::Warning,
                    "Foreshock sees cart only in part: 1 services are not watched at all; raise detect.limits.services"
                ),
            ]
        );
    }

    #[test]
    fn the_last_entry_that_could_not_be_read_is_named_in_whatever_order_they_are_added() {
        let mut forwards = Unread::default();
        forwards.note(1, 5, "first");
        forwards.note(2, 9, "last");
        let mut backwards = Unread::default();
        backwards.note(2, 9, "last");
        backwards.note(1, 5, "first");
        assert_eq!(forwards, backwards);
        assert_eq!(forwards, Unread { count: 3, offset: 9, reason: "last".into() });
    }

    #[test]
    fn a_stage_that_is_far_behind_pages_and_one_that_is_a_little_behind_does_not() {
        let at = |seconds| {
            let message = proto::Lagging { seconds, since: 5, ..Default::default() };
            lagging(&message, Timestamp::from_secs(1_000)).0.severity
        };
        assert_eq!((at(61.0), at(601.0)), (Severity::Warning, Severity::Critical));
    }
}
