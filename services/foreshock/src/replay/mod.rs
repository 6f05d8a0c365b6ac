//! The stages once more over the telemetry, ticks and skips of a journal, and what two configurations say held against
//! each other.
//!
//! Reads and changes nothing; knows neither who asks nor how it is printed.

mod against;
mod feed;
mod looked;
mod stretch;

use foreshock_detect::{
    DetectConfig,
    pipeline::{Partitions, Pipeline, Seen},
};
use foreshock_journal::Stream;
use foreshock_model::{BASE_WINDOW, Timestamp};

pub(crate) use self::{
    against::{Difference, Differences, Said, Totals, Way, fields_that_differ},
    feed::Feed,
    looked::{Looked, each_entry},
    stretch::Stretch,
};

/// Empty stages, and the journal that is fed to them.
pub(crate) fn over(looked: Looked, stages: DetectConfig) -> anyhow::Result<(Pipeline, Feed)> {
    let journal = &looked.journal;
    let partitions = Partitions {
        telemetry: journal.partitions(Stream::Logs),
        summaries: journal.partitions(Stream::Summaries),
        findings: journal.partitions(Stream::Findings),
    };
    let feed = Feed::new(looked)?;
    Ok((Pipeline::new(stages, partitions), feed))
}

/// Feeds the stages until all that a stretch holds is said. Hands over what came out, up to where windows are closed,
/// and how far it has come.
pub(crate) fn run(
    (mut pipeline, mut feed): (Pipeline, Feed),
    enough: Timestamp,
    take: &mut dyn FnMut(Seen, Timestamp) -> anyhow::Result<()>,
    progress: &mut dyn FnMut((u64, u64), Timestamp),
) -> anyhow::Result<()> {
    while let Some(reached) = feed.next(&mut pipeline)? {
        take(pipeline.take(), pipeline.closed())?;
        progress(feed.progress(), reached);
        if reached > enough {
            break;
        }
    }
    take(pipeline.take(), pipeline.closed())
}

/// When a replay has come far enough to have closed all windows of a stretch.
pub(crate) fn enough(stages: &DetectConfig, stretch: Stretch) -> Timestamp {
    stretch.to.plus(stages.lateness()).plus(BASE_WINDOW)
}
