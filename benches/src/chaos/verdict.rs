//! What a run came to.

use std::{fmt, time::Duration};

use foreshock_detect::Clock;
use foreshock_model::Timestamp;

use super::{
    notifications::Notifications,
    records::Presence,
    stages::{Compared, Stages},
    undisturbed::{Same, Undisturbed},
};

/// Differences of a kind that are shown; the rest is counted.
const SHOWN: usize = 5;

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
    pub(super) presence: Presence,
    pub(super) refused_for_good: u64,
    /// The sum of the metrics of that name.
    pub(super) holes_told: u64,
    pub(super) damaged_frames: u64,
    pub(super) stages: Stages,
    pub(super) undisturbed: Undisturbed,
    pub(super) notifications: Notifications,
    pub(super) wrong_requests: u64,
}

impl Verdict {
    /// Everything that is off, one sentence each; empty: nothing is.
    pub fn faults(&self) -> Vec<String> {
        let Self { presence, notifications, .. } = self;
        let counts = [
            (presence.missing, "acknowledged records are not in the journal"),
            (presence.unexplained, "records are in the journal more often than they were sent"),
            (self.refused_for_good, "requests were refused for good, or kept in part"),
            (self.holes_told, "source holes on the metrics page"),
            (self.damaged_frames, "frames of the journal are damaged"),
            (notifications.out_of_order, "notifications came after newer ones of their incident"),
            (notifications.altered, "notifications are not what the journal says of their incident"),
            (self.wrong_requests, "requests to the webhook without the key of their incident"),
        ];
        let mut faults: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if presence.acknowledged == 0 {
            faults.push("nothing was acknowledged: the run shows nothing".to_owned());
        }
        if self.undisturbed.closed == Timestamp::default() {
            faults.push("no window was closed everywhere: the replay shows nothing".to_owned());
        }
        if self.journal_bytes > self.journal_limit {
            faults.push(format!("the journal took {} bytes of {}", self.journal_bytes, self.journal_limit));
        }
        for (name, compared) in self.compared() {
            if compared.messages == 0 && name == "summaries" {
                faults.push(format!("there are no {name}: the stages were not put to the test"));
            }
            faults.extend(compared.differences.iter().map(|difference| format!("{name}: {difference}")));
            if compared.holes > 0 {
                faults.push(format!("{name}: {} numbers are missing or out of order", compared.holes));
            }
            if compared.poison > 0 {
                faults.push(format!("{} entries that lead to {name} could not be read", compared.poison));
            }
        }
        for (name, same) in self.replayed() {
            let shown = same.differences.iter().take(SHOWN);
            faults.extend(shown.map(|difference| format!("{name} of the replay: {difference}")));
            if same.differences.len() > SHOWN {
                faults.push(format!("{name} of the replay: {} differ in all", same.differences.len()));
            }
        }
        faults.extend(notifications.lost.iter().cloned());
        faults
    }

    /// Incidents that had to be told.
    pub fn incidents_due(&self) -> u64 {
        self.notifications.due
    }

    fn replayed(&self) -> [(&'static str, &Same); 2] {
        [("findings", &self.undisturbed.findings), ("incidents", &self.undisturbed.incidents)]
    }

    fn compared(&self) -> [(&'static str, &Compared); 3] {
        let Stages { summaries, findings, incidents } = &self.stages;
        [("summaries", summaries), ("findings", findings), ("incidents", incidents)]
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<28}{value:>16}");
        let clock = match self.clock {
            Clock::Live => "live",
            Clock::Event => "event",
        };
        row("clock", clock.to_owned())?;
        row("kills", self.kills.to_string())?;
        row("slowest start", format!("{:.2} s", self.slowest_start.as_secs_f64()))?;
        row("journal", format!("{:.2} GB", self.journal_bytes as f64 / 1e9))?;
        row("acknowledged", self.presence.acknowledged.to_string())?;
        row("present", self.presence.present.to_string())?;
        row("missing", self.presence.missing.to_string())?;
        row("repeats", self.presence.repeats.to_string())?;
        let holes = self.compared().iter().map(|(_, compared)| compared.holes).sum::<u64>();
        row("holes", (self.holes_told + holes).to_string())?;
        for (name, compared) in self.compared() {
            let equal = if compared.differences.is_empty() { "yes" } else { "NO" };
            row(&format!("{name} as made again"), format!("{equal} ({})", compared.messages))?;
        }
        for (name, same) in self.replayed() {
            let equal = if same.differences.is_empty() { "yes" } else { "NO" };
            row(&format!("{name} equal to replay"), format!("{equal} ({})", same.equal))?;
        }
        row("incidents to be told", self.notifications.due.to_string())?;
        row("notifications lost", self.notifications.lost.len().to_string())?;
        row("notifications out of order", self.notifications.out_of_order.to_string())?;
        row("notifications told again", self.notifications.repeats.to_string())?;
        row("took", format!("{:.0} s", self.killing.as_secs_f64()))?;
        row("checked in", format!("{:.0} s", self.checking.as_secs_f64()))?;
        for fault in self.faults() {
            writeln!(f, "WRONG: {fault}")?;
        }
        Ok(())
    }
}
