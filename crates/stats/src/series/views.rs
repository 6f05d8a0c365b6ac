//! A series from several sides, each told by its own rarity: how odd is it in all?

use serde::{Deserialize, Serialize};

use super::{rarity::Rarity, rest::Rest};
use crate::Tail;

/// What is seen of one value.
pub(crate) struct Sides {
    pub(crate) value: f64,
    /// Distance from what is usual at this time of the day, if that is known.
    pub(crate) off_season: Option<f64>,
    /// The same, smoothed.
    pub(crate) lasting_off_season: Option<f64>,
    /// Standard errors of a change of slope, if there is a line to change.
    pub(crate) turn: Option<f64>,
}

/// Views, their joint surprise (the sum of their -log10 p: Fisher 1925), corrected for how often one has looked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Views {
    high: Rarity,
    low: Rarity,
    change: Rarity,
    off_season: Rarity,
    lasting: Rarity,
    turn: Rarity,
    first: f64,
    last: f64,
    seen: u32,
    rest: Rest,
}

/// Looks that are free.
const FREE_LOOKS: f64 = 1_000.0;
/// Sides that are independent, of the five: each is the rarest of all looks now and then.
const LOOKS_COUNT: f64 = 2.0;

impl Views {
    /// Feeds one value seen from all sides: -log10 of their joint probability, 0 where it does not stand out from the recent past.
    pub(crate) fn observe(&mut self, sides: &Sides) -> f64 {
        if self.seen == 0 {
            (self.first, self.last) = (sides.value, sides.value);
        }
        self.seen = self.seen.saturating_add(1);
        // From the first value, so that single precision does.
        let off = sides.value - self.first;
        let extreme = self.high.observe(off).min(self.low.observe(-off));
        let change = self.change.observe((sides.value - self.last).abs());
        self.last = sides.value;
        // What can't be seen yet is no zero: the first that can would be rare beyond measure.
        let side = |rarity: &mut Rarity, seen: Option<f64>| {
            seen.map_or(Tail::ONE, |seen| rarity.observe(seen.abs()))
        };
        let off_season = side(&mut self.off_season, sides.off_season);
        let lasting = side(&mut self.lasting, sides.lasting_off_season);
        let turn = side(&mut self.turn, sides.turn);
        let sum: f64 = [extreme, change, off_season, lasting, turn].into_iter().map(Tail::surprise).sum();
        let looks = f64::from(self.seen).max(FREE_LOOKS) / FREE_LOOKS;
        let joint = (sum - LOOKS_COUNT * libm::log10(looks)).max(0.0);
        self.rest.observe(joint)
    }
}
