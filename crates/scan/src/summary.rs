//! The summary for people: incidents first, then the patterns, with small charts.

use std::io::{self, Write};

use foreshock_model::{Incident, Severity};
use foreshock_template::mask_secrets;

use crate::Scanned;

/// Patterns shown.
const PATTERNS: usize = 20;
/// Lines of evidence shown for an incident.
const EVIDENCE: usize = 5;
/// Width of a bar.
const BAR: usize = 20;

/// Writes the summary. `incidents` are as they stood last, in the order they began.
pub fn write_summary(out: &mut dyn Write, scanned: &Scanned, incidents: &[Incident]) -> io::Result<()> {
    writeln!(
        out,
        "{} records, {} patterns, {} metric series, {} incidents",
        scanned.records,
        scanned.patterns.len(),
        scanned.series,
        incidents.len()
    )?;
    for incident in incidents {
        write_incident(out, incident)?;
    }
    if !scanned.patterns.is_empty() {
        writeln!(out, "\nMost frequent patterns")?;
    }
    let most = scanned.patterns.first().map_or(1, |pattern| pattern.view.count.max(1));
    for pattern in scanned.patterns.iter().take(PATTERNS) {
        let filled = (pattern.view.count * BAR as u64).div_ceil(most).min(BAR as u64) as usize;
        let share = 100.0 * pattern.view.count as f64 / pattern.view.of.max(1) as f64;
        let bar: String = "█".repeat(filled) + &"·".repeat(BAR - filled);
        writeln!(out, "  {bar} {:>9} {share:>5.1} %  {}", pattern.view.count, clean(&pattern.view.template))?;
    }
    if scanned.patterns.len() > PATTERNS {
        writeln!(out, "  and {} more", scanned.patterns.len() - PATTERNS)?;
    }
    for reason in &scanned.unreadable {
        writeln!(out, "\nNot read: {}", clean(reason))?;
    }
    Ok(())
}

fn write_incident(out: &mut dyn Write, incident: &Incident) -> io::Result<()> {
    let severity = match incident.severity {
        Severity::Critical => "CRITICAL",
        Severity::Warning => "WARNING",
        Severity::Info => "INFO",
    };
    writeln!(out, "\n{severity}  {}", clean(&incident.title))?;
    writeln!(out, "  {} to {}", incident.started_at, incident.updated_at)?;
    for cause in incident.causes.iter().take(3) {
        writeln!(
            out,
            "  likely cause ({:.0} %): {}: {}",
            cause.score * 100.0,
            clean(cause.service.as_str()),
            clean(&cause.reason)
        )?;
    }
    for change in &incident.changes {
        writeln!(
            out,
            "  changed before: {} {}: {}",
            change.time,
            clean(change.service.as_str()),
            clean(&change.what)
        )?;
    }
    for finding in incident.findings.iter().take(EVIDENCE) {
        writeln!(
            out,
            "  - {} (observed {:.4}, expected {:.4} to {:.4}, surprise {:.1})",
            clean(&finding.title),
            finding.observed,
            finding.expected.low,
            finding.expected.high,
            finding.surprise
        )?;
    }
    let evidence = incident.findings.iter().flat_map(|finding| &finding.evidence);
    for line in evidence.take(EVIDENCE) {
        writeln!(out, "    {} {} {}", line.time, clean(line.service.as_str()), clean(&line.line))?;
    }
    Ok(())
}

/// Log text must not drive the terminal: secrets masked, control characters out.
fn clean(text: &str) -> String {
    mask_secrets(text).into_owned()
}
