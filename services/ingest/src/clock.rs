//! The receive time: the wall clock, made never to go backwards while the process lives.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{SystemTime, UNIX_EPOCH},
};

use foreshock_model::Timestamp;

/// Wall-clock time that stands still where the system's clock is set back.
#[derive(Debug, Default)]
pub(crate) struct ReceiveClock {
    latest_ns: AtomicU64,
}

impl ReceiveClock {
    /// Not before anything it said earlier.
    pub(crate) fn now(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.not_before(u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX))
    }

    fn not_before(&self, wall_ns: u64) -> Timestamp {
        Timestamp(self.latest_ns.fetch_max(wall_ns, Relaxed).max(wall_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_does_not_set_receive_times_back() {
        let clock = ReceiveClock::default();
        let times: Vec<u64> = [5, 9, 3, 4, 10].map(|wall| clock.not_before(wall).nanos()).to_vec();
        assert_eq!(times, [5, 9, 9, 9, 10]);
    }
}
