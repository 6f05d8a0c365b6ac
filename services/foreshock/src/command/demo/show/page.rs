//! An incident as the person on call reads it in a terminal.

use std::io::{IsTerminal, stdout};

use foreshock_demo::Label;
use foreshock_model::{Finding, Incident, Severity};

use super::seen_at;

/// Findings and lines shown; the rest is counted.
const SHOWN_FINDINGS: usize = 6;
const SHOWN_LINES: usize = 3;

/// Prints it; `label` tells what was really played.
pub(super) fn print(incident: &Incident, label: Option<Label>) {
    println!();
    println!("{} {}", mark(incident.severity), printable(&incident.title));
    let services: Vec<&str> = incident.services.iter().map(|service| service.as_str()).collect();
    println!("  began      {}   services  {}", seen_at(incident.started_at), services.join(", "));
    for (rank, cause) in incident.causes.iter().take(3).enumerate() {
        println!(
            "  cause {}    {} ({:.0} %): {}",
            rank + 1,
            cause.service,
            cause.score * 100.0,
            printable(&cause.reason)
        );
    }
    for change in incident.changes.iter().take(3) {
        println!("  changed    {}  {}: {}", seen_at(change.time), change.service, printable(&change.what));
    }
    println!();
    for finding in incident.findings.iter().take(SHOWN_FINDINGS) {
        print_finding(finding);
    }
    if let Some(more) = incident.findings.len().checked_sub(SHOWN_FINDINGS + 1) {
        println!("  and {} findings more", more + 1);
    }
    if let Some(label) = label {
        let visible = label.visible.map_or_else(|| "not yet".to_owned(), seen_at);
        println!("  (played: {} at {}, first visible {visible})", label.fault.name(), label.fault.service());
    }
    println!();
}

fn print_finding(finding: &Finding) {
    println!("  {}  {}", seen_at(finding.window_start), printable(&finding.title));
    println!(
        "      observed {}, expected {} to {}",
        number(finding.observed),
        number(finding.expected.low),
        number(finding.expected.high)
    );
    if !finding.template.is_empty() {
        println!("      pattern  {}", printable(&finding.template));
    }
    for evidence in finding.evidence.iter().take(SHOWN_LINES) {
        println!("      | {} {}", printable(&evidence.instance), printable(&evidence.line));
    }
}

fn number(value: f64) -> String {
    if value.abs() >= 100.0 || value == value.trunc() { format!("{value:.0}") } else { format!("{value:.3}") }
}

/// Text of a log is not to be trusted by a terminal: control characters are shown, not obeyed.
fn printable(text: &str) -> String {
    let cut: String = text.chars().take(300).collect();
    cut.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

fn mark(severity: Severity) -> String {
    let text = severity.as_str().to_uppercase();
    if !stdout().is_terminal() {
        return format!("[{text}]");
    }
    let colour = match severity {
        Severity::Critical => 31,
        Severity::Warning => 33,
        Severity::Info => 36,
    };
    format!("\u{1b}[1;{colour}m[{text}]\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_terminal_is_not_told_what_to_do_by_a_log_line() {
        assert_eq!(super::printable("a\u{1b}[2Jb\u{7}"), "a\\u{1b}[2Jb\\u{7}");
    }
}
