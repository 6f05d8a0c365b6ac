//! What the summary and the page both tell, and in which order.

use std::time::Duration;

use foreshock_model::{Finding, Incident, Kind, Severity, Timestamp};
use foreshock_template::Level;

use crate::{PatternSeen, Scanned, SeriesSeen, words};

/// OTLP severity numbers from here on are warnings.
const WARN: u8 = Level::Warn.severity_number();
/// OTLP severity numbers from here on are errors.
pub(crate) const ERROR: u8 = Level::Error.severity_number();

/// What the summary is of: the names of the files without their folders.
pub(crate) fn title(names: &[String]) -> String {
    let own = |name: &String| name.rsplit('/').find(|part| !part.is_empty()).unwrap_or(name).to_owned();
    let shown: Vec<String> = names.iter().take(NAMED).map(own).collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {}", shown.join(", "), words::counted(more as u64, "other", "others")),
    }
}

/// Files that the title names.
const NAMED: usize = 3;

/// The word for a level that stands out; empty for those that don't.
pub(crate) fn level(severity: u8) -> &'static str {
    match severity {
        ERROR.. => "error",
        WARN.. => "warn",
        _ => "",
    }
}

/// Those that matter most first, then by time.
pub(crate) fn in_order(incidents: &[Incident]) -> Vec<&Incident> {
    let mut ordered: Vec<&Incident> = incidents.iter().collect();
    ordered.sort_by_key(|incident| (std::cmp::Reverse(incident.severity), incident.started_at, incident.id));
    ordered
}

/// The findings of an incident, the one that its title begins with first: what is told beside the title is of that one.
pub(crate) fn led(incident: &Incident) -> Vec<&Finding> {
    let is_lead =
        |finding: &&Finding| !finding.title.is_empty() && incident.title.starts_with(&finding.title);
    let mut findings: Vec<&Finding> = incident.findings.iter().collect();
    // Of two of which one title begins with the other, the longer is meant.
    let lead = findings.iter().copied().filter(is_lead).max_by_key(|finding| finding.title.len());
    findings.sort_by_key(|finding| lead.is_some_and(|lead| lead.id != finding.id));
    findings
}

/// When it went on: the windows of its findings. What comes after them until it counts as over is only waiting.
pub(crate) fn lasted(incident: &Incident) -> (Timestamp, Timestamp) {
    let end = incident.findings.iter().map(|finding| finding.window_end).max();
    (incident.started_at, end.unwrap_or(incident.updated_at).max(incident.started_at))
}

/// When what a finding is about began: a silence is told in the minute it became too long.
pub(crate) fn judged_from(finding: &Finding) -> Timestamp {
    match finding.kind {
        Kind::Silence => {
            let silent = Duration::try_from_secs_f64(finding.observed).unwrap_or_default();
            finding.window_end.minus(silent).min(finding.window_start)
        }
        _ => finding.window_start,
    }
}

/// How many incidents of each severity there are, in words.
pub(crate) fn severities(incidents: &[Incident]) -> String {
    let of = |severity, one: &str, many: &str| {
        let count = incidents.iter().filter(|incident| incident.severity == severity).count() as u64;
        (count > 0).then(|| words::counted(count, one, many))
    };
    let told = [
        of(Severity::Critical, "critical", "critical"),
        of(Severity::Warning, "warning", "warnings"),
        of(Severity::Info, "info", "info"),
    ];
    told.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Where it probably began, as far as that says more than the titles of its findings do.
pub(crate) fn causes(incident: &Incident) -> Vec<String> {
    let is_told = |reason: &str| {
        reason.is_empty()
            || incident.title.contains(reason)
            || incident.findings.iter().any(|finding| finding.title.contains(reason))
    };
    let mut causes = Vec::new();
    for cause in incident.causes.iter().take(3) {
        let reasons: Vec<&str> = cause.reason.split("; ").filter(|reason| !is_told(reason)).collect();
        if incident.services.len() > 1 || !reasons.is_empty() {
            let colon = if reasons.is_empty() { "" } else { ": " };
            let (service, share) = (cause.service.as_str(), cause.score * 100.0);
            causes.push(format!("{service} ({share:.0} %){colon}{}", reasons.join("; ")));
        }
    }
    causes
}

/// A pattern that came up in the last quarter of the time.
pub(crate) fn is_late(scanned: &Scanned, pattern: &PatternSeen) -> bool {
    scanned.span.is_some_and(|(first, last)| {
        let span = last.since(first);
        span.as_secs() >= SHORT_SECONDS && pattern.view.first >= last.minus(span / 4)
    })
}

/// The pattern a finding is about.
pub(crate) fn pattern_of<'a>(scanned: &'a Scanned, finding: &Finding) -> Option<&'a PatternSeen> {
    if finding.template.is_empty() {
        return None;
    }
    let is_it = |seen: &&PatternSeen| seen.view.service == finding.service && seen.view.id == finding.series;
    scanned.patterns.iter().find(is_it)
}

/// The patterns with the fewest lines, errors first: where to look for what nobody has counted on. `shown` of the most
/// frequent ones are shown already.
pub(crate) fn rare(patterns: &[PatternSeen], shown: usize, most: usize) -> Vec<&PatternSeen> {
    let mut rare: Vec<&PatternSeen> = patterns.iter().skip(shown).collect();
    rare.sort_by_key(|seen| (level_rank(seen.severity), seen.view.count, std::cmp::Reverse(seen.view.first)));
    rare.truncate(most);
    rare
}

fn level_rank(severity: u8) -> u8 {
    match severity {
        ERROR.. => 0,
        WARN.. => 1,
        _ => 2,
    }
}

