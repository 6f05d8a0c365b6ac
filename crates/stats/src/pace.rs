//! Has the pace of a series changed? Counts of late against those before, by the clock and by the pace of all else.
//!
//! For changes that are slow to show: few lines an hour, of which hardly any come any more. What is expected is learned
//! from the stretch itself; the caller keeps the counts.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{
    Tail,
    overshoot::Overshoot,
    tail::{beta_binomial_lower, beta_binomial_upper},
};

/// Units before, at least, from which a pace is known.
const FEWEST_BEFORE: usize = 18;
/// How spread a count is at the length that is judged is told by a few such stretches, and by many units: the units
/// weigh as so many stretches.
const UNITS_WEIGH: f64 = 12.0;
/// And what is usual among its like as so many.
const PEERS_WEIGH: f64 = 24.0;
/// Of a rate that does not vary at all the size is so large.
const LARGEST_SIZE: f64 = 1e7;

/// So much less has a series to vary beside one than beside the other to have clearly kept to it.
const CLEARLY: f64 = 1.3;
/// Memory of the dispersion, in units.
const DISPERSION_MEMORY: f32 = 432.0;
/// Above this surprise a count is a fault and teaches nothing of the tails.
const FAULT: f64 = 6.0;

/// One unit of time: the count, and what all else came to.
pub type Unit = (u32, u32);

/// What the latest units of a series hold, and should.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Probability of so many.
    pub up: Tail,
    /// Probability of so few.
    pub down: Tail,
    /// What was counted.
    pub observed: u64,
    /// What was expected, by what the series goes with.
    pub expected: f64,
    /// What was expected by the clock and by all else: the lower and the higher.
    pub between: (f64, f64),
    /// Variance over mean of the series beside what it goes with, at the length of the stretch.
    pub dispersion: f64,
    /// The size of the negative binomial that the count follows: how much more than Poisson it varies.
    size: f64,
}

impl Pace {
    /// The interval that holds 95 %.
    pub fn interval(&self) -> (f64, f64) {
        let mean = self.expected;
        let half = 1.96 * (mean + mean * mean / self.size).sqrt();
        ((mean - half).max(0.0), mean + half)
    }
}

/// A series' last units, and what of late is judged by what was before.
///
/// What is a fall by the caller's word does not count as what was before while it lasts, so that the series is held to
/// what it was, until that is older than all that is known otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PaceWatch {
    /// The oldest first.
    units: VecDeque<Unit>,
    /// Units that were left out since a fall began.
    held: u16,
    /// How far the tails of a unit and of a stretch go beyond the model's.
    unit: Memory,
    stretch: Memory,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    overshoot: Overshoot,
    judged: u16,
    /// Mean of [`Pace::dispersion`], over so many.
    dispersion: f32,
    known: u16,
    /// Tails that have not taught yet: what begins to be a fault must not teach that such is usual before it is told.
    waiting: VecDeque<(Tail, Tail)>,
}

impl PaceWatch {
    /// Units of the stretch that is judged.
    pub const STRETCH: usize = 6;
    /// Units before it that are known at most.
    pub const BEFORE: usize = 72;

    /// Adds the newest unit: the count, and that of all else.
    pub fn push(&mut self, own: u64, others: u64) {
        let narrow = |count| u32::try_from(count).unwrap_or(u32::MAX);
        self.units.push_back((narrow(own), narrow(others)));
        if self.held > 0 && self.units.len() > Self::STRETCH {
            self.units.remove(self.units.len() - 1 - Self::STRETCH);
            self.held += 1;
            if usize::from(self.held) > Self::BEFORE {
                self.units.drain(..self.units.len() - Self::STRETCH);
                self.recovered();
            }
        }
        if self.units.len() > Self::BEFORE + Self::STRETCH {
            self.units.pop_front();
        }
    }

    /// What the newest unit is worth. To be asked once; a `fault` in it teaches nothing.
    pub fn judge_unit(&mut self, fault: bool) -> Option<Pace> {
        let units = self.units.make_contiguous();
        let (before, latest) = units.split_at(units.len().saturating_sub(1));
        self.unit.judge(before, latest, None, fault)
    }

