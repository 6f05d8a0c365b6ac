//! Any of the three stages over one input partition.

use std::sync::Arc;

use foreshock_detect::{
    Clock, DetectConfig, Holes, Input, InputId, Outputs, RestoreError, Stage, correlate::Correlate,
    detect::Detect, reduce::Reduce,
};
use foreshock_model::Timestamp;
use prost::Message;

use super::journal::{Entry, Place, Stream};

/// How the streams are cut, and how the stages are set.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) config: Arc<DetectConfig>,
    /// Partitions of each telemetry stream at present.
    pub(crate) telemetry: u16,
    pub(crate) summaries: u16,
    pub(crate) findings: u16,
}

impl Setting {
    pub(crate) fn new(clock: Clock, telemetry: u16, summaries: u16, findings: u16) -> Self {
        let config = Arc::new(DetectConfig { clock, ..DetectConfig::default() });
        Self { config, telemetry, summaries, findings }
    }

    /// Every input partition of every stage.
    pub(crate) fn inputs(&self) -> Vec<Place> {
        let telemetry = Stream::TELEMETRY.map(|stream| (stream, self.telemetry));
        let stages = [(Stream::Summaries, self.summaries), (Stream::Findings, self.findings)];
        let of = |(stream, count)| (0..count).map(move |partition| Place::new(stream, partition));
        telemetry.into_iter().chain(stages).flat_map(of).collect()
    }

    fn sources(&self, streams: &[Stream], count: u16) -> Vec<InputId> {
        let of = |stream: &Stream| {
            let stream = stream.name().to_owned();
            (0..count).map(move |partition| InputId { stream: stream.clone(), partition })
        };
        streams.iter().flat_map(of).collect()
    }
}

/// What came of an entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Made {
    /// Partition of the stage's output stream, and the message.
    pub(crate) messages: Vec<(u16, Vec<u8>)>,
    pub(crate) poison: Vec<String>,
}

pub(crate) enum Machine {
    Reduce(Box<Reduce>),
    Detect(Box<Detect>),
    Correlate(Box<Correlate>),
}

impl Machine {
    /// With empty state, as an owner makes it that knows the streams as they are now.
    pub(crate) fn new(setting: &Setting, input: Place) -> Self {
        let id = InputId { stream: input.stream.name().to_owned(), partition: input.partition };
        let config = Arc::clone(&setting.config);
        match input.stream {
            Stream::Summaries => {
                let sources = setting.sources(&Stream::TELEMETRY, setting.telemetry);
                let stage = Detect::new(config, id, sources, setting.findings);
                Self::Detect(Box::new(stage.one_of(setting.summaries)))
            }
            Stream::Findings => {
                let sources = setting.sources(&[Stream::Summaries], setting.summaries);
                Self::Correlate(Box::new(Correlate::new(config, id, sources, 1)))
            }
            _ => {
                let stage = Reduce::new(config, id, Vec::new(), setting.summaries);
                Self::Reduce(Box::new(stage.one_of(setting.telemetry)))
            }
        }
    }

    /// Where its messages go.
    pub(crate) fn output(input: Place) -> Stream {
        match input.stream {
            Stream::Summaries => Stream::Findings,
            Stream::Findings => Stream::Incidents,
            _ => Stream::Summaries,
        }
    }

    pub(crate) fn name(input: Place) -> &'static str {
        match input.stream {
            Stream::Summaries => Detect::NAME,
            Stream::Findings => Correlate::NAME,
            _ => Reduce::NAME,
        }
    }

    pub(crate) fn apply(&mut self, offset: u64, entry: &Entry) -> Made {
        match self {
            Self::Reduce(stage) => apply(&mut **stage, offset, entry),
            Self::Detect(stage) => apply(&mut **stage, offset, entry),
            Self::Correlate(stage) => apply(&mut **stage, offset, entry),
        }
    }

    pub(crate) fn save(&self) -> Vec<u8> {
        let mut state = Vec::new();
        let saved = match self {
            Self::Reduce(stage) => stage.save(&mut state),
            Self::Detect(stage) => stage.save(&mut state),
            Self::Correlate(stage) => stage.save(&mut state),
        };
        saved.expect("a vector grows");
        state
    }

    pub(crate) fn restore(&mut self, mut state: &[u8]) -> Result<(), RestoreError> {
        match self {
            Self::Reduce(stage) => stage.restore(&mut state),
            Self::Detect(stage) => stage.restore(&mut state),
            Self::Correlate(stage) => stage.restore(&mut state),
        }
    }

    /// Whether each message came once, of a stage that reads messages.
    pub(crate) fn holes(&self) -> Option<&Holes> {
        match self {
            Self::Reduce(_) => None,
            Self::Detect(stage) => Some(stage.holes()),
            Self::Correlate(stage) => Some(stage.holes()),
        }
    }

    /// The largest time that reduce has come to.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        let Self::Reduce(stage) = self else { return None };
        Some(stage.watermark().latest())
    }

    /// The time up to which detect has closed its windows.
    pub(crate) fn closed(&self) -> Option<Timestamp> {
        let Self::Detect(stage) = self else { return None };
        Some(stage.closed())
    }
}

fn apply<S: Stage>(stage: &mut S, offset: u64, entry: &Entry) -> Made {
    let mut out = Outputs::default();
    let Entry { tenant, received, kind, payload } = entry;
    stage.apply_or_set_aside(Input { offset, tenant, received: *received, kind: *kind, payload }, &mut out);
    Made {
        messages: out
            .messages
            .into_iter()
            .map(|(output, message)| (output, message.encode_to_vec()))
            .collect(),
        poison: out.poison.into_iter().map(|(at, reason)| format!("{at}: {reason}")).collect(),
    }
}
