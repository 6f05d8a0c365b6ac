//! Folds log records: each line to its shape, each shape to a count a window.

use std::collections::BTreeMap;

use foreshock_model::{Timestamp, fingerprint64, proto};
use foreshock_otlp::views::{self, LogRecord};
use foreshock_template::{
    Continuation, Level, Line, Parameter, Reader, SourceFormat, TraceFingerprint, Zone,
};
use serde::{Deserialize, Serialize};

use super::{
    Fold, LineRead,
    bad::BadRecords,
    core::{Core, Timed},
    key_finder::KeyFinder,
    sessions::{Events, Step, WindowSteps},
    shapes::{Met, ShapeId, Shapes},
    sources::{ServiceId, SourceId},
    step_detail::StepDetail,
    totals::Totals,
    values::{PlaceWindows, Places},
    windows::{OpenWindows, Place},
};
use crate::{Clock, DetectConfig, Input, Outputs, SessionKey, session_key::cut, zone};

/// Longest line kept as an example, in bytes.
const EXAMPLE_BYTES: usize = 600;
/// Stands for a key where it would be read as words.
const ANY_KEY: &str = "0";
/// Steps of sessions that a window takes, for each session that may be remembered.
const STEPS_A_SESSION: u64 = 10;

/// The fold of the logs stream.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct LogFold {
    shapes: Shapes,
    places: Places,
    /// By source: what its lines taught.
    lines: Vec<SourceLines>,
    windows: OpenWindows<LogWindow>,
    folded: BTreeMap<ServiceId, Folded>,
    events: Events,
    #[serde(skip)]
    key: SessionKey,
    #[serde(skip)]
    zone: Zone,
    #[serde(skip)]
    reader: Reader,
    /// What each line was read as, where somebody wants to know.
    #[serde(skip)]
    pub(super) told: Option<Vec<LineRead>>,
}

/// What a service's lines found no room for.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Folded {
    shapes: u64,
    steps: u64,
}

/// What one source's lines taught.
#[derive(Clone, Default, Serialize, Deserialize)]
struct SourceLines {
    format: SourceFormat,
    continuation: Continuation,
    trace: TraceFingerprint,
    keys: KeyFinder,
    detail: StepDetail,
    /// The shape that continuation lines belong to, and the window it was counted in.
    head: Option<(ShapeId, Timestamp)>,
    /// The time of the last line.
    last: Timestamp,
    /// The host that a line named last, its hash, and the source that its lines are of.
    host: Option<(u64, SourceId)>,
}

#[derive(Default, Serialize, Deserialize)]
struct LogWindow {
    /// By shape: place in `counts` and 1, or 0.
    slots: Vec<u32>,
    counts: Vec<ShapeCount>,
    totals: Totals,
    steps: WindowSteps,
}

#[derive(Serialize, Deserialize)]
struct ShapeCount {
    shape: ShapeId,
    count: u64,
    errors: u64,
    late: u64,
    first: Timestamp,
    last: Timestamp,
    source: SourceId,
    level: u8,
    trace: u64,
    line: Box<str>,
    /// Lines whose values could not be told apart by their places.
    unplaced: u64,
    places: PlaceWindows,
}

/// The lines of one resource of an entry, and what is the same for all of them, looked up once.
struct Run<'a> {
    input: &'a Input<'a>,
    source: SourceId,
    service: ServiceId,
    /// Lines that [`Shapes`] was not told of yet.
    untold: u64,
}

/// A line that was read, ready to be counted.
pub(super) struct Read<'a> {
    /// The resource it came with, by which what its lines teach is kept.
    resource: SourceId,
    /// The instance that wrote it: the host that it names, or the resource.
    source: SourceId,
    place: Place,
    timed: Timed,
    level: Option<Level>,
    line: &'a str,
}

impl Read<'_> {
    pub(super) fn time(&self) -> Timestamp {
        self.timed.time
    }

    /// Start of the base window it counts in.
    pub(super) fn window(&self) -> Timestamp {
        self.place.window
    }

    pub(super) fn source(&self) -> SourceId {
        self.source
    }

    pub(super) fn line(&self) -> &str {
        self.line
    }

    /// Its level as OTLP severity number; 0 where it tells none.
    fn severity(&self) -> u8 {
        self.level.map_or(0, Level::severity_number)
    }
}