    /// What the latest stretch is worth, where [`Pace::dispersion`] of a series like this is `usual`, if that is known. To
    /// be asked once a unit.
    pub fn judge_stretch(&mut self, usual: Option<f64>) -> Option<Pace> {
        let units = self.units.make_contiguous();
        let (before, latest) = units.split_at(units.len().saturating_sub(Self::STRETCH));
        self.stretch.judge(before, latest, usual, self.held > 0)
    }

    /// The newest unit was a burst: among what was before it counts as what was `expected`.
    pub fn amend(&mut self, expected: f64) {
        if let Some(last) = self.units.back_mut() {
            last.0 = last.0.min(expected.ceil() as u32);
        }
    }

    /// What fell is a fault, and so are the units to come while it lasts.
    pub fn fell(&mut self) {
        self.held = self.held.max(1);
    }

    /// What fell came back.
    pub fn recovered(&mut self) {
        self.held = 0;
    }

    /// The count of the newest unit.
    pub fn last(&self) -> u32 {
        self.units.back().map_or(0, |unit| unit.0)
    }

    /// Adds what another series had that became one with this one, from the newest back.
    pub fn absorb(&mut self, other: &Self) {
        for (own, its) in self.units.iter_mut().rev().zip(other.units.iter().rev()) {
            *own = (own.0.saturating_add(its.0), own.1.saturating_sub(its.0));
        }
    }
}

impl Memory {
    fn judge(&mut self, before: &[Unit], latest: &[Unit], usual: Option<f64>, fault: bool) -> Option<Pace> {
        let mut pace = pace(before, latest, usual, self.dispersion.into())?;
        self.known = self.known.saturating_add(1);
        let gain = (1.0 / f32::from(self.known)).max(1.0 / DISPERSION_MEMORY);
        self.dispersion += gain * (pace.dispersion as f32 - self.dispersion);
        let (up, down) = (pace.up, pace.down);
        (pace.up, pace.down) = self.overshoot.correct(up, down, self.judged.into(), 1.0);
        if fault || pace.up.min(pace.down).surprise() >= FAULT {
            self.waiting.clear();
            return Some(pace);
        }
        self.waiting.push_back((up, down));
        if self.waiting.len() > 2 * latest.len()
            && let Some((up, down)) = self.waiting.pop_front()
        {
            self.overshoot.learn(up, down);
            self.judged = self.judged.saturating_add(1);
        }
        Some(pace)
    }
}

/// Judges the units `latest` against those `before` them. `None` where too little is known.
///
/// With the number of both stretches given, that of the later one is binomial if the rate is the same in both
/// (Przyborowski and Wilenski 1940): no rate has to be estimated. Where rates vary (negative binomial counts) it is
/// beta-binomial, with the sizes of the stretches as parameters. Its share is that of time, or that of all else in it:
/// what goes up and down with the day goes with the others, other things by the clock. Whichever the series has clearly
/// kept to before is held against it; where neither was clearly better, both have to be left.
fn pace(before: &[Unit], latest: &[Unit], usual: Option<f64>, long: f64) -> Option<Pace> {
    let (now, then) = (own(latest) as u64, own(before) as u64);
    if before.len() < FEWEST_BEFORE || latest.is_empty() || then == 0 {
        return None;
    }
    let clock = Measure::new(before, latest, (usual, long), |_| 1.0);
    let all_else = Measure::new(before, latest, (usual, long), |unit| f64::from(unit.1));
    // What it has kept to no better than to the other says nothing that the other does not.
    let sure = |one: &Measure, other: &Measure| one.index * CLEARLY < other.index;
    let (best, tails) = if all_else.share > 0.0 && all_else.index <= clock.index {
        (&all_else, (!sure(&all_else, &clock)).then_some(&clock))
    } else {
        (&clock, (!sure(&clock, &all_else) && all_else.share > 0.0).then_some(&all_else))
    };
    let (mut up, mut down) = best.tails(now, then);
    if let Some(other) = tails {
        let (other_up, other_down) = other.tails(now, then);
        (up, down) = (up.max(other_up), down.max(other_down));
    }
    let both = [clock.expected(then), all_else.expected(then)];
    let expected = best.expected(then);
    Some(Pace {
        up,
        down,
        observed: now,
        expected,
        between: (both[0].min(both[1]), both[0].max(both[1])),
        size: best.size(expected),
        dispersion: best.raw,
    })
}

