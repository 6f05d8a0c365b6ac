//! What another configuration would have found, for whoever asks the console: the stages again over the journal that the
//! services run on, read beside them and never written.
//!
//! Both configurations are given the same entries: those that lay there when the question came. It takes the memory of one
//! more set of stages within the limits in force, and of what both said; and the time of one thread.

use std::{collections::BTreeMap, sync::Arc};

use foreshock_console::{WhatIf, WhatIfAnswer, WhatIfError, WhatIfQuestion, WhatIfTotals};
use foreshock_detect::{DetectConfig, pipeline::Seen};
use foreshock_journal::{
    Fetched, Journal, JournalError, Observe, Observed, Offset, Partition, PartitionStat, Stream,
};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use toml::Value;

use super::reload::leaves;
use crate::{
    config::{self, Config},
    replay::{self, Differences, Looked, Said, Stretch, Totals},
};

/// Findings and incidents that are held of each configuration.
const MOST_SAID: usize = 10_000;
/// Where the settings are that bound the memory of the stages.
const BOUNDS: &str = "detect.limits.";

/// The configuration that the stages run with, and the journal.
pub(super) struct StageWhatIf {
    pub(super) in_force: Config,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) runtime: Handle,
}

impl WhatIf for StageWhatIf {
    fn ask(
        &self,
        question: &WhatIfQuestion,
        cancelled: &CancellationToken,
    ) -> Result<WhatIfAnswer, WhatIfError> {
        let other = self.other(&question.config)?;
        let stretch = Stretch { from: question.from, to: question.to };
        let mut warnings = Vec::new();
        let both = self.journal.stat().map_err(anyhow::Error::from).and_then(|rows| {
            let ours = self.said(self.in_force.stages(), &rows, stretch, cancelled, &mut warnings)?;
            let theirs = self.said(other.stages(), &rows, stretch, cancelled, &mut Vec::new())?;
            Ok(Differences::between(&ours, &theirs))
        });
        let differences = both.map_err(|error| why(error, cancelled))?;
        let [incidents, findings] = differences.totals().map(totals);
        // A difference is made of strings, numbers and what was serialised before.
        let rows = differences.rows().take(question.rows);
        let rows = rows.map(|row| serde_json::to_value(row).unwrap_or_default());
        Ok(WhatIfAnswer { incidents, findings, differences: rows.collect(), warnings })
    }
}

impl StageWhatIf {
    /// The configuration of a text, if the stages can run with it here.
    fn other(&self, text: &str) -> Result<Config, WhatIfError> {
        let other = config::load_stages(text, config::variables()).map_err(|faults| {
            let lines: Vec<String> = faults.iter().map(|fault| fault.in_file("config").to_string()).collect();
            WhatIfError::Config(lines.join("\n"))
        })?;
        let raised = raised(&leaves(&self.in_force), &leaves(&other));
        if raised.is_empty() {
            return Ok(other);
        }
        Err(WhatIfError::Config(format!(
            "{} must not be above what is in force, or memory runs out here; use foreshock replay --against",
            raised.join(", ")
        )))
    }

    /// All that a configuration says of a stretch.
    fn said(
        &self,
        stages: DetectConfig,
        rows: &[PartitionStat],
        stretch: Stretch,
        cancelled: &CancellationToken,
        warnings: &mut Vec<String>,
    ) -> anyhow::Result<Said> {
        let journal = Observed::new(Arc::clone(&self.journal), self.runtime.clone());
        let still = Still { journal, rows: rows.to_vec(), cancelled: cancelled.clone() };
        let enough = replay::enough(&stages, stretch);
        let (pipeline, feed) = replay::over(Looked::at(Box::new(still)), stages)?;
        warnings.extend(feed.warnings().iter().cloned());
        let mut said = Said::default();
        let mut take = |seen, _| take(&mut said, seen, stretch);
        replay::run((pipeline, feed), enough, &mut take, &mut |_, _| {})?;
        Ok(said)
    }
}

/// Holds what was said of a stretch, up to a limit.
fn take(said: &mut Said, seen: Seen, stretch: Stretch) -> anyhow::Result<()> {
    said.take(seen, stretch);
    if said.len() <= MOST_SAID {
        return Ok(());
    }
    let told = format!(
        "there are more than {MOST_SAID} findings and incidents; ask about a shorter stretch, or use foreshock replay --against"
    );
    Err(WhatIfError::TooMuch(told).into())
}

/// The journal as it was when it was asked for, until it is cancelled.
struct Still {
    journal: Observed,
    rows: Vec<PartitionStat>,
    cancelled: CancellationToken,
}

impl Observe for Still {
    fn partitions(&self, stream: Stream) -> u16 {
        self.journal.partitions(stream)
    }

    fn stat(&mut self) -> Result<Vec<PartitionStat>, JournalError> {
        Ok(self.rows.clone())
    }

    fn read(
        &mut self,
        partition: Partition,
        from: Offset,
        max_bytes: usize,
    ) -> Result<Fetched, JournalError> {
        if self.cancelled.is_cancelled() {
            return Err(JournalError::Closed);
        }
        self.journal.read(partition, from, max_bytes)
    }
}

/// What whoever asked can do about a failure.
fn why(error: anyhow::Error, cancelled: &CancellationToken) -> WhatIfError {
    if cancelled.is_cancelled() {
        return WhatIfError::Passing("it was cancelled; ask again".to_owned());
    }
    let error = match error.downcast::<WhatIfError>() {
        Ok(error) => return error,
        Err(error) => error,
    };
    match error.downcast_ref::<JournalError>() {
        Some(JournalError::OutOfRange { .. }) => WhatIfError::Passing(
            "retention took the oldest entries while they were read; ask again".to_owned(),
        ),
        _ => WhatIfError::Failed(format!("the journal could not be read: {error:#}")),
    }
}

