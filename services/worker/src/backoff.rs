//! How long to wait before the next try.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Doubles from 50 ms to 5 s.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    tries: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST, tries: 0 }
    }
}

impl Backoff {
    /// The wait before the next try.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        wait
    }

    /// Whether this failure is worth a line in the log: the 1st, 2nd, 4th, 8th, ...
    pub(crate) fn worth_a_line(&self) -> bool {
        self.tries.is_power_of_two()
    }

    /// How often it was tried in vain.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }
}
