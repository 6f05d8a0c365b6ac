//! Series that do the same: is one of them unlike the others?
//!
//! Knows no names: the caller feeds the values of one window, each with the number of its series.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{bounds::Reach, watch::REACH};
use crate::Tail;

/// Peers that say what is usual among them: of three, one may be odd and nobody knows which.
pub const FEWEST_PEERS: usize = 4;
/// Values of a series before anything is said of it.
const NEEDED: u32 = 60;
/// Weight of a value in what lasts: about five of them.
const SMOOTHING: f32 = 0.2;
/// Of a window in what peers differ by as a rule.
const USUAL: f64 = 0.02;
/// Memory, in values: what sets a series apart for days is its manner.
const MEMORY: f64 = 4_000.0;
/// Above so many of its own standard deviations it is told,
const TOLD: f64 = 8.0;
/// and if it is so many deviations of its peers away.
const APART: f64 = 3.0;
/// The deviation of a normal over its median absolute deviation.
const NORMAL_MAD: f64 = 1.482_602_219;
/// Peers are not taken to differ by less than this share of what they are.
const LEAST_SHARE: f64 = 0.01;
/// Nor is one taken to be farther away than this.
const FARTHEST: f32 = 50.0;
/// Least standard deviation of its distance, in deviations of its peers.
const FLOOR: f64 = 0.2;

/// The same metric of several instances. What moves all of them, such as load, moves their median; what is left is each one's
/// distance from it in median absolute deviations (the modified z-score: Iglewicz and Hoaglin, 1993), smoothed, against its
/// own history: a replica that always did less is not odd. 48 bytes a series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    members: BTreeMap<u32, Member>,
    /// Smoothed median absolute deviation.
    usual: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Member {
    usual: Reach,
    lasting: f32,
    seen: u32,
}

/// One that is unlike its peers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OddOneOut {
    /// Its number.
    pub series: u32,
    /// Its value.
    pub value: f64,
    /// The median of all, in the unit of the series as all here.
    pub median: f64,
    /// The interval around it that holds 95 % of its peers.
    pub expected: (f64, f64),
    /// Probability of such a distance, by its own history, among all peers.
    pub tail: Tail,
}

impl Peers {
    /// Feeds the values of a window, one a series. The one that is farthest from its own usual place among them, if that would be
    /// told. `None` for too few.
    pub fn observe(&mut self, values: &[(u32, f64)]) -> Option<OddOneOut> {
        if values.len() < FEWEST_PEERS {
            return None;
        }
        let median = median(values.iter().map(|(_, value)| *value));
        let now = self::median(values.iter().map(|(_, value)| (value - median).abs()));
        self.usual = if self.members.is_empty() { now } else { self.usual + USUAL * (now - self.usual) };
        // Of few values it may be small by chance.
        let deviation = (NORMAL_MAD * now.max(self.usual)).max(LEAST_SHARE * median.abs());
        let expected = (median - REACH * deviation, median + REACH * deviation);
        let mut oddest = (TOLD, None);
        for (series, value) in values {
            let off = (value - median) / deviation;
            // All of them are 0.
            let off = if off.is_nan() { 0.0 } else { off as f32 };
            let member = self.members.entry(*series).or_default();
            member.lasting += SMOOTHING * (off.clamp(-FARTHEST, FARTHEST) - member.lasting);
            member.seen = member.seen.saturating_add(1);
            let seen = member.usual.observe(f64::from(member.lasting), FLOOR, MEMORY);
            let is_apart = f64::from(member.lasting.abs()) >= APART && member.seen > NEEDED;
            if is_apart && seen.z.abs() >= oddest.0 {
                let tail = seen.tail.among(values.len() as f64);
                oddest = (
                    seen.z.abs(),
                    Some(OddOneOut { series: *series, value: *value, median, expected, tail }),
                );
            }
        }
        oddest.1
    }
}

/// The middle one, of an even number the mean of both.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    let (is_even, middle) = (values.len().is_multiple_of(2), values.len() / 2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    match below.iter().copied().max_by(f64::total_cmp) {
        Some(lower) if is_even => 0.5 * (lower + *upper),
        _ => *upper,
    }
}
