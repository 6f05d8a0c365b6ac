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

/// Of fewer windows no chance of one in a hundred can be told.
const YOUNG_WINDOWS: u32 = 100;
/// Below this share of windows with something new, news are rare.
const RARE: f64 = 0.02;
/// Windows after which the recent rate forgets; before, it forgets by half of what it has seen.
const MEMORY_WINDOWS: f64 = 5_000.0;

/// What one window showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// All its lines.
    pub lines: u64,
    /// Patterns met for the first time.
    pub new: u64,
    /// Lines of those patterns, the first of each included.
    pub new_lines: u64,
}

impl Shown {
    /// Lines as draws: that a new pattern is repeated at once is no second draw, for what is new comes in bursts.
    fn draws(self) -> u64 {
        self.lines.saturating_sub(self.new_lines) + self.new
    }

    /// The share of lines that are of new patterns.
    fn new_share(self) -> f64 {
        let new_lines = self.new_lines.max(self.new) as f64;
        new_lines / (self.lines as f64).max(new_lines).max(1.0)
    }
}

/// The chance that the next line is of a pattern never seen, with a Beta posterior around it for how little it rests on.
///
/// Good-Turing: the patterns seen once over the lines drawn (Good 1953). It holds for lines in random order, which
/// the repeats of what is new are not: within its first window a new pattern is one draw, however often it comes.
/// Where new patterns keep coming and are soon repeated the estimate says too little, so the recent rate of news stands
/// beside it and the larger tail counts. The recent rate forgets in proportion to its age, so that the first hours, in
/// which everything is new, do not linger.
///
/// How much of a window is new is judged as well: a window's lines are of patterns never seen with a share of `s` or
/// more at most with the chance of one line over `s` (Markov's inequality), whatever hangs together among them. So one
/// new line among a thousand is as likely as a thousand draws make it, and a window of hardly anything else is no
/// likelier than the draw of a single line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Novelty {
    /// Lines drawn.
    lines: f64,
    seen_once: f64,
    windows: u32,
    /// Windows that brought something new, decayed: new patterns come in clumps, a deploy brings ten.
    clumps: f32,
    clumped: f32,
    /// Windows, those with something new, lines drawn, and lines of new patterns with their repeats, of late.
    recent_windows: f64,
    recent_clumps: f64,
    recent_lines: f64,
    recent_new_lines: f64,
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

    /// Whether less than one window in fifty brought something new of late, of so few windows that not even silence
    /// would make the next one surprising. A plain estimate where [`Self::judge`] bounds a chance, so not for longer.
    pub fn is_quiet_so_far(&self) -> bool {
        self.learned().is_ready()
            && self.windows < YOUNG_WINDOWS
            && self.recent_clumps < RARE * self.recent_windows
    }

    /// Lines that a window has of late, in the mean.
    pub fn usual_lines(&self) -> f64 {
        self.recent_lines / self.recent_windows.max(1.0)
    }

    /// P(a window is as new as this one or newer); 1 while not learned. Teaches nothing.
    pub fn judge(&self, shown: Shown) -> Tail {
        if shown.new == 0 || !self.learned().is_ready() {
            return Tail::ONE;
        }
        // For one line among many both are the same question, so only the one that reads more into a window pays for
        // the second look.
        self.by_patterns(shown).min(self.by_share(shown).among(2.0))
    }

    /// P(at least so many patterns never seen among so many draws).
    fn by_patterns(&self, shown: Shown) -> Tail {
        // Patterns of one clump are one event: the k of them count as k over the usual size of a clump.
        let clump = (f64::from(self.clumped) + 1.0) / (f64::from(self.clumps) + 1.0);
        let events = (shown.new as f64 / clump.max(1.0)).floor().max(1.0) as u64;
        let once = self.seen_once / clump.max(1.0) + 1.0;
        let draws = shown.draws().max(shown.new);
        let unseen = beta_binomial_upper(events, draws, once, (self.lines - self.seen_once).max(1.0));
        let recent = beta_binomial_upper(events, draws, self.recent_clumps + 1.0, self.recent_lines.max(1.0));
        unseen.max(recent)
    }

    /// A bound of P(at least this share of the lines is of patterns never seen).
    fn by_share(&self, shown: Shown) -> Tail {
        let recent = (self.recent_new_lines + 1.0) / (self.recent_lines + self.recent_new_lines + 2.0);
        Tail::from_p((self.chance().max(recent) / shown.new_share()).min(1.0))
    }

    /// Judges and learns one window, in which `second` patterns (older or of this window) came for the second time.
    /// A window without lines is a gap.
    pub fn observe(&mut self, shown: Shown, second: u64) -> Tail {
        let tail = self.judge(shown);
        if shown.lines == 0 {
            return tail;
        }
        let draws = shown.draws() as f64;
        self.lines += draws;
        self.seen_once = (self.seen_once + shown.new as f64 - second as f64).max(0.0);
        self.windows = self.windows.saturating_add(1);
        let keep = 1.0 - 1.0 / (0.5 * f64::from(self.windows) + 1.0).min(MEMORY_WINDOWS);
        self.recent_windows = self.recent_windows * keep + 1.0;
        self.recent_lines = self.recent_lines * keep + draws;
        self.recent_new_lines = self.recent_new_lines * keep + shown.new_lines.max(shown.new) as f64;
        self.recent_clumps = self.recent_clumps * keep + f64::from(u8::from(shown.new > 0));
        if self.learned().is_ready() && shown.new > 0 {
            self.clumps = self.clumps * 0.98 + 1.0;
            self.clumped = self.clumped * 0.98 + shown.new as f32;
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

    /// A window in which each new pattern comes once.
    fn once_each(lines: u64, new: u64) -> Shown {
        Shown { lines, new, new_lines: new }
    }

    fn after(lines: u64, windows: u64, last_new: u64) -> Novelty {
        let mut novelty = Novelty::default();
        for window in 0..windows {
            let new = if window < last_new { 3 } else { 0 };
            novelty.observe(once_each(lines, new), new);
        }
        novelty
    }

    #[test]
    fn a_new_pattern_where_none_came_for_long_is_rare() {
        let quiet = after(1_000, 360, 5);
        assert_eq!(quiet.learned(), Confidence::Full);
        let surprise = |new| quiet.judge(once_each(1_000, new)).surprise();
        assert!(surprise(1) > 2.0, "{}", surprise(1));
        assert!(surprise(4) > 6.0, "{}", surprise(4));
        assert_eq!(quiet.judge(once_each(1_000, 0)), Tail::ONE);
    }

    #[test]
    fn a_new_pattern_that_begins_as_a_burst_is_no_likelier_than_one_that_comes_once() {
        let quiet = after(100, 60, 2);
        let lone = quiet.judge(once_each(100, 1)).surprise();
        for repeats in [1, 10, 100, 5_000, 1_000_000] {
            let burst = quiet.judge(Shown { lines: 99 + repeats, new: 1, new_lines: repeats }).surprise();
            assert!(burst >= lone - 1e-9, "{repeats}: {burst} instead of {lone}");
        }
        let flood = quiet.judge(Shown { lines: 5_099, new: 1, new_lines: 5_000 }).surprise();
        assert!((2.5..4.0).contains(&flood), "hardly more is new than what a draw would bring: {flood}");
    }

    #[test]
    fn a_young_service_is_quiet_soon_after_its_first_patterns_and_not_while_new_ones_keep_coming() {
        let first_quiet = (10..200).find(|windows| after(100, *windows, 3).is_quiet_so_far());
        assert!(first_quiet.is_some_and(|windows| windows < 30), "{first_quiet:?}");
        let mut novelty = after(100, 60, 3);
        assert!((novelty.usual_lines() - 100.0).abs() < 1e-6, "{}", novelty.usual_lines());
        for window in 0..39_u64 {
            novelty.observe(once_each(100, u64::from(window % 20 == 0)), 0);
        }
        assert!(!novelty.is_quiet_so_far(), "one window in twenty brings something new");
    }

    #[test]
    fn a_service_that_begins_new_patterns_with_bursts_is_not_surprised_by_the_next_burst() {
        let mut novelty = Novelty::default();
        let mut surprises = 0;
        for window in 0..2_000_u64 {
            let shown = match window % 20 {
                0 => Shown { lines: 1_000, new: 1, new_lines: 500 },
                _ => once_each(1_000, 0),
            };
            let tail = novelty.observe(shown, shown.new);
            surprises += u32::from(tail.p() < 0.01 && window > 100);
        }
        assert_eq!(surprises, 0);
    }

    #[test]
    fn a_service_of_few_lines_or_of_free_text_is_not_learned() {
        assert_eq!(after(10, 12, 2).learned(), Confidence::NotYet);
        let mut free_text = Novelty::default();
        (0..100).for_each(|_| {
            free_text.observe(once_each(50, 20), 0);
        });
        assert_eq!(free_text.learned(), Confidence::NotYet);
        assert_eq!(free_text.judge(once_each(50, 20)), Tail::ONE);
    }

    #[test]
    fn a_service_that_brings_new_patterns_steadily_is_not_surprised_by_another() {
        let mut novelty = Novelty::default();
        let mut surprises = 0;
        for window in 0..2_000_u64 {
            // One new pattern every tenth window, met again 50 windows later.
            let new = u64::from(window % 10 == 0);
            let tail = novelty.observe(once_each(1_000, new), u64::from(window % 10 == 0 && window >= 50));
            surprises += u32::from(tail.p() < 0.05 && window > 100);
        }
        assert!(surprises == 0, "{surprises}");
    }
}
