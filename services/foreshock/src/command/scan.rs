//! `foreshock scan`: the stages over files, without a server.

mod bar;
mod look;
mod out_file;
mod standing;

use std::io::{self, BufWriter, Write, stdout};

use foreshock_detect::{DetectConfig, SessionKey, Sessions, pipeline::Seen, zone};
use foreshock_model::Incident;
use foreshock_scan::{ScanOptions, Source, scan, write_page, write_summary};
use serde::Serialize;

use self::{bar::Bar, look::look, out_file::OutFile, standing::Standing};
use crate::{cli::Scan, outcome::Usage};

pub(super) fn run(command: &Scan) -> anyhow::Result<()> {
    let sources: Vec<Source> = command.files.iter().map(|file| Source::parse(file)).collect();
    if sources.iter().filter(|source| **source == Source::Stdin).count() > 1 {
        return Err(Usage("standard input can be read once; name `-` once".into()).into());
    }
    // What is to be written is opened before the work begins.
    let templates = command.templates.as_deref().map(OutFile::open).transpose()?;
    let page = command.html.as_deref().map(OutFile::open).transpose()?;
    let scores = command.session_scores.as_deref().map(OutFile::open).transpose()?;
    let options = ScanOptions {
        service: command.service.clone(),
        templates_in: templates.as_ref().map(OutFile::directory),
        detect: detect_config(command)?,
    };
    let mut out = BufWriter::new(stdout().lock());
    let mut standing = Standing::default();
    let mut bar = Bar::new();
    let mut told = |seen: Seen| {
        if command.json && !command.incidents {
            write_findings(&mut out, &seen)?;
        }
        let mut gone = |incident: &Incident| match command.json && command.incidents {
            true => write_line(&mut out, incident),
            false => Ok(()),
        };
        standing.note(seen, &mut gone)
    };
    let scanned = scan(&sources, &options, &mut told, &mut |progress| bar.draw(progress));
    bar.finish();
    let mut scanned = scanned?;

    let names: Vec<String> = sources.iter().map(Source::name).collect();
    let gone = standing.gone;
    let incidents = standing.in_order();
    if let Some(templates) = templates {
        templates.fill(|out| scanned.write_templates(out))?;
    }
    if let Some(scores) = scores {
        scores.fill(|out| scanned.write_sessions(out))?;
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
