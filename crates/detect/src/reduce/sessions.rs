//! The steps of sessions that an input partition has seen in a window, by instance and in its order.

use std::collections::BTreeMap;

use foreshock_model::{Timestamp, fingerprint64, proto};
use foreshock_template::TemplateId;
use serde::{Deserialize, Serialize};

use super::{
    shapes::ShapeId,
    sources::{ServiceId, SourceId},
};
use crate::{Table, WARN_LEVEL};

/// Lines kept an instance and window: the first of each session, and warnings.
const LINES: usize = 64;
/// Steps of one instance in one message; more of them follow in others.
const STEPS_A_MESSAGE: usize = 50_000;

/// Events told apart by a value, in a partition.
const DETAILED: usize = 65_536;

/// Number of an event in its partition: that of its shape, or one from [`FIRST_DETAILED`] on.
pub(super) type EventId = u32;
const FIRST_DETAILED: EventId = 1 << 31;

/// What is known of shapes as events of sessions.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Events {
    /// By shape.
    shapes: Vec<Option<Event>>,
    /// Events of a shape that are told apart by a value.
    detailed: Vec<Event>,
    by_value: Table<(ShapeId, u64), EventId>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Event {
    id: u64,
    canonical: Box<str>,
    /// Its text was passed on.
    is_told: bool,
}

impl Events {
    /// Takes note of a shape, if it is new.
    pub(super) fn meet(&mut self, shape: ShapeId, text: impl FnOnce() -> String) {
        let at = shape as usize;
        if self.shapes.len() <= at {
            self.shapes.resize(at + 1, None);
        }
        self.shapes[at].get_or_insert_with(|| {
            let text = text();
            let id = TemplateId::of_shape(&text).0;
            Event { id, canonical: text.into(), is_told: false }
        });
    }

    /// The event of a line: its shape, and the value that tells the step where the shape does not.
    pub(super) fn event(&mut self, shape: ShapeId, detail: Option<&str>) -> EventId {
        let Some(value) = detail else { return shape };
        let key = (shape, fingerprint64(value.as_bytes()));
        if let Some(event) = self.by_value.get(&key) {
            return *event;
        }
        let plain = self.shapes.get(shape as usize).and_then(Option::as_ref);
        let text = plain.map(|plain| format!("{} ({value})", plain.canonical));
        text.and_then(|text| self.add(key, text)).unwrap_or(shape)
    }

    /// The event of a line whose shape is another without the session's key: `text` is that one.
    pub(super) fn event_of_text(&mut self, service: ServiceId, text: String) -> EventId {
        // Each service is told the text for itself.
        let hash = fingerprint64(text.as_bytes()) ^ fingerprint64(&service.to_le_bytes());
        let key = (ShapeId::MAX, hash);
        let known = self.by_value.get(&key).copied();
        known.or_else(|| self.add(key, text)).unwrap_or(EventId::MAX)
    }

    fn add(&mut self, key: (ShapeId, u64), text: String) -> Option<EventId> {
        if self.detailed.len() >= DETAILED {
            return None;
        }
        let id = TemplateId::of_shape(&text).0;
        let event = FIRST_DETAILED + self.detailed.len() as u32;
        self.detailed.push(Event { id, canonical: text.into(), is_told: false });
        self.by_value.insert(key, event);
        Some(event)
    }

    fn pass_on(&mut self, event: EventId, level: u32) -> proto::SessionEvent {
        let known = match event.checked_sub(FIRST_DETAILED) {
            Some(at) => self.detailed.get_mut(at as usize),
            None => self.shapes.get_mut(event as usize).and_then(Option::as_mut),
        };
        let Some(known) = known else { return proto::SessionEvent::default() };
        let text = if known.is_told { String::new() } else { known.canonical.to_string() };
        known.is_told = true;
        proto::SessionEvent { id: known.id, text, level }
    }
}

