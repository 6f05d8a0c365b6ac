//! `foreshock scan`: the stages over files, without a server.

mod bar;
mod look;
mod out_file;
mod rows;
mod standing;

use std::io::{self, BufWriter, Write, stdout};

use anyhow::Context;
use foreshock_detect::{DetectConfig, SessionKey, Sessions, pipeline::Seen, zone};
use foreshock_model::Incident;
use foreshock_scan::{ScanError, ScanOptions, Source, scan, write_page, write_scores, write_summary};
use serde::Serialize;

use self::{look::look, out_file::OutFile, rows::Rows, standing::Standing};
use super::bar::Bar;
use crate::{cli::Scan, outcome::Usage};

pub(super) fn run(command: &Scan) -> anyhow::Result<()> {
    let mut sources: Vec<Source> = command.files.iter().map(|file| Source::parse(file)).collect();
    if sources.iter().filter(|source| **source == Source::Stdin).count() > 1 {
        return Err(Usage("standard input can be read once; name `-` once".into()).into());
    }
    each_to_its_own_file(command)?;
    // What is to be written is opened before the work begins.
    let templates = command.templates.as_deref().map(OutFile::open).transpose()?;
    let page = command.html.as_deref().map(OutFile::open).transpose()?;
    let scores = command.scores.as_deref().map(OutFile::open).transpose()?;
    let mut rows = Rows::open(command)?;
    let sessions = command.session_scores.as_deref().map(OutFile::open).transpose()?;
    let options = ScanOptions {
        service: command.service.clone(),
        templates_in: templates.as_ref().map(OutFile::directory),
        detect: detect_config(command)?,
        of_metrics: command.forecasts.is_some().then_some("--forecasts"),
    };
    // Kept until the rest is done, which reads it again.
    let mut copy = None;
    // Read before all else, and in the order of the input.
    if let Some(scores) = &scores {
        for source in sources.iter_mut().filter(|source| **source == Source::Stdin) {
            let file = tempfile::NamedTempFile::new().context("no temporary file can be made")?;
            *source = Source::copy_stdin(copy.insert(file).path())?;
        }
        let mut out = scores.writer()?;
        write_scores(&sources, command.service.as_deref(), &mut out).map_err(as_usage)?;
        out.flush()?;
    }
    let mut out = BufWriter::new(stdout().lock());
    let mut standing = Standing::default();
    let mut bar = Bar::new();
    let mut told = |seen: Seen| {
        rows.note(&seen)?;
        if command.json && !command.incidents {
            write_findings(&mut out, &seen)?;
        }
        let mut gone = |incident: &Incident| match command.json && command.incidents {
            true => write_line(&mut out, incident),
            false => Ok(()),
        };
        standing.note(seen, &mut gone)
    };
    let scanned = scan(&sources, &options, &mut told, &mut |progress| bar::draw(&mut bar, progress));
    bar.finish();
    let mut scanned = scanned.map_err(as_usage)?;

    let names: Vec<String> = sources.iter().map(Source::name).collect();
    rows.keep()?;
    scores.map(OutFile::keep).transpose()?;
    let gone = standing.gone;
    let incidents = standing.in_order();
    if let Some(templates) = templates {
        templates.fill(|out| scanned.write_templates(out))?;
    }
    if let Some(sessions) = sessions {
        sessions.fill(|out| scanned.write_sessions(out))?;
    }
    if let Some(page) = page {
        page.fill(|out| write_page(out, &scanned, &incidents, &names))?;
    }
    if !command.json {
        write_summary(&mut out, &scanned, &incidents, &names, look())?;
        out.flush()?;
        if gone > 0 {
            eprintln!(
                "foreshock: {gone} incidents of least severity are left out; --incidents --json prints all"
            );
        }
        return Ok(());
    }
    if command.incidents {
        incidents.iter().try_for_each(|incident| write_line(&mut out, incident))?;
    }
    out.flush()?;
    // The summary tells it too; here the output is for programs.
    scanned.unreadable.iter().for_each(|reason| eprintln!("foreshock: {reason}"));
    Ok(())
}

/// What is asked for that the input can't give is a matter of usage.
fn as_usage(error: ScanError) -> anyhow::Error {
    match error {
        ScanError::NoMetrics { .. } => Usage(error.to_string()).into(),
        error => error.into(),
    }
}

/// Two results in one file would be none.
fn each_to_its_own_file(command: &Scan) -> Result<(), Usage> {
    let outputs = [
        ("--html", &command.html),
        ("--templates", &command.templates),
        ("--forecasts", &command.forecasts),
        ("--alarms", &command.alarms),
        ("--scores", &command.scores),
        ("--session-scores", &command.session_scores),
    ];
    let named: Vec<_> = outputs.iter().filter_map(|(option, path)| Some((*option, path.as_ref()?))).collect();
    for (at, (option, path)) in named.iter().enumerate() {
        let same = named[..at].iter().find(|(_, other)| other == path);
        if let Some((other, _)) = same.filter(|_| !path.exists() || path.is_file()) {
            let path = path.display();
            return Err(Usage(format!(
                "{other} and {option} both write {path}; name a file of its own for each"
            )));
        }
        if command.files.iter().any(|file| std::path::Path::new(file) == path.as_path()) {
            let path = path.display();
            return Err(Usage(format!(
                "{option} would overwrite {path}, which is to be read; name another file"
            )));
        }
    }
    Ok(())
}

fn detect_config(command: &Scan) -> anyhow::Result<DetectConfig> {
    let key = command.session_key.clone().unwrap_or_default();
    key.parse::<SessionKey>().map_err(|error| Usage(format!("--session-key: {error}")))?;
    let sessions = Sessions { key, learn: command.learn, verdicts: command.session_scores.is_some() };
    zone(&command.zone).map_err(|error| Usage(format!("--zone: {error}")))?;
    Ok(DetectConfig { sessions, zone: command.zone.clone(), ..DetectConfig::default() })
}

/// Final findings, as soon as they are known.
fn write_findings(out: &mut impl Write, seen: &Seen) -> io::Result<()> {
    for finding in seen.findings.iter().filter(|finding| !finding.provisional) {
        write_line(out, finding)?;
    }
    out.flush()
}

/// One JSON object and the end of the line.
pub(super) fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
