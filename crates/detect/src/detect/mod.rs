//! detect: sees each service whole, keeps its baselines, tests each window.
//!
//! Summaries wait until every input partition of reduce has passed their window; then the window is closed: templates
//! are learned from its shapes, its counts judged and learned, and roll-ups of one minute, ten and an hour with it. What
//! cannot wait is judged when it comes, as provisional findings from which nothing is learned.

mod belied;
mod close;
mod draft;
mod errors;
mod harm;
mod hours;
mod merged;
mod news;
mod operations;
mod patterns;
mod quotas;
mod report;
mod series;
mod service;
mod sessions;
mod silence;
mod told;
mod values;

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    sync::Arc,
};

use foreshock_model::{BASE_WINDOW, ServiceName, Tenant, Timestamp, Window, proto};
use foreshock_stats::Fared;
use foreshock_template::TemplateId;
use serde::{Deserialize, Serialize};

use self::{
    close::Closing, merged::Merged, patterns::pattern_id, quotas::Shares, report::Report,
    series::SeriesTable, service::ServiceState,
};
pub use self::{patterns::PatternView, series::SeriesView, sessions::SessionVerdict};
use crate::{
    Asked, DetectConfig, Folds, Holes, Input, InputId, InputKind, Origin, Outputs, RestoreError, Stage,
    stage::{restore_state, save_state},
    upstream::Upstream,
    workings::Workings,
};

/// A gap longer than this is not walked through window by window: what was learned before is taken up after it.
const LONGEST_WALK: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

/// Tenant and service.
type ServiceKey = (Tenant, ServiceName);

/// The stage detect over one partition of the summaries stream.
pub struct Detect {
    state: State,
    config: Arc<DetectConfig>,
    /// Partitions of the summaries stream: quotas are shared out among them.
    partitions: u16,
    /// Findings whose workings somebody wants to see, by the end of their window, and what was seen of them.
    asked: BTreeMap<Timestamp, Vec<Asked>>,
    workings: Vec<Workings>,
}

#[derive(Serialize, Deserialize)]
struct State {
    origin: Origin,
    /// The input partitions of reduce.
    upstream: Upstream,
    closed: Timestamp,
    /// By start of the base window: what is not closed yet.
    pending: BTreeMap<Timestamp, BTreeMap<ServiceKey, Merged>>,
    services: BTreeMap<ServiceKey, ServiceState>,
    series: SeriesTable,
    /// What went over a limit here.
    folds: Folds,
}

impl Detect {
    /// Empty state over `input`, a partition of the summaries stream, fed by reduce's partitions `sources`; `outputs`
    /// partitions of the findings stream.
    ///
    /// Of `sources` the first partition of each stream counts, which is always there. The others become known by what
    /// is on the log: a state that is rebuilt after a stream has grown must not wait, in the time before, for partitions
    /// that were not there yet.
    pub fn new(config: Arc<DetectConfig>, input: InputId, sources: Vec<InputId>, outputs: u16) -> Self {
        let state = State {
            origin: Origin::new(Self::NAME, input, outputs),
            upstream: Upstream::new(sources.into_iter().filter(|source| source.partition == 0)),
            closed: Timestamp::default(),
            pending: BTreeMap::new(),
            services: BTreeMap::new(),
            series: SeriesTable::default(),
            folds: Folds::default(),
        };
        Self { state, config, partitions: 1, asked: BTreeMap::new(), workings: Vec::new() }
    }

    /// It is one of so many partitions of the summaries stream, and gives a tenant its share of its quota.
    #[must_use]
    pub fn one_of(mut self, partitions: u16) -> Self {
        self.partitions = partitions;
        self
    }

    /// Whether each message came once and without a hole.
    pub fn holes(&self) -> &Holes {
        self.state.upstream.holes()
    }

    /// How far each source has come.
    pub fn source_watermarks(&self) -> &BTreeMap<InputId, Timestamp> {
        self.state.upstream.reached()
    }

    /// Base windows that end at or before this are closed.
    pub fn closed(&self) -> Timestamp {
        self.state.closed
    }

    /// What went over a limit here.
    pub fn folds(&self) -> &Folds {
        &self.state.folds
    }

    /// The patterns of a tenant's services.
    pub fn patterns(&self, tenant: &Tenant) -> Vec<PatternView> {
        self.services_of(tenant).flat_map(|(name, state)| state.pattern_views(name)).collect()
    }

    /// Id of the pattern that lines of a shape belong to now, as [`PatternView`] has it; that of the service's other pattern
    /// where the shape is not known.
    pub fn pattern_of(&self, tenant: &Tenant, service: &ServiceName, shape: u64) -> String {
        pattern_id(self.state.template_of(&(tenant.clone(), service.clone()), shape))
    }

