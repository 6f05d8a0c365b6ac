//! Which partitions of its streams a consumer serves, where several processes share the work.

use std::{future, sync::mpsc};

use crate::{BoxFuture, JournalError, Partition};

/// A change of what a member serves.
#[derive(Debug)]
pub enum Change {
    /// These are ours from now on. Nobody else commits for them any more.
    Assigned(Vec<Partition>),
    /// These go to somebody else as soon as the [`Handover`] is dropped; until then they are still ours, so what
    /// was processed can be committed and saved. Bounded in time: who takes too long finds them lost.
    Revoked(Vec<Partition>, Handover),
    /// These are somebody else's already: nothing can be committed for them any more. They may become ours again, but
    /// not before the [`Handover`] is dropped: until then what served them may still hand in what it had.
    Lost(Vec<Partition>, Handover),
}

/// Held while revoked partitions are brought to an end, or lost ones dropped; dropping it says that it is done.
#[derive(Debug)]
pub struct Handover(Option<mpsc::SyncSender<()>>);

impl Handover {
    /// The handover, and where its end is heard of.
    pub fn new() -> (Self, mpsc::Receiver<()>) {
        let (done, ended) = mpsc::sync_channel(1);
        (Self(Some(done)), ended)
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            // Nobody waits for it where it took too long.
            let _ = done.try_send(());
        }
    }
}

/// A place among those who share a consumer's partitions. Dropping it leaves: what was ours goes to the others.
pub trait Membership: Send {
    /// Waits for the next change. Safe to cancel.
    fn next(&mut self) -> BoxFuture<'_, Result<Change, JournalError>>;
}

/// The only member there is: it serves everything from the start and for ever.
#[derive(Debug)]
pub struct OnlyMember(Option<Vec<Partition>>);

impl OnlyMember {
    /// Serves these.
    pub fn of(partitions: Vec<Partition>) -> Self {
        Self(Some(partitions))
    }
}

impl Membership for OnlyMember {
    fn next(&mut self) -> BoxFuture<'_, Result<Change, JournalError>> {
        match self.0.take() {
            Some(all) => Box::pin(future::ready(Ok(Change::Assigned(all)))),
            None => Box::pin(future::pending()),
        }
    }
}
