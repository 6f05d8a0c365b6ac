//! One metric series of any cadence: everything that can be odd about it, in one place.
mod bounds;
mod clock;
mod grain;
mod habit;
mod rarity;
mod rest;
mod season;
mod turn;
mod views;

use serde::{Deserialize, Serialize};

use crate::{FlatLine, Level, LevelShift, Tail};
use bounds::Bounds;
use clock::{Clock, Tick};
use grain::Grain;
use habit::Habit;
use season::Season;
use turn::{Form, LEFT, Turn};
use views::{Sides, Views};

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
    /// raw
    pub leap: f64,
    /// raw
    pub raw: [f64; 10],
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
    turn: Turn,
    grain: Grain,
    bounds: Bounds,
    leaps: Bounds,
    off: Bounds,
    season: Option<Box<Season>>,
    habits: [Habit; 1],
    smooth: f64,
    last: f64,
    views: Views,
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
            turn: Turn::default(),
            grain: Grain::default(),
            bounds: Bounds::default(),
            leaps: Bounds::default(),
            off: Bounds::default(),
            season: Some(Box::default()),
            habits: Default::default(),
            smooth: 0.0,
            last: f64::NAN,
            views: Views::default(),
        }
    }

    /// Feeds one value.
    pub fn observe(&mut self, secs: f64, value: f64) -> Watched {
        if let Tick::After(steps) = self.clock.tick(secs) {
            for _ in 1..steps.min(100) {
                self.level.observe(f64::NAN);
                self.turn.skip();
            }
        }
        let floor = self.grain.observe(value);
        let v = self.level.observe(value);
        let s = self.shift.observe(v.score());
        let f = self.flat.observe(value);
        let turn = self.turn.observe(value, floor);
        let bounds = self.bounds.observe(value, floor);
        let leap = self.leaps.observe(value - v.mean, floor);
        let mut t = [0.0; 10];
        t[0] = bounds.abs();
        t[1] = leap.abs();
        t[2] = v.surprise();
        t[3] = s.up.min(s.down).surprise();
        t[4] = f.tail.surprise();
        if let Some(c) = turn {
            if c.form == Form::Step {
                t[5] = c.z;
                t[6] = c.tail.surprise()
            } else {
                t[7] = c.z;
                t[8] = c.tail.surprise()
            }
        }
        let (mut seas, mut off) = (0.0, 0.0);
        if let Some(usual) = self.season.as_mut().and_then(|season| season.observe(secs, value)) {
            off = value - usual;
            self.smooth += 0.1 * (value - usual - self.smooth);
            seas = self.off.observe(self.smooth, floor).abs();
        }
        t[9] = seas;
        for habit in &mut self.habits {
            habit.pass(self.clock.gap());
        }
        let turned = turn.filter(|change| change.z >= LEFT);
        let unusual = turned.is_some() && self.habits[0].happened();
        let mut alarm = None;
        if t[0] >= 4.5 {
            alarm = Some(Oddity::Deviation);
        } else if t[4] >= 7.0 {
            alarm = Some(Oddity::Flat);
        } else if let Some(change) = turned.filter(|c| unusual && c.tail.surprise() >= 5.0) {
            alarm = Some(if change.form == Form::Step { Oddity::Shift } else { Oddity::Trend });
        } else if seas >= 8.0 {
            alarm = Some(Oddity::Season);
        }
        let change = if self.last.is_nan() { 0.0 } else { value - self.last };
        self.last = value;
        let joint = self.views.observe(&Sides {
            value,
            change,
            off_season: off,
            lasting_off_season: self.smooth,
            turn: t[7],
        });
        Watched {
            leap,
            alarm,
            expected: v.expected,
            mean: v.mean,
            raw: t,
            tails: [Tail::ONE; KINDS],
            score: joint / (joint + 10.0),
        }
    }
}
