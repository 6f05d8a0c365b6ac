//! What differs between two configurations, as a table for people or a line each for programs.

use std::io::{self, Write};

use foreshock_model::{Kind, Timestamp};
use serde_json::Value;

use super::super::scan::write_line;
use crate::replay::{Difference, Differences, Totals, Way};

/// Writes what differs, and how much is the same.
pub(super) fn write(out: &mut impl Write, differences: &Differences, json: bool) -> anyhow::Result<()> {
    if json {
        differences.rows().try_for_each(|difference| write_line(out, difference))?;
        return Ok(());
    }
    let [incidents, findings] = differences.totals();
    total(out, "incidents", incidents)?;
    total(out, "findings", findings)?;
    differences.rows().try_for_each(|difference| row(out, difference))?;
    Ok(())
}

fn total(out: &mut impl Write, what: &str, totals: Totals) -> io::Result<()> {
    let Totals { ours, theirs, come, go, change } = totals;
    writeln!(
        out,
        "{what:<10} {ours:>6} now, {theirs:>6} with the other: {come} come, {go} go, {change} change"
    )
}

fn row(out: &mut impl Write, difference: &Difference) -> io::Result<()> {
    let Difference { what, way, id, kind, time, severity, title, fields } = difference;
    let way = match way {
        Way::Comes => "comes",
        Way::Goes => "goes",
        Way::Changes => "changes",
    };
    let time = time.to_rfc3339();
    let time = time.split('.').next().unwrap_or_default();
    writeln!(out, "{way:<8} {what:<8} {time}  {:<8}  {id}  {title}", severity.to_string())?;
    for (name, [ours, theirs]) in fields.iter().filter(|(_, [ours, _])| !ours.is_array() && !ours.is_object())
    {
        let [ours, theirs] = [ours, theirs].map(|value| shown(*kind, name, value));
        writeln!(out, "         {name}: {ours} -> {theirs}")?;
    }
    Ok(())
}

/// A value of a field; a forecast's is the moment of which it is the seconds since the epoch.
fn shown(kind: Option<Kind>, name: &str, value: &Value) -> String {
    match value.as_f64() {
        Some(secs) if kind == Some(Kind::WillRunOut) && name == "observed" => {
            Timestamp::from_secs_f64(secs).to_rfc3339()
        }
        _ => value.to_string(),
    }
}