/// A step as it is noted.
pub(super) struct Step<'a> {
    pub(super) source: SourceId,
    pub(super) key: &'a str,
    pub(super) event: EventId,
    pub(super) time: Timestamp,
    pub(super) level: u32,
    pub(super) line: &'a str,
}

/// The steps of one window.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct WindowSteps {
    steps: u64,
    by_source: BTreeMap<SourceId, SourceSteps>,
}

#[derive(Default, Serialize, Deserialize)]
struct SourceSteps {
    /// Place of each session by the hash of its key.
    places: Table<u64, u32>,
    sessions: Vec<u64>,
    names: String,
    name_ends: Vec<u32>,
    /// Session, event, milliseconds since the window began.
    steps: Vec<(u32, EventId, u32)>,
    levels: BTreeMap<EventId, u32>,
    lines: Vec<(u32, Box<str>)>,
}

impl WindowSteps {
    /// Notes a step of the window that starts at `start`. `false`: there are `limit` steps already.
    pub(super) fn note(&mut self, start: Timestamp, step: &Step<'_>, limit: u64) -> bool {
        if self.steps >= limit {
            return false;
        }
        self.steps += 1;
        self.by_source.entry(step.source).or_default().note(start, step);
        true
    }

    /// What each source has to pass on.
    pub(super) fn summarise(
        self,
        events: &mut Events,
    ) -> impl Iterator<Item = (SourceId, Vec<proto::SessionWindow>)> {
        self.by_source.into_iter().map(|(source, steps)| (source, steps.summarise(events)))
    }
}

impl SourceSteps {
    fn note(&mut self, start: Timestamp, step: &Step<'_>) {
        let hash = fingerprint64(step.key.as_bytes());
        let new = self.sessions.len() as u32;
        let session = *self.places.entry(hash).or_insert(new);
        if session == new {
            self.sessions.push(hash);
            self.names.push_str(step.key);
            self.name_ends.push(self.names.len() as u32);
        }
        if self.lines.len() < LINES && (session == new || step.level >= WARN_LEVEL) {
            self.lines.push((self.steps.len() as u32, step.line.into()));
        }
        let level = self.levels.entry(step.event).or_default();
        *level = (*level).max(step.level);
        let at = u32::try_from(step.time.since(start).as_millis()).unwrap_or(u32::MAX);
        self.steps.push((session, step.event, at));
    }

    fn summarise(self, events: &mut Events) -> Vec<proto::SessionWindow> {
        let mut lines = self.lines.into_iter().peekable();
        let mut first = 0u32;
        let mut windows = Vec::new();
        for steps in self.steps.chunks(STEPS_A_MESSAGE) {
            let mut window = proto::SessionWindow::default();
            let mut sessions: BTreeMap<u32, u32> = BTreeMap::new();
            let mut met: BTreeMap<EventId, u32> = BTreeMap::new();
            for (session, event, at) in steps {
                let place = *sessions.entry(*session).or_insert_with(|| {
                    let from = session.checked_sub(1).map_or(0, |before| self.name_ends[before as usize]);
                    let name = &self.names[from as usize..self.name_ends[*session as usize] as usize];
                    window.session.push(self.sessions[*session as usize]);
                    window.name.push(name.to_owned());
                    window.session.len() as u32 - 1
                });
                let event = *met.entry(*event).or_insert_with(|| {
                    let level = self.levels.get(event).copied().unwrap_or(0);
                    window.event.push(events.pass_on(*event, level));
                    window.event.len() as u32 - 1
                });
                window.step_session.push(place);
                window.step_event.push(event);
                window.step_ms.push(*at);
            }
            let last = first + steps.len() as u32;
            while let Some((step, line)) = lines.next_if(|(step, _)| *step < last) {
                window.lines.push(proto::SessionLine { step: step - first, line: line.into() });
            }
            first = last;
            windows.push(window);
        }
        windows
    }
}