impl Fold for LogFold {
    fn fold(
        &mut self,
        core: &mut Core,
        input: &Input<'_>,
        out: &mut Outputs<proto::Summaries>,
    ) -> Result<(), String> {
        let mut bad = BadRecords::default();
        for resource in views::logs(input.payload) {
            let Some(resource) = bad.sift(resource) else { continue };
            let source = core.source(input.tenant, &resource.resource);
            if self.lines.len() <= source as usize {
                self.lines.resize_with(source as usize + 1, SourceLines::default);
            }
            let service = core.sources.source(source).service;
            let mut run = Run { input, source, service, untold: 0 };
            for scope in resource.scopes() {
                let Some(scope) = bad.sift(scope) else { continue };
                for record in scope.records() {
                    let Some(record) = bad.sift(record) else { continue };
                    self.record(core, &mut run, &record, out);
                }
            }
            if run.untold > 0 {
                self.shapes.count_lines(service, run.untold);
            }
        }
        bad.verdict()
    }

    fn summarise_due(
        &mut self,
        core: &Core,
        due: Timestamp,
    ) -> Option<BTreeMap<ServiceId, proto::WindowSummary>> {
        let (start, window) = self.windows.take_due(due)?;
        Some(self.summarise(core, start, window))
    }
}

impl LogFold {
    /// With what the configuration says: it is not part of the state.
    pub(super) fn configure(&mut self, config: &DetectConfig) {
        // Whoever takes a configuration from outside has refused a key or a zone that is none.
        self.key = config.sessions.key.parse().unwrap_or_default();
        self.zone = zone(&config.zone).unwrap_or_default();
    }

    /// Whose a shape is, and its hash.
    pub(super) fn shape(&self, shape: ShapeId) -> Option<(ServiceId, u64)> {
        self.shapes.try_get(shape).map(|shape| (shape.service, shape.hash))
    }

    fn record(
        &mut self,
        core: &mut Core,
        run: &mut Run<'_>,
        record: &LogRecord<'_>,
        out: &mut Outputs<proto::Summaries>,
    ) {
        let (input, resource) = (run.input, run.source);
        // Borrowed where the body is text, as it mostly is.
        let text = record.body.to_text();
        let line: &str = &text;
        let nanos = |time: Option<Timestamp>| time.map_or(0, Timestamp::nanos);
        let (own, observed) = (nanos(record.time), nanos(record.observed));
        let lines = &mut self.lines[resource as usize];
        let continues = lines.continuation.is_continuation(line);
        let hint = if own != 0 { own } else { input.received.nanos() };
        let parsed = self.reader.parse(&mut lines.format, line, hint, &self.zone);
        // In a file, a line that tells no time comes right after the one before.
        let before = if core.config.clock == Clock::Event { lines.last.nanos() } else { 0 };
        let timed = core.time_of(&[own, observed, parsed.time.unwrap_or(0), before], input.received);
        lines.last = timed.time;
        let time = timed.time;
        let place = self.windows.place(time, &core.watermark, core.config.limits.open_windows);
        let level = Level::from_severity_number(record.severity_number)
            .or_else(|| Level::from_word(record.severity_text))
            .or(parsed.level);
        let source = match parsed.host {
            Some(host) => lines.source_of(host, resource, core),
            // Of a stack trace the lines behind the first name no host.
            None if continues => lines.host.map_or(resource, |(_, source)| source),
            None => resource,
        };
        let read = Read { resource, source, place, timed, level, line };
        if continues && lines.head.is_some() {
            self.count_continuation(&read);
        } else {
            let shape = self.count_line(core, run, &read, &parsed, out);
            self.note_step(core, run, &read, record, parsed.content, shape);
        }
        if let (Some(told), Some((shape, _))) = (&mut self.told, self.lines[resource as usize].head) {
            told.push(LineRead { shape, time, severity: level.map_or(0, Level::severity_number), continues });
        }
        if let Some(due) = core.record_passed(time) {
            self.close(core, due, input.offset, out);
        }
    }

    fn count_continuation(&mut self, read: &Read<'_>) {
        let lines = &mut self.lines[read.resource as usize];
        lines.trace.feed(read.line);
        let trace = lines.trace.finish().unwrap_or(0);
        let window = self.windows.at(read.place.window);
        let totals = window.totals.of(read.source);
        totals.continuations += 1;
        totals.bytes += read.line.len() as u64;
        totals.seen(read.timed.time);
        if let Some((shape, head_window)) = lines.head
            && head_window == read.place.window
            && let Some(count) = window.count_of(shape)
        {
            count.trace = trace;
        }
    }

