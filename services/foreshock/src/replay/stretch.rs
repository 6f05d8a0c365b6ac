//! Which windows a replay is asked about.

use foreshock_model::Timestamp;

/// A stretch of time by the ends of windows, both ends in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Stretch {
    pub(crate) fn holds(self, time: Timestamp) -> bool {
        (self.from..=self.to).contains(&time)
    }
}