fn own(units: &[Unit]) -> f64 {
    units.iter().map(|unit| f64::from(unit.0)).sum()
}

/// What a series may go with.
struct Measure {
    /// The share that the latest units have of it all.
    share: f64,
    /// Variance over mean of the series beside it, at the length of the latest units.
    index: f64,
    /// As the series itself has it.
    raw: f64,
}

impl Measure {
    fn new(
        before: &[Unit],
        latest: &[Unit],
        (usual, long): (Option<f64>, f64),
        of: impl Fn(&Unit) -> f64,
    ) -> Self {
        let sum = |units: &[Unit]| units.iter().map(&of).sum::<f64>();
        let (now, then) = (sum(latest), sum(before));
        let rate = own(before) / then.max(f64::MIN_POSITIVE);
        let index = |length: usize| {
            let stretches = before.rchunks_exact(length).map(|units| (own(units), rate * sum(units)));
            dispersion(stretches)
        };
        let ((of_units, _), (of_stretches, n)) = (index(1), index(latest.len()));
        let peers_weigh = if usual.is_some() { PEERS_WEIGH } else { 0.0 };
        let of_peers = usual.unwrap_or(1.0).max(1.0) * peers_weigh;
        let raw = (of_units.max(1.0) * UNITS_WEIGH + of_stretches * n) / (UNITS_WEIGH + n);
        // Rates that wander vary more over a stretch than over a unit, and more still from what was before to what is
        // late. Up to twice as much it may look so by chance.
        let wanders = 0.5 * of_stretches / of_units.max(1.0);
        let raw = if wanders > 1.0 { raw.max(of_stretches * wanders) } else { raw };
        let both = (raw * (UNITS_WEIGH + n) + of_peers) / (UNITS_WEIGH + n + peers_weigh);
        // No less than it was in a longer past.
        let index = both.max(long);
        Self { share: if now > 0.0 { now / (now + then) } else { 0.0 }, index, raw }
    }

    fn expected(&self, then: u64) -> f64 {
        then as f64 * self.share / (1.0 - self.share).max(f64::MIN_POSITIVE)
    }

    /// The size of the negative binomial of this mean.
    fn size(&self, mean: f64) -> f64 {
        (mean / (self.index - 1.0).max(1e-9)).clamp(f64::MIN_POSITIVE, LARGEST_SIZE)
    }

    fn tails(&self, now: u64, then: u64) -> (Tail, Tail) {
        let size = self.size(self.expected(then));
        let rest = size * (1.0 - self.share) / self.share;
        (beta_binomial_upper(now, now + then, size, rest), beta_binomial_lower(now, now + then, size, rest))
    }
}