/// The keys of bounds that are higher with another configuration.
fn raised(ours: &BTreeMap<String, Value>, theirs: &BTreeMap<String, Value>) -> Vec<String> {
    let bounds = theirs.iter().filter(|(key, _)| key.starts_with(BOUNDS));
    let above = bounds.filter(|(key, value)| {
        let ours = ours.get(*key).and_then(Value::as_integer);
        value.as_integer() > ours
    });
    above.map(|(key, _)| key.clone()).collect()
}

fn totals(of: Totals) -> WhatIfTotals {
    let Totals { ours, theirs, come, go, change } = of;
    WhatIfTotals { now: ours, other: theirs, come, go, change }
}

#[cfg(test)]
mod tests {
    use foreshock_journal::{Batch, EmbeddedJournal, EmbeddedOptions, Entry};
    use foreshock_model::{Expected, Finding, Id, Kind, Severity, Tenant, Timestamp};

    use super::*;

    fn finding(id: u128) -> Finding {
        Finding {
            id: Id(id),
            tenant: Tenant::default(),
            kind: Kind::Spike,
            service: "shop".into(),
            series: "requests".to_owned(),
            window_start: Timestamp::from_secs(0),
            window_end: Timestamp::from_secs(10),
            surprise: 9.0,
            effect: 2.0,
            observed: 2.0,
            expected: Expected { low: 0.5, high: 1.5 },
            severity: Severity::Warning,
            title: "twice as many".to_owned(),
            template: String::new(),
            evidence: Vec::new(),
            provisional: false,
            replaces: Vec::new(),
            labels: BTreeMap::new(),
        }
    }

    async fn tick(journal: &dyn Journal, seconds: u64) {
        let entries = vec![(Partition::new(Stream::Logs, 0), Entry::tick(Timestamp::from_secs(seconds)))];
        journal.append(Batch { entries, consumed: None }).await.expect("appended");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn both_configurations_are_given_what_lay_there_at_the_start_until_it_is_cancelled() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = EmbeddedJournal::open(EmbeddedOptions::small(folder.path())).expect("a journal");
        let journal: Arc<dyn Journal> = journal;
        tick(&*journal, 1).await;
        let rows = journal.stat().expect("its rows");
        let cancelled = CancellationToken::new();
        let observed = Observed::new(Arc::clone(&journal), Handle::current());
        let mut still = Still { journal: observed, rows: rows.clone(), cancelled: cancelled.clone() };
        tick(&*journal, 2).await;
        assert_ne!(journal.stat().expect("its rows"), rows);
        let looked = tokio::task::spawn_blocking(move || {
            let logs = Partition::new(Stream::Logs, 0);
            let seen = still.stat().expect("the rows");
            let read = still.read(logs, Offset(0), 1 << 20).map(|entries| entries.len());
            cancelled.cancel();
            (seen, read, still.read(logs, Offset(0), 1 << 20).map(|entries| entries.len()))
        });
        let (seen, before, after) = looked.await.expect("looked at");
        assert_eq!((seen, before.expect("entries")), (rows, 2));
        assert!(matches!(after, Err(JournalError::Closed)), "{after:?}");
        journal.close().await;
    }

    #[test]
    fn what_is_held_of_a_configuration_is_bounded() {
        let stretch = Stretch { from: Timestamp(0), to: Timestamp::MAX };
        let findings =
            |ids: std::ops::Range<u128>| Seen { findings: ids.map(finding).collect(), ..Seen::default() };
        let most = MOST_SAID as u128;
        let mut said = Said::default();
        take(&mut said, findings(0..most), stretch).expect("as many as are held");
        // The same again are no more.
        take(&mut said, findings(0..most), stretch).expect("as many as are held");
        let error = take(&mut said, findings(most..most + 1), stretch).expect_err("too many");
        let told = why(error, &CancellationToken::new());
        assert!(matches!(&told, WhatIfError::TooMuch(told) if told.contains("shorter")), "{told:?}");
    }

    #[test]
    fn a_failure_says_whether_asking_again_may_help() {
        let (ours, cancelled) = (CancellationToken::new(), CancellationToken::new());
        cancelled.cancel();
        let partition = Partition::new(Stream::Logs, 0);
        let gone = || JournalError::OutOfRange { partition, asked: Offset(1), first: Offset(2) };
        let told = why(gone().into(), &ours);
        assert!(matches!(&told, WhatIfError::Passing(told) if told.contains("retention")), "{told:?}");
        let told = why(JournalError::NoPartition(partition).into(), &ours);
        assert!(matches!(&told, WhatIfError::Failed(_)), "{told:?}");
        let told = why(JournalError::Closed.into(), &cancelled);
        assert!(matches!(&told, WhatIfError::Passing(told) if told.contains("cancelled")), "{told:?}");
    }

    #[test]
    fn bounds_that_are_higher_are_named_and_lower_ones_and_other_settings_are_free() {
        let ours = Config::default();
        let mut theirs = ours.clone();
        theirs.detect.limits.series += 1;
        theirs.detect.limits.patterns -= 1;
        theirs.detect.limits.sources += 1;
        theirs.detect.budget.pages_a_week *= 2.0;
        theirs.console.tenants += 1;
        let named = raised(&leaves(&ours), &leaves(&theirs));
        assert_eq!(named, ["detect.limits.series", "detect.limits.sources"]);
    }
}
