//! The last hour of a pattern against its half day: falls that are slow to show.

use foreshock_model::{Kind, Severity, Window};
use foreshock_stats::{Pace, PaceWatch};
use foreshock_template::TemplateId;

use super::{
    super::{ServiceKey, draft::HOUR},
    FALL, Pattern, PatternDraft, rate_title,
};

/// Of what is judged over an hour, from this expected count.
const SLUMP_FROM: f64 = 10.0;
/// A rate that has come back to this share of what is expected has not slumped.
const RECOVERED: f64 = 0.6;
/// Of patterns that come more rarely the voice is that of this count, and what is usual must change so many times before
/// it is another.
const LEAST_VOICE: f64 = 0.1;
const VOICE_AFTER: u32 = 3;
const VOICE_CHANGES: f64 = 4.0;

impl Pattern {
    /// What the ten minutes that are open add to the pace of the whole: each pattern speaks with the weight of what it is
    /// sure of, the root of its usual count, and not louder than three times as usual, so that the bursts and the end of
    /// one are not the others' pace. In hundredths; nothing while it is young.
    pub(in crate::detect) fn share_of_ten_minutes(&self) -> f64 {
        let usual = self.per_ten_minutes.usual().max(self.voice);
        let count = (self.ten_minutes as f64).min(3.0 * usual + 3.0);
        if self.voice > 0.0 { (100.0 * count / self.voice.sqrt()).floor() } else { 0.0 }
    }

    /// Sets what its share is weighed by. It stays, so that the pace of the whole is the same measure from day to night,
    /// until the pattern is another one.
    pub(super) fn weigh(&mut self) {
        let usual = self.per_ten_minutes.usual().max(LEAST_VOICE);
        let is_kept = (self.voice / VOICE_CHANGES..self.voice * VOICE_CHANGES).contains(&usual);
        if self.per_ten_minutes.windows() >= VOICE_AFTER && !is_kept {
            self.voice = usual;
        }
    }

    /// What the last hour is worth, if so many lines are to be expected in one that fewer would mean something.
    pub(in crate::detect) fn judge_hour(&mut self, usual: Option<f64>) -> Option<Pace> {
        self.pace.judge_stretch(usual).filter(|pace| pace.expected >= SLUMP_FROM)
    }

    /// Tells of a slump, if it is as surprising as `bar`.
    pub(in crate::detect) fn judge_slump(
        &mut self,
        key: &ServiceKey,
        id: TemplateId,
        hour: Window,
        pace: &Pace,
        bar: f64,
    ) -> Option<PatternDraft> {
        let (observed, expected, tail) = (pace.observed as f64, pace.expected, pace.down);
        let of_unit = expected / PaceWatch::STRETCH as f64;
        let recovers = f64::from(self.pace.last()) > RECOVERED * of_unit + 0.5 * of_unit.sqrt();
        if recovers || observed > RECOVERED * expected.min(pace.between.0) {
            self.pace.recovered();
            return None;
        }
        if tail.surprise() < bar || observed > FALL * expected {
            return None;
        }
        self.pace.fell();
        self.hours.said(Some(tail.surprise()));
        if !self.fell.tell(hour.end(), tail.surprise(), HOUR) {
            return None;
        }
        let title = rate_title(key, "fewer", hour, observed, expected);
        let effect = observed.max(0.5) / expected.max(0.5);
        let (kind, severity, interval) = (Kind::PatternRateDown, Severity::Critical, pace.interval());
        Some(self.draft(key, id, kind, hour, tail, effect, observed, interval, severity, title))
    }
}
