//! All three stages in one process, without a journal: for scans, replays and tests.
//!
//! Every message between the stages goes the same way as over a journal: encoded, with an offset a partition.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use foreshock_model::{Finding, Incident, Tenant, Timestamp, proto};
use prost::Message;

use crate::{
    Asked, Decision, DetectConfig, Input, InputId, InputKind, Outputs, Stage,
    correlate::Correlate,
    detect::{Detect, SessionVerdict},
    reduce::{LineRead, Reduce},
    workings::Workings,
};

/// The telemetry streams, in the order of their partitions here.
pub const TELEMETRY: [&str; 3] = ["otlp_logs", "otlp_metrics", "otlp_spans"];
/// The place of logs in [`TELEMETRY`].
pub const LOGS: usize = 0;
/// The place of metrics.
pub const METRICS: usize = 1;
/// The place of spans.
pub const SPANS: usize = 2;
const SUMMARIES: &str = "foreshock_summaries";
const FINDINGS: &str = "foreshock_findings";

/// How many partitions each stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions {
    /// Of each telemetry stream.
    pub telemetry: u16,
    /// Of the summaries stream.
    pub summaries: u16,
    /// Of the findings stream.
    pub findings: u16,
}

impl Default for Partitions {
    fn default() -> Self {
        Self { telemetry: 1, summaries: 1, findings: 1 }
    }
}

/// What came out since it was last taken.
#[derive(Debug, Default)]
pub struct Seen {
    /// Provisional and final findings, in the order they were put out.
    pub findings: Vec<Finding>,
    /// Incidents as they were told, in order.
    pub incidents: Vec<Incident>,
    /// Entries that could not be read: stage, offset and reason.
    pub poison: Vec<(&'static str, u64, String)>,
}

/// The stages over all their partitions.
pub struct Pipeline {
    reduce: BTreeMap<(usize, u16), Member<Reduce>>,
    detect: Vec<Member<Detect>>,
    correlate: Vec<Member<Correlate>>,
    seen: Seen,
}

/// A stage and the offset its next input entry gets.
struct Member<S> {
    stage: S,
    next: u64,
}

impl<S: Stage> Member<S> {
    fn new(stage: S) -> Self {
        Self { stage, next: 0 }
    }

    fn apply(&mut self, entry: Entry<'_>) -> Outputs<S::Output> {
        let mut out = Outputs::default();
        let Entry { tenant, received, kind, payload } = entry;
        self.stage.apply_or_set_aside(Input { offset: self.next, tenant, received, kind, payload }, &mut out);
        self.next += 1;
        out
    }
}

/// An entry without its place.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Whose it is.
    pub tenant: &'a Tenant,
    /// When it was received.
    pub received: Timestamp,
    /// What it is for.
    pub kind: InputKind,
    /// Its bytes.
    pub payload: &'a Bytes,
}

impl Pipeline {
    /// Empty stages.
    pub fn new(config: DetectConfig, partitions: Partitions) -> Self {
        let config = Arc::new(config);
        let inputs = |stream: &str, count: u16| -> Vec<InputId> {
            (0..count.max(1)).map(|partition| InputId { stream: stream.to_owned(), partition }).collect()
        };
        let telemetry: Vec<InputId> =
            TELEMETRY.iter().flat_map(|stream| inputs(stream, partitions.telemetry)).collect();
        let summaries = inputs(SUMMARIES, partitions.summaries);
        let reduce = telemetry.iter().map(|input| {
            let stream = TELEMETRY.iter().position(|name| *name == input.stream).unwrap_or(0);
            let stage = Reduce::new(config.clone(), input.clone(), Vec::new(), partitions.summaries);
            ((stream, input.partition), Member::new(stage.one_of(partitions.telemetry)))
        });
        let detect = summaries.iter().map(|input| {
            let stage = Detect::new(config.clone(), input.clone(), telemetry.clone(), partitions.findings);
            Member::new(stage.one_of(partitions.summaries))
        });
        let correlate = inputs(FINDINGS, partitions.findings)
            .into_iter()
            .map(|input| Member::new(Correlate::new(config.clone(), input, summaries.clone(), 1)));
        Self {
            reduce: reduce.collect(),
            detect: detect.collect(),
            correlate: correlate.collect(),
            seen: Seen::default(),
        }
    }

