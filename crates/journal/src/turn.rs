//! Whose turn it is among the processes of one name, of which one serves and the others stand by.

use std::{fmt, future};

use tokio::sync::watch;

/// Our turn. Dropping it gives it to another.
pub struct Turn {
    ours: Option<watch::Receiver<bool>>,
    _held: Option<Box<dyn Send + Sync>>,
}

impl Turn {
    /// Where nobody else is of that name.
    pub fn for_ever() -> Self {
        Self { ours: None, _held: None }
    }

    /// Ours for as long as `ours` says so, and given back when `held` is dropped.
    pub fn held(ours: watch::Receiver<bool>, held: impl Send + Sync + 'static) -> Self {
        Self { ours: Some(ours), _held: Some(Box::new(held)) }
    }

    /// Returns when it has gone to another. Safe to cancel.
    pub async fn lost(&mut self) {
        match &mut self.ours {
            // Nobody says anything any more: as good as lost.
            Some(ours) => drop(ours.wait_for(|ours| !ours).await),
            None => future::pending().await,
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("ours", &self.ours).finish_non_exhaustive()
    }
}
