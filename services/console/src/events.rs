//! What happened, for those who listen: numbered, the newest held for clients that come back.
//!
//! An id is the start of this process and a number, so that one of an earlier process is not taken for one of ours.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::broadcast;

use crate::wall;

/// Events held for clients that come back.
const HELD: usize = 512;
/// Events a client may be behind before it is dropped.
const BEHIND: usize = 128;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) number: u64,
    /// `incident`, `finding` or `feedback`.
    pub(crate) name: &'static str,
    /// JSON.
    pub(crate) text: Arc<str>,
}

/// What a client gets first, and where the rest will come from.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// It missed something that is not held any more, or never was here: it has to read everything again.
    pub(crate) reset: bool,
    pub(crate) missed: Vec<Event>,
    pub(crate) news: broadcast::Receiver<Event>,
    /// The id that a client without events begins at.
    pub(crate) at: u64,
}

/// Where events go in and clients come to listen.
#[derive(Debug)]
pub(crate) struct Events {
    process: u64,
    held: Mutex<VecDeque<Event>>,
    sender: broadcast::Sender<Event>,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            process: wall::now().nanos() / 1_000,
            held: Mutex::default(),
            sender: broadcast::Sender::new(BEHIND),
        }
    }

    pub(crate) fn push(&self, name: &'static str, text: String) {
        // A queue of whole events is never half changed: one that panicked while it held the lock left it valid.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let number = held.back().map_or(1, |event| event.number + 1);
        let event = Event { number, name, text: text.into() };
        if held.len() >= HELD {
            held.pop_front();
        }
        held.push_back(event.clone());
        // Nobody listening is no error. Under the lock, so that a subscription has no gap.
        let _ = self.sender.send(event);
    }

    /// Listens from now on, after what `last_id` has missed.
    pub(crate) fn subscribe(&self, last_id: Option<&str>) -> Subscription {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = held.back().map_or(0, |event| event.number);
        let oldest = held.front().map_or(1, |event| event.number);
        let news = self.sender.subscribe();
        let Some(last_id) = last_id else {
            return Subscription { reset: false, missed: Vec::new(), news, at: newest };
        };
        let last = self.parse(last_id).filter(|last| *last <= newest && *last + 1 >= oldest);
        let missed = last.map(|last| held.iter().filter(|event| event.number > last).cloned().collect());
        Subscription { reset: last.is_none(), missed: missed.unwrap_or_default(), news, at: newest }
    }

    /// The id of an event for the outside.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{:x}-{number}", self.process)
    }

    fn parse(&self, id: &str) -> Option<u64> {
        let (process, number) = id.split_once('-')?;
        let ours = u64::from_str_radix(process, 16).is_ok_and(|process| process == self.process);
        number.parse().ok().filter(|_| ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_comes_back_gets_what_it_missed_or_is_told_to_read_everything() {
        let events = Events::new();
        for number in 1..=600 {
            events.push("incident", number.to_string());
        }
        let missed = |id: &str| {
            let subscription = events.subscribe(Some(id));
            (subscription.reset, subscription.missed.iter().map(|event| event.number).collect::<Vec<_>>())
        };
        assert_eq!(missed(&events.id(598)), (false, vec![599, 600]));
        assert_eq!(missed(&events.id(600)), (false, vec![]));
        assert_eq!(missed(&events.id(88)).1.len(), 512);
        assert_eq!(missed(&events.id(87)), (true, vec![]));
        assert_eq!(missed(&events.id(601)), (true, vec![]));
        assert_eq!(missed("1-600"), (true, vec![]));
        assert_eq!(missed("rubbish"), (true, vec![]));
        assert!(!events.subscribe(None).reset);
    }
}
