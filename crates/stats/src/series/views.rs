//! A series from several sides, each told by its own rarity: how odd is it in all?

use serde::{Deserialize, Serialize};

use super::{rarity::Rarity, rest::Rest};

/// What is seen of one value.
pub(crate) struct Sides {
    pub(crate) value: f64,
    pub(crate) change: f64,
    pub(crate) off_season: f64,
    pub(crate) lasting_off_season: f64,
    pub(crate) turn: f64,
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
    seen: u32,
    rest: Rest,
}

/// Looks that are free.
const FREE_LOOKS: f64 = 1_000.0;

impl Views {
    /// Feeds one value seen from all sides: the joint surprise, repeats suppressed.
    pub(crate) fn observe(&mut self, sides: &Sides) -> f64 {
        if self.seen == 0 {
            self.first = sides.value;
        }
        self.seen = self.seen.saturating_add(1);
        let off = sides.value - self.first;
        let extreme = self.high.observe(off).min(self.low.observe(-off)).surprise();
        let sum = extreme
            + self.change.observe(sides.change.abs()).surprise()
            + self.off_season.observe(sides.off_season.abs()).surprise()
            + self.lasting.observe(sides.lasting_off_season.abs()).surprise()
            + self.turn.observe(sides.turn).surprise();
        let looks = f64::from(self.seen).max(300.0) / FREE_LOOKS;
        self.rest.observe((sum - 2.0 * libm::log10(looks)).max(0.0))
    }
}
