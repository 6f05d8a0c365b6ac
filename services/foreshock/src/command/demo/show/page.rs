//! An incident as the person on call reads it in a terminal: what is wrong, since when, where, why, how it is known.

use std::{
    io::{IsTerminal, stdout},
    net::SocketAddr,
};

use foreshock_demo::Label;
use foreshock_model::{Finding, Incident, Kind, Severity, Timestamp};

use crate::command::demo::clock;

/// Findings, causes, changes and lines shown; the rest is counted.
const SHOWN_FINDINGS: usize = 4;
const SHOWN_CAUSES: usize = 2;
const SHOWN_CHANGES: usize = 3;
const SHOWN_LINES: usize = 2;
/// Characters of a line, a template or a finding that are shown.
const WIDTH: usize = 160;
/// And of what the head says.
const HEAD_WIDTH: usize = 400;

/// Prints it. `label` tells what was really played, `console` where the same is to be seen.
pub(super) fn print(incident: &Incident, label: Option<Label>, console: SocketAddr) {
    print!("{}", text(incident, label, console, stdout().is_terminal()));
}

fn text(incident: &Incident, label: Option<Label>, console: SocketAddr, colours: bool) -> String {
    let mut rows = vec![
        String::new(),
        format!("{} {}", mark(incident.severity, colours), cut(&incident.title, HEAD_WIDTH)),
    ];
    rows.push(String::new());
    let lasted = incident.updated_at.since(incident.started_at).as_secs_f64();
    field(&mut rows, "since", &format!("{} UTC, for {}", clock(incident.started_at), span(lasted)));
    let services: Vec<&str> = incident.services.iter().map(|service| service.as_str()).collect();
    field(&mut rows, "services", &services.join(", "));
    for cause in incident.causes.iter().take(SHOWN_CAUSES) {
        let (likely, reason) =
            (format!("{} ({:.0} %)", cause.service, cause.score * 100.0), reason(cause, incident));
        let likely = if reason.is_empty() { likely } else { format!("{likely}: {reason}") };
        field(&mut rows, "likely cause", &likely);
    }
    for change in incident.changes.iter().rev().take(SHOWN_CHANGES) {
        field(&mut rows, "changed", &format!("{}  {}: {}", time(change.time), change.service, change.what));
    }
    field(&mut rows, "look at", &format!("http://{console}/#{}", incident.id));
    rows.push(String::new());
    for finding in incident.findings.iter().take(SHOWN_FINDINGS) {
        tell(&mut rows, finding);
    }
    match incident.findings.len().saturating_sub(SHOWN_FINDINGS) {
        0 => {}
        1 => rows.push("  and 1 finding more".to_owned()),
        more => rows.push(format!("  and {more} findings more")),
    }
    if let Some(label) = label {
        let visible = label.visible.map_or_else(|| "not yet".to_owned(), time);
        rows.push(format!(
            "  (What was played: {} at {}, {}; first in the telemetry {visible})",
            label.fault.name(),
            label.fault.service(),
            time(label.starts)
        ));
    }
    rows.push(String::new());
    rows.join("\n") + "\n"
}

/// A row of the head: a name once, further rows of the same below it.
fn field(rows: &mut Vec<String>, name: &str, value: &str) {
    let begins = format!("  {name:<13}");
    let again = rows.iter().any(|row| row.starts_with(&begins));
    let name = if again { "" } else { name };
    rows.push(format!("  {name:<13}{}", cut(value, HEAD_WIDTH)));
}

/// Why a service is thought to be where it began, without what the head says already.
fn reason(cause: &foreshock_model::Cause, incident: &Incident) -> String {
    let reasons: Vec<&str> = cause
        .reason
        .split("; ")
        .filter(|reason| !incident.title.contains(reason) && !reason.is_empty())
        .collect();
    reasons.join("; ")
}

fn tell(rows: &mut Vec<String>, finding: &Finding) {
    rows.push(format!("  {}  {}", time(finding.window_start), cut(&finding.title, WIDTH)));
    rows.push(format!("            {}", measure(finding)));
    for evidence in finding.evidence.iter().take(SHOWN_LINES) {
        rows.push(format!("          | {}  {}", printable(&evidence.instance), cut(&evidence.line, WIDTH)));
    }
    if finding.evidence.is_empty() && !finding.template.is_empty() {
        rows.push(format!("          | {}", cut(&finding.template, WIDTH)));
    }
}

/// What was observed against what was expected, in the unit of its kind.
fn measure(finding: &Finding) -> String {
    let (observed, low, high) = (finding.observed, finding.expected.low, finding.expected.high);
    let at = |seconds: f64| clock(Timestamp::from_secs_f64(seconds));
    let window = span(finding.window_end.since(finding.window_start).as_secs_f64());
    match finding.kind {
        Kind::ErrorShare => format!(
            "observed {} % in {window}, expected {} to {} %",
            number(observed * 100.0),
            number(low * 100.0),
            number(high * 100.0)
        ),
        Kind::WillRunOut => {
            format!("full at {}, most likely between {} and {}", at(observed), at(low), at(high))
        }
        Kind::Silence => format!("silent for {}, usual are {} to {}", span(observed), span(low), span(high)),
        Kind::ReturningPattern => {
            format!("gone for {}, never for more than {} before", span(observed), span(high))
        }
        Kind::NewValue => format!("observed {}, never seen there before", number(observed)),
        Kind::BeliedLevel => format!("observed {} so far", number(observed)),
        Kind::NewPattern => format!("observed {} in {window}, never seen before", number(observed)),
        Kind::PatternRateUp | Kind::PatternRateDown => format!(
            "observed {} lines in {window}, expected {} to {}",
            number(observed),
            number(low.floor()),
            number(high.ceil())
        ),
        _ => format!("observed {}, expected {} to {}", number(observed), number(low), number(high)),
    }
}

/// Three significant digits.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || value == value.trunc() => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let text = if decimals == 0 { &text } else { text.trim_end_matches('0').trim_end_matches('.') };
    // What rounds to nothing has no sign.
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

/// The time of day.
fn time(at: Timestamp) -> String {
    clock(at).split_once(' ').map_or_else(String::new, |(_, time)| time.to_owned())
}

fn cut(text: &str, most: usize) -> String {
    let text = printable(text);
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Text of a log is not to be trusted by a terminal: control characters are shown, not obeyed.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if is_order(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// What a terminal obeys: controls, and what turns the direction of writing.
fn is_order(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn mark(severity: Severity, colours: bool) -> String {
    let text = severity.as_str().to_uppercase();
    if !colours {
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
    use super::*;

    #[test]
    fn numbers_are_three_digits_and_nothing_has_no_sign() {
        assert_eq!([0.0704, 12.34, 1234.5, -0.0001, 3.0].map(number), ["0.07", "12.3", "1234", "0", "3"]);
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do_by_a_log_line() {
        assert_eq!(printable("a\u{1b}[2Jb\u{7}c\u{202e}d"), "a\\u{1b}[2Jb\\u{7}c\\u{202e}d");
    }
}
