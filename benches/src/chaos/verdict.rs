//! What a run came to.

use std::{fmt, time::Duration};

use foreshock_detect::Clock;

use super::{
    clocks::Judged,
    outcome::{Outcome, counted},
};

/// What was found after the kills.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub(super) clock: Clock,
    pub(super) kills: u64,
    pub(super) journal_bytes: u64,
    pub(super) journal_limit: u64,
    pub(super) killing: Duration,
    pub(super) checking: Duration,
    pub(super) slowest_start: Duration,
    pub(super) damaged_frames: u64,
    pub(super) outcome: Outcome,
}

impl Judged for Verdict {
    fn faults(&self) -> Vec<String> {
        let mut faults = counted(&[
            (self.damaged_frames, "frames of the journal are damaged"),
            (
                self.outcome.notifications.out_of_order,
                "notifications came after newer ones of their incident",
            ),
        ]);
        if self.journal_bytes > self.journal_limit {
            faults.push(format!("the journal took {} bytes of {}", self.journal_bytes, self.journal_limit));
        }
        faults.extend(self.outcome.faults());
        faults
    }

    fn incidents_due(&self) -> u64 {
        self.outcome.notifications.due
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: &str| writeln!(f, "{name:<28}{value:>16}");
        row("clock", clock_name(self.clock))?;
        row("kills", &self.kills.to_string())?;
        row("slowest start", &format!("{:.2} s", self.slowest_start.as_secs_f64()))?;
        row("journal", &format!("{:.2} GB", self.journal_bytes as f64 / 1e9))?;
        for (name, value) in self.outcome.rows() {
            row(&name, &value)?;
        }
        row("took", &format!("{:.0} s", self.killing.as_secs_f64()))?;
        row("checked in", &format!("{:.0} s", self.checking.as_secs_f64()))?;
        for fault in self.faults() {
            writeln!(f, "WRONG: {fault}")?;
        }
        Ok(())
    }
}

/// As the configuration has it.
pub(super) fn clock_name(clock: Clock) -> &'static str {
    match clock {
        Clock::Live => "live",
        Clock::Event => "event",
    }
}
