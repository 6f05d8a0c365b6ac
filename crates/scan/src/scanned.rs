//! What a scan found out besides findings and incidents.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, Write},
    time::Duration,
};

use foreshock_detect::{
    detect::PatternView,
    pipeline::{Pipeline, TELEMETRY},
};
use foreshock_model::{ServiceName, Tenant, Timestamp};

use crate::{
    grid::{COLUMNS, Grid},
    line_shapes::LineShapes,
    series::SeriesSeen,
    tally::Tally,
    templates::Templates,
};

/// What a scan found out besides findings and incidents.
#[derive(Default)]
pub struct Scanned {
    /// Lines, points and spans.
    pub records: u64,
    /// Log lines, those that continue an event as well.
    pub lines: u64,
    /// Log lines that are errors by their level.
    pub errors: u64,
    /// The times of the first and the last record, where they tell any.
    pub span: Option<(Timestamp, Timestamp)>,
    /// When the log lines came.
    pub timeline: Timeline,
    /// Every pattern, the most frequent first.
    pub patterns: Vec<PatternSeen>,
    /// The services that wrote log lines.
    pub services: Vec<ServiceName>,
    /// The instances that sent anything.
    pub instances: usize,
    /// Metric series.
    pub series: usize,
    /// Those of plain numbers, the oddest first; of very many not all.
    pub series_seen: Vec<SeriesSeen>,
    /// The score of every session in each service, where it was asked for; of one that ended more than once the last.
    pub sessions: BTreeMap<(String, ServiceName), f64>,
    /// What could not be read, a sentence each.
    pub unreadable: Vec<String>,
    pub(crate) templates: Option<Templates>,
}

/// Log lines over time, in columns of equal width.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// When the first column begins.
    pub start: Timestamp,
    /// How long a column lasts.
    pub column: Duration,
    /// Lines in each column.
    pub lines: Vec<u32>,
    /// Errors in each column.
    pub errors: Vec<u32>,
}

/// A pattern and when its lines came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternSeen {
    /// As the stage detect knows it.
    pub view: PatternView,
    /// The highest level of its lines, as OTLP severity number; 0 where they tell none.
    pub severity: u8,
    /// Lines that are errors by their level.
    pub errors: u64,
    /// Lines in each column of the [`Timeline`].
    pub counts: Vec<u32>,
}

impl Timeline {
    /// When the last column ends.
    pub fn end(&self) -> Timestamp {
        self.start.plus(self.column.saturating_mul(self.lines.len() as u32))
    }
}

impl Scanned {
    /// Writes the template of every line as `line_no,template_id,template`, if that was asked for. Once: it is then gone.
    pub fn write_templates(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.templates.take() {
            Some(templates) => templates.write(out, &self.patterns),
            None => Ok(()),
        }
    }

    /// Writes the score of every session as `session,score`, if that was asked for; of one that several services have
    /// the highest.
    pub fn write_sessions(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record(["session", "score"])?;
        let mut highest: BTreeMap<&str, f64> = BTreeMap::new();
        for ((session, _), score) in &self.sessions {
            let known = highest.entry(session).or_default();
            *known = known.max(*score);
        }
        for (session, score) in highest {
            rows.write_record([session, &format!("{score:.6}")])?;
        }
        rows.flush()
    }

    /// Puts together what the stages know and what was counted, when everything was read.
    pub(crate) fn complete(&mut self, pipeline: &Pipeline, tally: &Tally, lines: Option<LineShapes>) {
        let tenant = Tenant::default();
        let stages = || (0..TELEMETRY.len()).filter_map(|stream| pipeline.reduce(stream, 0));
        self.instances = stages().map(|stage| stage.sources()).max().unwrap_or(0);
        self.span = tally.span().or(self.span);
        let mut views = Vec::new();
        for stage in pipeline.detect() {
            views.extend(stage.patterns(&tenant));
            self.series += stage.series_count();
        }
        views.sort_by(|a, b| {
            b.count.cmp(&a.count).then_with(|| (&a.service, &a.id).cmp(&(&b.service, &b.id)))
        });
        self.services =
            views.iter().map(|view| view.service.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        let of_shapes = patterns_of_shapes(pipeline, tally.shapes().len(), &tenant, &views);
        self.count(tally, views, &of_shapes);
        self.templates = lines.map(|lines| Templates { lines, patterns: of_shapes });
    }

    fn count(&mut self, tally: &Tally, views: Vec<PatternView>, of_shapes: &[Option<usize>]) {
        self.errors = tally.shapes().iter().map(|shape| shape.errors).sum();
        let used = used(tally.lines());
        if let Some(grid) = tally.grid() {
            self.timeline = timeline(grid, tally, used.clone());
        }
        let unseen = |view| PatternSeen { view, severity: 0, errors: 0, counts: vec![0; used.len()] };
        self.patterns = views.into_iter().map(unseen).collect();
        for (shape, pattern) in tally.shapes().iter().zip(of_shapes) {
            let Some(pattern) = pattern.and_then(|at| self.patterns.get_mut(at)) else { continue };
            pattern.errors += shape.errors;
            pattern.severity = pattern.severity.max(shape.severity);
            let counts = shape.counts.counts().get(used.clone()).unwrap_or_default();
            pattern.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.saturating_add(*count));
        }
    }
}

/// By the number of a shape: the place of the pattern that its lines belong to now.
fn patterns_of_shapes(
    pipeline: &Pipeline,
    shapes: usize,
    tenant: &Tenant,
    views: &[PatternView],
) -> Vec<Option<usize>> {
    let places: HashMap<(&ServiceName, &str), usize> =
        views.iter().enumerate().map(|(at, view)| ((&view.service, view.id.as_str()), at)).collect();
    let Some(reduce) = pipeline.reduce(0, 0) else { return Vec::new() };
    let place = |shape: usize| {
        let (_, service, hash) = reduce.shape(u32::try_from(shape).ok()?)?;
        let mut stages = pipeline.detect();
        stages.find_map(|stage| {
            places.get(&(service, stage.pattern_of(tenant, service, hash).as_str())).copied()
        })
    };
    (0..shapes).map(place).collect()
}

/// The columns from the first to the last that hold something.
fn used(counts: &[u32]) -> std::ops::Range<usize> {
    let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
    let end = counts.iter().rposition(|count| *count > 0).map_or(first, |last| last + 1);
    first..end.min(COLUMNS)
}

fn timeline(grid: Grid, tally: &Tally, used: std::ops::Range<usize>) -> Timeline {
    let of = |counts: &[u32]| counts.get(used.clone()).unwrap_or_default().to_vec();
    Timeline {
        start: grid.start(used.start),
        column: grid.width(),
        lines: of(tally.lines()),
        errors: of(tally.errors()),
    }
}