/// Of counts and what was expected: mean of the squared errors over what was expected, and of how many.
fn dispersion(counts: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let known = counts.filter(|(_, expected)| *expected > 0.0);
    let (n, sum) = known.fold((0.0, 0.0), |(n, sum), (count, expected)| {
        (n + 1.0, sum + (count - expected) * (count - expected) / expected)
    });
    if n < 2.0 { (1.0, 0.0) } else { (sum / (n - 1.0), n) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of `mean` with a daily rhythm of ten minutes, in which fractions are made up for over time.
    fn rhythm(mean: f64, units: usize) -> Vec<u32> {
        let mut sum = 0.0;
        let level = |t: usize| mean * (1.0 + 0.5 * libm::sin(std::f64::consts::TAU * t as f64 / 144.0));
        (0..units)
            .map(|t| {
                let before = sum;
                sum += level(t);
                sum as u32 - before as u32
            })
            .collect()
    }

    fn judge(own: &[u32], others: &[u32], latest: usize) -> Option<Pace> {
        let units: Vec<Unit> = own.iter().copied().zip(others.iter().copied()).collect();
        let (before, latest) = units.split_at(units.len() - latest);
        pace(before, latest, None, 1.0)
    }

    #[test]
    fn what_changes_with_all_else_or_by_the_clock_alone_has_kept_its_pace() {
        let (mut own, others) = (rhythm(10.0, 78), rhythm(400.0, 78));
        let level = judge(&own, &others, 6).expect("enough is known");
        assert!(level.down.surprise() < 1.0 && level.up.surprise() < 1.0, "{level:?}");
        own[72..].fill(0);
        let gone = judge(&own, &others, 6).expect("enough is known");
        assert!(gone.down.surprise() > 8.0 && gone.observed == 0, "{gone:?}");
        let mut all_gone = others.clone();
        all_gone[72..].fill(0);
        let with_all = judge(&own, &all_gone, 6).expect("enough is known");
        assert_eq!(with_all.between.0, 0.0, "all else is gone as well: {with_all:?}");
        own[72..].fill(100);
        let more = judge(&own, &others, 6).expect("enough is known");
        assert!(more.up.surprise() > 20.0, "{more:?}");
        let all_more: Vec<u32> =
            others.iter().zip(0..).map(|(n, t)| if t < 72 { *n } else { n * 15 }).collect();
        let with_all = judge(&own, &all_more, 6).expect("enough is known");
        assert!(with_all.up.surprise() < 1.0, "{with_all:?}");
    }

    fn of(counts: impl IntoIterator<Item = u64>) -> PaceWatch {
        let mut watch = PaceWatch::default();
        counts.into_iter().for_each(|count| watch.push(count, 500));
        watch
    }

    #[test]
    fn what_is_old_is_forgotten_and_series_become_one_from_the_newest_back() {
        let counts = |watch: &PaceWatch| watch.units.iter().map(|unit| unit.0).collect::<Vec<u32>>();
        let mut long = of(0..100);
        assert_eq!(counts(&long), (22..100).collect::<Vec<u32>>());
        long.absorb(&of([7, 8]));
        assert_eq!(counts(&long), (22..98).chain([98 + 7, 99 + 8]).collect::<Vec<u32>>());
        assert_eq!(long.units.back(), Some(&(107, 492)), "what is its own now is no other's");
    }

    #[test]
    fn a_fall_is_held_to_what_was_before_it_and_is_normal_when_that_is_old() {
        let mut watch = of([9; 78]);
        let mut fall = |units: usize| {
            let mut last = None;
            for _ in 0..units {
                watch.push(0, 500);
                last = watch.judge_stretch(None);
                if last.is_some_and(|pace| pace.down.surprise() > 8.0) {
                    watch.fell();
                }
            }
            last
        };
        let pace = fall(60).expect("enough is known");
        assert_eq!((pace.observed, pace.expected), (0, 54.0));
        assert_eq!(fall(30), None, "nothing was before");
    }

    #[test]
    fn a_burst_that_was_told_does_not_raise_what_is_expected() {
        let mut watch = of([9; 40]);
        watch.push(900, 500);
        let pace = watch.judge_unit(false).expect("enough is known");
        assert!(pace.up.surprise() > 20.0, "{pace:?}");
        watch.amend(9.0);
        watch.push(9, 500);
        assert_eq!(watch.judge_unit(false).map(|pace| pace.between), Some((9.0, 9.0)));
    }

    #[test]
    fn little_known_says_nothing() {
        assert_eq!(judge(&[5; 20], &[50; 20], 6), None);
        assert_eq!(judge(&[0; 80], &[50; 80], 6), None);
    }

    #[test]
    fn a_rate_that_varies_by_itself_makes_the_same_fall_less_surprising() {
        let fall = |mut own: Vec<u32>| {
            own[72..].fill(1);
            judge(&own, &[500; 78], 6).expect("enough is known").down.surprise()
        };
        let steady = fall(vec![8; 78]);
        let restless = fall((0..78).map(|t| if t / 9 % 2 == 0 { 1 } else { 15 }).collect());
        assert!(steady > 8.0 && restless < 3.0, "{steady} {restless}");
    }
}
