//! What the writers, the readers and the journal itself have in common.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64},
    },
};

use super::{
    checkpoint::Consumers,
    damage::Damage,
    fetch::VolumeFiles,
    figures::Counters,
    layout::{Counts, Paths, Volume},
    options::EmbeddedOptions,
    queue::Queue,
    tail::Tail,
};
use crate::SnapshotKey;

/// One of each a journal.
pub(super) struct Shared {
    pub(super) options: EmbeddedOptions,
    pub(super) paths: Paths,
    pub(super) counts: Counts,
    /// What was committed durably, by either volume.
    pub(super) consumers: Mutex<Consumers>,
    /// Grows with every group of either volume.
    pub(super) stamp: AtomicU64,
    /// The offset each snapshot covers.
    pub(super) snapshots: Mutex<BTreeMap<SnapshotKey, u64>>,
    pub(super) damage: Arc<Damage>,
    pub(super) counters: Counters,
    /// No more is to come.
    pub(super) closed: AtomicBool,
    pub(super) volumes: [VolumeShared; 2],
}

/// One of each a volume.
pub(super) struct VolumeShared {
    pub(super) files: VolumeFiles,
    pub(super) queue: Queue,
    pub(super) tail: Mutex<Tail>,
    /// Why appends are refused, if they are.
    pub(super) trouble: Mutex<Option<String>>,
}

impl Shared {
    pub(super) fn volume(&self, volume: Volume) -> &VolumeShared {
        &self.volumes[volume.index()]
    }
}
