//! Figures of the journal since it was opened.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::Figures;

/// Upper bounds of what an acknowledgement takes, in milliseconds.
const BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

#[derive(Debug, Default)]
pub(super) struct Counters {
    batches: AtomicU64,
    bytes: AtomicU64,
    refused: AtomicU64,
    within: [AtomicU64; BOUNDS_MS.len()],
    nanos: AtomicU64,
}

impl Counters {
    /// A batch was acknowledged by the brokers.
    pub(super) fn appended(&self, bytes: u64, took: Duration) {
        self.batches.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        for (bound, within) in BOUNDS_MS.iter().zip(&self.within) {
            if took <= Duration::from_millis(*bound) {
                within.fetch_add(1, Relaxed);
            }
        }
    }

    /// A batch was refused.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn figures(&self, queued_bytes: u64) -> Figures {
        let bounds = BOUNDS_MS.iter().zip(&self.within);
        Figures {
            batches: self.batches.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            refused: self.refused.load(Relaxed),
            sync_latency: bounds
                .map(|(ms, within)| (Duration::from_millis(*ms), within.load(Relaxed)))
                .collect(),
            sync_total: Duration::from_nanos(self.nanos.load(Relaxed)),
            queued_bytes,
            ..Figures::default()
        }
    }
}
