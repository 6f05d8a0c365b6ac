//! An explanation for people.

use std::io::{self, Write};

use foreshock_detect::{Decision, Prior, Spread, Thresholds};
use foreshock_model::{Finding, RunsOut};
use serde_json::Value;

use super::Explained;

/// Values of one list that are shown.
const SHOWN: usize = 24;

pub(super) fn write(out: &mut impl Write, explained: &Explained) -> io::Result<()> {
    let finding = &explained.reported;
    writeln!(out, "{}  {} of {}, tenant {}", finding.id, finding.kind, finding.service, finding.tenant)?;
    writeln!(out, "  {}", finding.title)?;
    said(out, finding)?;
    if let Some(decision) = &explained.decision {
        decided(out, decision, finding)?;
    }
    if let Some(workings) = &explained.workings {
        section(out, "the last 10 s of the window", &workings.window)?;
        section(out, "the baseline before it", &workings.before)?;
        section(out, "the baseline after it", &workings.after)?;
    }
    match explained.differs.as_slice() {
        [] => writeln!(out, "  made again from the journal: equal to what was reported\n"),
        all => writeln!(
            out,
            "  made again from the journal: DIFFERS from what was reported in {}\n  reported under another configuration? give it with --config\n",
            all.join(", ")
        ),
    }
}

fn said(out: &mut impl Write, finding: &Finding) -> io::Result<()> {
    let (from, to) = (finding.window_start.to_rfc3339(), finding.window_end.to_rfc3339());
    let p = 10f64.powf(-finding.surprise);
    row(out, "series", &finding.series)?;
    row(out, "window", &format!("{from} to {to}"))?;
    match finding.runs_out() {
        Some(RunsOut { at, low, high }) => {
            row(out, "full at", &at.to_rfc3339())?;
            row(out, "expected (80 %)", &format!("{low} to {high}"))?;
        }
        None => {
            row(out, "observed", &finding.observed.to_string())?;
            row(out, "expected (95 %)", &format!("{} to {}", finding.expected.low, finding.expected.high))?;
        }
    }
    row(out, "effect", &finding.effect.to_string())?;
    row(out, "p-value", &format!("{p:e}, a surprise (-log10 p) of {}", finding.surprise))
}

fn decided(out: &mut impl Write, decision: &Decision, finding: &Finding) -> io::Result<()> {
    let Thresholds { page, warn, tests_a_week, streams, calibration, paged_a_week } = decision.thresholds;
    let pages = decision.pages_a_week;
    row(
        out,
        "budget",
        &format!("{pages} false pages a week over {streams:.1} streams, {tests_a_week:.0} tests a week"),
    )?;
    row(out, "spent", &format!("{paged_a_week} pages a week, as remembered for a week"))?;
    let small = format!("{calibration} times as many small p-values of {} as there should be", finding.kind);
    row(out, "calibration", &small)?;
    if let Some(Prior { verdict, incident, judged, until }) = decision.prior {
        let said = format!(
            "{verdict}, said of incident {incident}, with a surprise of {judged}; until {}",
            until.to_rfc3339()
        );
        row(out, "feedback", &said)?;
    }
    row(out, "thresholds", &format!("a page from a surprise of {page} on, a warning from {warn} on"))?;
    let granted = decision.thresholds.grant(finding.surprise);
    let rule = format!(
        "the budget grants {granted}, by its size and nature it matters as {} at most: {}",
        decision.at_most, decision.severity
    );
    row(out, "decision", &rule)?;
    let incident = decision.incident.map_or_else(|| "none".to_owned(), |id| id.to_string());
    row(out, "incident", &incident)?;
    match decision.spread {
        Some(Spread { sides, surprise }) => {
            row(out, "its spread", &format!("{sides} sides, together a surprise of {surprise}"))
        }
        None => Ok(()),
    }
}

fn row(out: &mut impl Write, name: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {name:<16} {text}")
}

fn section(out: &mut impl Write, title: &str, value: &Value) -> io::Result<()> {
    if value.is_null() {
        return Ok(());
    }
    writeln!(out, "  {title}")?;
    numbers(out, "", value)
}

/// Every number, by its path.
fn numbers(out: &mut impl Write, path: &str, value: &Value) -> io::Result<()> {
    let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => {
            fields.iter().try_for_each(|(name, field)| numbers(out, &inner(name), field))
        }
        Value::Array(all) if all.iter().any(|one| one.is_object() || one.is_array()) => {
            let shown = all.iter().take(SHOWN).enumerate();
            shown.into_iter().try_for_each(|(at, one)| numbers(out, &inner(&at.to_string()), one))?;
            more(out, path, all.len().saturating_sub(SHOWN))
        }
        Value::Array(all) => {
            let runs: Vec<&[Value]> = all.chunk_by(|one, next| one == next).collect();
            let shown: Vec<String> = runs.iter().take(SHOWN).map(|run| of_run(run)).collect();
            writeln!(out, "    {path} = [{}]", shown.join(", "))?;
            more(out, path, runs.iter().skip(SHOWN).map(|run| run.len()).sum())
        }
        Value::Null => Ok(()),
        one => writeln!(out, "    {path} = {one}"),
    }
}

/// Equal elements in a row: the element, and how many there are.
fn of_run(run: &[Value]) -> String {
    match run {
        [one] => one.to_string(),
        [one, ..] => format!("{one} × {}", run.len()),
        [] => String::new(),
    }
}

fn more(out: &mut impl Write, path: &str, left: usize) -> io::Result<()> {
    match left {
        0 => Ok(()),
        left => writeln!(out, "    {path}: {left} more; --json has them all"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_elements_in_a_row_are_said_once_and_what_is_empty_is_left_out() {
        let mut counts = vec![json!(0); 476];
        counts.extend([json!(3), json!(3), json!(1)]);
        let mut out = Vec::new();
        section(&mut out, "the baseline", &json!({ "counts": counts })).unwrap();
        section(&mut out, "the window", &Value::Null).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "  the baseline\n    counts = [0 × 476, 3 × 2, 1]\n");
    }

    #[test]
    fn a_forecast_says_when_and_how_sure() {
        let finding = json!({
            "id": "0".repeat(32), "tenant": "default", "kind": "will_run_out", "service": "db", "series": "disk.used",
            "window_start": "2026-11-27T00:00:00Z", "window_end": "2026-11-27T00:10:00Z", "surprise": 9.0, "effect": 3.0,
            "observed": 1_795_767_170.71, "expected": { "low": 1_795_761_506.0, "high": 1_795_771_506.0 },
            "severity": "warning", "title": "db: disk.used will be full", "template": "", "evidence": [],
            "provisional": false, "replaces": [], "labels": {}
        });
        let finding: Finding = serde_json::from_value(finding).unwrap();
        let mut out = Vec::new();
        said(&mut out, &finding).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("  full at          2026-11-27T08:12:50.71"), "{text}");
        let within = "  expected (80 %)  2026-11-27T06:38:26.000000000Z to 2026-11-27T09:25:06.000000000Z";
        assert!(text.contains(within) && !text.contains("observed") && !text.contains("95 %"), "{text}");
    }
}
