//! Whether a series leaves the ground it has kept to as it never moved before, and since when.
//!
//! A line through a few points has only these points to say how sure it is. Here the past says it: how far the series
//! usually gets in one step and in a dozen, sawtooth, cleanups and all. Knows no limit and makes no forecast.

use serde::{Deserialize, Serialize};

use crate::{
    exhaust::{
        since,
        track::{POINTS, Point},
    },
    tail::{Tail, student_upper},
};

/// Steps from the oldest to the newest point of a full track.
const SPAN: f64 = (POINTS - 1) as f64;
/// Changes over a dozen steps that the past must have taught.
const NEEDED: f32 = 24.0;
/// Memory, in steps: a day of minutes.
const MEMORY: f32 = 1_440.0;
/// A change this surprising is looked at, and does not teach before it has ended.
const SUSPECT: f64 = 3.0;
/// Squares of neighbouring changes are worth so many times fewer independent ones.
const NEIGHBOURS: f64 = 1.5;
/// The beginning was chosen for the change that follows it: so many beginnings that differ.
const BEGINNINGS: f64 = 4.0;
/// Steps that a rise must have lasted.
const SHORTEST: usize = 10;
/// Steps that wait together until they are usual.
const SETTLES: f32 = 8.0;
/// A cleanup is larger than so many usual steps.
const CLEANUP: f64 = 6.0;
/// Share of the steps that go the way of the rise: it is no jump, and no staircase.
const ONE_WAY: f64 = 0.65;
/// Either half of the last dozen steps keeps up with the whole by this share: a rise that slows down leads to a new
/// level, not to the limit.
const KEEPS_UP: f64 = 0.7;
/// A gap of so many usual steps: what is on either side does not belong together.
const GAP: f64 = 3.0;

/// The usual changes of a series, and the change that is not usual.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Departure {
    /// What was before does not count.
    since_secs: f64,
    usual: Changes,
    /// What was seen last, the older part first: it becomes usual a little later, so that a beginning does not hide
    /// itself.
    settling: [Changes; 2],
    /// The ground it has kept to.
    low: f32,
    high: f32,
    /// The last point on known ground, while it is being left.
    leaving: Option<Point>,
}

/// How far a series gets in one step, and in [`SPAN`] of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Changes {
    one: Size,
    span: Size,
}

/// Root mean square of so many changes. The root, so that the squares of large values fit; 8 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Size {
    root: f32,
    changes: f32,
}

impl Size {
    fn of(change: f64) -> Self {
        Self { root: change.abs() as f32, changes: 1.0 }
    }

    fn absorb(&mut self, other: Self) {
        let changes = self.changes + other.changes;
        if other.changes > 0.0 {
            let share = f64::from(other.changes / changes);
            self.root = ((1.0 - share) * self.square() + share * other.square()).sqrt() as f32;
            self.changes = changes.min(MEMORY);
        }
    }

    fn square(self) -> f64 {
        f64::from(self.root) * f64::from(self.root)
    }
}

/// A steady movement away from the usual ground.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departed {
    pub(super) since_secs: f64,
    /// P(such a change, as the series has moved before).
    pub(super) p_usual: Tail,
}

impl Changes {
    fn absorb(&mut self, other: Self) {
        self.one.absorb(other.one);
        self.span.absorb(other.span);
    }

    /// P(a change at least so far one way, over `steps`), for a series whose changes over long times grow no faster than
    /// a random walk's with the variance learned: conservative for what comes back by itself. Its degrees of freedom are
    /// the fewer the more the steps follow one another. `typical` is the size of the present steps: one such step is
    /// taken as seen, so that what never moved is no certainty.
    fn tail(&self, change: f64, steps: f64, typical: f64) -> Tail {
        let n = f64::from(self.one.changes);
        let one = (self.one.square() * n + typical * typical) / (n + 1.0);
        if one <= 0.0 {
            return Tail::ONE;
        }
        let walk = SPAN * self.one.square();
        let persistence = if walk > 0.0 { self.span.square() / walk } else { 0.0 };
        let variance = steps * one * persistence.max(1.0);
        let held = persistence.min(1.0);
        let degrees = n / NEIGHBOURS / (1.0 + (SPAN - 1.0) * held * held * held);
        student_upper(change.abs() / variance.sqrt(), degrees.max(1.0))
    }
}

impl Departure {
    pub(super) fn new() -> Self {
        Self {
            since_secs: f64::MIN,
            usual: Changes::default(),
            settling: Default::default(),
            low: f32::MAX,
            high: f32::MIN,
            leaving: None,
        }
    }

