//! reduce: folds the telemetry of one input partition into one summary a service and window.
//!
//! Knows nothing of baselines. What it learns is the format of each source's lines, which shapes and series it has
//! met, and the last values of counters; all of that is a matter of the source alone, so it does not depend on how
//! the telemetry is partitioned.

mod bad;
mod cells;
mod core;
mod distribution;
mod key_finder;
mod line_read;
mod logs;
mod metrics;
mod series;
mod sessions;
mod shapes;
mod sources;
mod spans;
mod step_detail;
mod totals;
mod values;
mod windows;

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    sync::Arc,
};

use foreshock_model::{Timestamp, proto};
use serde::{Deserialize, Serialize};

use self::{core::Core, logs::LogFold, metrics::MetricFold, sources::ServiceId, spans::SpanFold};
pub use self::{line_read::LineRead, metrics::series_name};
use crate::{
    Clock, DetectConfig, Folds, Input, InputId, InputKind, Origin, Outputs, RestoreError, Stage, Watermark,
    stage::{restore_state, save_state},
};

/// The stage reduce over one partition of a telemetry stream.
pub struct Reduce {
    state: State,
    config: Arc<DetectConfig>,
    /// Partitions of the telemetry stream; 0 where that is not known.
    partitions: u16,
}

#[derive(Serialize, Deserialize)]
struct State {
    core: Core,
    fold: AnyFold,
}

#[derive(Serialize, Deserialize)]
enum AnyFold {
    Logs(LogFold),
    Metrics(MetricFold),
    Spans(SpanFold),
}

impl AnyFold {
    fn configure(&mut self, config: &DetectConfig) {
        if let Self::Logs(fold) = self {
            fold.configure(config);
        }
    }
}

/// Folds one signal's records into open windows and closes them.
trait Fold {
    /// Folds an entry. An error says why it can't be read; what was folded before stays.
    fn fold(
        &mut self,
        core: &mut Core,
        input: &Input<'_>,
        out: &mut Outputs<proto::Summaries>,
    ) -> Result<(), String>;

    /// Takes the oldest window that ends at or before `due` and summarises it by service.
    fn summarise_due(
        &mut self,
        core: &Core,
        due: Timestamp,
    ) -> Option<BTreeMap<ServiceId, proto::WindowSummary>>;

    /// Passes on every window that ends at or before `due`.
    fn close(&mut self, core: &mut Core, due: Timestamp, offset: u64, out: &mut Outputs<proto::Summaries>) {
        let mut summaries = Vec::new();
        while let Some(summary) = self.summarise_due(core, due) {
            summaries.push(summary);
        }
        core.emit(due, summaries, offset, out);
    }
}

impl Reduce {
    /// Empty state over `input`, a partition of a telemetry stream; `outputs` partitions of the summaries stream.
    /// There is no stage before it, so `_sources` is empty.
    pub fn new(config: Arc<DetectConfig>, input: InputId, _sources: Vec<InputId>, outputs: u16) -> Self {
        let mut fold = match input.stream.as_str() {
            "otlp_metrics" => AnyFold::Metrics(MetricFold::default()),
            "otlp_spans" => AnyFold::Spans(SpanFold::default()),
            _ => AnyFold::Logs(LogFold::default()),
        };
        fold.configure(&config);
        let core = Core::new(config.clone(), Origin::new(Self::NAME, input, outputs));
        Self { state: State { core, fold }, config, partitions: 0 }
    }

    /// It is one of so many partitions of its stream, and says so with every message: that is how detect knows whom to
    /// wait for. The number may grow from one start to the next.
    #[must_use]
    pub fn one_of(mut self, partitions: u16) -> Self {
        self.partitions = partitions;
        self.state.core.origin.one_of(partitions);
        self
    }

    /// How far time has come here.
    pub fn watermark(&self) -> &Watermark {
        &self.state.core.watermark
    }

    /// What went over a limit here.
    pub fn folds(&self) -> &Folds {
        &self.state.core.folds
    }

    /// Instances met.
    pub fn sources(&self) -> usize {
        self.state.core.sources.len()
    }
}

impl Stage for Reduce {
    const NAME: &'static str = "reduce";
    const STATE_VERSION: u32 = 6;
    type Output = proto::Summaries;

    fn apply(&mut self, input: Input<'_>, out: &mut Outputs<proto::Summaries>) {
        let State { core, fold } = &mut self.state;
        let fold: &mut dyn Fold = match fold {
            AnyFold::Logs(fold) => fold,
            AnyFold::Metrics(fold) => fold,
            AnyFold::Spans(fold) => fold,
        };
        if input.kind == InputKind::Data {
            if let Err(reason) = fold.fold(core, &input, out) {
                core.set_aside(input.tenant, input.offset, &reason);
                out.poison.push((input.offset, reason));
            }
            if core.config.clock == Clock::Live {
                core.watermark.tell(input.received);
            }
        } else if input.kind == InputKind::Tick {
            core.watermark.tell(input.received);
        }
        if let Some(due) = core.watermark.advance(core.config.lateness()) {
            fold.close(core, due, input.offset, out);
        }
    }

    fn set_aside(&mut self, input: Input<'_>, reason: &str) {
        self.state.core.set_aside(input.tenant, input.offset, reason);
    }

    fn save(&self, to: &mut dyn Write) -> io::Result<()> {
        save_state(Self::STATE_VERSION, &self.state, to)
    }

    fn restore(&mut self, from: &mut dyn Read) -> Result<(), RestoreError> {
        let mut state: State = restore_state(Self::STATE_VERSION, from)?;
        state.core.config = self.config.clone();
        state.fold.configure(&self.config);
        state.core.origin.one_of(self.partitions);
        self.state = state;
        Ok(())
    }
}
