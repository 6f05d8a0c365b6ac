//! How long the sessions of a service pause, and so when one of them is over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The pause after which a session is over, before pauses are known.
const FIRST_PAUSE: Duration = Duration::from_secs(600);
const SHORTEST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(86_400);
/// Pauses that must be known, and so many after which half of them are forgotten.
const PAUSES: u32 = 100;
const PAUSES_KEPT: u32 = 10_000_000;

/// How long sessions pause: counts by powers of two of a millisecond.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Pauses {
    counts: [u32; 32],
    all: u32,
}

impl Pauses {
    /// Learns one.
    pub(super) fn learn(&mut self, pause: Duration) {
        let octave = (pause.as_millis().max(1) as u64).ilog2() as usize;
        let octave = octave.min(self.counts.len() - 1);
        self.counts[octave] = self.counts[octave].saturating_add(1);
        self.all = self.all.saturating_add(1);
        if self.all >= PAUSES_KEPT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.all = self.counts.iter().sum();
        }
    }

    /// The pause after which a session is over: twice what all but one in a thousand stay below.
    pub(super) fn longest(&self) -> Duration {
        if self.all < PAUSES {
            return FIRST_PAUSE;
        }
        let mut above = 0u64;
        for (octave, count) in self.counts.iter().enumerate().rev() {
            above += u64::from(*count);
            if above * 1_000 > u64::from(self.all) {
                let longest = Duration::from_millis(4 << octave);
                return longest.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            }
        }
        SHORTEST_PAUSE
    }
}
