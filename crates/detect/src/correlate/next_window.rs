//! The window that a word takes hold in, for whoever reads a partition of findings without correlating it.

use bytes::Bytes;
use foreshock_model::{BASE_WINDOW, Timestamp, proto};

use crate::{InputId, InputKind, upstream::Upstream};

/// Follows a partition of the findings stream as far as correlate would have closed its windows.
///
/// A marker lies between messages of detect, and takes hold in the next window that is closed after it. A replay makes
/// those messages anew, between which the marker has no place; the window it has.
#[derive(Clone, Debug)]
pub struct NextWindow {
    upstream: Upstream,
    closed: Timestamp,
}

impl NextWindow {
    /// At the start of a partition that is fed by detect's partitions `sources`.
    pub fn new(sources: Vec<InputId>) -> Self {
        Self { upstream: Upstream::new(sources), closed: Timestamp::default() }
    }

    /// Passes an entry.
    pub fn pass(&mut self, kind: InputKind, payload: &Bytes) {
        // What can't be read moves no time; correlate sets it aside, too.
        let _ = match kind {
            InputKind::Data => self.upstream.read::<proto::Findings>(payload).map(|read| {
                if let Some((source, message)) = read {
                    self.upstream.tell(source, message.watermark);
                }
            }),
            InputKind::Skip => self.upstream.skip(payload),
            InputKind::Marker | InputKind::Tick => Ok(()),
        };
        self.closed = self.closed.max(self.upstream.lowest().unwrap_or_default());
    }

    /// The end of the window that a word at this place takes hold in.
    pub fn end(&self) -> Timestamp {
        next_window(self.closed)
    }
}

/// The end of the first window that ends after `closed`.
pub(super) fn next_window(closed: Timestamp) -> Timestamp {
    closed.window(BASE_WINDOW).end()
}
