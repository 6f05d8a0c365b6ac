//! What another configuration would have said of the same stretch: what comes, what goes, what changes.

use std::collections::BTreeMap;

use foreshock_detect::pipeline::Seen;
use foreshock_model::{Finding, Id, Incident, Kind, Severity, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::Stretch;

/// What one configuration says: final findings, and incidents as they stood last.
#[derive(Default)]
pub(crate) struct Said {
    findings: BTreeMap<Id, Finding>,
    incidents: BTreeMap<Id, Incident>,
}

impl Said {
    pub(crate) fn take(&mut self, seen: Seen, stretch: Stretch) {
        let findings = seen.findings.into_iter();
        let findings = findings.filter(|finding| !finding.provisional && stretch.holds(finding.window_end));
        self.findings.extend(findings.map(|finding| (finding.id, finding)));
        let incidents = seen.incidents.into_iter();
        let incidents =
            incidents.filter(|incident| !incident.provisional && stretch.holds(incident.updated_at));
        for mut incident in incidents {
            // An incident counts as what it was at its worst, not as what it was when it was over.
            let worst = self.incidents.get(&incident.id).map_or(Severity::Info, |before| before.severity);
            incident.severity = incident.severity.max(worst);
            self.incidents.insert(incident.id, incident);
        }
    }
    /// Findings and incidents.
    pub(crate) fn len(&self) -> usize {
        self.findings.len() + self.incidents.len()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    Comes,
    Goes,
    Changes,
}

/// One finding or incident that is not the same with both configurations.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    pub(crate) what: &'static str,
    pub(crate) way: Way,
    pub(crate) id: Id,
    /// Of a finding, which tells what its numbers are.
    #[serde(skip)]
    pub(crate) kind: Option<Kind>,
    pub(crate) time: Timestamp,
    pub(crate) severity: Severity,
    pub(crate) title: String,
    /// By field: with the configuration, and with the one it is held against.
    pub(crate) fields: BTreeMap<String, [Value; 2]>,
}

/// What a difference is told of.
trait Told: Serialize {
    const WHAT: &'static str;
    /// Fields in which two of the same id may differ without one being another than the other.
    const PASSED_OVER: &'static [&'static str];
    fn kind(&self) -> Option<Kind> {
        None
    }
    fn time(&self) -> Timestamp;
    fn severity(&self) -> Severity;
    fn title(&self) -> &str;
}

impl Told for Finding {
    const WHAT: &'static str = "finding";
    const PASSED_OVER: &'static [&'static str] = &[];

    fn kind(&self) -> Option<Kind> {
        Some(self.kind)
    }

    fn time(&self) -> Timestamp {
        self.window_end
    }

    fn severity(&self) -> Severity {
        self.severity
    }

    fn title(&self) -> &str {
        &self.title
    }
}

impl Told for Incident {
    const WHAT: &'static str = "incident";
    /// Its findings are told by themselves; how often it was told says nothing.
    const PASSED_OVER: &'static [&'static str] = &["findings", "revision"];

    fn time(&self) -> Timestamp {
        self.started_at
    }

    fn severity(&self) -> Severity {
        self.severity
    }

    fn title(&self) -> &str {
        &self.title
    }
}

fn differences<T: Told>(ours: &BTreeMap<Id, T>, theirs: &BTreeMap<Id, T>) -> Vec<Difference> {
    let difference = |id: &Id, way: Way, told: &T, fields: BTreeMap<String, [Value; 2]>| {
        let (time, severity, title) = (told.time(), told.severity(), told.title().to_owned());
        Difference { what: T::WHAT, way, id: *id, kind: told.kind(), time, severity, title, fields }
    };
    let go = ours.iter().filter_map(|(id, told)| match theirs.get(id) {
        None => Some(difference(id, Way::Goes, told, BTreeMap::new())),
        Some(other) => {
            let fields = fields_that_differ(told, other, T::PASSED_OVER);
            (!fields.is_empty()).then(|| difference(id, Way::Changes, other, fields))
        }
    });
    let come = theirs.iter().filter(|(id, _)| !ours.contains_key(id));
    let mut all: Vec<Difference> =
        go.chain(come.map(|(id, told)| difference(id, Way::Comes, told, BTreeMap::new()))).collect();
    all.sort_by_key(|difference| (difference.time, difference.id));
    all
}

