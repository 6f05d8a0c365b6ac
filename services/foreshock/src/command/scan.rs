//! `foreshock scan`: the stages over files, without a server.

mod out_file;

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, IsTerminal, Write, stderr, stdout},
};

use foreshock_detect::{DetectConfig, SessionKey, Sessions, pipeline::Seen};
use foreshock_model::{Id, Incident};
use foreshock_scan::{Look, Progress, ScanOptions, Scanned, Source, scan, write_page, write_summary};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use self::out_file::OutFile;
use crate::{cli::Scan, outcome::Usage};

pub(super) fn run(command: &Scan) -> anyhow::Result<()> {
    let sources: Vec<Source> = command.files.iter().map(|file| Source::parse(file)).collect();
    if sources.iter().filter(|source| **source == Source::Stdin).count() > 1 {
        return Err(Usage("standard input can be read once; name `-` once".into()).into());
    }
    let templates = command.templates.as_deref().map(OutFile::open).transpose()?;
    let page = command.html.as_deref().map(OutFile::open).transpose()?;
    let scores = command.session_scores.as_deref().map(OutFile::open).transpose()?;
    let options = ScanOptions {
        service: command.service.clone(),
        templates_in: templates.as_ref().map(OutFile::directory),
        detect: detect_config(command)?,
    };
    let mut out = BufWriter::new(stdout().lock());
    let mut incidents = BTreeMap::new();
    let bar = bar();
    let told = |seen: Seen| {
        if command.json && !command.incidents {
            write_findings(&mut out, &seen)?;
        }
        note_incidents(&mut incidents, seen);
        Ok(())
    };
    let scanned = follow(&sources, &options, told, &bar);
    bar.finish_and_clear();
    let mut scanned = scanned?;
    if let Some(templates) = templates {
        templates.fill(|out| scanned.write_templates(out))?;
    }
    if let Some(scores) = scores {
        scores.fill(|out| scanned.write_sessions(out))?;
    }

    let mut incidents: Vec<Incident> = incidents.into_values().collect();
    incidents.sort_by_key(|incident| (incident.started_at, incident.id));
    if let Some(page) = page {
        page.fill(|out| write_page(out, &scanned, &incidents, &names(&sources)))?;
    }
    if !command.json {
        write_summary(&mut out, &scanned, &incidents, &names(&sources), look())?;
        return Ok(out.flush()?);
    }
    if command.incidents {
        incidents.iter().try_for_each(|incident| write_line(&mut out, incident))?;
    }
    out.flush()?;
    // The summary tells it too; here the output is for programs.
    scanned.unreadable.iter().for_each(|reason| eprintln!("foreshock: {reason}"));
    Ok(())
}

fn detect_config(command: &Scan) -> anyhow::Result<DetectConfig> {
    let key = command.session_key.clone().unwrap_or_default();
    key.parse::<SessionKey>().map_err(|error| Usage(format!("--session-key: {error}")))?;
    let sessions = Sessions { key, learn: command.learn, verdicts: command.session_scores.is_some() };
    Ok(DetectConfig { sessions, ..DetectConfig::default() })
}

fn follow(
    sources: &[Source],
    options: &ScanOptions,
    mut told: impl FnMut(Seen) -> io::Result<()>,
    bar: &ProgressBar,
) -> Result<Scanned, foreshock_scan::ScanError> {
    scan(sources, options, &mut told, &mut |progress: Progress| {
        if bar.is_hidden() {
            return;
        }
        bar.set_length(progress.total_bytes.max(progress.read_bytes));
        bar.set_position(progress.read_bytes);
    })
}

/// Final findings, as soon as they are known.
fn write_findings(out: &mut impl Write, seen: &Seen) -> io::Result<()> {
    for finding in seen.findings.iter().filter(|finding| !finding.provisional) {
        write_line(out, finding)?;
    }
    out.flush()
}

/// Keeps each incident as it stood last; what was only provisional is none.
fn note_incidents(incidents: &mut BTreeMap<Id, Incident>, seen: Seen) {
    let standing = seen.incidents.into_iter().filter(|incident| !incident.provisional);
    incidents.extend(standing.map(|incident| (incident.id, incident)));
}

/// One JSON object and the end of the line.
pub(super) fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn names(sources: &[Source]) -> Vec<String> {
    sources.iter().map(Source::name).collect()
}

/// What standard output can show. Colours are for terminals, and for those who want them (no-color.org).
fn look() -> Look {
    if !stdout().is_terminal() {
        return Look::default();
    }
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let width = terminal_size::terminal_size().map(|(terminal_size::Width(width), _)| usize::from(width));
    Look { width, colour: !is_set("NO_COLOR") && !is_dumb }
}

/// Bytes read, on a terminal.
fn bar() -> ProgressBar {
    let target =
        if stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    let style = "{bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
