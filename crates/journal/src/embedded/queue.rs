//! Batches that wait to be written: bounded in bytes, many producers, one writer.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use super::sync::locked;
use crate::{Appended, Batch, JournalError};

/// A batch that somebody waits for.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) batch: Batch,
    /// Bytes of its frames.
    pub(super) bytes: u64,
    pub(super) answer: oneshot::Sender<Result<Appended, JournalError>>,
}

/// What the writer finds.
#[derive(Debug)]
pub(super) enum Taken {
    /// These, in the order they came.
    Requests(Vec<Request>),
    /// Nothing came in time.
    Idle,
    /// Nothing is left and nothing more comes.
    Closed,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    came: Condvar,
    limit_bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    requests: VecDeque<Request>,
    /// Of requests that were not answered yet, those being written included.
    bytes: u64,
    closed: bool,
}

impl Queue {
    pub(super) fn new(limit_bytes: u64) -> Self {
        Self { state: Mutex::default(), came: Condvar::new(), limit_bytes }
    }

    /// Adds a request or answers it with why not. One that finds nothing before it is always taken.
    pub(super) fn push(&self, request: Request) -> Result<(), JournalError> {
        let mut state = locked(&self.state);
        let refusal = if state.closed {
            JournalError::Closed
        } else if state.bytes > 0 && state.bytes + request.bytes > self.limit_bytes {
            JournalError::Overloaded { queued_bytes: state.bytes, limit_bytes: self.limit_bytes }
        } else {
            state.bytes += request.bytes;
            state.requests.push_back(request);
            drop(state);
            self.came.notify_one();
            return Ok(());
        };
        drop(state);
        Err(refusal)
    }

    /// Takes what waits, up to `bytes` and at least one; waits for it no longer than `patience`.
    pub(super) fn take(&self, bytes: u64, patience: Duration) -> Taken {
        let state = locked(&self.state);
        let idle = |state: &mut State| state.requests.is_empty() && !state.closed;
        let (mut state, _) =
            self.came.wait_timeout_while(state, patience, idle).unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        let mut taken_bytes = 0;
        while let Some(request) = state.requests.front() {
            if !taken.is_empty() && taken_bytes + request.bytes > bytes {
                break;
            }
            taken_bytes += request.bytes;
            taken.extend(state.requests.pop_front());
        }
        match (taken.is_empty(), state.closed) {
            (false, _) => Taken::Requests(taken),
            (true, true) => Taken::Closed,
            (true, false) => Taken::Idle,
        }
    }

    /// Notes that requests of so many bytes were answered.
    pub(super) fn answered(&self, bytes: u64) {
        let mut state = locked(&self.state);
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// Bytes that were not answered yet.
    pub(super) fn bytes(&self) -> u64 {
        locked(&self.state).bytes
    }

    /// Refuses what comes from here on.
    pub(super) fn close(&self) {
        locked(&self.state).closed = true;
        self.came.notify_all();
    }

    /// Refuses what waits, too: there is no writer any more.
    pub(super) fn abandon(&self) {
        self.close();
        let waiting = std::mem::take(&mut locked(&self.state).requests);
        for request in waiting {
            // Whoever asked may have gone.
            let _ = request.answer.send(Err(JournalError::Closed));
        }
    }
}