    /// Someone cleaned up at that time, by that step: the ground is another one. What is no larger than the usual steps is
    /// none, and teaches like them.
    pub(super) fn cleaned(&mut self, t_secs: f64, step: f64) {
        let mut seen = self.usual.one;
        for settling in self.settling {
            seen.absorb(settling.one);
        }
        if step.abs() > CLEANUP * f64::from(seen.root) {
            *self = Self { since_secs: t_secs, ..Self::new() };
        }
    }

    /// Takes the last points after one was added, oldest first; fewer than a dozen teach nothing.
    pub(super) fn observe(&mut self, points: &[Point]) {
        let points = since(points, self.since_secs);
        let [.., before, last] = points else { return };
        let mut changes = Changes { one: Size::of(last.value - before.value), span: Size::default() };
        let Some((first, _)) = dozen(points) else {
            self.settle(changes);
            return;
        };
        let change = last.value - first.value;
        changes.span = Size::of(change);
        let unusual = self.usual.span.changes >= NEEDED
            && self.usual.tail(change, SPAN, typical(points)).surprise() >= SUSPECT
            && self.is_new_ground(last.value, change);
        match self.leaving {
            Some(_) if unusual && self.settling[1].one.changes < self.usual.one.changes => {
                self.settling[1].absorb(changes);
            }
            // It has come to rest, come back, or lasted so long that it is usual by now.
            Some(_) => {
                for settling in std::mem::take(&mut self.settling) {
                    self.usual.absorb(settling);
                }
                self.leaving = None;
                points.iter().for_each(|point| self.keep(*point));
            }
            None if unusual => {
                let known = |point: &&Point| !self.is_new_ground(point.value, change);
                self.leaving = Some(points.iter().rev().find(known).copied().unwrap_or(*first));
            }
            None => {
                self.settle(changes);
                self.keep(*first);
            }
        }
    }

    fn settle(&mut self, changes: Changes) {
        let [older, newer] = &mut self.settling;
        newer.absorb(changes);
        if newer.one.changes >= SETTLES {
            self.usual.absorb(*older);
            (*older, *newer) = (*newer, Changes::default());
        }
    }

    /// The steady movement that goes on, if one does; `points` as for [`Self::observe`].
    pub(super) fn departed(&self, points: &[Point]) -> Option<Departed> {
        let from = self.leaving?;
        let points = since(points, self.since_secs);
        let (first, last) = dozen(points)?;
        let change = last.value - from.value;
        let moving = since(points, from.t_secs);
        if moving.len() <= SHORTEST {
            return None;
        }
        let way = change.signum();
        let steps = moving.windows(2);
        let along = steps.clone().filter(|pair| (pair[1].value - pair[0].value) * way > 0.0).count();
        let pace = change / (last.t_secs - from.t_secs);
        let middle = moving.len() / 2;
        let keeps_up = |half: &[Point]| {
            let (a, b) = (half[0], half[half.len() - 1]);
            (b.value - a.value) / (b.t_secs - a.t_secs) / pace >= KEEPS_UP
        };
        let steady = along as f64 >= ONE_WAY * steps.len() as f64
            && keeps_up(&moving[..=middle])
            && keeps_up(&moving[middle..]);
        let stride_secs = (last.t_secs - first.t_secs) / SPAN;
        let taken = ((last.t_secs - from.t_secs) / stride_secs).max(1.0);
        let p_usual = self.usual.tail(change, taken, typical(moving)).among(BEGINNINGS);
        steady.then_some(Departed { since_secs: from.t_secs, p_usual })
    }

    fn keep(&mut self, point: Point) {
        let value = point.value as f32;
        (self.low, self.high) = (self.low.min(value), self.high.max(value));
    }

    fn is_new_ground(&self, value: f64, change: f64) -> bool {
        if change > 0.0 { value > f64::from(self.high) } else { value < f64::from(self.low) }
    }
}

/// The oldest and the newest of a dozen points without a gap between them.
fn dozen(points: &[Point]) -> Option<(&Point, &Point)> {
    let (first, last) = (points.first()?, points.last()?);
    let usual = (last.t_secs - first.t_secs) / SPAN;
    let whole = points.len() == POINTS && points.windows(2).all(|w| w[1].t_secs - w[0].t_secs < GAP * usual);
    whole.then_some((first, last))
}