/// Both values of each field in which two differ, but for those that are passed over.
pub(crate) fn fields_that_differ<T: Serialize>(
    one: &T,
    other: &T,
    passed_over: &[&str],
) -> BTreeMap<String, [Value; 2]> {
    let [one, other] = [one, other].map(|told| serde_json::to_value(told).unwrap_or_default());
    let Value::Object(one) = one else { return BTreeMap::new() };
    one.into_iter()
        .filter(|(name, value)| !passed_over.contains(&name.as_str()) && other.get(name) != Some(value))
        .map(|(name, value)| {
            let theirs = other.get(&name).cloned().unwrap_or_default();
            (name, [value, theirs])
        })
        .collect()
}

/// What two configurations say, held against each other.
pub(crate) struct Differences {
    pub(crate) incidents: Vec<Difference>,
    pub(crate) findings: Vec<Difference>,
    /// Of each, all that was said.
    said: [[usize; 2]; 2],
}

/// How many of a kind there are with each configuration, and how many of them differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) ours: usize,
    pub(crate) theirs: usize,
    pub(crate) come: usize,
    pub(crate) go: usize,
    pub(crate) change: usize,
}

impl Differences {
    pub(crate) fn between(ours: &Said, theirs: &Said) -> Self {
        Self {
            incidents: differences(&ours.incidents, &theirs.incidents),
            findings: differences(&ours.findings, &theirs.findings),
            said: [
                [ours.incidents.len(), theirs.incidents.len()],
                [ours.findings.len(), theirs.findings.len()],
            ],
        }
    }

    /// Of incidents, and of findings.
    pub(crate) fn totals(&self) -> [Totals; 2] {
        let [incidents, findings] = self.said;
        [totals(incidents, &self.incidents), totals(findings, &self.findings)]
    }

    /// Incidents first, each by time.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Difference> {
        self.incidents.iter().chain(&self.findings)
    }
}

fn totals([ours, theirs]: [usize; 2], all: &[Difference]) -> Totals {
    let count = |way| all.iter().filter(|difference| difference.way == way).count();
    let [come, go, change] = [Way::Comes, Way::Goes, Way::Changes].map(count);
    Totals { ours, theirs, come, go, change }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Serialize)]
    struct One {
        severity: Severity,
        revision: u32,
    }

    impl Told for One {
        const WHAT: &'static str = "one";
        const PASSED_OVER: &'static [&'static str] = &["revision"];

        fn time(&self) -> Timestamp {
            Timestamp(1)
        }

        fn severity(&self) -> Severity {
            self.severity
        }

        fn title(&self) -> &'static str {
            "it"
        }
    }

    #[test]
    fn what_comes_goes_and_changes_is_told_and_the_rest_is_not() {
        let one = |severity, revision| One { severity, revision };
        let all = |rows: &[(u128, One)]| -> BTreeMap<Id, One> {
            rows.iter().map(|(id, one)| (Id(*id), one.clone())).collect()
        };
        let ours =
            all(&[(1, one(Severity::Info, 1)), (2, one(Severity::Critical, 1)), (3, one(Severity::Info, 1))]);
        let theirs =
            all(&[(1, one(Severity::Info, 9)), (2, one(Severity::Warning, 1)), (4, one(Severity::Info, 1))]);
        let told: Vec<(Id, Way, usize)> =
            differences(&ours, &theirs).into_iter().map(|d| (d.id, d.way, d.fields.len())).collect();
        assert_eq!(told, [(Id(2), Way::Changes, 1), (Id(3), Way::Goes, 0), (Id(4), Way::Comes, 0)]);
        assert!(differences(&ours, &ours).is_empty());
    }
}
