//! `foreshock replay`: the stages once more over the telemetry, ticks and skips of a journal.
//!
//! Reads beside a running system and changes nothing. The same journal and configuration give the same lines, and
//! up to the last closed window they are what the journal's own findings and incidents hold.

mod bar;
mod table;

use std::io::{BufWriter, Write, stdout};

use anyhow::Context;
use foreshock_detect::pipeline::{Pipeline, Seen};
use foreshock_model::{Finding, Incident, Timestamp};
use tracing::warn;

pub(super) use self::bar::Bar;
use super::{observe, scan::write_line};
use crate::{
    cli::Replay,
    config::Config,
    outcome::Usage,
    replay::{self, Differences, Feed, Looked, Said, Stretch},
};

pub(super) fn run(command: &Replay) -> anyhow::Result<()> {
    let config = super::config::load(command.place.config.as_deref())?;
    let stretch = stretch(command)?;
    let mut out = BufWriter::new(stdout().lock());
    match &command.against {
        None => say(command, &config, stretch, &mut out)?,
        Some(other) => {
            // Both are read before either is replayed, so that what is wrong with one is told at once.
            let other = super::config::load(Some(other))?;
            let ours = said(command, &config, &config, stretch)?;
            let theirs = said(command, &config, &other, stretch)?;
            table::write(&mut out, &Differences::between(&ours, &theirs), command.json)?;
        }
    }
    Ok(out.flush()?)
}

/// Prints what a configuration says, as soon as it is sure.
fn say(command: &Replay, config: &Config, stretch: Stretch, out: &mut impl Write) -> anyhow::Result<()> {
    let mut waiting = Waiting::default();
    replay_with(command, (config, config), stretch, &mut |seen, closed| {
        waiting.take(seen, command.incidents, stretch);
        waiting.write_before(out, closed)
    })?;
    waiting.write_before(out, Timestamp::MAX)
}

/// All that a configuration says. The journal is where `place` says.
fn said(command: &Replay, place: &Config, config: &Config, stretch: Stretch) -> anyhow::Result<Said> {
    let mut said = Said::default();
    replay_with(command, (place, config), stretch, &mut |seen, _| {
        said.take(seen, stretch);
        Ok(())
    })?;
    Ok(said)
}

/// Runs the stages of a configuration over the journal of another. Hands over what came out, and up to where windows
/// are closed.
fn replay_with(
    command: &Replay,
    (place, config): (&Config, &Config),
    stretch: Stretch,
    take: &mut dyn FnMut(Seen, Timestamp) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let looked = observe::open(place, &command.place)?;
    let enough = replay::enough(&config.detect, stretch);
    let stages = over(looked, config)?;
    let mut bar = Bar::new();
    let replayed = replay::run(stages, enough, take, &mut |progress, reached| bar.draw(progress, reached));
    bar.finish();
    replayed
}

/// Empty stages, and the journal that is fed to them. Says on standard error why they may say something else than then.
pub(super) fn over(looked: Looked, config: &Config) -> anyhow::Result<(Pipeline, Feed)> {
    let (pipeline, feed) = replay::over(looked, config.stages())?;
    feed.warnings().iter().for_each(|warning| eprintln!("foreshock: {warning}"));
    Ok((pipeline, feed))
}

fn stretch(command: &Replay) -> Result<Stretch, Usage> {
    let time = |text: &Option<String>, otherwise: Timestamp| match text {
        None => Ok(otherwise),
        Some(text) => Timestamp::parse_rfc3339(text)
            .ok_or_else(|| Usage(format!("{text:?} is not a time; give one as 2026-01-31T12:00:00Z"))),
    };
    let stretch =
        Stretch { from: time(&command.from, Timestamp::default())?, to: time(&command.to, Timestamp::MAX)? };
    if stretch.from > stretch.to {
        return Err(Usage("--from is after --to; give them the other way round".into()));
    }
    Ok(stretch)
}

/// What was said and waits for everything that is to be printed before it.
#[derive(Default)]
struct Waiting {
    findings: Vec<Finding>,
    incidents: Vec<Incident>,
}

impl Waiting {
    /// Takes what is to be printed: only what final findings say.
    fn take(&mut self, seen: Seen, incidents: bool, stretch: Stretch) {
        for (stage, offset, reason) in seen.poison {
            warn!(stage, offset, reason, "an entry can't be read and is passed over");
        }
        if incidents {
            let told = seen.incidents.into_iter();
            self.incidents.extend(told.filter(|told| !told.provisional && stretch.holds(told.updated_at)));
        } else {
            let said = seen.findings.into_iter();
            self.findings.extend(said.filter(|said| !said.provisional && stretch.holds(said.window_end)));
        }
    }

    /// Prints what belongs to windows that ended before `closed`, in an order that follows from it alone.
    fn write_before(&mut self, out: &mut impl Write, closed: Timestamp) -> anyhow::Result<()> {
        let mut findings: Vec<Finding> =
            self.findings.extract_if(.., |finding| finding.window_end < closed).collect();
        findings.sort_by_key(|finding| (finding.window_end, finding.id));
        for finding in &findings {
            write_line(out, finding).context("printing the findings")?;
        }
        // Told in the order of windows already; tenants are apart by partition.
        if closed == Timestamp::MAX {
            self.incidents.sort_by_key(|told| (told.updated_at, told.id, told.revision));
            for incident in &self.incidents {
                write_line(out, incident).context("printing the incidents")?;
            }
        }
        Ok(())
    }
}
