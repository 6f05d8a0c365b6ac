//! The memory limit: bytes that were received and are not durable yet, over all requests.
//!
//! Knows nothing of requests; whoever holds bytes holds a [`Reservation`] of as many.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The bytes that may be held and those that are.
#[derive(Debug)]
pub(crate) struct Budget {
    limit_bytes: u64,
    held_bytes: AtomicU64,
}

/// More bytes were asked for than are left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OverBudget;

/// Bytes held; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Budget {
    pub(crate) fn new(limit_bytes: u64) -> Arc<Self> {
        Arc::new(Self { limit_bytes, held_bytes: AtomicU64::new(0) })
    }

    pub(crate) fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Relaxed)
    }

    /// A reservation of nothing yet.
    pub(crate) fn open(self: &Arc<Self>) -> Reservation {
        Reservation { budget: Arc::clone(self), bytes: 0 }
    }
}

impl Reservation {
    /// Holds `bytes` more, or none of them.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), OverBudget> {
        let bytes = bytes as u64;
        let held = self.budget.held_bytes.fetch_add(bytes, Relaxed) + bytes;
        if held > self.budget.limit_bytes {
            self.budget.held_bytes.fetch_sub(bytes, Relaxed);
            return Err(OverBudget);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Holds exactly `bytes`, or, where they do not fit, what it held.
    pub(crate) fn cover(&mut self, bytes: usize) -> Result<(), OverBudget> {
        self.grow(bytes.saturating_sub(usize::try_from(self.bytes).unwrap_or(usize::MAX)))?;
        self.shrink_to(bytes);
        Ok(())
    }

    /// Gives back all but `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let back = self.bytes.saturating_sub(bytes as u64);
        self.budget.held_bytes.fetch_sub(back, Relaxed);
        self.bytes -= back;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back_and_what_does_not_fit_is_not_held() {
        let budget = Budget::new(100);
        let mut first = budget.open();
        first.grow(60).unwrap();
        let mut second = budget.open();
        assert_eq!(second.grow(41), Err(OverBudget));
        assert_eq!(budget.held_bytes(), 60);
        second.grow(40).unwrap();
        first.shrink_to(10);
        assert_eq!(budget.held_bytes(), 50);
        drop(first);
        drop(second);
        assert_eq!(budget.held_bytes(), 0);
    }
}
