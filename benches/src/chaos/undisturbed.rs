//! The journal's final findings, and its incidents at the close of windows, beside those that `foreshock replay`
//! prints: the telemetry, ticks and skips once more, through all stages, undisturbed.
//!
//! The replay goes to the end of the telemetry; the run had closed windows up to some time. What the replay says of
//! later windows is left out of the comparison; nothing else is.

use std::{collections::BTreeMap, process::Command};

use anyhow::Context as _;
use foreshock_detect::{Stage as _, correlate::Correlate};
use foreshock_journal::{EntryKind, Partition, Stream};
use foreshock_model::{Finding, Incident, Timestamp, proto};
use prost::Message;
use serde_json::Value;

use crate::{remains::Remains, server::Start};

/// How the journal and the replay compare.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Undisturbed {
    pub(super) findings: Same,
    pub(super) incidents: Same,
    /// Windows up to here were closed everywhere: what the replay says of them has to be in the run.
    pub(super) closed: Timestamp,
}

/// How one kind of line compares.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Same {
    /// Lines that are the same, byte for byte.
    pub(super) equal: u64,
    /// What differs, in words.
    pub(super) differences: Vec<String>,
}

/// Lines by what they are about, and the time they belong to.
type Lines = BTreeMap<String, (Timestamp, Value)>;

/// Runs the replay and compares.
pub(super) fn compare(remains: &Remains, how: &Start) -> anyhow::Result<Undisturbed> {
    let mut look = remains.look()?;
    let (mut findings, mut incidents) = (Lines::new(), Lines::new());
    let mut closed = BTreeMap::<u32, Timestamp>::new();
    for index in 0..look.partitions(Stream::Summaries) {
        closed.insert(index.into(), Timestamp::default());
    }
    for index in 0..look.partitions(Stream::Findings) {
        let partition = Partition::new(Stream::Findings, index);
        let taken = look.committed(Correlate::NAME, partition).unwrap_or_default();
        look.each_entry(partition, |offset, entry| {
            if entry.kind != EntryKind::Data {
                return Ok(());
            }
            let message = proto::Findings::decode(entry.payload.into_bytes())?;
            let source = message.source.as_ref().map_or(u32::MAX, |source| source.partition);
            if let Some(closed) = closed.get_mut(&source)
                && offset < taken
            {
                *closed = Timestamp(message.watermark).max(*closed);
            }
            for finding in message.findings.iter().filter(|finding| !finding.provisional) {
                note_finding(&mut findings, serde_json::to_value(Finding::try_from(finding)?)?)?;
            }
            Ok(())
        })?;
    }
    for index in 0..look.partitions(Stream::Incidents) {
        look.each_entry(Partition::new(Stream::Incidents, index), |_, entry| {
            if entry.kind != EntryKind::Data {
                return Ok(());
            }
            let message = proto::Incidents::decode(entry.payload.into_bytes())?;
            for incident in message.incidents.iter().filter(|incident| !incident.provisional) {
                note_incident(&mut incidents, serde_json::to_value(Incident::try_from(incident)?)?)?;
            }
            Ok(())
        })?;
    }
    let closed = closed.into_values().min().unwrap_or_default();
    let (mut replayed_findings, mut replayed_incidents) = (Lines::new(), Lines::new());
    for line in replay(how, &[])? {
        note_finding(&mut replayed_findings, line?)?;
    }
    for line in replay(how, &["--incidents"])? {
        note_incident(&mut replayed_incidents, line?)?;
    }
    Ok(Undisturbed {
        findings: same(&findings, &replayed_findings, closed),
        incidents: same(&incidents, &replayed_incidents, closed),
        closed,
    })
}

/// The lines that `foreshock replay` prints.
fn replay(
    how: &Start,
    more: &[&str],
) -> anyhow::Result<impl Iterator<Item = serde_json::Result<Value>> + use<>> {
    let mut command = Command::new(&how.program);
    command.arg("replay").arg("--config").arg(&how.config).args(more);
    if let Some(data_dir) = &how.data_dir {
        command.arg("--data-dir").arg(data_dir);
    }
    let output = command.output().context("the replay can't be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the replay failed: {said}");
    let lines = String::from_utf8(output.stdout).context("the replay's lines")?;
    let lines: Vec<_> = lines.lines().map(serde_json::from_str).collect();
    Ok(lines.into_iter())
}

fn note_finding(lines: &mut Lines, finding: Value) -> anyhow::Result<()> {
    let key = text(&finding, "id")?.to_owned();
    note(lines, key, "window_end", finding)
}

/// An incident is told of again and again: by its id and the time it was told at.
fn note_incident(lines: &mut Lines, incident: Value) -> anyhow::Result<()> {
    let key = format!("{} of {}", text(&incident, "id")?, text(&incident, "updated_at")?);
    note(lines, key, "updated_at", incident)
}

fn note(lines: &mut Lines, key: String, time: &str, value: Value) -> anyhow::Result<()> {
    let at = Timestamp::parse_rfc3339(text(&value, time)?).context("a time that can't be read")?;
    lines.insert(key, (at, value));
    Ok(())
}

fn text<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("a line has no {key}"))
}

fn same(run: &Lines, replay: &Lines, closed: Timestamp) -> Same {
    let mut same = Same::default();
    for (key, (at, line)) in run {
        match replay.get(key) {
            Some((_, replayed)) if replayed == line => same.equal += 1,
            Some((_, replayed)) => {
                same.differences.push(format!("{key} is otherwise: {line} against {replayed}"))
            }
            None => same.differences.push(format!("{key} ({}) is in the run alone: {line}", at.to_rfc3339())),
        }
    }
    for (key, (at, line)) in replay {
        if *at <= closed && !run.contains_key(key) {
            same.differences.push(format!("{key} ({}) is in the replay alone: {line}", at.to_rfc3339()));
        }
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_more_or_less_or_otherwise_is_a_difference_up_to_the_last_closed_window() {
        let line = |at: u64, what: &str| (Timestamp(at), Value::from(what));
        let run = Lines::from([("a".to_owned(), line(1, "x")), ("b".to_owned(), line(2, "y"))]);
        assert_eq!(same(&run, &run, Timestamp(9)), Same { equal: 2, differences: Vec::new() });
        let mut other = run.clone();
        other.insert("c".to_owned(), line(5, "z"));
        assert_eq!(same(&run, &other, Timestamp(4)).differences.len(), 0);
        assert_eq!(same(&run, &other, Timestamp(5)).differences.len(), 1);
        assert_eq!(same(&other, &run, Timestamp(0)).differences.len(), 1);
        other.insert("a".to_owned(), line(1, "?"));
        assert_eq!(same(&run, &other, Timestamp(4)).differences.len(), 1);
    }
}
