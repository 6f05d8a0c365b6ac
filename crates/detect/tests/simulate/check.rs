//! What has to be true of a run that is over.

use std::collections::{BTreeMap, BTreeSet};

use foreshock_detect::{
    Clock, DetectConfig, InputKind,
    pipeline::{Entry, Partitions, Pipeline},
};
use foreshock_model::{Finding, Incident, Kind, Timestamp, proto};
use prost::Message;

use super::{
    chance::Chance,
    journal::{Journal, Place, Stream},
    machine::{Machine, Setting},
    shipper::{Habit, Shipper},
    telemetry::{Signal, Telemetry},
    world::{AT_THE_END, World},
};

/// The final findings by id, and the incidents as they stood at window closes.
pub(crate) struct History {
    pub(crate) findings: Vec<Finding>,
    pub(crate) incidents: Vec<Incident>,
    /// Findings that were told before their window was closed.
    pub(crate) provisional: u64,
}

impl History {
    fn of(findings: impl Iterator<Item = Finding>, incidents: impl Iterator<Item = Incident>) -> Self {
        let (early, mut findings): (Vec<Finding>, Vec<Finding>) =
            findings.partition(|finding| finding.provisional);
        findings.sort_by_key(|finding| finding.id);
        let mut incidents: Vec<Incident> = incidents.filter(|incident| !incident.provisional).collect();
        incidents.sort_by_key(|incident| (incident.id, incident.revision));
        Self { findings, incidents, provisional: early.len() as u64 }
    }

    /// As it lies on the journal.
    pub(crate) fn told(journal: &Journal) -> Result<Self, String> {
        let (mut findings, mut incidents) = (Vec::new(), Vec::new());
        for place in journal.places() {
            for (_, entry) in journal.read(place, 0, usize::MAX) {
                let payload = entry.payload.clone();
                match place.stream {
                    Stream::Findings if entry.kind == InputKind::Data => {
                        // What nobody can read is on the way of some runs.
                        let Ok(message) = proto::Findings::decode(payload) else { continue };
                        findings.extend(message.findings.iter().filter_map(|f| Finding::try_from(f).ok()));
                    }
                    Stream::Incidents => {
                        let message = proto::Incidents::decode(payload).map_err(|error| error.to_string())?;
                        incidents.extend(message.incidents.iter().filter_map(|i| Incident::try_from(i).ok()));
                    }
                    _ => {}
                }
            }
        }
        Ok(Self::of(findings.into_iter(), incidents.into_iter()))
    }

    /// As it is when nothing happens, on one partition of each stream.
    pub(crate) fn undisturbed(telemetry: &Telemetry, clock: Clock) -> Self {
        let config = DetectConfig { clock, ..DetectConfig::default() };
        let mut pipeline = Pipeline::new(config, Partitions::default());
        let mut shipper = Shipper::new(telemetry, Habit { most: 10, merges: 0 }, Chance::new(0, 0));
        let mut sent = Timestamp::default();
        while let Some(request) = shipper.next(1) {
            sent = sent.max(request.sent);
            let stream = match request.signal {
                Signal::Logs => 0,
                Signal::Metrics => 1,
                Signal::Spans => 2,
            };
            let (tenant, received, payload) = (&request.tenant, request.sent, &request.payload);
            pipeline.feed(stream, 0, Entry { tenant, received, kind: InputKind::Data, payload });
        }
        pipeline.tick(sent.plus(AT_THE_END));
        let seen = pipeline.take();
        Self::of(seen.findings.into_iter(), seen.incidents.into_iter())
    }

    /// The first thing that differs, in words.
    pub(crate) fn compare(&self, reference: &Self) -> Result<(), String> {
        differ("finding", &self.findings, &reference.findings)?;
        differ("incident", &self.incidents, &reference.incidents)
    }

    /// What fell silent.
    pub(crate) fn silences(&self) -> BTreeSet<(String, String)> {
        let silent = self.findings.iter().filter(|finding| finding.kind == Kind::Silence);
        silent.map(|finding| (finding.service.to_string(), finding.series.clone())).collect()
    }
}

fn differ<T: PartialEq + serde::Serialize>(what: &str, run: &[T], reference: &[T]) -> Result<(), String> {
    let same = run.iter().zip(reference).take_while(|(a, b)| a == b).count();
    let show = |side: &[T]| match side.get(same) {
        None => "none".to_owned(),
        Some(value) => serde_json::to_string(value).unwrap_or_else(|error| error.to_string()),
    };
    match same == run.len() && same == reference.len() {
        true => Ok(()),
        false => Err(format!(
            "{what} {same} of {} ({} expected) differs:\n  it is     {}\n  should be {}",
            run.len(),
            reference.len(),
            show(run),
            show(reference)
        )),
    }
}

