//! What a time without a zone is taken as.

use std::sync::Arc;

/// Offsets from UTC of places whose logs leave the zone out. UTC unless told otherwise.
///
/// Cheap to clone. Names of zones are resolved by the caller, once, into the moments at which the offset changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// In seconds east of UTC, before the first change.
    offset: i32,
    /// Moment in Unix seconds and the offset from then on, oldest first.
    changes: Option<Arc<[(i64, i32)]>>,
}

impl Zone {
    /// No offset.
    pub const UTC: Self = Self { offset: 0, changes: None };

    /// The same offset always, in minutes east of UTC.
    pub fn fixed(minutes: i16) -> Self {
        Self { offset: i32::from(minutes) * 60, changes: None }
    }

    /// `offset` seconds east of UTC at first, then what each change says: its moment in Unix seconds, the offset from
    /// then on. Changes may come in any order.
    pub fn with_changes(offset: i32, changes: impl IntoIterator<Item = (i64, i32)>) -> Self {
        let mut changes: Vec<_> = changes.into_iter().collect();
        changes.sort_unstable();
        Self { offset, changes: Some(changes.into()) }
    }

    /// The offset in seconds that a local time has, given as if it were UTC. Of the two moments that a clock put back
    /// shows twice it is the earlier one's.
    pub(crate) fn offset_at(&self, local: i64) -> i64 {
        let mut before = i64::from(self.offset);
        for (at, offset) in self.changes.iter().flat_map(|changes| changes.iter()) {
            // What the clock showed as it was put on or back.
            if local < at.saturating_add(before) {
                break;
            }
            before = i64::from(*offset);
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};

    use super::*;

    #[test]
    fn local_times_are_those_of_the_zones_own_rules() -> Result<(), jiff::Error> {
        let rules = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3")?;
        let start: Timestamp = "2020-01-01T00:00:00Z".parse()?;
        let end: Timestamp = "2027-01-01T00:00:00Z".parse()?;
        let changes = rules
            .following(start)
            .take_while(|change| change.timestamp() < end)
            .map(|change| (change.timestamp().as_second(), change.offset().seconds()));
        let zone = Zone::with_changes(3600, changes);
        for hours in 0..24 * 365 * 6 {
            let moment = Timestamp::from_second(start.as_second() + hours * 3600 + 1234)?;
            let local = moment.as_second() + i64::from(rules.to_offset(moment).seconds());
            let again = Timestamp::from_second(local - zone.offset_at(local))?;
            let shown = |moment| rules.to_datetime(moment);
            assert_eq!(shown(again), shown(moment), "{moment}");
            // The hour that comes twice is taken as its first coming.
            assert!(again == moment || again.as_second() == moment.as_second() - 3600, "{moment}");
        }
        assert_eq!(Zone::fixed(-90).offset_at(0), -5400);
        assert_eq!(Zone::default().offset_at(1 << 40), 0);
        Ok(())
    }
}