    /// Feeds one entry of a telemetry stream, and everything that follows from it. `stream` counts in [`TELEMETRY`].
    pub fn feed(&mut self, stream: usize, partition: u16, entry: Entry<'_>) {
        let Some(member) = self.reduce.get_mut(&(stream, partition)) else { return };
        let out = member.apply(entry);
        note(&mut self.seen, Reduce::NAME, out.poison);
        for (partition, message) in out.messages {
            self.summarised(partition, &message.encode_to_vec().into(), entry.received);
        }
    }

    fn summarised(&mut self, partition: u16, payload: &Bytes, received: Timestamp) {
        let tenant = Tenant::default();
        let Some(member) = self.detect.get_mut(usize::from(partition)) else { return };
        let out = member.apply(Entry { tenant: &tenant, received, kind: InputKind::Data, payload });
        self.findings(out, received);
    }

    fn findings(&mut self, out: Outputs<proto::Findings>, received: Timestamp) {
        note(&mut self.seen, Detect::NAME, out.poison);
        for (partition, message) in out.messages {
            let findings = message.findings.iter().filter_map(|finding| Finding::try_from(finding).ok());
            self.seen.findings.extend(findings);
            self.found(partition, &message.encode_to_vec().into(), received);
        }
    }

    fn found(&mut self, partition: u16, payload: &Bytes, received: Timestamp) {
        let tenant = Tenant::default();
        let Some(member) = self.correlate.get_mut(usize::from(partition)) else { return };
        let out = member.apply(Entry { tenant: &tenant, received, kind: InputKind::Data, payload });
        note_incidents(&mut self.seen, out);
    }

    /// Tells every telemetry partition that time has come as far as `time`.
    pub fn tick(&mut self, time: Timestamp) {
        let (tenant, payload) = (Tenant::default(), Bytes::new());
        let partitions: Vec<(usize, u16)> = self.reduce.keys().copied().collect();
        for (stream, partition) in partitions {
            let entry = Entry { tenant: &tenant, received: time, kind: InputKind::Tick, payload: &payload };
            self.feed(stream, partition, entry);
        }
    }

    /// The largest time that any telemetry partition has come to.
    pub fn latest(&self) -> Timestamp {
        self.reduce.values().map(|member| member.stage.watermark().latest()).max().unwrap_or_default()
    }

    /// Tells the telemetry partitions that are behind `time` that time has come as far.
    pub fn tick_idle(&mut self, time: Timestamp) {
        let behind = self.reduce.iter().filter(|(_, member)| member.stage.watermark().latest() < time);
        let behind: Vec<(usize, u16)> = behind.map(|(key, _)| *key).collect();
        let (tenant, payload) = (Tenant::default(), Bytes::new());
        for (stream, partition) in behind {
            let entry = Entry { tenant: &tenant, received: time, kind: InputKind::Tick, payload: &payload };
            self.feed(stream, partition, entry);
        }
    }

    /// The end of the input: closes every window that holds something.
    pub fn finish(&mut self) {
        self.tick(Timestamp::MAX);
    }

    /// Takes what came out since this was last called.
    pub fn take(&mut self) -> Seen {
        std::mem::take(&mut self.seen)
    }

    /// The verdicts on sessions since this was last called; only where [`crate::Sessions::verdicts`] asks for them.
    pub fn take_verdicts(&mut self) -> Vec<SessionVerdict> {
        self.detect.iter_mut().flat_map(|member| member.stage.take_verdicts()).collect()
    }

    /// Notes the workings of a finding, and what is decided over it, when its window is closed. Of a tenant and service
    /// each partition is asked: the one that has it answers.
    pub fn ask(&mut self, asked: &Asked) {
        self.detect.iter_mut().for_each(|member| member.stage.ask(asked.clone()));
        self.correlate.iter_mut().for_each(|member| member.stage.ask(asked.id));
    }

    /// What was noted since this was last called: workings that say something first.
    pub fn take_workings(&mut self) -> (Vec<Workings>, Vec<Decision>) {
        let mut workings: Vec<Workings> =
            self.detect.iter_mut().flat_map(|member| member.stage.take_workings()).collect();
        workings.sort_by_key(|workings| workings.finding.is_none());
        let decisions = self.correlate.iter_mut().flat_map(|member| member.stage.take_decisions());
        (workings, decisions.collect())
    }

