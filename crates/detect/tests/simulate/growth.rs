//! The telemetry streams get more partitions in the middle of a run.

use std::time::Duration;

use foreshock_model::Timestamp;

use super::{
    journal::Place,
    world::{Variant, World, is_telemetry},
};

/// New partitions are served within this time of being written to.
const SERVED_WITHIN: Duration = Duration::from_secs(30);

/// When it happens and how far it has come.
pub(super) struct Growth {
    pub(super) at: Timestamp,
    pub(super) to: u16,
    /// How many partitions telemetry is shipped to.
    pub(super) shipped_to: u16,
}

impl World<'_> {
    /// Adds partitions when it is time. Returns whether telemetry may be shipped now.
    pub(super) fn grow(&mut self) -> bool {
        let Some(growth) = &mut self.growth else { return true };
        if self.now < growth.at || growth.shipped_to == growth.to {
            let waits = self.variant == Variant::HastyGrowth && self.now >= growth.at.plus(SERVED_WITHIN);
            return !waits || self.new_ones_are_heard();
        }
        if self.setting.telemetry != growth.to {
            let before = self.setting.telemetry;
            self.setting.telemetry = growth.to;
            let new = self.setting.inputs().into_iter();
            let new = new.filter(|place| is_telemetry(*place) && place.partition >= before);
            self.orphans.extend(new);
        }
        if self.variant == Variant::HastyGrowth || self.new_ones_are_heard() {
            let growth = self.growth.as_mut().expect("there is one");
            growth.shipped_to = growth.to;
            self.happened.grew = true;
        }
        true
    }

    /// Whether every partition has said something to detect: with its first entry it does.
    fn new_ones_are_heard(&mut self) -> bool {
        let silent: Vec<Place> =
            self.telemetry().into_iter().filter(|place| self.journal.committed(*place) == 0).collect();
        for place in &silent {
            if self.journal.read(*place, 0, 1).is_empty() {
                self.tick(*place, self.now);
            }
        }
        silent.is_empty()
    }
}
