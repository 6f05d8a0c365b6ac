//! Bytes of a connection that were read and belong to no request yet: the beginning of a frame whose rest does
//! not come.
//!
//! A few are free, so that thousands of quiet connections cost nothing here; beyond that they are held against a
//! limit over all connections, and a connection that would go above it is closed.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::budget::{Budget, OverBudget, Reservation};

/// What a connection may read ahead without being counted.
const FREE_BYTES: usize = 64 << 10;

/// What one connection has read ahead.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    bytes: AtomicUsize,
    beyond_free: Mutex<Reservation>,
}

impl ReadAhead {
    pub(crate) fn new(budget: &Arc<Budget>) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(0), beyond_free: Mutex::new(budget.open()) })
    }

    /// `bytes` more came from the socket.
    pub(crate) fn read(&self, bytes: usize) -> Result<(), OverBudget> {
        let ahead = self.bytes.fetch_add(bytes, Relaxed) + bytes;
        match ahead.checked_sub(FREE_BYTES) {
            None => Ok(()),
            Some(beyond) => self.beyond_free.lock().unwrap_or_else(PoisonError::into_inner).cover(beyond),
        }
    }

    /// A request got the bytes, and counts them from here on. Frames come in order, so none is left behind.
    pub(crate) fn handed_on(&self) {
        if self.bytes.swap(0, Relaxed) > FREE_BYTES {
            self.beyond_free.lock().unwrap_or_else(PoisonError::into_inner).shrink_to(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_never_end_are_held_against_one_limit_over_all_connections() {
        let budget = Budget::new(1_000_000);
        let connections: Vec<_> = (0..100).map(|_| ReadAhead::new(&budget)).collect();
        for connection in &connections {
            connection.read(FREE_BYTES).unwrap();
        }
        assert_eq!(budget.held_bytes(), 0);
        let refused = connections.iter().filter(|connection| connection.read(300_000).is_err()).count();
        assert_eq!(refused, 97);
        connections[0].handed_on();
        assert_eq!(budget.held_bytes(), 600_000);
        connections[0].read(300_000).unwrap();
        drop(connections);
        assert_eq!(budget.held_bytes(), 0);
    }
}