    fn count_line(
        &mut self,
        core: &mut Core,
        run: &mut Run<'_>,
        read: &Read<'_>,
        line: &Line<'_>,
        out: &mut Outputs<proto::Summaries>,
    ) -> ShapeId {
        let service = run.service;
        let hash = self.reader.shape(line).hash.0 as u64;
        let met = self
            .shapes
            .meet(service, hash.max(1), core.config.limits.shapes, || shape_text(&self.reader).into());
        run.untold += 1;
        let id = match met {
            Met::Known(id) => id,
            Met::Folded(id) => {
                self.folded.entry(service).or_default().shapes += 1;
                id
            }
            Met::New(id) => {
                self.places.add(id, self.shapes.get(id).text.as_deref().unwrap_or(""));
                self.shapes.count_lines(service, std::mem::take(&mut run.untold));
                if self.shapes.note_new(service) && !read.place.late {
                    let urgent = self.new_shape(core, id, read);
                    core.emit_urgent(service, urgent, run.input.offset, out);
                }
                id
            }
        };
        let error = read.level.is_some_and(|level| level >= Level::Error);
        let count = self.windows.at(read.place.window).count(id, read, error, core);
        if !read.place.late {
            let parameters = self.reader.parameters();
            let placed = self.places.count(id, line.content, parameters, &mut count.places, (read, core));
            count.unplaced += u64::from(!placed);
        }
        let lines = &mut self.lines[read.resource as usize];
        lines.head = Some((id, read.place.window));
        lines.trace = TraceFingerprint::default();
        id
    }

    /// Notes the line as a step of its session, if it has one.
    fn note_step(
        &mut self,
        core: &Core,
        run: &Run<'_>,
        read: &Read<'_>,
        record: &LogRecord<'_>,
        content: &str,
        shape: ShapeId,
    ) {
        if read.place.late {
            return;
        }
        let mut hex = [0; 32];
        let parameters = self.reader.parameters();
        let key = match &self.key {
            SessionKey::Found => match trace_id(record.trace_id, &mut hex) {
                Some(trace) => Some(trace),
                None => {
                    let keys = &mut self.lines[read.resource as usize].keys;
                    keys.find(content, parameters, shape)
                }
            },
            configured => configured.read(record, read.line),
        };
        let Some(key) = key.map(cut) else { return };
        let event = if is_parameter(key, content, parameters) {
            self.events.meet(shape, || shape_text(&self.reader));
            let detail = self.lines[read.resource as usize].detail.of(shape, key, content, parameters);
            self.events.event(shape, detail)
        } else {
            // The key is a word, or a piece of one: each session would have events of its own.
            self.reader.shape_of(&content.replace(key, ANY_KEY));
            self.events.event_of_text(run.service, shape_text(&self.reader))
        };
        // In the order of the resource: of lines at one time those of its hosts may be in turn.
        let step = Step {
            source: read.resource,
            key,
            event,
            time: read.timed.time,
            level: read.severity().into(),
            line: example(read.line),
        };
        let limit = u64::from(core.config.limits.sessions) * STEPS_A_SESSION;
        if !self.windows.at(read.place.window).steps.note(read.place.window, &step, limit) {
            self.folded.entry(run.service).or_default().steps += 1;
        }
    }

    fn new_shape(&self, core: &Core, id: ShapeId, read: &Read<'_>) -> proto::NewShape {
        let shape = self.shapes.get(id);
        let service = core.sources.get_service(shape.service);
        proto::NewShape {
            tenant: service.tenant.to_string(),
            service: service.name.to_string(),
            shape: shape.hash,
            text: shape.text.as_deref().unwrap_or("").to_owned(),
            line: example(read.line).into(),
            instance: core.sources.source(read.source).instance.to_string(),
            time: read.timed.time.nanos(),
            level: read.severity().into(),
        }
    }

    fn summarise(
        &mut self,
        core: &Core,
        start: Timestamp,
        window: LogWindow,
    ) -> BTreeMap<ServiceId, proto::WindowSummary> {
        let mut summaries: BTreeMap<ServiceId, proto::WindowSummary> = BTreeMap::new();
        for (source, totals) in window.totals.into_sums() {
            let source = core.sources.source(source);
            let summary =
                summaries.entry(source.service).or_insert_with(|| core.summary(source.service, start));
            let logs = summary.logs.get_or_insert_default();
            logs.lines += totals.lines;
            logs.errors += totals.errors;
            logs.bytes += totals.bytes;
            logs.late += totals.late;
            logs.ahead += totals.ahead;
            logs.continuations += totals.continuations;
            summary.instances.push(source.seen(totals.lines, totals.first, totals.last));
        }
        for (source, mut sessions) in window.steps.summarise(&mut self.events) {
            let source = core.sources.source(source);
            for window in &mut sessions {
                window.source = source.identity;
                window.instance = source.instance.to_string();
            }
            let summary =
                summaries.entry(source.service).or_insert_with(|| core.summary(source.service, start));
            summary.sessions.append(&mut sessions);
        }
        for count in window.counts {
            let text = self.shapes.take_text(count.shape);
            let (places, lines) = self.places.pass_on(count.shape, start, count.places, core);
            let shape = self.shapes.get(count.shape);
            let summary =
                summaries.entry(shape.service).or_insert_with(|| core.summary(shape.service, start));
            summary.shapes.push(proto::ShapeWindow {
                shape: shape.hash,
                count: count.count,
                errors: count.errors,
                late: count.late,
                first: count.first.nanos(),
                last: count.last.nanos(),
                text: text.map(String::from).unwrap_or_default(),
                line: count.line.into(),
                instance: core.sources.source(count.source).instance.to_string(),
                level: count.level.into(),
                trace: count.trace,
                unplaced: count.unplaced,
                places,
                lines,
            });
        }
        for (service, folded) in std::mem::take(&mut self.folded) {
            let summary = summaries.entry(service).or_insert_with(|| core.summary(service, start));
            let sum = summary.folded.get_or_insert_default();
            sum.shapes += folded.shapes;
            sum.steps += folded.steps;
        }
        summaries
    }
}

