//! Feeds the stages from the sources, one after the other.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use foreshock_detect::{
    Clock, DetectConfig, InputKind as EntryKind,
    detect::PatternView,
    pipeline::{Entry, Partitions, Pipeline, Seen},
};
use foreshock_model::{Tenant, Timestamp};

use crate::{
    Source, SourceError,
    input::Opened,
    records::{RecordEntry, Records},
};

/// Of inputs that mix signals: how far one signal may lie behind another before its windows close without it.
const BETWEEN_SIGNALS: std::time::Duration = std::time::Duration::from_secs(60);

/// How to scan.
#[derive(Clone, Debug, Default)]
pub struct ScanOptions {
    /// Whose the lines are, where nothing else tells; otherwise named after the file.
    pub service: Option<String>,
    /// How detection is set; its clock is always that of the records.
    pub detect: DetectConfig,
}

/// How far a scan has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read of all sources, as they lie there.
    pub read_bytes: u64,
    /// Bytes of the sources opened so far; 0 where that can't be told.
    pub total_bytes: u64,
    /// Lines and points.
    pub records: u64,
}

/// What a scan found out besides findings and incidents.
#[derive(Clone, Debug, Default)]
pub struct Scanned {
    /// Lines and points.
    pub records: u64,
    /// Every pattern.
    pub patterns: Vec<PatternView>,
    /// Metric series.
    pub series: usize,
    /// The score of every session seen, where [`ScanOptions`] asks for them; of one that ended more than once the last.
    pub sessions: BTreeMap<String, f64>,
    /// What could not be read, a sentence each.
    pub unreadable: Vec<String>,
}

/// Why a scan ended early.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A source can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The header of a CSV file can't be used.
    #[error("{name} can't be read as CSV metrics: {reason}")]
    Csv {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// What was found could not be put out.
    #[error("writing the result failed: {0}")]
    Output(#[from] std::io::Error),
}

/// Scans the sources in order. `tell` gets what came out as soon as it did, `progress` how far it has come.
pub fn scan(
    sources: &[Source],
    options: &ScanOptions,
    tell: &mut dyn FnMut(Seen) -> std::io::Result<()>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Scanned, ScanError> {
    let config = DetectConfig { clock: Clock::Event, ..options.detect.clone() };
    let mut scanner = Scanner {
        pipeline: Pipeline::new(config, Partitions::default()),
        tenant: Tenant::default(),
        latest: Timestamp::default(),
        scanned: Scanned::default(),
        progress: Progress::default(),
    };
    // Each is opened before the first is read, so that a wrong name is told at once.
    let opened = sources.iter().map(Source::open).collect::<Result<Vec<_>, _>>()?;
    scanner.progress.total_bytes = opened.iter().map(|source| source.total_bytes).sum();
    for (source, opened) in sources.iter().zip(opened) {
        let service = options.service.clone().unwrap_or_else(|| source.service());
        scanner.source(opened, &service, tell, progress)?;
    }
    scanner.pipeline.finish();
    scanner.flush(tell)?;
    let mut scanned = scanner.scanned;
    for stage in scanner.pipeline.detect() {
        scanned.patterns.extend(stage.patterns(&scanner.tenant));
        scanned.series += stage.series_count();
    }
    scanned.patterns.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.id.cmp(&b.id)));
    Ok(scanned)
}

struct Scanner {
    pipeline: Pipeline,
    tenant: Tenant,
    latest: Timestamp,
    scanned: Scanned,
    progress: Progress,
}

impl Scanner {
    fn source(
        &mut self,
        opened: Opened,
        service: &str,
        tell: &mut dyn FnMut(Seen) -> std::io::Result<()>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), ScanError> {
        let (name, modified, before) = (opened.name.clone(), opened.modified, self.progress.read_bytes);
        let read_bytes = Arc::clone(&opened.read_bytes);
        let mut records = Records::new(opened, service)?;
        while let Some(entry) = records.next()? {
            self.feed(&entry, modified);
            self.progress.read_bytes = before + read_bytes.load(Ordering::Relaxed);
            self.progress.records = self.scanned.records;
            self.flush(tell)?;
            progress(self.progress);
        }
        let bad = records.unreadable();
        self.scanned.unreadable.extend(bad.map(|reason| format!("{name}: {reason}")));
        Ok(())
    }

    fn feed(&mut self, entry: &RecordEntry, modified: Timestamp) {
        // What tells no time takes the time that was told last, or that of the file.
        let received = if self.latest == Timestamp::default() { modified } else { self.latest };
        let (tenant, payload) = (&self.tenant, &entry.payload);
        self.pipeline.feed(entry.stream, 0, Entry { tenant, received, kind: EntryKind::Data, payload });
        self.latest = self.pipeline.latest();
        self.scanned.records += entry.records;
        self.pipeline.tick_idle(self.latest.minus(BETWEEN_SIGNALS));
    }

    fn flush(&mut self, tell: &mut dyn FnMut(Seen) -> std::io::Result<()>) -> Result<(), ScanError> {
        let seen = self.pipeline.take();
        let verdicts = self.pipeline.take_verdicts().into_iter();
        self.scanned.sessions.extend(verdicts.map(|verdict| (verdict.session, verdict.score)));
        let unreadable = seen.poison.iter().map(|(stage, _, reason)| format!("{stage}: {reason}"));
        self.scanned
            .unreadable
            .extend(unreadable.take(100usize.saturating_sub(self.scanned.unreadable.len())));
        if !seen.findings.is_empty() || !seen.incidents.is_empty() {
            tell(seen)?;
        }
        Ok(())
    }
}
