//! Looks at the state of running stages from outside: a question is answered by the runner between two fetches.

use std::{
    sync::{Mutex, PoisonError, mpsc as answers},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

/// A question to a stage.
pub(crate) type Look<S> = Box<dyn FnOnce(&S) + Send>;

/// Questions that may wait at one runner; further ones are not asked.
const WAITING: usize = 8;

/// Answers that do not come within this time are left out.
const PATIENCE: Duration = Duration::from_secs(1);

/// The runners of a stage, as somebody outside sees them.
#[derive(Debug)]
pub struct Views<S>(Mutex<Vec<mpsc::Sender<Look<S>>>>);

impl<S> Default for Views<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S> Views<S> {
    /// Where a runner finds its questions.
    pub(crate) fn open(&self) -> mpsc::Receiver<Look<S>> {
        let (sender, looks) = mpsc::channel(WAITING);
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doors.retain(|door| !door.is_closed());
        doors.push(sender);
        drop(doors);
        looks
    }

    /// Asks every partition the same question. Blocks the thread, a second at most; partitions that are too busy
    /// or still in recovery are left out. The order is that of the answers.
    pub fn ask<T: Send + 'static>(&self, question: impl Fn(&S) -> T + Clone + Send + 'static) -> Vec<T> {
        let (answer, given) = answers::channel();
        let doors = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for door in doors {
            let (question, answer) = (question.clone(), answer.clone());
            // A runner whose queue is full or that has ended is left out.
            let _ = door.try_send(Box::new(move |stage| drop(answer.send(question(stage)))));
        }
        drop(answer);
        let until = Instant::now() + PATIENCE;
        let next = || given.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
        std::iter::from_fn(next).collect()
    }
}
