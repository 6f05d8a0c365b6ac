//! How often a source has cried out, and how loudly: what its next cry is worth.
//!
//! Tail probabilities of a model are honest only where the model is. A service whose metrics leap every day for reasons
//! of its own has said so by its record. The record is of the loudest surprise of an episode, so that one
//! incident counts once, however long it lasts and however many series it moves (declustering by runs: Smith and
//! Weissman, JRSS B 1994). Above a threshold surprise is exponential (peaks over threshold: Pickands 1975; streaming: SPOT,
//! Siffer et al. 2017): the record gives its rate and its mean excess, and a prior what honest tails would have.

use std::f64::consts::LN_10;

use serde::{Deserialize, Serialize};

use crate::Tail;

/// -log10 of the probability that the record is of.
const THRESHOLD: f64 = 3.0;
/// Windows without a cry that end an episode.
const QUIET: u32 = 10;
/// Windows after which one that goes on is counted, and another begins: who never stops has a record too.
const LONGEST: u32 = 240;
/// Memory, in windows.
const MEMORY: f64 = 20_000.0;
/// Episodes that the prior is worth: as many as honest tails have in that many thousand windows.
const PRIOR: f64 = 50.0;
/// No episode counts for more surprise above the threshold than this.
const MOST: f64 = 8.0;

/// As many episodes as loud, and so many a day, are a habit: such a one is no rarer than they have been, whatever the tail.
const HABIT: f32 = 5.0;
const HABIT_A_DAY: f32 = 2.0;
const DAY_SECS: f64 = 86_400.0;
/// Loudness above the threshold is told apart by whole decades up to [`MOST`], and by doublings of it beyond.
const LOUDNESSES: usize = MOST as usize + 5;

/// Decayed episodes. 76 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peaks {
    windows: f32,
    days: f32,
    /// As loud at least.
    episodes: [f32; LOUDNESSES],
    /// Sum of what the loudest of each was above the threshold, held to [`MOST`].
    excess: f32,
    /// Of the episode that is going on.
    loudest: f32,
    length: u32,
    quiet: u32,
}

impl Peaks {
    /// Ends a window of so many seconds in which the loudest surprise was `loudest`; 0 for none.
    pub fn close(&mut self, loudest: f64, secs: f64) {
        let keep = (1.0 - 1.0 / MEMORY) as f32;
        self.windows = self.windows * keep + 1.0;
        self.days = self.days * keep + (secs / DAY_SECS) as f32;
        self.episodes.iter_mut().for_each(|episodes| *episodes *= keep);
        self.excess *= keep;
        if loudest >= THRESHOLD {
            self.loudest = self.loudest.max((loudest - THRESHOLD) as f32).max(f32::MIN_POSITIVE);
            self.quiet = 0;
        } else if self.loudest > 0.0 {
            self.quiet += 1;
        }
        self.length += u32::from(self.loudest > 0.0);
        if self.quiet >= QUIET || self.length >= LONGEST {
            self.episodes[..=loudness(self.loudest)].iter_mut().for_each(|episodes| *episodes += 1.0);
            self.excess += self.loudest.min(MOST as f32);
            (self.loudest, self.length, self.quiet) = (0.0, 0, 0);
        }
    }

    /// What a surprise is worth by the record: never more than it says itself.
    pub fn worth(&self, surprise: f64) -> Tail {
        let own = Tail::from_surprise(surprise);
        let above = surprise - THRESHOLD;
        if above <= 0.0 {
            return own;
        }
        let episodes = f64::from(self.episodes[0]) + PRIOR;
        let rate = episodes / (f64::from(self.windows) + PRIOR * libm::pow(10.0, THRESHOLD));
        let mean = (f64::from(self.excess) + PRIOR / LN_10) / episodes;
        Tail::from_ln(libm::log(rate) - above / mean.max(1.0 / LN_10)).max(own)
    }

    /// How often episodes as loud as this surprise come, where they are a habit.
    pub fn habit(&self, surprise: f64) -> Option<Tail> {
        let above = surprise - THRESHOLD;
        let as_loud = self.episodes[loudness(above.max(0.0) as f32)];
        let is_habit = above >= 0.0 && as_loud >= HABIT.max(HABIT_A_DAY * self.days);
        is_habit.then(|| Tail::from_p(f64::from(as_loud / self.windows)))
    }
}

/// The place of what is so much above the threshold.
fn loudness(above: f32) -> usize {
    let most = MOST as f32;
    let place = if above < most { above } else { most + libm::floorf(libm::log2f(above / most)) };
    (place as usize).min(LOUDNESSES - 1)
}
