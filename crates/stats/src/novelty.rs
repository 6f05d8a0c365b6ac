//! Is a pattern never seen before something unusual here, or does this service say something new all the time?

use serde::{Deserialize, Serialize};

use crate::{
    Confidence,
    tail::{Tail, beta_binomial_upper},
};

/// Lines after which the past counts half: a service of today, not of last year.
const MEMORY_LINES: f64 = 1e8;
/// Lines that must have been seen before a new pattern means anything.
const NEEDED_LINES: f64 = 200.0;
/// Windows that must have been seen.
const NEEDED_WINDOWS: u32 = 8;
/// Above this chance a line new patterns are what the service does.
const TOO_MANY: f64 = 0.02;
/// Windows after which the estimate is a good one.
const WELL_AFTER: u32 = 60;

/// Windows after which the recent rate forgets; before, it forgets by half of what it has seen.
const MEMORY_WINDOWS: f64 = 5_000.0;

/// The chance that the next line is of a pattern never seen, with a Beta posterior around it for how little it rests on.
///
/// Good-Turing: the patterns seen once over the lines seen (Good 1953). It holds for lines in random order; where new
/// patterns keep coming and are soon repeated it says too little, so the recent rate of news stands beside it and the
/// larger tail counts. The recent rate forgets in proportion to its age, so that the first hours, in which everything
/// is new, do not linger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Novelty {
    lines: f64,
    seen_once: f64,
    windows: u32,
    /// Windows that brought something new, decayed: new patterns come in clumps, a deploy brings ten.
    clumps: f32,
    clumped: f32,
    /// Windows with something new, and lines, of late.
    recent_clumps: f64,
    recent_lines: f64,
}

impl Novelty {
    /// The chance that the next line is of a pattern never seen.
    pub fn chance(&self) -> f64 {
        ((self.seen_once + 1.0) / (self.lines + 2.0)).min(1.0)
    }

    /// Whether enough is known, and new patterns are rare enough, for one to mean something.
    pub fn learned(&self) -> Confidence {
        if self.lines < NEEDED_LINES || self.windows < NEEDED_WINDOWS || self.chance() > TOO_MANY {
            Confidence::NotYet
        } else if self.windows < WELL_AFTER {
            Confidence::Early
        } else {
            Confidence::Full
        }
    }

    /// P(at least `new` patterns never seen among `lines`); 1 while not learned. Teaches nothing.
    pub fn judge(&self, new: u64, lines: u64) -> Tail {
        if new == 0 || !self.learned().is_ready() {
            return Tail::ONE;
        }
        // Patterns of one clump are one event: the k of them count as k over the usual size of a clump.
        let clump = (f64::from(self.clumped) + 1.0) / (f64::from(self.clumps) + 1.0);
        let events = (new as f64 / clump.max(1.0)).floor().max(1.0) as u64;
        let once = self.seen_once / clump.max(1.0) + 1.0;
        let lines = lines.max(new);
        let unseen = beta_binomial_upper(events, lines, once, (self.lines - self.seen_once).max(1.0));
        let recent = beta_binomial_upper(events, lines, self.recent_clumps + 1.0, self.recent_lines.max(1.0));
        unseen.max(recent)
    }

    /// Judges and learns one window: `lines` lines, of which `new` patterns were met for the first time and
    /// `second` patterns (older or of this window) for the second time. A window without lines is a gap.
    pub fn observe(&mut self, lines: u64, new: u64, second: u64) -> Tail {
        let tail = self.judge(new, lines);
        if lines == 0 {
            return tail;
        }
        self.lines += lines as f64;
        self.seen_once = (self.seen_once + new as f64 - second as f64).max(0.0);
        self.windows = self.windows.saturating_add(1);
        let keep = 1.0 - 1.0 / (0.5 * f64::from(self.windows) + 1.0).min(MEMORY_WINDOWS);
        self.recent_lines = self.recent_lines * keep + lines as f64;
        self.recent_clumps = self.recent_clumps * keep + f64::from(u8::from(new > 0));
        if self.learned().is_ready() && new > 0 {
            self.clumps = self.clumps * 0.98 + 1.0;
            self.clumped = self.clumped * 0.98 + new as f32;
        }
        if self.lines > MEMORY_LINES {
            self.lines *= 0.5;
            self.seen_once *= 0.5;
        }
        tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: u64, windows: u64, last_new: u64) -> Novelty {
        let mut novelty = Novelty::default();
        for window in 0..windows {
            let new = if window < last_new { 3 } else { 0 };
            novelty.observe(lines, new, new);
        }
        novelty
    }

    #[test]
    fn a_new_pattern_where_none_came_for_long_is_rare() {
        let quiet = after(1_000, 360, 5);
        assert_eq!(quiet.learned(), Confidence::Full);
        assert!(quiet.judge(1, 1_000).surprise() > 2.0, "{}", quiet.judge(1, 1_000).surprise());
        assert!(quiet.judge(4, 1_000).surprise() > 6.0);
        assert_eq!(quiet.judge(0, 1_000), Tail::ONE);
    }

    #[test]
    fn a_service_of_few_lines_or_of_free_text_is_not_learned() {
        assert_eq!(after(10, 12, 2).learned(), Confidence::NotYet);
        let mut free_text = Novelty::default();
        (0..100).for_each(|_| {
            free_text.observe(50, 20, 0);
        });
        assert_eq!(free_text.learned(), Confidence::NotYet);
        assert_eq!(free_text.judge(20, 50), Tail::ONE);
    }

    #[test]
    fn a_service_that_brings_new_patterns_steadily_is_not_surprised_by_another() {
        let mut novelty = Novelty::default();
        let mut surprises = 0;
        for window in 0..2_000_u64 {
            // One new pattern every tenth window, met again 50 windows later.
            let tail = novelty.observe(
                1_000,
                u64::from(window % 10 == 0),
                u64::from(window % 10 == 0 && window >= 50),
            );
            surprises += u32::from(tail.p() < 0.05 && window > 100);
        }
        assert!(surprises == 0, "{surprises}");
    }
}
