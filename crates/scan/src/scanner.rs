//! Feeds the stages from the sources, in the order of time.

use std::{io, path::PathBuf, sync::atomic::Ordering};

use foreshock_detect::{
    Clock, DetectConfig, InputKind as EntryKind,
    pipeline::{Entry, LOGS, METRICS, Partitions, Pipeline, Seen},
    reduce::LineRead,
};
use foreshock_model::{Tenant, Timestamp};

use crate::{
    Scanned, Source, SourceError,
    line_shapes::LineShapes,
    merge::Merge,
    records::{RecordEntry, Records},
    series::SeriesTally,
    tally::Tally,
};

/// Of inputs that mix signals: how far one signal may lie behind another before its windows close without it.
const BETWEEN_SIGNALS: std::time::Duration = std::time::Duration::from_secs(60);
/// Sentences kept about what can't be read.
const UNREADABLE: usize = 100;

/// How to scan.
#[derive(Clone, Debug, Default)]
pub struct ScanOptions {
    /// Whose the lines are, where nothing else tells; otherwise named after the file.
    pub service: Option<String>,
    /// How detection is set; its clock is always that of the records.
    pub detect: DetectConfig,
    /// A directory to keep each line's shape in while the files are read, 4 bytes a line, so that
    /// [`Scanned::write_templates`] can tell the template of each.
    pub templates_in: Option<PathBuf>,
    /// What is asked for that only metrics have, by the name of its option: if no source can hold any, it is refused.
    pub of_metrics: Option<&'static str>,
}