    /// How far time has come in a telemetry partition. Where the order between partitions is free, who feeds the one
    /// that is furthest behind keeps what waits in the stages small.
    pub fn reached(&self, stream: usize, partition: u16) -> Timestamp {
        self.reduce
            .get(&(stream, partition))
            .map(|member| member.stage.watermark().latest())
            .unwrap_or_default()
    }

    /// The time up to which every detect partition has closed its windows.
    pub fn closed(&self) -> Timestamp {
        self.detect.iter().map(|member| member.stage.closed()).min().unwrap_or_default()
    }

    /// Gives a partition of detect a word of its owner: a skip or a marker.
    pub fn word_to_detect(&mut self, partition: u16, received: Timestamp, kind: InputKind, payload: &Bytes) {
        let tenant = Tenant::default();
        let Some(member) = self.detect.get_mut(usize::from(partition)) else { return };
        let out = member.apply(Entry { tenant: &tenant, received, kind, payload });
        self.findings(out, received);
    }

    /// Gives a partition of correlate a word of its owner: a skip or a marker.
    pub fn word_to_correlate(
        &mut self,
        partition: u16,
        received: Timestamp,
        kind: InputKind,
        payload: &Bytes,
    ) {
        let tenant = Tenant::default();
        let Some(member) = self.correlate.get_mut(usize::from(partition)) else { return };
        let out = member.apply(Entry { tenant: &tenant, received, kind, payload });
        note_incidents(&mut self.seen, out);
    }

    /// From now on notes what each log record of a partition of logs is read as.
    pub fn note_lines(&mut self, partition: u16) {
        if let Some(member) = self.reduce.get_mut(&(LOGS, partition)) {
            member.stage.note_lines();
        }
    }

    /// Moves what was noted of a partition's log records to the end of `to`, in their order.
    pub fn take_lines(&mut self, partition: u16, to: &mut Vec<LineRead>) {
        if let Some(member) = self.reduce.get_mut(&(LOGS, partition)) {
            member.stage.take_lines(to);
        }
    }

    /// The reduce stage of a partition. `stream` counts in [`TELEMETRY`].
    pub fn reduce(&self, stream: usize, partition: u16) -> Option<&Reduce> {
        self.reduce.get(&(stream, partition)).map(|member| &member.stage)
    }

    /// The detect stages, for what they know of patterns and series.
    pub fn detect(&self) -> impl Iterator<Item = &Detect> {
        self.detect.iter().map(|member| &member.stage)
    }

    /// The stages correlate, by partition.
    pub fn correlate(&self) -> impl Iterator<Item = &Correlate> {
        self.correlate.iter().map(|member| &member.stage)
    }

    /// Messages that never came, over all stages. Must be 0.
    pub fn holes(&self) -> u64 {
        let detect = self.detect.iter().map(|member| member.stage.holes().holes());
        let correlate = self.correlate.iter().map(|member| member.stage.holes().holes());
        detect.chain(correlate).sum()
    }

    /// Saves every stage and restores each into a fresh one: what a restart does.
    #[doc(hidden)]
    pub fn restart(&mut self, config: DetectConfig, partitions: Partitions) {
        let mut fresh = Self::new(config, partitions);
        fresh.seen = std::mem::take(&mut self.seen);
        for (key, member) in &self.reduce {
            if let Some(into) = fresh.reduce.get_mut(key) {
                hand_over(member, into);
            }
        }
        self.detect.iter().zip(&mut fresh.detect).for_each(|(from, into)| hand_over(from, into));
        self.correlate.iter().zip(&mut fresh.correlate).for_each(|(from, into)| hand_over(from, into));
        *self = fresh;
    }
}

fn hand_over<S: Stage>(from: &Member<S>, into: &mut Member<S>) {
    let mut bytes = Vec::new();
    from.stage.save(&mut bytes).expect("writing to memory does not fail");
    into.stage.restore(&mut bytes.as_slice()).expect("what was just saved can be restored");
    into.next = from.next;
}

fn note(seen: &mut Seen, stage: &'static str, poison: Vec<(u64, String)>) {
    seen.poison.extend(poison.into_iter().map(|(offset, reason)| (stage, offset, reason)));
}

fn note_incidents(seen: &mut Seen, out: Outputs<proto::Incidents>) {
    note(seen, Correlate::NAME, out.poison);
    let incidents = out.messages.iter().flat_map(|(_, message)| &message.incidents);
    seen.incidents.extend(incidents.filter_map(|incident| Incident::try_from(incident).ok()));
}