    /// Up to `limit` metric series of a tenant's services.
    pub fn series(&self, tenant: &Tenant, limit: usize) -> Vec<SeriesView> {
        self.state.series.views(tenant, limit)
    }

    /// How the forecasts of all series have fared, as of the last ten minutes' close.
    pub fn forecasts(&self) -> Fared {
        self.state.series.fared()
    }

    /// The verdicts on sessions since this was last called; only where [`crate::Sessions::verdicts`] asks for them.
    pub fn take_verdicts(&mut self) -> Vec<SessionVerdict> {
        let mut taken = Vec::new();
        for ((_, service), state) in &mut self.state.services {
            let verdicts = state.take_verdicts().into_iter();
            taken.extend(verdicts.map(|(session, score)| SessionVerdict {
                service: service.clone(),
                session,
                score,
            }));
        }
        taken
    }

    /// Notes the workings of a finding when its window is closed.
    pub fn ask(&mut self, asked: Asked) {
        self.asked.entry(asked.window_end).or_default().push(asked);
    }

    /// The workings noted since this was last called.
    pub fn take_workings(&mut self) -> Vec<Workings> {
        std::mem::take(&mut self.workings)
    }

    /// Patterns of all tenants.
    pub fn pattern_count(&self) -> usize {
        self.state.services.values().map(ServiceState::pattern_count).sum()
    }

    /// Metric series of all tenants.
    pub fn series_count(&self) -> usize {
        self.state.series.len()
    }

    fn services_of(&self, tenant: &Tenant) -> impl Iterator<Item = (&ServiceName, &ServiceState)> {
        self.state
            .services
            .iter()
            .filter(move |((owner, _), _)| owner == tenant)
            .map(|((_, name), state)| (name, state))
    }

    fn take(&mut self, input: &Input<'_>, out: &mut Outputs<proto::Findings>) -> Result<(), String> {
        let read = self.state.upstream.read::<proto::Summaries>(input.payload)?;
        let Some((source, message)) = read else { return Ok(()) };
        for summary in message.windows {
            self.merge(summary, &source)?;
        }
        if !message.urgent.is_empty() {
            let mut report = Report::default();
            for urgent in message.urgent {
                self.judge_now(&urgent, &mut report);
            }
            report.emit_now(&mut self.state.origin, input.offset, out);
        }
        self.state.upstream.tell(source, message.watermark);
        Ok(())
    }

    fn merge(&mut self, summary: proto::WindowSummary, source: &InputId) -> Result<(), String> {
        let tenant = Tenant::new(&summary.tenant).map_err(|error| error.to_string())?;
        let key = (tenant, ServiceName::from(summary.service.as_str()));
        // A window that was closed without this source: what it saw counts with the oldest window that is open.
        let start = Timestamp(summary.window_start).max(self.state.closed);
        self.state.pending.entry(start).or_default().entry(key).or_default().add(summary, source);
        Ok(())
    }

    /// Judges a shape that may be new before its window is closed.
    fn judge_now(&self, urgent: &proto::NewShape, report: &mut Report) {
        let Ok(tenant) = Tenant::new(&urgent.tenant) else { return };
        let key = (tenant, ServiceName::from(urgent.service.as_str()));
        let window = Timestamp(urgent.time).window(BASE_WINDOW);
        let lines = self.state.pending.get(&window.start).and_then(|w| w.get(&key)).map_or(0, |m| m.lines);
        let shares = Shares {
            config: &self.config,
            partition: self.state.origin.input().partition,
            of: self.partitions,
        };
        // What can't become a pattern of its own can't be a new one.
        if shares.room_for_patterns(&key.0, &self.state.services) == 0 {
            return;
        }
        if let Some(service) = self.state.services.get(&key) {
            report.findings.extend(service.judge_now(&key, urgent, window, lines));
        }
    }

