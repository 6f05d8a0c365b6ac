//! Is a value never seen in a place something unusual there, or does the place bring new ones all the time?
//!
//! For places with few values: users, hosts, codes. Knows values as hashes only.

use serde::{Deserialize, Serialize};

use crate::{
    Confidence,
    tail::{Tail, beta_binomial_upper},
};

/// Values told apart. A place with more is open: anything may stand there.
pub const VALUES: usize = 32;
/// Draws that must have been seen before a new value means anything.
const NEEDED: u64 = 100;
/// Draws after which the estimate is a good one.
const WELL_AFTER: u64 = 1_000;
/// Draws a value, below which a place has too many values for its draws.
const DRAWS_A_VALUE: u64 = 8;
/// The recent rate of news forgets in proportion to its age, up to so many draws.
const MEMORY: f64 = 100_000.0;

/// The values of one place.
///
/// Good-Turing, as [`crate::Novelty`] has it for patterns: the chance of a value never seen is the share of those seen
/// once (Good 1953). The recent rate of news stands beside it and the larger tail counts, for what comes in order
/// (numbers that rise, users that sign up) is soon seen a second time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlaceValues {
    /// Sorted; the lowest bit says that it was seen more than once.
    values: Vec<u64>,
    open: bool,
    draws: u64,
    recent_draws: f64,
    recent_news: f64,
}

/// What a window brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct News {
    /// Values never seen.
    pub new: u64,
    /// Probability of as many new ones among so many draws.
    pub tail: Tail,
    /// How far it can be relied on.
    pub learned: Confidence,
    /// The place is open from now on.
    pub opens: bool,
}

impl PlaceValues {
    /// Values told apart; [`VALUES`] and one where it is open.
    pub fn distinct(&self) -> usize {
        if self.open { VALUES + 1 } else { self.values.len() }
    }

    /// Draws seen.
    pub fn draws(&self) -> u64 {
        self.draws
    }

    /// Whether anything may stand there.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether a value was seen.
    pub fn knows(&self, value: u64) -> bool {
        self.find(value).is_ok()
    }

    fn find(&self, value: u64) -> Result<usize, usize> {
        self.values.binary_search_by_key(&(value & !1), |known| known & !1)
    }

    /// How far it can be relied on; `NotYet` also for a place that has too many values for what was seen of it.
    pub fn learned(&self) -> Confidence {
        let few = self.values.len() as u64 * DRAWS_A_VALUE <= self.draws;
        match self.draws {
            _ if self.open || !few => Confidence::NotYet,
            0..NEEDED => Confidence::NotYet,
            NEEDED..WELL_AFTER => Confidence::Early,
            _ => Confidence::Full,
        }
    }

    /// P(at least `new` values never seen among `draws`); 1 while not learned.
    pub fn judge(&self, new: u64, draws: u64) -> Tail {
        if new == 0 || !self.learned().is_ready() {
            return Tail::ONE;
        }
        let draws = draws.max(new);
        let once = self.values.iter().filter(|value| *value & 1 == 0).count() as f64;
        let unseen = beta_binomial_upper(new, draws, once + 1.0, (self.draws as f64 - once).max(1.0));
        let recent = beta_binomial_upper(new, draws, self.recent_news + 1.0, self.recent_draws.max(1.0));
        unseen.max(recent)
    }

    /// Judges and learns a window of so many draws, `seen` what it showed that may be news: a value and how often. With
    /// `overflow` there were more values than can be told.
    pub fn observe(&mut self, draws: u64, seen: &[(u64, u64)], overflow: bool) -> News {
        let new = seen.iter().filter(|(value, _)| !self.knows(*value)).count();
        // Of more than can be told apart only that is known.
        let too_many = !self.open && (overflow || self.values.len() + new > VALUES);
        let news = if too_many { VALUES + 1 - self.values.len().min(VALUES) } else { new } as u64;
        let (tail, learned) = (self.judge(news, draws), self.learned());
        self.draws += draws;
        let keep = 1.0 - (draws as f64 / (0.5 * self.draws as f64 + 1.0).min(MEMORY)).min(1.0);
        self.recent_draws = self.recent_draws * keep + draws as f64;
        self.recent_news = self.recent_news * keep + news as f64;
        if self.open {
            return News { new: 0, tail: Tail::ONE, learned, opens: false };
        }
        for (value, times) in seen {
            match self.find(*value) {
                Ok(at) => self.values[at] |= 1,
                Err(at) => self.values.insert(at, (value & !1) | u64::from(*times > 1)),
            }
        }
        self.open = too_many;
        if self.open {
            self.values = Vec::new();
        }
        News { new: news, tail, learned, opens: self.open }
    }

    /// Takes up the values of another place that became one with this one.
    pub fn absorb(&mut self, other: &Self) {
        let seen: Vec<(u64, u64)> =
            other.values.iter().map(|value| (*value & !1, 1 + (*value & 1))).collect();
        self.observe(0, &seen, other.open);
        self.draws += other.draws;
        self.recent_draws += other.recent_draws;
        self.recent_news += other.recent_news;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(n: u64) -> u64 {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn after(draws: u64, values: u64) -> PlaceValues {
        let mut place = PlaceValues::default();
        for draw in 0..draws {
            place.observe(1, &[(value(draw * 7 % values), 1)], false);
        }
        place
    }

    #[test]
    fn a_new_value_where_the_same_ones_come_all_the_time_is_rare_and_many_at_once_are_rarer() {
        let place = after(2_000, 20);
        assert!((2.5..3.5).contains(&place.judge(1, 1).surprise()), "{:?}", place.judge(1, 1));
        assert!(place.judge(8, 10).surprise() > 15.0, "{:?}", place.judge(8, 10));
    }

    #[test]
    fn where_values_keep_coming_or_are_many_nothing_is_new() {
        assert_eq!(after(300, 60).judge(1, 1), Tail::ONE, "too few draws for so many");
        let mut place = PlaceValues::default();
        for draw in 0..2_000 {
            // A value in forty draws is new, and comes twice.
            place.observe(1, &[(value(draw / 40 + draw % 2), 1)], false);
        }
        assert!(place.judge(1, 1).surprise() < 2.0, "{:?}", place.judge(1, 1));
    }

    #[test]
    fn more_values_than_can_be_told_apart_open_the_place_for_good() {
        let mut place = after(2_000, 20);
        let many: Vec<(u64, u64)> = (100..150).map(|n| (value(n), 1)).collect();
        let news = place.observe(60, &many, false);
        assert!(news.opens && news.new == 13 && news.tail.surprise() > 12.0, "{news:?}");
        assert!(place.is_open() && !place.learned().is_ready());
        assert_eq!(place.observe(1, &[(value(500), 1)], false).new, 0);
    }

    #[test]
    fn values_seen_in_two_places_are_those_of_the_whole() {
        let mut left = after(500, 10);
        left.absorb(&after(500, 15));
        assert_eq!((left.values, left.draws), (after(1_000, 15).values, 1_000));
    }
}