/// How far a scan has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read of all sources, as they lie there.
    pub read_bytes: u64,
    /// Bytes of all sources; 0 where that can't be told of one of them.
    pub total_bytes: u64,
    /// Lines, points and spans.
    pub records: u64,
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
    /// Something is asked for that only metrics have.
    #[error(
        "{name} holds no metrics, and {option} is of metrics: CSV with a timestamp column and columns of numbers, or OTLP \
         JSON lines; leave out one or the other"
    )]
    NoMetrics {
        /// What was asked for.
        option: &'static str,
        /// Which.
        name: String,
    },
    /// The shapes of the lines could not be kept.
    #[error(
        "keeping what each line was read as in {directory} failed: {source}; it takes 4 bytes a line there"
    )]
    Kept {
        /// Where.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was found could not be put out.
    #[error("writing the result failed: {0}")]
    Output(#[from] io::Error),
}

/// Scans the sources, merged by time. `tell` gets what came out as soon as it did, `progress` how far it has come.
pub fn scan(
    sources: &[Source],
    options: &ScanOptions,
    tell: &mut dyn FnMut(Seen) -> io::Result<()>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Scanned, ScanError> {
    // Each is opened before the first is read, so that a wrong name is told at once.
    let opened = sources.iter().map(Source::open).collect::<Result<Vec<_>, _>>()?;
    let read_bytes: Vec<_> = opened.iter().map(|source| source.read_bytes.clone()).collect();
    let is_told = opened.iter().all(|source| source.total_bytes > 0);
    let total_bytes = if is_told { opened.iter().map(|source| source.total_bytes).sum() } else { 0 };
    // Who takes it from outside has refused one that is none.
    let zone = foreshock_detect::zone(&options.detect.zone).unwrap_or_default();
    let mut records = Vec::with_capacity(opened.len());
    for (source, opened) in sources.iter().zip(opened) {
        let service = options.service.clone().unwrap_or_else(|| source.service());
        records.push(Records::new(opened, &service, zone.clone(), sources.len() > 1)?);
    }
    if let Some(option) = options.of_metrics
        && !records.iter().any(Records::may_hold_metrics)
    {
        let names: Vec<String> = sources.iter().map(Source::name).collect();
        return Err(ScanError::NoMetrics { option, name: names.join(", ") });
    }
    let mut merge = Merge::new(records)?;
    let mut scanner = Scanner::new(options, sources.len());
    while let Some((source, entry)) = merge.next()? {
        scanner.feed(source, &entry)?;
        scanner.flush(tell)?;
        let read_bytes = read_bytes.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum();
        progress(Progress { read_bytes, total_bytes, records: scanner.scanned.records });
    }
    scanner.scanned.unreadable.extend(merge.unreadable());
    scanner.finish(tell)
}

struct Scanner {
    pipeline: Pipeline,
    tenant: Tenant,
    latest: Timestamp,
    scanned: Scanned,
    tally: Tally,
    series: SeriesTally,
    /// What the lines of an entry were read as.
    lines: Vec<LineRead>,
    shapes: Option<LineShapes>,
    kept_in: PathBuf,
}

impl Scanner {
    fn new(options: &ScanOptions, sources: usize) -> Self {
        let config = DetectConfig { clock: Clock::Event, ..options.detect.clone() };
        let mut pipeline = Pipeline::new(config, Partitions::default());
        pipeline.note_lines(0);
        let kept_in = options.templates_in.clone();
        Self {
            pipeline,
            tenant: Tenant::default(),
            latest: Timestamp::default(),
            scanned: Scanned::default(),
            tally: Tally::default(),
            series: SeriesTally::default(),
            lines: Vec::new(),
            shapes: kept_in.clone().map(|directory| LineShapes::new(directory, sources)),
            kept_in: kept_in.unwrap_or_default(),
        }
    }

    fn feed(&mut self, source: usize, entry: &RecordEntry) -> Result<(), ScanError> {
        // What tells no time takes the time that was told last. Raw lines each have one: their own, or that of the line
        // before.
        let told = if self.latest == Timestamp::default() { entry.time } else { self.latest };
        let received = entry.written.unwrap_or(told);
        let (tenant, payload) = (&self.tenant, &entry.payload);
        self.pipeline.feed(entry.stream, 0, Entry { tenant, received, kind: EntryKind::Data, payload });
        self.latest = self.pipeline.latest();
        self.scanned.records += entry.records;
        let began = self.scanned.span.map_or(told, |(first, _)| first.min(entry.time));
        self.scanned.span = Some((began, self.latest));
        if entry.stream == LOGS {
            self.note_lines(source, entry.records)?;
        }
        if entry.stream == METRICS {
            self.series.add(payload);
        }
        self.pipeline.tick_idle(self.latest.minus(BETWEEN_SIGNALS));
        Ok(())
    }

    fn note_lines(&mut self, source: usize, records: u64) -> Result<(), ScanError> {
        self.lines.clear();
        self.pipeline.take_lines(0, &mut self.lines);
        self.scanned.lines += records;
        self.lines.iter().for_each(|line| self.tally.add(line));
        let Some(shapes) = &mut self.shapes else { return Ok(()) };
        let noted = shapes.note(source, self.lines.iter().map(|line| line.shape), records);
        noted.map_err(|source| ScanError::Kept { directory: self.kept_in.clone(), source })
    }

    fn flush(&mut self, tell: &mut dyn FnMut(Seen) -> io::Result<()>) -> Result<(), ScanError> {
        let seen = self.pipeline.take();
        let verdicts = self.pipeline.take_verdicts().into_iter();
        self.scanned
            .sessions
            .extend(verdicts.map(|verdict| ((verdict.session, verdict.service), verdict.score)));
        let unreadable = seen.poison.iter().map(|(stage, _, reason)| format!("{stage}: {reason}"));
        let room = UNREADABLE.saturating_sub(self.scanned.unreadable.len());
        self.scanned.unreadable.extend(unreadable.take(room));
        let finals = seen.findings.iter().filter(|finding| !finding.provisional);
        finals.for_each(|finding| self.series.note(finding));
        if !seen.findings.is_empty() || !seen.incidents.is_empty() {
            tell(seen)?;
        }
        Ok(())
    }

    fn finish(mut self, tell: &mut dyn FnMut(Seen) -> io::Result<()>) -> Result<Scanned, ScanError> {
        self.pipeline.finish();
        self.flush(tell)?;
        self.tally.finish();
        self.scanned.series_seen = self.series.finish();
        self.scanned.complete(&self.pipeline, &self.tally, self.shapes);
        Ok(self.scanned)
    }
}
