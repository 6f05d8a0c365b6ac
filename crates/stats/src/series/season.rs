//! A rhythm of days: what a series usually is at this time of the day.
//!
//! Knows Unix time and values; days begin at midnight UTC, which is as good as any other time.

use serde::{Deserialize, Serialize};

use super::week::Week;

/// Slots of a day.
const SLOTS: usize = 48;
const DAY_SECS: f64 = 86_400.0;
/// Weight of a day in its slot's mean.
const GAIN: f32 = 0.2;
/// Of a value in what lasts.
const SMOOTHING: f32 = 0.1;
/// Share of its swing that a quieter day lacks.
const QUIETER: f64 = 1.0 / 3.0;
/// Standard deviations of what lasts, beyond which an hour of the week differs from the days.
const BEYOND_NOISE: f64 = 3.0;
/// Of a half-hour in the shares explained: about three days.
const MEMORY_GAIN: f32 = 1.0 / 150.0;
/// Of a half-hour in the mean: a day, so that a walk is nearer to its mean than to its past days.
const MEAN_GAIN: f32 = 1.0 / 48.0;
/// Beyond so many standard deviations a half-hour teaches its mean no more,
const HUBER: f32 = 3.0;
/// and so many variances are the most it teaches theirs.
const BOUND: f32 = 100.0;
/// A rhythm is never known better than this share of its squares.
const LEAST_OFF: f32 = 1e-4;
/// Share of a cliff that a half-hour must be from either side of it to have it within.
const WITHIN: f64 = 1.0 / 8.0;
/// So much of a cliff a value may be beyond it.
const FOOT: f64 = 1.0 / 8.0;
/// Days before a rhythm is one.
const NEEDED_DAYS: u8 = 4;
/// Share of the squares that may stay unexplained.
const EXPLAINED: f32 = 0.5;
/// After so many days it is given up,
const HOPELESS_DAYS: u8 = 10;
/// if more than this share is unexplained.
const HOPELESS: f32 = 0.8;

/// Mean of each half-hour of the day, days forgotten exponentially (the seasonal part of Winters, Management Science
/// 1960), and what weeks add to it. 420 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Season {
    #[serde(with = "super::slots")]
    usual: [f32; SLOTS],
    /// Sum and number of the present slot's values.
    sum: f64,
    values: u32,
    slot: u8,
    /// Days that were closed, up to 255.
    days: u8,
    /// Smoothed distance from the usual.
    lasting: f32,
    left: Left,
    week: Week,
    /// Decayed mean; decayed squares of the distances from it, and from what was usual at the time.
    mean: f32,
    plain: f32,
    off: f32,
}

/// How far a value is off the rhythm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Off {
    pub(crate) now: f64,
    /// Smoothed over some ten values.
    pub(crate) lasting: f64,
    /// What of that neither a quieter day nor the same time of other weeks explains.
    pub(crate) left: f64,
    /// What was left before, as far as this value bears it out: one value far off does not last.
    pub(crate) borne_out: f64,
}

/// Smoothed distances: from what days explain, and from what weeks do, once one is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Left {
    day: f32,
    week: Option<f32>,
}

impl Left {
    const NOTHING: Self = Self { day: 0.0, week: None };

    fn observe(&mut self, day: f64, week: Option<f64>) {
        self.day += SMOOTHING * (day as f32 - self.day);
        self.week = week.map(|week| {
            let before = self.week.unwrap_or(week as f32);
            before + SMOOTHING * (week as f32 - before)
        });
    }

    /// What explains more is believed.
    fn least(&self) -> f64 {
        let of_week = self.week.filter(|week| week.abs() < self.day.abs());
        f64::from(of_week.unwrap_or(self.day))
    }
}

impl Default for Season {
    fn default() -> Self {
        Self {
            usual: [f32::NAN; SLOTS],
            sum: 0.0,
            values: 0,
            slot: 0,
            days: 0,
            lasting: 0.0,
            left: Left::NOTHING,
            week: Week::default(),
            mean: 0.0,
            plain: 0.0,
            off: 0.0,
        }
    }
}

impl Season {
    /// Feeds a value: how far it is off, if a day ago there was one. `noise` is the standard deviation of what lasts.
    pub(crate) fn observe(&mut self, secs: f64, value: f64, noise: f64) -> Option<Off> {
        let place = secs.rem_euclid(DAY_SECS) / DAY_SECS * SLOTS as f64;
        let slot = (place as usize).min(SLOTS - 1);
        if slot != usize::from(self.slot) {
            self.close();
            if slot < usize::from(self.slot) {
                self.days = self.days.saturating_add(1);
            }
            self.slot = slot as u8;
        }
        self.sum += value;
        self.values += 1;
        let usual = self.usual(place, slot)?;
        let now = self.beyond_cliff(place, slot, value, value - usual);
        self.lasting += SMOOTHING * (now as f32 - self.lasting);
        let before = self.left.least();
        let beyond_week = self.week.observe(secs, now).filter(|_| self.is_week_real(noise));
        self.left.observe(self.beyond_quieter(usual, now), beyond_week);
        let borne_out = if now * before > 0.0 { before.signum() * before.abs().min(now.abs()) } else { 0.0 };
        Some(Off { now, lasting: f64::from(self.lasting), left: self.left.least(), borne_out })
    }

