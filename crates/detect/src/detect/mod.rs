//! detect: sees each service whole, keeps its baselines, tests each window.
//!
//! Summaries wait until every input partition of reduce has passed their window; then the window is closed: templates
//! are learned from its shapes, its counts judged and learned, and roll-ups of one minute, ten and an hour with it. What
//! cannot wait is judged when it comes, as provisional findings from which nothing is learned.

mod close;
mod draft;
mod errors;
mod harm;
mod hours;
mod merged;
mod operations;
mod patterns;
mod report;
mod series;
mod service;
mod silence;

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    sync::Arc,
};

use foreshock_model::{BASE_WINDOW, ServiceName, Tenant, Timestamp, proto};
use prost::Message;
use serde::{Deserialize, Serialize};

use self::{close::Closing, merged::Merged, report::Report, series::SeriesTable, service::ServiceState};
pub use self::{patterns::PatternView, series::SeriesView};
use crate::{
    DetectConfig, Holes, Input, InputId, InputKind, Origin, Outputs, RestoreError, Stage,
    origin::Arrival,
    stage::{restore_state, save_state},
};

/// A gap longer than this is not walked through window by window: what was learned before is taken up after it.
const LONGEST_WALK: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

/// Tenant and service.
type ServiceKey = (Tenant, ServiceName);

/// The stage detect over one partition of the summaries stream.
pub struct Detect {
    state: State,
    config: Arc<DetectConfig>,
}

#[derive(Serialize, Deserialize)]
struct State {
    origin: Origin,
    holes: Holes,
    /// How far each input partition of reduce has come.
    sources: BTreeMap<InputId, Timestamp>,
    closed: Timestamp,
    /// By start of the base window: what is not closed yet.
    pending: BTreeMap<Timestamp, BTreeMap<ServiceKey, Merged>>,
    services: BTreeMap<ServiceKey, ServiceState>,
    series: SeriesTable,
    /// Services that were over the limit.
    folded_services: u64,
}

impl Detect {
    /// Empty state over `input`, a partition of the summaries stream, fed by reduce's partitions `sources`; `outputs`
    /// partitions of the findings stream.
    pub fn new(config: Arc<DetectConfig>, input: InputId, sources: Vec<InputId>, outputs: u16) -> Self {
        let state = State {
            origin: Origin::new(Self::NAME, input, outputs),
            holes: Holes::default(),
            sources: sources.into_iter().map(|source| (source, Timestamp::default())).collect(),
            closed: Timestamp::default(),
            pending: BTreeMap::new(),
            services: BTreeMap::new(),
            series: SeriesTable::default(),
            folded_services: 0,
        };
        Self { state, config }
    }

    /// Whether each message came once and without a hole.
    pub fn holes(&self) -> &Holes {
        &self.state.holes
    }

    /// How far each source has come.
    pub fn source_watermarks(&self) -> &BTreeMap<InputId, Timestamp> {
        &self.state.sources
    }

    /// Base windows that end at or before this are closed.
    pub fn closed(&self) -> Timestamp {
        self.state.closed
    }

    /// The patterns of a tenant's services.
    pub fn patterns(&self, tenant: &Tenant) -> Vec<PatternView> {
        self.services_of(tenant).flat_map(|(name, state)| state.pattern_views(name)).collect()
    }

    /// Up to `limit` metric series of a tenant's services.
    pub fn series(&self, tenant: &Tenant, limit: usize) -> Vec<SeriesView> {
        self.state.series.views(tenant, limit)
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

    fn take(
        &mut self,
        message: proto::Summaries,
        offset: u64,
        out: &mut Outputs<proto::Findings>,
    ) -> Result<(), String> {
        let source = message.source.as_ref().ok_or("it names no source")?;
        if self.state.holes.arrive(source) == Arrival::Repeat {
            return Ok(());
        }
        let source = InputId::of(source);
        for summary in message.windows {
            self.merge(summary)?;
        }
        if !message.urgent.is_empty() {
            let mut report = Report::default();
            for urgent in message.urgent {
                self.judge_now(&urgent, &mut report);
            }
            report.emit_now(&mut self.state.origin, offset, out);
        }
        let known = self.state.sources.entry(source).or_default();
        *known = Timestamp(message.watermark).max(*known);
        Ok(())
    }

    fn merge(&mut self, summary: proto::WindowSummary) -> Result<(), String> {
        let tenant = Tenant::new(&summary.tenant).map_err(|error| error.to_string())?;
        let key = (tenant, ServiceName::from(summary.service.as_str()));
        // A window that was closed without this source: what it saw counts with the oldest window that is open.
        let start = Timestamp(summary.window_start).max(self.state.closed);
        self.state.pending.entry(start).or_default().entry(key).or_default().add(summary);
        Ok(())
    }

    /// Judges a shape that may be new before its window is closed.
    fn judge_now(&self, urgent: &proto::NewShape, report: &mut Report) {
        let Ok(tenant) = Tenant::new(&urgent.tenant) else { return };
        let key = (tenant, ServiceName::from(urgent.service.as_str()));
        let window = Timestamp(urgent.time).window(BASE_WINDOW);
        let lines = self.state.pending.get(&window.start).and_then(|w| w.get(&key)).map_or(0, |m| m.lines);
        if let Some(service) = self.state.services.get(&key) {
            report.findings.extend(service.judge_now(&key, urgent, window, lines));
        }
    }

    /// Closes every window that all sources have passed.
    fn close_due(&mut self, offset: u64, out: &mut Outputs<proto::Findings>) {
        let Some(due) = self.state.sources.values().min().copied() else { return };
        if due <= self.state.closed {
            return;
        }
        while let Some(start) = self.next_start(due) {
            let merged = self.state.pending.remove(&start).unwrap_or_default();
            let mut closing = Closing {
                services: &mut self.state.services,
                series: &mut self.state.series,
                folded_services: &mut self.state.folded_services,
                config: &self.config,
                window: start.window(BASE_WINDOW),
            };
            let report = closing.run(merged);
            let end = start.plus(BASE_WINDOW);
            report.emit_closed(&mut self.state.origin, end, offset, out);
            self.state.closed = end;
        }
        if self.state.closed < due {
            self.state.closed = due;
            Report::default().emit_closed(&mut self.state.origin, due, offset, out);
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

impl Stage for Detect {
    const NAME: &'static str = "detect";
    const STATE_VERSION: u32 = 2;
    type Output = proto::Findings;

    fn apply(&mut self, input: Input<'_>, out: &mut Outputs<proto::Findings>) {
        match input.kind {
            InputKind::Data => {
                let taken = proto::Summaries::decode(input.payload.clone())
                    .map_err(|error| error.to_string())
                    .and_then(|message| self.take(message, input.offset, out));
                if let Err(reason) = taken {
                    out.poison.push((input.offset, reason));
                }
            }
            InputKind::Skip => {
                if let Ok(source) = proto::Source::decode(input.payload.clone()) {
                    let others = self.state.sources.values().max().copied().unwrap_or_default();
                    self.state.sources.insert(InputId::of(&source), others);
                }
            }
            InputKind::Tick | InputKind::Marker => {}
        }
        self.close_due(input.offset, out);
    }

    fn save(&self, to: &mut dyn Write) -> io::Result<()> {
        save_state(Self::STATE_VERSION, &self.state, to)
    }

    fn restore(&mut self, from: &mut dyn Read) -> Result<(), RestoreError> {
        self.state = restore_state(Self::STATE_VERSION, from)?;
        Ok(())
    }
}