    /// Closes every window that all sources have passed.
    fn close_due(&mut self, offset: u64, out: &mut Outputs<proto::Findings>) {
        let Some(due) = self.state.upstream.lowest() else { return };
        if due <= self.state.closed {
            return;
        }
        let reached = self.state.upstream.reached();
        let is_blind = due != Timestamp::MAX && reached.values().any(|reached| *reached == Timestamp::MAX);
        while let Some(start) = self.next_start(due) {
            let merged = self.state.pending.remove(&start).unwrap_or_default();
            let asked = self.asked.remove(&start.plus(BASE_WINDOW)).unwrap_or_default();
            let mut workings: Vec<Workings> =
                asked.iter().map(|asked| self.state.begin(asked, &merged)).collect();
            let sessions = self.state.services.values().map(ServiceState::session_count).sum();
            let mut closing = Closing {
                sessions,
                services: &mut self.state.services,
                series: &mut self.state.series,
                folds: &mut self.state.folds,
                config: &self.config,
                quotas: Shares {
                    config: &self.config,
                    partition: self.state.origin.input().partition,
                    of: self.partitions,
                },
                rooms: BTreeMap::new(),
                window: start.window(BASE_WINDOW),
                is_blind,
            };
            let mut report = closing.run(merged);
            self.tell_troubles(start.window(BASE_WINDOW), &mut report);
            for (asked, workings) in asked.iter().zip(&mut workings) {
                workings.after = self.state.known_of(asked);
                workings.finding = report.findings.iter().find(|finding| finding.id == asked.id).cloned();
            }
            self.workings.append(&mut workings);
            let end = start.plus(BASE_WINDOW);
            report.emit_closed(&mut self.state.origin, end, offset, out);
            self.state.closed = end;
        }
        if self.state.closed < due {
            let mut report = Report::default();
            if due == Timestamp::MAX {
                let sessions = &self.config.sessions;
                self.state.services.values_mut().for_each(|service| service.finish(sessions));
            } else {
                self.tell_troubles(due.minus(BASE_WINDOW).window(BASE_WINDOW), &mut report);
            }
            self.state.closed = due;
            report.emit_closed(&mut self.state.origin, due, offset, out);
        }
    }

    /// Tells of what went wrong on the way to here, with a window that is closed.
    fn tell_troubles(&mut self, window: Window, report: &mut Report) {
        let State { upstream, origin, .. } = &mut self.state;
        if upstream.is_troubled() {
            report.findings.extend(upstream.take_troubles(origin.input(), window));
        }
    }

    /// Start of the next window to be closed, all of it before `due`: every base window once there is a service, for
    /// that nothing came is a fact as well; but not through gaps of weeks, and not beyond the end of the input.
    fn next_start(&self, due: Timestamp) -> Option<Timestamp> {
        let pending =
            self.state.pending.keys().next().copied().filter(|start| start.plus(BASE_WINDOW) <= due);
        let walk = !self.state.services.is_empty()
            && due != Timestamp::MAX
            && pending.unwrap_or(due).since(self.state.closed) <= LONGEST_WALK;
        if !walk {
            return pending;
        }
        let step = self.state.closed;
        (step.plus(BASE_WINDOW) <= due).then_some(step)
    }
}

impl State {
    /// What there is to see of a finding before its window is closed.
    fn begin(&self, asked: &Asked, merged: &BTreeMap<ServiceKey, Merged>) -> Workings {
        let key = asked.key();
        let number = self.series.id_of(asked);
        let of = |shape| asked.series.starts_with(&pattern_id(self.template_of(&key, shape)));
        let window = merged.get(&key).map(|merged| merged.seen_of(number, of)).unwrap_or_default();
        let before = self.known_of(asked);
        Workings { id: asked.id, finding: None, window, before, after: serde_json::Value::Null }
    }

    /// The template that lines of a shape belong to now; the service's other one where the shape is not known.
    fn template_of(&self, key: &ServiceKey, shape: u64) -> TemplateId {
        self.services.get(key).map_or(TemplateId::OTHER, |service| service.template_of(shape))
    }

    /// The baseline that a finding is held against.
    fn known_of(&self, asked: &Asked) -> serde_json::Value {
        let of_service = || Some(self.services.get(&asked.key())?.workings(asked));
        self.series.workings(asked).or_else(of_service).unwrap_or_default()
    }
}

impl Stage for Detect {
    const NAME: &'static str = "detect";
    const STATE_VERSION: u32 = 13;
    type Output = proto::Findings;

    fn apply(&mut self, input: Input<'_>, out: &mut Outputs<proto::Findings>) {
        let taken = match input.kind {
            InputKind::Data => self.take(&input, out),
            InputKind::Skip => self.state.upstream.skip(input.payload),
            InputKind::Tick | InputKind::Marker => Ok(()),
        };
        if let Err(reason) = taken {
            self.state.upstream.set_aside(input.offset, &reason);
            out.poison.push((input.offset, reason));
        }
        self.close_due(input.offset, out);
    }

    fn set_aside(&mut self, input: Input<'_>, reason: &str) {
        self.state.upstream.set_aside(input.offset, reason);
    }

    fn save(&self, to: &mut dyn Write) -> io::Result<()> {
        save_state(Self::STATE_VERSION, &self.state, to)
    }

    fn restore(&mut self, from: &mut dyn Read) -> Result<(), RestoreError> {
        self.state = restore_state(Self::STATE_VERSION, from)?;
        Ok(())
    }
}