impl SourceLines {
    /// The source that a line is of that names `host`; mostly the one before named the same.
    fn source_of(&mut self, host: &str, resource: SourceId, core: &mut Core) -> SourceId {
        let hash = fingerprint64(host.as_bytes());
        if let Some((last, source)) = self.host
            && last == hash
        {
            return source;
        }
        let limit = core.config.limits.sources;
        let source = core.sources.host(resource, host, hash, limit).unwrap_or(resource);
        self.host = Some((hash, source));
        source
    }
}

impl LogWindow {
    fn count_of(&mut self, shape: ShapeId) -> Option<&mut ShapeCount> {
        let slot = *self.slots.get(shape as usize)?;
        self.counts.get_mut((slot as usize).checked_sub(1)?)
    }

    /// Counts a line. Of lines with the same time the example is the least, and of the same lines that of the least
    /// instance, as where detect merges partitions, so that it follows neither from the order of arrival nor from the
    /// partitioning.
    fn count(&mut self, shape: ShapeId, read: &Read<'_>, error: bool, core: &Core) -> &mut ShapeCount {
        let time = read.timed.time;
        let totals = self.totals.of(read.source);
        totals.bytes += read.line.len() as u64;
        totals.ahead += u64::from(read.timed.ahead);
        if read.place.late {
            totals.late += 1;
        } else {
            totals.lines += 1;
            totals.errors += u64::from(error);
        }
        totals.seen(time);
        if self.slots.len() <= shape as usize {
            self.slots.resize(shape as usize + 1, 0);
        }
        let slot = &mut self.slots[shape as usize];
        if *slot == 0 {
            self.counts.push(ShapeCount {
                shape,
                count: 0,
                errors: 0,
                late: 0,
                first: time,
                last: time,
                source: read.source,
                level: 0,
                trace: 0,
                line: example(read.line).into(),
                unplaced: 0,
                places: PlaceWindows::default(),
            });
            *slot = u32::try_from(self.counts.len()).unwrap_or(u32::MAX);
        }
        let count = &mut self.counts[*slot as usize - 1];
        if read.place.late {
            count.late += 1;
        } else {
            count.count += 1;
            count.errors += u64::from(error);
        }
        let instance = |source| &core.sources.source(source).instance;
        let earlier = time < count.first
            || (time == count.first
                && (example(read.line), instance(read.source)) < (&*count.line, instance(count.source)));
        if earlier {
            count.first = time;
            count.source = read.source;
            count.line = example(read.line).into();
        }
        count.last = count.last.max(time);
        count.level = count.level.max(read.severity());
        count
    }
}

/// The start of a line, cut at a character's boundary.
pub(super) fn example(line: &str) -> &str {
    &line[..line.floor_char_boundary(EXAMPLE_BYTES)]
}

/// Whether a key was lifted out of the line as it is, or is not in its text at all.
fn is_parameter(key: &str, content: &str, parameters: &[Parameter]) -> bool {
    let Some(at) = content.find(key) else { return true };
    parameters.iter().any(|p| p.start as usize <= at && at + key.len() <= p.end as usize)
}

/// A trace id as text; `None` where there is none.
fn trace_id<'a>(id: &[u8], text: &'a mut [u8; 32]) -> Option<&'a str> {
    let is_one = id.iter().any(|byte| *byte != 0);
    hex::encode_to_slice(id, text).ok().filter(|()| is_one)?;
    std::str::from_utf8(text).ok()
}

/// The canonical text of the last shape.
fn shape_text(reader: &Reader) -> String {
    let mut text = String::new();
    reader.write_tokens(&mut text);
    text
}
