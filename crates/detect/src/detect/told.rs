//! What was told already and lasts is told again only now and then.

use std::time::Duration;

use foreshock_model::Timestamp;
use serde::{Deserialize, Serialize};

/// What lasts is told again at once where it has become so many times as surprising.
const WORSE: f64 = 1.5;

/// When a deviation was told last, and how surprising it was.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) until: Timestamp,
    surprise: f64,
}

impl Told {
    /// Whether it is to be told that it lasts until `end`; takes note of it.
    pub(super) fn tell(&mut self, end: Timestamp, surprise: f64, again: Duration) -> bool {
        let lasts = end.since(self.until) < again;
        if lasts && surprise < WORSE * self.surprise {
            return false;
        }
        *self = Self { until: end, surprise: if lasts { surprise.max(self.surprise) } else { surprise } };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_told_again_after_a_while_or_where_it_is_much_worse() {
        let (again, at) = (Duration::from_secs(240), |seconds: u64| Timestamp::from_secs(1_000 + seconds));
        let mut told = Told::default();
        let answers = [(0, 5.0), (60, 6.0), (120, 8.0), (180, 9.0), (360, 5.0), (420, 7.0), (480, 7.4)]
            .map(|(seconds, surprise)| told.tell(at(seconds), surprise, again));
        assert_eq!(answers, [true, false, true, false, true, false, false]);
    }
}