    /// Whether this hour of the week is farther off the day than what lasts varies by.
    fn is_week_real(&self, noise: f64) -> bool {
        self.week.now().is_some_and(|usual| f64::from(usual).abs() > BEYOND_NOISE * noise)
    }

    /// A day may be quieter than others: its swing somewhat smaller.
    fn beyond_quieter(&self, usual: f64, off: f64) -> f64 {
        let swing = usual - f64::from(self.mean);
        if off * swing >= 0.0 { off } else { off.signum() * (off.abs() - QUIETER * swing.abs()).max(0.0) }
    }

    /// How far off a value is where the rhythm leaps, from one half-hour to the next by more than half-hours differ as a
    /// rule, or within one: it is not known at which minute, so what is in between is not off.
    fn beyond_cliff(&self, place: f64, slot: usize, value: f64, off: f64) -> f64 {
        if !self.is_real() {
            return off;
        }
        let [before, here, after] = [SLOTS - 1, 0, 1].map(|step| self.of_slot(slot + step));
        let is_within = (WITHIN..=1.0 - WITHIN).contains(&((here - before) / (after - before)));
        let leap =
            [before - here, after - here, after - before].map(f64::abs).into_iter().fold(0.0, f64::max);
        if leap * leap <= f64::from(self.plain) {
            return off;
        }
        let (one, other) = if is_within { (before, after) } else { (here, self.nearest(place, slot)) };
        let (low, high) = (one.min(other), one.max(other));
        let beyond = value - value.clamp(low - FOOT * leap, high + FOOT * leap);
        if beyond.abs() < off.abs() { beyond } else { off }
    }

    /// Whether the time of the day explains most of how the half-hours differ.
    pub(crate) fn is_real(&self) -> bool {
        self.days >= NEEDED_DAYS && self.off < EXPLAINED * self.plain
    }

    /// Whether enough days were seen to say that it has none.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.days >= HOPELESS_DAYS && self.off > HOPELESS * self.plain
    }

    /// How much the usual bends at this time of the day: its second derivative, per step squared.
    pub(crate) fn bend(&self, step_secs: f64) -> f64 {
        let slot = usize::from(self.slot);
        let [before, here, after] = [SLOTS - 1, 0, 1].map(|step| self.of_slot(slot + step));
        let steps = DAY_SECS / SLOTS as f64 / step_secs;
        let bend = (after - 2.0 * here + before) / (steps * steps);
        if bend.is_finite() { bend } else { 0.0 }
    }

    /// Between the middles of slots the usual is on a line.
    fn usual(&self, place: f64, slot: usize) -> Option<f64> {
        let (here, there) = (self.of_slot(slot), self.nearest(place, slot));
        let ahead = place - slot as f64 - 0.5;
        let between = if there.is_nan() { here } else { here + ahead.abs() * (there - here) };
        (!between.is_nan()).then_some(between)
    }

    /// What the nearer of its two neighbours usually is.
    fn nearest(&self, place: f64, slot: usize) -> f64 {
        let is_after = place - slot as f64 >= 0.5;
        self.of_slot(if is_after { slot + 1 } else { slot + SLOTS - 1 })
    }

    fn of_slot(&self, slot: usize) -> f64 {
        f64::from(self.usual[slot % SLOTS])
    }

    fn close(&mut self) {
        if self.values > 0 {
            let mean = (self.sum / f64::from(self.values)) as f32;
            let usual = &mut self.usual[usize::from(self.slot)];
            if usual.is_nan() {
                *usual = mean;
            } else {
                let off = mean - *usual;
                let is_known = self.days >= NEEDED_DAYS;
                let variance = if is_known { self.off.max(LEAST_OFF * self.plain) } else { f32::INFINITY };
                let most = HUBER * variance.sqrt();
                *usual += GAIN * off.clamp(-most, most);
                // What the hour of the week explains is part of the rhythm.
                let beyond_week = self.week.now().map(|of_week| off - of_week);
                let off = beyond_week.filter(|beyond| beyond.abs() < off.abs()).unwrap_or(off);
                self.off += MEMORY_GAIN * ((off * off).min(BOUND * variance) - self.off);
                let plain = mean - self.mean;
                self.plain += MEMORY_GAIN * (plain * plain - self.plain);
            }
            if self.days == 0 && self.mean == 0.0 {
                self.mean = mean;
            }
            self.mean += MEAN_GAIN * (mean - self.mean);
        }
        (self.sum, self.values) = (0.0, 0);
    }
}
