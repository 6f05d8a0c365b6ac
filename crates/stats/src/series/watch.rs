//! The watch of one series: feeds every estimator, and says what would be told.

use serde::{Deserialize, Serialize};

use super::{
    Oddity, Watched,
    bounds::{Bounds, Distance, Reach},
    clock::Clock,
    dawn::Dawn,
    grain::Grain,
    habit::Habit,
    recurring::{Due, Moment, Odd, Recurring},
    season::{Off, Season},
    spread::Spread,
    turn::{Change, Form, Turn},
};
use crate::{FlatLine, Level, LevelShift, Tail, Verdict};

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
/// By so many it may be leaving it,
const LEAVES: f64 = 3.0;
/// and has so many seconds for that before it is learned from.
const LEFT_SECS: f32 = 10_800.0;
/// A day is looked at while it may be leaving its rhythm, and once it has left.
const STAGES: f64 = 2.0;
/// Surprise from which it is asked whether it comes by the clock.
const LOOKED_UP: f64 = 2.0;
/// What may come by it, and what it may leave behind.
const COMES_AGAIN: [Oddity; 5] =
    [Oddity::Deviation, Oddity::Shift, Oddity::Trend, Oddity::Spread, Oddity::Season];
const CHANGES: [Oddity; 3] = [Oddity::Shift, Oddity::Trend, Oddity::Spread];
/// Standard deviations that hold 95 % of normal values.
pub(super) const REACH: f64 = 1.96;
/// Values beyond are held to it: their squares are kept in single precision.
const LARGEST: f64 = 1e18;
/// Memory of the long moments, in values.
const MEMORY: f64 = 1_000.0;
/// Steps without a value after which more of them tell the forecast nothing.
const MOST_SKIPPED: u32 = 100;
/// A value may be far from its forecast, or from all the series was.
const WAYS: f64 = 2.0;
/// Hypotheses a change is the likeliest of, as many independent ones as give its size.
const CHANGE_LOOKS: f64 = 4.0;

/// Watches one metric series: forecast, far values, turns, spread, flat lines, the rhythm of its days, silences.
///
/// Each part names its published estimator. A value, a change or a day is told where it is both unlikely and large
/// against all the series ever did: significance alone would tell of every trifle of a busy series. A level that was left is
/// the new normal for [`Level`] after thirty values in a row, and for the line of turns at once; the long moments
/// take a thousand values, so a slow drift is not learned away. Days are watched where a series earns it ([`Dawn`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeriesWatch {
    clock: Clock,
    grain: Grain,
    level: Level,
    /// Of values, and of forecast errors.
    far: Reach,
    leaps: Bounds,
    shift: LevelShift,
    turn: Turn,
    turns: Habit,
    spread: Spread,
    flat: FlatLine,
    recurring: Recurring,
    dawn: Dawn,
    days: Option<Box<Days>>,
}

/// The rhythm of the days, and how far a series is off it as a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Days {
    season: Season,
    lasting: Reach,
    /// For how long it has been off.
    left_secs: f32,
    /// Watched whether they have a rhythm or not.
    always: bool,
}

impl Days {
    /// How far off the rhythm it is for some time, as far as the present value bears it out; what is nearer to the rhythm
    /// than it is as a rule (a series that only grows is behind it for days) is not off it. A day leaves its rhythm slowly,
    /// so what may be the beginning is not learned from at once: it would hide the rest. Where there is no rhythm, there is
    /// none to leave.
    fn see(&mut self, off: &Off, floor: f64, secs: f64) -> Distance {
        let usual = self.lasting.mean();
        let is_nearer = off.borne_out * usual >= 0.0 && off.borne_out.abs() < usual.abs();
        let borne_out = self.lasting.judge(off.borne_out, floor, MEMORY);
        let borne_out = if is_nearer { Distance { z: 0.0, ..borne_out } } else { borne_out };
        let may_leave = self.lasting.z(off.left, floor).abs() >= LEAVES && self.season.is_real();
        self.left_secs = if may_leave { self.left_secs + secs as f32 } else { 0.0 };
        let waits = self.left_secs > 0.0 && self.left_secs < LEFT_SECS;
        if !waits {
            self.lasting.learn(off.left, floor, MEMORY);
        }
        borne_out
    }
}

