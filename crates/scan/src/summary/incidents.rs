//! The incidents of the summary: what, when, how much against what is usual, and the lines that show it.

use std::io::{self, Write};

use foreshock_model::{Evidence, Finding, Incident, Severity};

use super::{
    clean,
    ink::{Ink, Look},
    spark::spark,
    write_item, write_wrapped,
};
use crate::{
    Scanned, story,
    words::{self, Measure, Moments},
};

/// Incidents told in full; of the others a line each.
const IN_FULL: usize = 8;
/// Incidents told at all.
const TOLD: usize = 40;
/// Findings told besides the first.
const FINDINGS: usize = 3;
/// Lines of evidence.
const EVIDENCE: usize = 4;
/// Lines that a line of evidence takes at most.
const LINES: usize = 3;
/// Columns of a pattern's chart.
const CHART: usize = 32;

pub(super) fn write(
    out: &mut dyn Write,
    scanned: &Scanned,
    incidents: &[Incident],
    look: Look,
) -> io::Result<()> {
    writeln!(out, "\n{}", look.paint(Ink::Heading, "Incidents"))?;
    if incidents.is_empty() {
        return write_wrapped(out, &story::nothing(scanned), 2, 3, look);
    }
    let moments = Moments::within(scanned.span);
    let ordered = story::in_order(incidents);
    for incident in ordered.iter().take(IN_FULL) {
        writeln!(out)?;
        write_one(out, scanned, incident, moments, look)?;
    }
    let others = ordered.iter().skip(IN_FULL).take(TOLD - IN_FULL);
    if ordered.len() > IN_FULL {
        writeln!(out)?;
    }
    for incident in others {
        let (from, to) = story::lasted(incident);
        let when = moments.range(from, to);
        let used = 2 + 10 + when.len() + 2;
        let title = look.fit(&clean(&incident.title), used);
        writeln!(out, "  {}{}  {title}", severity(incident.severity, look), look.paint(Ink::Soft, &when))?;
    }
    if ordered.len() > TOLD {
        writeln!(
            out,
            "  and {} more: foreshock scan --incidents --json",
            words::count((ordered.len() - TOLD) as u64)
        )?;
    }
    Ok(())
}

/// The word for a severity, ten columns wide.
fn severity(severity: Severity, look: Look) -> String {
    let (ink, word) = match severity {
        Severity::Critical => (Ink::Critical, "CRITICAL"),
        Severity::Warning => (Ink::Warning, "WARNING"),
        Severity::Info => (Ink::Info, "INFO"),
    };
    format!("{}{}", look.paint(ink, word), " ".repeat(10 - word.len()))
}

fn write_one(
    out: &mut dyn Write,
    scanned: &Scanned,
    incident: &Incident,
    moments: Moments,
    look: Look,
) -> io::Result<()> {
    let (from, to) = story::lasted(incident);
    writeln!(
        out,
        "  {}{}",
        severity(incident.severity, look),
        look.paint(Ink::Soft, &moments.range(from, to))
    )?;
    for line in look.wrap(&clean(&incident.title), 2, 3) {
        writeln!(out, "  {}", look.paint(Ink::Heading, &line))?;
    }
    write_why(out, incident, moments, look)?;
    let findings = story::led(incident);
    let (lead, others) = findings.split_at(findings.len().min(1));
    for finding in lead {
        write_measure(out, scanned, finding, moments, look)?;
    }
    for finding in others.iter().take(FINDINGS) {
        write_item(out, "- ", &clean(&finding.title), 4, 2, look)?;
    }
    if others.len() > FINDINGS {
        let more = words::counted((others.len() - FINDINGS) as u64, "finding", "findings");
        writeln!(out, "    {}", look.paint(Ink::Soft, &format!("and {more} more")))?;
    }
    write_evidence(out, incident, moments, look)
}

/// Where it probably began, and what changed before.
fn write_why(out: &mut dyn Write, incident: &Incident, moments: Moments, look: Look) -> io::Result<()> {
    for cause in story::causes(incident) {
        write_wrapped(out, &clean(&format!("likely cause: {cause}")), 4, 2, look)?;
    }
    for change in incident.changes.iter().rev().take(3) {
        let text = format!(
            "changed before: {} {}: {}",
            moments.of(change.time),
            change.service.as_str(),
            change.what
        );
        write_wrapped(out, &clean(&text), 4, 2, look)?;
    }
    Ok(())
}

fn write_measure(
    out: &mut dyn Write,
    scanned: &Scanned,
    finding: &Finding,
    moments: Moments,
    look: Look,
) -> io::Result<()> {
    let Measure { before, observed, after } = Measure::of(finding, moments);
    writeln!(out, "    {before}{}{after}", look.paint(Ink::Heading, &observed))?;
    if let Some(pattern) = story::pattern_of(scanned, finding).filter(|pattern| pattern.counts.len() > 1) {
        let chart = look.paint(Ink::Chart, &spark(&pattern.counts, CHART));
        let all = words::counted(pattern.view.count, "line", "lines");
        writeln!(out, "    {chart}  {}", look.paint(Ink::Soft, &format!("{all} of this pattern in all")))?;
    }
    Ok(())
}

fn write_evidence(out: &mut dyn Write, incident: &Incident, moments: Moments, look: Look) -> io::Result<()> {
    let mut shown: Vec<&Evidence> = Vec::new();
    for evidence in incident.findings.iter().flat_map(|finding| &finding.evidence) {
        if shown.len() < EVIDENCE && !shown.contains(&evidence) {
            shown.push(evidence);
        }
    }
    for evidence in shown {
        let mark = format!("| {}  ", moments.of(evidence.time));
        write_item(out, &mark, &clean(&evidence.line), 4, LINES, look)?;
    }
    Ok(())
}
