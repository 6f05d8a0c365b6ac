//! How far time has come in one input partition.

use std::time::Duration;

use foreshock_model::{BASE_WINDOW, Timestamp};
use serde::{Deserialize, Serialize};

/// The largest time told so far, less the allowed lateness; never goes back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    latest: Timestamp,
    /// Base windows that end at or before this are closed.
    closed: Timestamp,
}

impl Watermark {
    /// Takes note that time has come as far as `told`.
    pub fn tell(&mut self, told: Timestamp) {
        self.latest = self.latest.max(told);
    }

    /// The largest time told.
    pub fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Base windows that end at or before this are closed; records in them are late.
    pub fn closed(&self) -> Timestamp {
        self.closed
    }

    /// Whether a record of this time is late.
    pub fn is_late(&self, time: Timestamp) -> bool {
        time < self.closed
    }

    /// Closes what is due. Returns the new end of the closed stretch, if it moved.
    pub fn advance(&mut self, lateness: Duration) -> Option<Timestamp> {
        let due = match self.latest {
            Timestamp::MAX => Timestamp::MAX,
            latest => latest.minus(lateness).window(BASE_WINDOW).start,
        };
        (due > self.closed).then(|| {
            self.closed = due;
            due
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_closes_when_its_end_and_the_lateness_have_passed_and_never_opens_again() {
        let lateness = Duration::from_secs(5);
        let mut watermark = Watermark::default();
        watermark.tell(Timestamp::from_secs(104));
        assert_eq!(watermark.advance(lateness), Some(Timestamp::from_secs(90)));
        watermark.tell(Timestamp::from_secs(50));
        assert_eq!(watermark.advance(lateness), None);
        assert!(watermark.is_late(Timestamp::from_secs(89)) && !watermark.is_late(Timestamp::from_secs(90)));
        watermark.tell(Timestamp::from_secs(115));
        assert_eq!(watermark.advance(lateness), Some(Timestamp::from_secs(110)));
    }
}
