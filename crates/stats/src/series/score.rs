//! How odd each value of a series is, as one number.

use serde::{Deserialize, Serialize};

use super::{
    turn::Form,
    views::{Sides, Views},
    watch::SeriesWatch,
};

/// Joint surprise that scores one half: about what a series shows once in some thousand observations.
const HALF: f64 = 10.0;

/// Scores every value of one series from 0 to 1: for benchmarks that choose the threshold themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesScore {
    watch: SeriesWatch,
    views: Views,
}

impl Default for SeriesScore {
    fn default() -> Self {
        Self { watch: SeriesWatch::of_days(), views: Views::default() }
    }
}

impl SeriesScore {
    /// Feeds the value at `secs`, Unix time: the joint surprise of all sides, from 0 to 1. Repeats are suppressed: only
    /// what beats the recent past counts. A value that is none scores 0.
    pub fn observe(&mut self, secs: f64, value: f64) -> f64 {
        let Some(look) = self.watch.look(secs, value) else { return 0.0 };
        let turn = look.change.as_ref().map(|change| if change.form == Form::Ramp { change.z } else { 0.0 });
        let joint = self.views.observe(&Sides {
            value: value.clamp(-1e30, 1e30),
            off_season: look.off.map(|off| off.now),
            lasting_off_season: look.off.map(|off| off.lasting),
            turn,
        });
        joint / (joint + HALF)
    }
}
