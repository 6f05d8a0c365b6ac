//! The events of a service's sessions, and what there is to say of them.

use foreshock_stats::sessions::{Event, MAX_EVENTS, What};
use foreshock_template::TemplateId;
use serde::{Deserialize, Serialize};

use super::super::{harm::speaks_of_harm, merged::Steps, patterns::shown};
use crate::{Table, WARN_LEVEL};

/// The events met, numbered in the order of windows.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Events {
    known: Vec<EventInfo>,
    by_id: Table<u64, Event>,
}

#[derive(Serialize, Deserialize)]
struct EventInfo {
    text: String,
    harms: bool,
}

/// A way to be broken, for people.
pub(super) struct Said<'a> {
    pub(super) says: String,
    pub(super) observed: f64,
    pub(super) expected: f64,
    pub(super) template: &'a str,
}

impl Events {
    /// Takes note of the events of a window.
    pub(super) fn note(&mut self, steps: &Steps) {
        for (id, (text, level)) in &steps.events {
            if !self.by_id.contains_key(id) && self.known.len() < MAX_EVENTS {
                self.by_id.insert(*id, self.known.len() as Event);
                self.known.push(EventInfo { text: text.clone(), harms: speaks_of_harm(text) });
            }
            if let Some(event) = self.by_id.get(id) {
                let info = &mut self.known[usize::from(*event)];
                info.harms |= *level >= WARN_LEVEL;
                if info.text.is_empty() && !text.is_empty() {
                    info.text.clone_from(text);
                    info.harms |= speaks_of_harm(text);
                }
            }
        }
    }

    /// The number of an event; one that stands for all those beyond the limit.
    pub(super) fn number(&self, id: u64) -> Event {
        self.by_id.get(&id).copied().unwrap_or(MAX_EVENTS as Event)
    }

    /// Whether a way to be broken harms by its nature: a rare step that is a warning or speaks of an error, a step that is
    /// missing.
    pub(super) fn harms(&self, what: What) -> bool {
        match what {
            What::Count { event, .. } => self.known.get(usize::from(event)).is_some_and(|info| info.harms),
            What::Missing { .. } => true,
            What::Order { .. } => false,
        }
    }

    fn text(&self, event: Option<Event>) -> &str {
        event.and_then(|event| self.known.get(usize::from(event))).map_or("", |info| info.text.as_str())
    }

    /// A way to be broken, in words.
    pub(super) fn say(&self, what: What) -> Said<'_> {
        match what {
            What::Count { event, count, usual } => {
                let text = self.text(Some(event));
                let says = match (count, usual) {
                    (1, 0) => format!("takes a rare step: {}", shown(text)),
                    (count, 0) => format!("takes a rare step {count} times: {}", shown(text)),
                    (count, usual) => {
                        format!("takes a step {count} times instead of {usual}: {}", shown(text))
                    }
                };
                Said { says, observed: count.into(), expected: usual.into(), template: text }
            }
            What::Missing { event } => {
                let text = self.text(Some(event));
                let says = format!("ends without the step {}", shown(text));
                Said { says, observed: 0.0, expected: 1.0, template: text }
            }
            What::Order { before, after } => {
                let (text, next) = (self.text(before), self.text(after));
                let says = match (before, after) {
                    (None, _) => format!("begins with {}", shown(next)),
                    (_, None) => format!("ends with {}", shown(text)),
                    _ => format!(
                        "takes its steps in another order: {} right behind {}",
                        shown(next),
                        shown(text)
                    ),
                };
                let template = if after.is_some() { next } else { text };
                Said { says, observed: 1.0, expected: 0.0, template }
            }
        }
    }

    /// Names the way in which sessions are broken: it does not depend on the order in which events were met.
    pub(super) fn series(&self, what: What) -> String {
        let id =
            |event: Option<Event>| event.map_or(0, |event| TemplateId::of_shape(self.text(Some(event))).0);
        match what {
            What::Count { event, .. } => format!("sessions/step/{:016x}", id(Some(event))),
            What::Missing { event } => format!("sessions/missing/{:016x}", id(Some(event))),
            What::Order { before, after } => format!("sessions/order/{:016x}/{:016x}", id(before), id(after)),
        }
    }
}
