//! The watch of one series: feeds every estimator, and says what would be told.

use serde::{Deserialize, Serialize};

use super::{
    Oddity, Watched,
    bounds::Bounds,
    clock::Clock,
    grain::Grain,
    habit::Habit,
    season::Season,
    spread::Spread,
    turn::{Change, Form, Turn},
    views::{Sides, Views},
};
use crate::{FlatLine, Level, Tail};

/// Standard deviations of all that a series ever was, beyond which a value is told.
const FAR: f64 = 4.5;
/// Standard errors of a change of level or slope that is told,
const TURNED: f64 = 5.0;
/// and its surprise at least, the weight of the series' tails taken into account.
const TURNED_SURPRISE: f64 = 5.0;
/// Surprise of a run of equal values that is told.
const FLAT_SURPRISE: f64 = 7.0;
/// Standard deviations by which the day is off its rhythm, when that is told.
const OFF_SEASON: f64 = 8.0;
/// Memory of the long moments, in values.
const MEMORY: f64 = 1_000.0;
/// Steps without a value after which more of them tell the forecast nothing.
const MOST_SKIPPED: u32 = 100;
/// Hypotheses a change is the likeliest of, as many independent ones as give its size.
const CHANGE_LOOKS: f64 = 4.0;

/// Watches one metric series: forecast, far values, turns, spread, flat lines, the rhythm of its days, silences.
///
/// Each part names its published estimator. A value, a change or a day is told where it is both unlikely and large
/// against all the series ever did: significance alone would tell of every trifle of a busy series. A level that was left is
/// the new normal for [`Level`] after thirty values in a row, and for the line of turns at once; the long moments
/// take a thousand values, so a slow drift is not learned away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesWatch {
    clock: Clock,
    grain: Grain,
    level: Level,
    /// Of values, of forecast errors, of what lasts off the rhythm.
    far: Bounds,
    leaps: Bounds,
    off_season: Bounds,
    turn: Turn,
    turns: Habit,
    spread: Spread,
    flat: FlatLine,
    season: Box<Season>,
    views: Box<Views>,
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
            grain: Grain::default(),
            level: Level::default(),
            far: Bounds::default(),
            leaps: Bounds::default(),
            off_season: Bounds::default(),
            turn: Turn::default(),
            turns: Habit::default(),
            spread: Spread::default(),
            flat: FlatLine::default(),
            season: Box::default(),
            views: Box::default(),
        }
    }

    /// Memory it takes, in bytes.
    pub const fn size_bytes() -> usize {
        size_of::<Self>() + size_of::<Season>() + size_of::<Views>()
    }

    /// The step it has found, in seconds.
    pub fn step_secs(&self) -> Option<f64> {
        self.clock.step_secs()
    }

    /// Whether its days have a rhythm.
    pub fn is_seasonal(&self) -> bool {
        self.season.is_real()
    }

    /// Probability of a silence as long as the one from the last observation until `now_secs`.
    pub fn overdue(&self, now_secs: f64) -> Tail {
        self.clock.overdue(now_secs)
    }

    /// Feeds the value at `secs`, Unix time. A value that is none (`NaN`, infinite) is a gap.
    pub fn observe(&mut self, secs: f64, value: f64) -> Watched {
        if !value.is_finite() {
            let verdict = self.level.judge(f64::NAN);
            return Watched {
                expected: verdict.expected,
                mean: verdict.mean,
                tails: [Tail::ONE; 6],
                leap: 0.0,
                joint: 0.0,
                alarm: None,
            };
        }
        let value = value.clamp(-1e30, 1e30);
        let steps = self.clock.tick(secs);
        for _ in 1..steps.min(MOST_SKIPPED) {
            self.level.observe(f64::NAN);
            self.turn.skip();
        }
        let floor = self.grain.observe(value);
        let verdict = self.level.observe(value);
        let leap = self.leaps.observe(value - verdict.mean, floor, MEMORY);
        let far = self.far.observe(value, floor, MEMORY);
        let off = self.season.observe(secs, value);
        let bend = if self.is_seasonal() {
            self.clock.step_secs().map_or(0.0, |step| self.season.bend(step))
        } else {
            0.0
        };
        let change = self.turn.observe(value, floor, bend);
        let spread = self.spread.observe(value - verdict.mean);
        let flat = self.flat.observe(value).tail;
        let off_season = off.map_or(0.0, |off| self.off_season.observe(off.lasting, floor, MEMORY).abs());
        let seen = self.views.observe(&Sides {
            value,
            off_season: off.map(|off| off.now),
            lasting_off_season: off.map(|off| off.lasting),
            turn: change.as_ref().map(|change| if change.form == Form::Ramp { change.z } else { 0.0 }),
        });

        let mut tails = [Tail::ONE; 6];
        tails[Oddity::Deviation as usize] = verdict.smaller().among(2.0);
        if let Some(change) = change {
            tails[oddity(&change) as usize] = change.beyond_bend.among(CHANGE_LOOKS);
        }
        tails[Oddity::Spread as usize] = spread;
        tails[Oddity::Flat as usize] = flat;
        tails[Oddity::Season as usize] = if self.is_seasonal() { seen.lasting } else { Tail::ONE };

        self.turns.pass(self.clock.gap_secs());
        let turned = change.filter(|change| change.z >= TURNED);
        let is_unusual = turned.is_some() && self.turns.happened();
        let told = turned.filter(|change| is_unusual && change.tail.surprise() >= TURNED_SURPRISE);
        let alarm = if far.abs() >= FAR {
            Some(Oddity::Deviation)
        } else if flat.surprise() >= FLAT_SURPRISE {
            Some(Oddity::Flat)
        } else if let Some(change) = told {
            Some(oddity(&change))
        } else {
            (off_season >= OFF_SEASON).then_some(Oddity::Season)
        };
        Watched { expected: verdict.expected, mean: verdict.mean, tails, leap, joint: seen.joint, alarm }
    }
}

fn oddity(change: &Change) -> Oddity {
    match change.form {
        Form::Step => Oddity::Shift,
        Form::Ramp => Oddity::Trend,
    }
}