/// Everything that was seen of one value.
pub(super) struct Look {
    value: f64,
    verdict: Verdict,
    far: Distance,
    leap: Option<f64>,
    pub(super) off: Option<Off>,
    lasting: Distance,
    stays: Tail,
    pub(super) change: Option<Change>,
    spread: Tail,
    flat: Tail,
}

impl SeriesWatch {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches the rhythm of days from the first value on, whether the series earns it or not.
    pub(super) fn of_days() -> Self {
        Self { days: Some(Box::new(Days { always: true, ..Days::default() })), ..Self::default() }
    }

    /// Memory it takes now, in bytes.
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.days.as_ref().map_or(0, |_| size_of::<Days>()) + self.recurring.size_bytes()
    }

    /// The step it has found, in seconds.
    pub fn step_secs(&self) -> Option<f64> {
        self.clock.step_secs()
    }

    /// What is expected next.
    pub fn mean(&self) -> f64 {
        self.level.judge(f64::NAN).mean
    }

    /// What it was for long.
    pub fn usual(&self) -> f64 {
        self.far.mean()
    }

    /// Whether it moves by whole numbers and is below one as a rule: a count of what seldom happens.
    pub fn is_rare_count(&self) -> bool {
        self.grain.is_whole() && (0.0..1.0).contains(&self.usual())
    }

    /// Values that taught the forecast.
    pub fn learned(&self) -> u32 {
        self.level.windows()
    }

    /// Whether its days have a rhythm.
    pub fn is_seasonal(&self) -> bool {
        self.days.as_ref().is_some_and(|days| days.season.is_real())
    }

    /// Probability of a silence as long as the one from the last observation until `now_secs`.
    pub fn overdue(&self, now_secs: f64) -> Tail {
        self.clock.overdue(now_secs)
    }

    /// Since the last observation until `now_secs`, in seconds.
    pub fn silent_secs(&self, now_secs: f64) -> f64 {
        self.clock.silent_secs(now_secs)
    }

    /// When it was observed last, Unix time.
    pub fn last_secs(&self) -> Option<f64> {
        self.clock.last_secs()
    }

    /// Feeds the value at `secs`, Unix time. A value that is none (`NaN`, infinite) is a gap.
    pub fn observe(&mut self, secs: f64, value: f64) -> Watched {
        match self.look(secs, value) {
            Some(look) => {
                let mut watched = self.judge(&look);
                self.see_recurring(secs, &look, &mut watched);
                watched
            }
            None => Watched::nothing(&self.level.judge(f64::NAN)),
        }
    }

    /// What comes again by the clock is how the series is. It is kept whether it is told or not.
    fn see_recurring(&mut self, secs: f64, look: &Look, watched: &mut Watched) {
        let may_be_told = watched.alarm.is_some() || watched.oddest().1.surprise() >= LOOKED_UP;
        let Some(step_secs) = self.clock.step_secs().filter(|_| may_be_told) else { return };
        // Where days have a rhythm, what is far is far from it.
        let rhythm = self.days.as_ref().filter(|days| days.season.is_real());
        let (off, deviation) = match (look.off, rhythm) {
            (Some(off), Some(days)) => (off.now, days.lasting.deviation()),
            _ => (look.value - look.far.mean, look.far.deviation),
        };
        let moment = Moment { secs, step_secs, off, deviation };
        let alarm = watched.alarm.filter(|oddity| COMES_AGAIN.contains(oddity));
        let odd = alarm.map(|oddity| if CHANGES.contains(&oddity) { Odd::Change } else { Odd::Value });
        match self.recurring.observe(&moment, odd) {
            Due::Itself => {
                watched.take_as_usual(&COMES_AGAIN);
                watched.leap = watched.leap.map(|_| 0.0);
            }
            Due::Aftermath => watched.take_as_usual(&CHANGES),
            Due::No => {}
        }
    }

    /// Feeds every estimator.
    pub(super) fn look(&mut self, secs: f64, value: f64) -> Option<Look> {
        if !value.is_finite() {
            return None;
        }
        let value = value.clamp(-LARGEST, LARGEST);
        let steps = self.clock.tick(secs);
        for _ in 1..steps.min(MOST_SKIPPED) {
            self.level.observe(f64::NAN);
            self.turn.skip();
        }
        let floor = self.grain.observe(value);
        let verdict = self.level.observe(value);
        let lasting = self.shift.observe(if verdict.learned.is_ready() { verdict.score() } else { f64::NAN });
        if verdict.new_normal {
            self.shift.restart();
        }
        let stays = lasting.up.min(lasting.down);
        // How far the first forecasts were off says nothing of how far later ones will be.
        let is_forecast = verdict.learned.is_ready();
        // What is not known yet is no part of what the service's metrics do together.
        let is_known = self.leaps.is_known();
        let leap = is_forecast.then(|| self.leaps.observe(value - verdict.mean, floor, MEMORY));
        let leap = leap.filter(|_| is_known);
        let far = self.far.observe(value, floor, MEMORY);
        let (off, lasting, bend) = self.see_day(secs, value, floor);
        let change = self.turn.observe(value, floor, bend);
        let spread = self.spread.observe(value - verdict.mean);
        let flat = self.flat.observe(value).tail;
        Some(Look { value, verdict, far, leap, off, lasting, stays, change, spread, flat })
    }

    /// How far off the day a value is, and how much the day bends here.
    fn see_day(&mut self, secs: f64, value: f64, floor: f64) -> (Option<Off>, Distance, f64) {
        if self.days.is_none() && self.dawn.observe(secs, value, self.leaps.variance()) {
            self.days = Some(Box::default());
        }
        let Some(days) = &mut self.days else { return (None, Distance::NONE, 0.0) };
        let off = days.season.observe(secs, value, days.lasting.deviation());
        let gap_secs = self.clock.gap_secs();
        let lasting = off.map_or(Distance::NONE, |off| days.see(&off, floor, gap_secs));
        let step = self.clock.step_secs().filter(|_| days.season.is_real());
        let bend = step.map_or(0.0, |step| days.season.bend(step));
        if days.season.is_hopeless() && !days.always {
            self.days = None;
            self.dawn = Dawn::later();
        }
        (off, lasting, bend)
    }

    /// What a look is worth.
    pub(super) fn judge(&mut self, look: &Look) -> Watched {
        let Look { value, verdict, far, leap, lasting, stays, change, spread, flat, off: _ } = look;
        let mut tails = [Tail::ONE; 6];
        tails[Oddity::Deviation as usize] = verdict.smaller().min(far.tail).among(WAYS);
        tails[Oddity::Shift as usize] = *stays;
        if let Some(change) = change {
            let tail = &mut tails[oddity(change) as usize];
            *tail = tail.min(change.beyond_bend.among(CHANGE_LOOKS));
        }
        tails[Oddity::Spread as usize] = *spread;
        tails[Oddity::Flat as usize] = *flat;
        tails[Oddity::Season as usize] = lasting.tail.among(STAGES);

        self.turns.pass(self.clock.gap_secs());
        let turned = change.as_ref().filter(|change| change.z >= TURNED);
        let is_unusual = turned.is_some() && self.turns.happened();
        let told = turned.filter(|change| is_unusual && change.tail.surprise() >= TURNED_SURPRISE);
        let alarm = if far.z.abs() >= FAR {
            Some(Oddity::Deviation)
        } else if flat.surprise() >= FLAT_SURPRISE {
            Some(Oddity::Flat)
        } else if let Some(change) = told {
            Some(oddity(change))
        } else {
            (lasting.z.abs() >= OFF_SEASON).then_some(Oddity::Season)
        };
        let is_forecast = (verdict.expected.0..=verdict.expected.1).contains(value);
        let (expected, mean) = if is_forecast && far.z.abs() > REACH {
            let half = REACH * far.deviation;
            ((far.mean - half, far.mean + half), far.mean)
        } else {
            (verdict.expected, verdict.mean)
        };
        Watched { expected, mean, up: *value >= mean, tails, leap: *leap, alarm }
    }
}

fn oddity(change: &Change) -> Oddity {
    match change.form {
        Form::Step => Oddity::Shift,
        Form::Ramp => Oddity::Trend,
    }
}
