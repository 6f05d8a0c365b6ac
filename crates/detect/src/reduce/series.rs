//! The metric series an input partition has met: dense numbers, and what a counter's next point is compared with.

use std::collections::BTreeMap;

use crate::Table;
use foreshock_model::{fingerprint64, proto};
use serde::{Deserialize, Serialize};

use self::description::Description;
use super::sources::ServiceId;

/// Dense number of a series in its partition.
pub(super) type SeriesNumber = u32;

/// One series.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Series {
    /// Follows from source, metric, attributes and what is derived from them.
    pub(super) id: u64,
    pub(super) service: ServiceId,
    /// Of a cumulative counter: start and value of the last point. NaN before the first.
    pub(super) start: u64,
    pub(super) last: f64,
}

/// Interning table of series by id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct SeriesTable {
    by_id: Table<u64, SeriesNumber>,
    series: Vec<Series>,
    /// Descriptions not passed on yet.
    unannounced: Vec<(ServiceId, Description)>,
    /// Points of series that were over the limit.
    pub(super) folded: BTreeMap<ServiceId, u64>,
}

impl SeriesTable {
    /// The number of a series; `None` where one more would be too many. `describe` is called where it is new.
    pub(super) fn meet(
        &mut self,
        id: u64,
        service: ServiceId,
        limit: u32,
        describe: impl FnOnce() -> proto::SeriesInfo,
    ) -> Option<SeriesNumber> {
        if let Some(number) = self.by_id.get(&id) {
            return Some(*number);
        }
        if self.series.len() >= limit as usize {
            *self.folded.entry(service).or_default() += 1;
            return None;
        }
        let number = u32::try_from(self.series.len()).unwrap_or(u32::MAX);
        self.series.push(Series { id, service, start: 0, last: f64::NAN });
        self.by_id.insert(id, number);
        self.unannounced.push((service, describe().into()));
        Some(number)
    }

    pub(super) fn get(&self, number: SeriesNumber) -> &Series {
        &self.series[number as usize]
    }

    /// The increase of a cumulative counter since its last point; `None` at its first. A counter that was reset
    /// starts from 0 again.
    pub(super) fn increase(&mut self, number: SeriesNumber, start: u64, value: f64) -> Option<f64> {
        let series = &mut self.series[number as usize];
        let (last, last_start) = (series.last, series.start);
        series.last = value;
        series.start = start;
        if last.is_nan() {
            return None;
        }
        let restarted = value < last || (start != last_start && start != 0 && last_start != 0);
        Some(if restarted { value } else { value - last })
    }

    /// Descriptions of series that are new since the last call.
    pub(super) fn take_unannounced(
        &mut self,
    ) -> impl Iterator<Item = (ServiceId, proto::SeriesInfo)> + use<> {
        std::mem::take(&mut self.unannounced).into_iter().map(|(service, info)| (service, info.into()))
    }
}

/// The id of a series: source, metric and attributes in any order.
#[derive(Clone, Copy)]
pub(super) struct SeriesId(u64);

impl SeriesId {
    pub(super) fn new(source_identity: u64, metric: &str) -> Self {
        Self(source_identity.rotate_left(17) ^ fingerprint64(metric.as_bytes()))
    }

    /// With one more attribute. A sum, so that the order does not matter.
    pub(super) fn with(self, key: &str, value: &str) -> Self {
        let pair = fingerprint64(key.as_bytes()) ^ fingerprint64(value.as_bytes()).rotate_left(32);
        Self(self.0.wrapping_add(pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (pair >> 29)))
    }

    /// The id of what is derived from it under a name.
    pub(super) fn derived(self, name: &str) -> u64 {
        (self.0 ^ fingerprint64(name.as_bytes())).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// The description of a series as the state keeps it.
mod description {
    use super::{Deserialize, Serialize, proto};

    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub(super) struct Description {
        id: u64,
        name: String,
        instance: String,
        unit: String,
        kind: i32,
    }

    impl From<proto::SeriesInfo> for Description {
        fn from(info: proto::SeriesInfo) -> Self {
            Self { id: info.id, name: info.name, instance: info.instance, unit: info.unit, kind: info.kind }
        }
    }

    impl From<Description> for proto::SeriesInfo {
        fn from(info: Description) -> Self {
            Self { id: info.id, name: info.name, instance: info.instance, unit: info.unit, kind: info.kind }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_is_reset_starts_from_zero_again() {
        let mut table = SeriesTable::default();
        let number = table.meet(7, 0, 10, proto::SeriesInfo::default).expect("room");
        assert_eq!(table.increase(number, 1, 100.0), None);
        assert_eq!(table.increase(number, 1, 130.0), Some(30.0));
        assert_eq!(table.increase(number, 1, 5.0), Some(5.0));
        assert_eq!(table.increase(number, 2, 9.0), Some(9.0));
    }

    #[test]
    fn the_order_of_attributes_does_not_matter_but_their_pairing_does() {
        let id = SeriesId::new(1, "m");
        assert_eq!(id.with("a", "1").with("b", "2").0, id.with("b", "2").with("a", "1").0);
        assert_ne!(id.with("a", "1").with("b", "2").0, id.with("a", "2").with("b", "1").0);
    }
}