/// The beginning that all messages of stages share.
#[derive(Clone, PartialEq, Message)]
struct Stamp {
    #[prost(message, optional, tag = "1")]
    source: Option<proto::Source>,
}

/// Messages by input and output partition, in order.
type Messages = BTreeMap<(Place, Place), Vec<Vec<u8>>>;

/// Every message is there once, with dense numbers.
pub(crate) fn is_dense(world: &World<'_>) -> Result<(), String> {
    let mut seen: BTreeMap<(Place, String, String, u32), u64> = BTreeMap::new();
    for place in world.journal.places().filter(|place| is_output(*place)) {
        for (offset, entry) in world.journal.read(place, 0, usize::MAX) {
            let Some(source) = source_of(&entry.payload, entry.kind) else { continue };
            let last = seen.entry((place, source.stage, source.stream, source.partition)).or_default();
            *last += 1;
            if source.sequence != *last {
                return Err(format!(
                    "{place:?} holds at {offset} number {} instead of {last}",
                    source.sequence
                ));
            }
        }
    }
    for (place, (_, runner)) in &world.owned {
        if let Some(holes) = runner.machine.holes()
            && (holes.holes(), holes.repeats()) != (0, 0)
        {
            return Err(format!("{place:?} saw {} holes and {} repeats", holes.holes(), holes.repeats()));
        }
    }
    Ok(())
}

/// Every stage, from nothing and undisturbed over the very entries it read, makes the very messages that are there.
pub(crate) fn is_replayed(world: &World<'_>) -> Result<(), String> {
    let grew = world.variant.grows();
    let (mut made, mut poison) = (Messages::new(), Vec::new());
    for input in world.setting.inputs() {
        let mut stage = Machine::new(&world.setting, input);
        for (offset, entry) in world.journal.read(input, 0, usize::MAX) {
            let come = stage.apply(offset, &entry);
            for (partition, message) in come.messages {
                let output = Place::new(Machine::output(input), partition);
                made.entry((input, output)).or_default().push(comparable(input, message, grew));
            }
            poison.extend(come.poison.into_iter().map(|reason| format!("{input:?}: {reason}").into_bytes()));
        }
    }
    let there = recorded(&world.journal, &world.setting, grew)?;
    for key in made.keys().chain(there.keys()) {
        let (made, there) = (made.get(key), there.get(key));
        if made != there {
            let count = |side: Option<&Vec<Vec<u8>>>| side.map_or(0, Vec::len);
            let same =
                made.into_iter().flatten().zip(there.into_iter().flatten()).take_while(|(a, b)| a == b);
            return Err(format!(
                "from {:?} to {:?}: message {} is the first of {} that differs, the replay makes {}",
                key.0,
                key.1,
                same.count(),
                count(there),
                count(made)
            ));
        }
    }
    let aside = world.journal.read(Place::new(Stream::Poison, 0), 0, usize::MAX);
    let mut aside: Vec<Vec<u8>> = aside.into_iter().map(|(_, entry)| entry.payload.to_vec()).collect();
    aside.sort_unstable();
    poison.sort_unstable();
    if aside == poison {
        Ok(())
    } else {
        Err("other entries were set aside than the replay sets aside".into())
    }
}

fn recorded(journal: &Journal, setting: &Setting, grew: bool) -> Result<Messages, String> {
    let inputs: BTreeMap<(&str, u32), Place> = setting
        .inputs()
        .into_iter()
        .map(|input| ((input.stream.name(), u32::from(input.partition)), input))
        .collect();
    let mut there = Messages::new();
    for output in journal.places().filter(|place| is_output(*place)) {
        for (_, entry) in journal.read(output, 0, usize::MAX) {
            let Some(source) = source_of(&entry.payload, entry.kind) else { continue };
            let input = inputs.get(&(source.stream.as_str(), source.partition));
            let input = *input.ok_or_else(|| format!("{output:?} holds a message of {source:?}"))?;
            let message = comparable(input, entry.payload.to_vec(), grew);
            there.entry((input, output)).or_default().push(message);
        }
    }
    Ok(there)
}

/// Where streams grew, how many partitions a message says there are is as its writer knew at the time.
fn comparable(input: Place, message: Vec<u8>, grew: bool) -> Vec<u8> {
    if !grew || Machine::output(input) != Stream::Summaries {
        return message;
    }
    let Ok(mut summaries) = proto::Summaries::decode(message.as_slice()) else { return message };
    if let Some(source) = &mut summaries.source {
        source.partitions = 0;
    }
    summaries.encode_to_vec()
}

fn is_output(place: Place) -> bool {
    matches!(place.stream, Stream::Summaries | Stream::Findings | Stream::Incidents)
}

/// Of what a stage wrote; nothing of what an owner did, or of what can't be read.
fn source_of(payload: &[u8], kind: InputKind) -> Option<proto::Source> {
    if kind != InputKind::Data {
        return None;
    }
    Stamp::decode(payload).ok()?.source
}