/// The middle one of the steps' sizes.
fn typical(points: &[Point]) -> f64 {
    let mut sizes: Vec<f64> = points.windows(2).map(|w| (w[1].value - w[0].value).abs()).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.get(sizes.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
#[path = "../../tests/simulate/mod.rs"]
mod simulate;

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::{
        simulate::{CLEAN, Kind, Random},
        *,
    };
    use crate::exhaust::track::{Full, Track};

    /// Kinds of bounded resource that do not run out, a value a minute.
    const BOUNDED: &[Kind<f64>] = &[
        ("sawtooth of hours", |r, n| {
            (0..n).map(|t| 30.0 + 30.0 * (t % 240) as f64 / 240.0 + 0.2 * r.normal()).collect()
        }),
        ("sawtooth of minutes", |r, n| {
            (0..n).map(|t| 56.0 + 0.8 * (t % 5) as f64 / 5.0 + 0.04 * r.normal()).collect()
        }),
        ("cleaned up at random", |r, n| {
            let mut x = 30.0;
            (0..n)
                .map(|_| {
                    x = if r.uniform() < 0.01 { 30.0 } else { x + 0.1 * r.exponential() };
                    x
                })
                .collect()
        }),
        ("daily rhythm, hardly any noise", |r, n| {
            (0..n).map(|t| 50.0 - 20.0 * libm::cos(TAU * t as f64 / 1_440.0) + 0.05 * r.normal()).collect()
        }),
        ("jobs that come and go", |r, n| {
            let (mut x, mut level) = (40.0, 0.0);
            (0..n)
                .map(|_| {
                    if r.uniform() < 0.02 {
                        level = 20.0 * r.uniform();
                    }
                    x += 0.2 * (40.0 + level - x);
                    x + 0.3 * r.normal()
                })
                .collect()
        }),
        ("walk of increments", |r, n| {
            let (mut x, mut v) = (50.0, 0.0);
            (0..n)
                .map(|_| {
                    v = 0.7 * v + 0.1 * r.normal();
                    x += v;
                    x
                })
                .collect()
        }),
        ("steps of files", |r, n| {
            let mut x = 40.0;
            (0..n)
                .map(|_| {
                    x += if r.uniform() < 0.05 { r.normal().round() } else { 0.0 };
                    x
                })
                .collect()
        }),
        ("warms up, restarted every six hours", |r, n| {
            let mut drift = 0.0;
            (0..n)
                .map(|t| {
                    drift = 0.78 * drift + 0.25 * r.normal();
                    48.0 * (1.0 - 0.35 * libm::exp(-((t % 360) as f64) / 8.0)) + drift
                })
                .collect()
        }),
    ];

    fn said(values: &[f64]) -> Vec<f64> {
        let (mut track, mut departure) = (Track::new(60.0), Departure::new());
        let mut said = Vec::new();
        for (t, value) in values.iter().enumerate() {
            if track.observe(t as f64 * 60.0, *value, Full::Forget) {
                departure.observe(track.points());
            }
            if t % 10 == 9 {
                said.push(departure.departed(track.points()).map_or(0.0, |d| d.p_usual.surprise()));
            }
        }
        said
    }

    /// Looks, one each ten minutes, with a p of at most 1e-2, 1e-3, 1e-4, over what these levels allow.
    fn excess(series: &Kind<f64>, runs: u64, minutes: usize) -> [f64; 3] {
        let looks: Vec<f64> =
            (0..runs).flat_map(|seed| said(&series.1(&mut Random::new(seed), minutes))).collect();
        [2.0, 3.0, 4.0].map(|level| {
            let hits = looks.iter().filter(|surprise| **surprise >= level).count() as f64;
            hits / (looks.len() as f64 * libm::pow(10.0, -level))
        })
    }

    #[test]
    fn what_moves_as_ever_departs_no_oftener_than_the_tail_says() {
        for series in CLEAN.iter().chain(BOUNDED) {
            let (hour, day) = (excess(series, 500, 120), excess(series, 100, 1_440));
            println!("{:36} two hours {hour:.2?}, a day {day:.2?}", series.0);
            assert!(day.iter().all(|excess| *excess <= 1.0), "{}: {day:.2?} of a day", series.0);
            // The first job after a quiet hour moves as nothing did before: true, and no trend. Nothing can tell them.
            let fair = if series.0 == "jobs that come and go" { 15.0 } else { 1.0 };
            assert!(hour.iter().all(|excess| *excess <= fair), "{}: {hour:.2?} of two hours", series.0);
        }
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<Departure>() <= 88);
    }
}
