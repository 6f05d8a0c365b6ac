//! The base windows of an input partition that are still open.

use std::collections::BTreeMap;

use foreshock_model::{BASE_WINDOW, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Watermark;

/// Where a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Start of the base window that takes it.
    pub(super) window: Timestamp,
    /// Its own window is closed: it is counted, and judged no more.
    pub(super) late: bool,
}

/// Open windows by start, at most `limit`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OpenWindows<W> {
    open: BTreeMap<Timestamp, W>,
}

impl<W> Default for OpenWindows<W> {
    fn default() -> Self {
        Self { open: BTreeMap::new() }
    }
}

impl<W: Default> OpenWindows<W> {
    /// The window that takes a record of `time`: its own, or the oldest that is open where its own is closed, or the
    /// newest that is open where one more would be too many.
    pub(super) fn place(&self, time: Timestamp, watermark: &Watermark, limit: u32) -> Place {
        if watermark.is_late(time) {
            return Place { window: watermark.closed(), late: true };
        }
        let window = time.window(BASE_WINDOW).start;
        if self.open.len() < limit as usize || self.open.contains_key(&window) {
            return Place { window, late: false };
        }
        let newest = self.open.last_key_value().map_or(window, |(newest, _)| *newest);
        Place { window: newest.min(window), late: false }
    }

    /// The window that starts at `start`, opened if need be.
    pub(super) fn at(&mut self, start: Timestamp) -> &mut W {
        self.open.entry(start).or_default()
    }

    /// Takes the oldest window that ends at or before `due`.
    pub(super) fn take_due(&mut self, due: Timestamp) -> Option<(Timestamp, W)> {
        let first = self.open.first_entry()?;
        (first.key().plus(BASE_WINDOW) <= due).then(|| first.remove_entry())
    }
}