/// Whether a series has to be told with its service.
pub(crate) fn has_several_services(scanned: &Scanned) -> bool {
    let mut services = scanned.series_seen.iter().map(|series| &series.service);
    services.next().is_some_and(|first| services.any(|other| other != first))
}

/// From the lowest value of a series to its highest.
pub(crate) fn range(series: &SeriesSeen) -> String {
    let unit = match series.unit.as_str() {
        "" | "1" => String::new(),
        unit => format!(" {unit}"),
    };
    let (low, high) = (words::number(series.low), words::number(series.high));
    if low == high { format!("{low}{unit}") } else { format!("{low} to {high}{unit}") }
}

/// Heights in at most so many columns: the mean of neighbours that have one.
pub(crate) fn heights(heights: &[u32], columns: usize) -> Vec<u32> {
    let group = heights.len().div_ceil(columns.max(1)).max(1);
    let mean = |chunk: &[u32]| {
        let there = chunk.iter().filter(|height| **height > 0);
        let (n, sum) = there.fold((0u32, 0u32), |(n, sum), height| (n + 1, sum + height));
        sum.checked_div(n).map_or(0, |mean| mean.max(1))
    };
    heights.chunks(group).map(mean).collect()
}

/// What was read, in one sentence.
pub(crate) fn totals(scanned: &Scanned) -> String {
    let mut parts = Vec::new();
    if scanned.lines > 0 {
        parts.push(words::counted(scanned.lines, "line", "lines"));
    }
    let others = scanned.records.saturating_sub(scanned.lines);
    if others > 0 || scanned.lines == 0 {
        parts.push(words::counted(others, "metric point or span", "metric points and spans"));
    }
    if scanned.errors > 0 {
        parts.push(words::counted(scanned.errors, "error", "errors"));
    }
    let mut text = parts.join(", ");
    if let Some((first, last)) = scanned.span {
        let span = last.since(first);
        if span.as_millis() > 0 {
            text.push_str(&format!(" in {}", words::length(span)));
        }
        if let Some(rate) = words::rate(scanned.lines, span).filter(|_| scanned.lines > 0) {
            text.push_str(&format!(", {rate}"));
        }
    }
    text
}

/// From when to when, in one sentence; empty where nothing told a time.
pub(crate) fn span(scanned: &Scanned) -> String {
    let Some((first, last)) = scanned.span else { return String::new() };
    format!("{} UTC", words::Moments::default().range(first, last))
}

/// Whose it is and what it was made of, in one sentence.
pub(crate) fn parts(scanned: &Scanned, incidents: &[Incident]) -> String {
    let mut parts = Vec::new();
    if scanned.services.len() > 1 {
        parts.push(words::counted(scanned.services.len() as u64, "service", "services"));
    }
    if scanned.instances > scanned.services.len().max(1) {
        parts.push(words::counted(scanned.instances as u64, "instance", "instances"));
    }
    if scanned.lines > 0 {
        parts.push(words::counted(scanned.patterns.len() as u64, "pattern", "patterns"));
    }
    if scanned.series > 0 {
        parts.push(words::counted(scanned.series as u64, "metric series", "metric series"));
    }
    let mut found = words::counted(incidents.len() as u64, "incident", "incidents");
    if !incidents.is_empty() {
        found.push_str(&format!(" ({})", severities(incidents)));
    }
    parts.push(found);
    parts.join(", ")
}

/// What to make of it when nothing was found.
pub(crate) fn nothing(scanned: &Scanned) -> String {
    let span = scanned.span.map(|(first, last)| last.since(first)).unwrap_or_default();
    let told = if span.as_secs() < SHORT_SECONDS {
        format!(
            "Nothing out of the ordinary was found; but {} are too short to know what is ordinary.",
            words::length(span)
        )
    } else {
        "Nothing out of the ordinary was found.".into()
    };
    if scanned.records == 0 { "There was nothing in it.".into() } else { told }
}

/// A span shorter than this teaches little, in seconds.
const SHORT_SECONDS: u64 = 3_600;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use foreshock_model::{Expected, Id, IncidentStatus, Tenant};

    use super::*;

    fn finding(number: u128, title: &str) -> Finding {
        Finding {
            id: Id(number),
            tenant: Tenant::default(),
            kind: Kind::WillRunOut,
            service: "db".into(),
            series: "disk".into(),
            window_start: Timestamp(0),
            window_end: Timestamp(1),
            surprise: 1.0,
            effect: 1.0,
            observed: 1.0,
            expected: Expected { low: 0.0, high: 2.0 },
            severity: Severity::Critical,
            title: title.into(),
            template: String::new(),
            evidence: Vec::new(),
            provisional: false,
            replaces: Vec::new(),
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn the_finding_of_the_title_is_told_first_and_the_others_in_their_order() {
        let findings = vec![finding(1, "a: disk fills"), finding(2, "b: disk"), finding(3, "b: disk fills")];
        let mut incident = Incident {
            id: Id(9),
            tenant: Tenant::default(),
            status: IncidentStatus::Open,
            severity: Severity::Critical,
            title: "b: disk fills; also affects a".into(),
            started_at: Timestamp(0),
            updated_at: Timestamp(1),
            resolved_at: None,
            services: Vec::new(),
            findings,
            causes: Vec::new(),
            changes: Vec::new(),
            runbook_url: String::new(),
            links: BTreeMap::new(),
            revision: 1,
            provisional: false,
        };
        let ids = |incident: &Incident| led(incident).iter().map(|finding| finding.id.0).collect::<Vec<_>>();
        assert_eq!(ids(&incident), [3, 1, 2]);
        incident.title = "something else".into();
        assert_eq!(ids(&incident), [1, 2, 3]);
    }
}
