//! One metric series of any cadence: everything that can be odd about it, in one place.
mod clock;

use serde::{Deserialize, Serialize};

use crate::{FlatLine, Level, LevelShift, Tail};
use clock::{Clock, Tick};

/// What can be odd about a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Oddity {
    /// One value far out.
    Deviation,
    /// The level has moved.
    Shift,
    /// The slope has changed.
    Trend,
    /// It varies more, or less, than it did.
    Spread,
    /// It does not vary any more.
    Flat,
    /// Its rhythm is broken.
    Season,
}

/// Kinds of oddity.
pub const KINDS: usize = 6;

/// What one observation is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watched {
    /// The interval that holds 95 %.
    pub expected: (f64, f64),
    /// What was predicted.
    pub mean: f64,
    /// By kind.
    pub tails: [Tail; KINDS],
    score: f64,
    alarm: Option<Oddity>,
}

impl Watched {
    /// From 0 to 1, higher is odder.
    pub fn score(&self) -> f64 {
        self.score
    }

    /// What would be told.
    pub fn alarm(&self) -> Option<Oddity> {
        self.alarm
    }
}

/// The watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesWatch {
    clock: Clock,
    level: Level,
    shift: LevelShift,
    flat: FlatLine,
}

impl Default for SeriesWatch {
    fn default() -> Self {
        Self::new()
    }
}

impl SeriesWatch {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self {
            clock: Clock::default(),
            level: Level::default(),
            shift: LevelShift::default(),
            flat: FlatLine::default(),
        }
    }

    /// Feeds one value.
    pub fn observe(&mut self, secs: f64, value: f64) -> Watched {
        if let Tick::After(steps) = self.clock.tick(secs) {
            for _ in 1..steps.min(100) {
                self.level.observe(f64::NAN);
            }
        }
        let v = self.level.observe(value);
        let s = self.shift.observe(v.score());
        let f = self.flat.observe(value);
        let mut tails = [Tail::ONE; KINDS];
        tails[Oddity::Deviation as usize] = v.smaller();
        tails[Oddity::Shift as usize] = s.up.min(s.down);
        tails[Oddity::Flat as usize] = f.tail;
        let (mut worst, mut alarm) = (0.0, None);
        for (kind, tail) in [Oddity::Deviation, Oddity::Shift, Oddity::Flat].into_iter().zip([
            v.smaller(),
            s.up.min(s.down),
            f.tail,
        ]) {
            if tail.surprise() > worst {
                worst = tail.surprise();
                alarm = (worst > 5.5).then_some(kind);
            }
        }
        Watched { expected: v.expected, mean: v.mean, tails, score: worst / (worst + 5.0), alarm }
    }
}
