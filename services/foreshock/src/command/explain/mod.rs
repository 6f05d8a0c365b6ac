//! `foreshock explain`: makes findings of a journal again and shows every number behind them.
//!
//! One replay serves all that were asked for. It reads beside a running system and changes nothing.

mod text;

use std::{
    collections::BTreeSet,
    io::{BufWriter, Write, stdout},
};

use anyhow::bail;
use foreshock_detect::{Asked, Decision, Workings};
use foreshock_journal::{EntryKind, Observe, Stream};
use foreshock_model::{BASE_WINDOW, Finding, Id, Incident, proto};
use prost::Message;
use serde::Serialize;

use super::{observe, replay, scan::write_line};
use crate::{
    cli::Explain,
    outcome::Usage,
    replay::{each_entry, fields_that_differ},
};

/// What there is to say of one finding.
#[derive(Serialize)]
struct Explained {
    /// As it was reported.
    reported: Finding,
    /// Whether it is the same when made again from the journal.
    is_equal: bool,
    /// The fields that differ.
    differs: Vec<String>,
    /// What it was made of; `None` where the replay never closed its window.
    workings: Option<Workings>,
    decision: Option<Decision>,
}

pub(super) fn run(command: &Explain) -> anyhow::Result<()> {
    let config = super::config::load(command.place.config.as_deref())?;
    let ids = ids(&command.ids)?;
    let mut looked = observe::open(&config, &command.place)?;
    let reported = reported(&mut *looked.journal, &ids)?;
    let end = reported.iter().map(|finding| finding.window_end).max().unwrap_or_default();
    let enough = end.plus(config.detect.lateness()).plus(BASE_WINDOW * 2);
    let (mut pipeline, mut feed) = replay::over(looked, &config)?;
    reported.iter().for_each(|finding| pipeline.ask(&Asked::from(finding)));
    let (mut workings, mut decisions) = (Vec::new(), Vec::new());
    let mut bar = replay::Bar::new();
    while let Some(reached) = feed.next(&mut pipeline)? {
        pipeline.take();
        let (made, decided) = pipeline.take_workings();
        workings.extend(made);
        decisions.extend(decided);
        bar.draw(feed.progress(), reached);
        if reached > enough {
            break;
        }
    }
    bar.finish();
    let mut out = BufWriter::new(stdout().lock());
    let mut differ = 0;
    for finding in reported {
        let explained = explained(finding, &workings, &decisions);
        differ += usize::from(!explained.is_equal);
        match command.json {
            true => write_line(&mut out, &explained)?,
            false => text::write(&mut out, &explained)?,
        }
    }
    out.flush()?;
    match differ {
        0 => Ok(()),
        1 => bail!("a finding differs from what was reported"),
        more => bail!("{more} findings differ from what was reported"),
    }
}

fn ids(texts: &[String]) -> Result<BTreeSet<Id>, Usage> {
    let id = |text: &String| {
        Id::parse(text).ok_or_else(|| {
            Usage(format!(
                "{text:?} is not an id; give the 32 hexadecimal digits of a finding or an incident"
            ))
        })
    };
    texts.iter().map(id).collect()
}

/// The final findings that were asked for, by their own id, by that of their incident or of a provisional one that they
/// replaced; by window, each once.
fn reported(journal: &mut dyn Observe, ids: &BTreeSet<Id>) -> anyhow::Result<Vec<Finding>> {
    let (mut left, mut wanted) = (ids.clone(), ids.clone());
    each(journal, Stream::Incidents, &mut |message: proto::Incidents| {
        for incident in message.incidents.iter().filter_map(|incident| Incident::try_from(incident).ok()) {
            if ids.contains(&incident.id) {
                left.remove(&incident.id);
                wanted.extend(incident.findings.iter().map(|finding| finding.id));
            }
        }
    })?;
    let mut found: Vec<Finding> = Vec::new();
    each(journal, Stream::Findings, &mut |message: proto::Findings| {
        for finding in message.findings.iter().filter_map(|finding| Finding::try_from(finding).ok()) {
            let names: Vec<Id> = finding.replaces.iter().copied().chain([finding.id]).collect();
            if !finding.provisional && names.iter().any(|name| wanted.contains(name)) {
                left.retain(|id| !names.contains(id));
                found.push(finding);
            }
        }
    })?;
    if let Some(id) = left.first() {
        bail!(
            "the journal has no final finding and no incident {id}; ids are what alerts, the API and `foreshock replay` show"
        );
    }
    found.sort_by_key(|finding| (finding.window_end, finding.id));
    found.dedup_by_key(|finding| finding.id);
    Ok(found)
}

/// Hands over every message of a stream.
fn each<M: Message + Default>(
    journal: &mut dyn Observe,
    stream: Stream,
    take: &mut dyn FnMut(M),
) -> anyhow::Result<()> {
    for row in journal.stat()?.into_iter().filter(|row| row.partition.stream == stream) {
        each_entry(journal, row.partition, row.first..row.next, &mut |entry| {
            // What can't be read was set aside by the stage that met it, and told.
            if entry.kind == EntryKind::Data
                && let Ok(message) = M::decode(entry.payload.into_bytes())
            {
                take(message);
            }
        })?;
    }
    Ok(())
}

fn explained(reported: Finding, workings: &[Workings], decisions: &[Decision]) -> Explained {
    // Every partition of detect was asked, and one of them has the series.
    let of = || workings.iter().filter(|of| of.id == reported.id);
    let workings =
        of().find(|of| of.finding.is_some()).or_else(|| of().find(|of| !of.before.is_null())).cloned();
    let decision = decisions.iter().find(|decision| decision.id == reported.id).cloned();
    let again = workings.as_ref().and_then(|workings| workings.finding.as_ref());
    let differs = match again {
        Some(again) => fields_that_differ(&reported, again, &[]).into_keys().collect(),
        None => vec!["finding".to_owned()],
    };
    Explained { is_equal: differs.is_empty(), differs, workings, decision, reported }
}
