//! Sets aside what is damaged: a copy by name, a line in the log, a count. Never touches the segment itself.

use std::{
    collections::HashSet,
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    layout::{Paths, Volume},
    scan::read_into,
    segment::Segment,
    storage::{Access, File, Storage},
    sync::locked,
};

/// All copies together stay below this; what comes after is logged and counted only.
const KEPT_BYTES: u64 = 1 << 30;
const PIECE: u64 = 4 << 20;
/// Places remembered as seen; beyond it a place may be counted once more.
const KNOWN_PLACES: usize = 65_536;

/// What was found damaged since the journal was opened.
pub(super) struct Damage {
    storage: Arc<dyn Storage>,
    /// `None`: only looked at, nothing is copied.
    keep_in: Option<PathBuf>,
    places: Mutex<HashSet<(Volume, u64, u64)>>,
    kept_bytes: AtomicU64,
    frames: AtomicU64,
}

impl Damage {
    /// That keeps copies below the journal's directory.
    pub(super) fn keeping(storage: Arc<dyn Storage>, paths: &Paths) -> Self {
        let dir = paths.damaged();
        let kept = storage.list(&dir).map_or(0, |files| files.iter().map(|file| file.bytes).sum());
        Self { kept_bytes: AtomicU64::new(kept), ..Self::counting(storage, Some(dir)) }
    }

    /// That only counts and logs.
    pub(super) fn looking(storage: Arc<dyn Storage>) -> Self {
        Self::counting(storage, None)
    }

    fn counting(storage: Arc<dyn Storage>, keep_in: Option<PathBuf>) -> Self {
        let (places, kept_bytes, frames) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        Self { storage, keep_in, places, kept_bytes, frames }
    }

    /// Frames found damaged; a stretch without readable headers counts as one.
    pub(super) fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Sets a stretch of a segment aside, once, however many readers meet it.
    pub(super) fn set_aside(&self, segment: &Segment, file: &dyn File, range: Range<u64>, why: &str) {
        if !self.is_new(segment, &range) {
            return;
        }
        self.frames.fetch_add(1, Ordering::Relaxed);
        let kept = self.copy(segment, file, range.clone());
        tracing::error!(
            segment = %segment.path.display(), from = range.start, to = range.end, kept = ?kept,
            "the journal is damaged: {why}; reading goes on behind it"
        );
    }

    /// Keeps a copy of a batch that was cut off and most probably was never acknowledged. Not counted as damage:
    /// a power cut leaves such a thing behind.
    pub(super) fn keep_cut(&self, segment: &Segment, file: &dyn File, range: Range<u64>) {
        if !self.is_new(segment, &range) {
            return;
        }
        if self.keep_in.is_none() {
            // Who only looks, and cuts nothing, meets the batch that the writer is at.
            tracing::debug!(segment = %segment.path.display(), from = range.start, "the last batch is not whole yet");
            return;
        }
        let kept = self.copy(segment, file, range.clone());
        tracing::warn!(
            segment = %segment.path.display(), from = range.start, to = range.end, kept = ?kept,
            "the last batch is not whole though its end is there: it was being written, or was damaged since; it is cut"
        );
    }

    /// Whether a place is met for the first time.
    fn is_new(&self, segment: &Segment, range: &Range<u64>) -> bool {
        let header = &segment.header;
        let place = (header.volume, header.sequence, range.start);
        let mut places = locked(&self.places);
        if places.len() >= KNOWN_PLACES {
            places.clear();
        }
        places.insert(place)
    }

    fn copy(&self, segment: &Segment, file: &dyn File, range: Range<u64>) -> Option<PathBuf> {
        let dir = self.keep_in.as_ref()?;
        let (volume, sequence) = (segment.header.volume.name(), segment.header.sequence);
        let path = dir.join(format!("{volume}-{sequence}-{}.bin", range.start));
        let bytes = range.end - range.start;
        if self.kept_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > KEPT_BYTES {
            tracing::warn!(dir = %dir.display(), "no more copies are kept; move the old ones away");
            return None;
        }
        let write = || -> std::io::Result<()> {
            self.storage.create_dir(dir)?;
            let copy = self.storage.create(&path, Access::Write)?;
            let mut at = range.start;
            while at < range.end {
                let mut piece = vec![0; PIECE.min(range.end - at) as usize];
                read_into(file, at, &mut piece)?;
                copy.write_at(&piece, at - range.start)?;
                at += piece.len() as u64;
            }
            copy.sync()?;
            self.storage.sync_dir(dir)
        };
        match write() {
            Ok(()) => Some(path),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the damaged bytes could not be copied");
                None
            }
        }
    }

    /// Moves a whole file aside whose header is damaged.
    pub(super) fn set_file_aside(&self, volume: Volume, path: &std::path::Path) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        let moved = self.keep_in.as_ref().and_then(|dir| {
            let name = path.file_name()?.to_str()?;
            let kept = dir.join(format!("{}-{name}", volume.name()));
            let moved = self.storage.create_dir(dir).and_then(|()| self.storage.rename(path, &kept));
            moved.ok().map(|()| kept)
        });
        tracing::error!(
            segment = %path.display(), kept = ?moved,
            "the journal is damaged: neither copy of the segment's header is whole; what it held is lost"
        );
    }
}
