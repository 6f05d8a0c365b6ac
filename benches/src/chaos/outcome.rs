//! What a journal holds after a run that was disturbed, beside what it should hold: the part of the verdict that does
//! not know which journal it was, nor how it was disturbed.

use foreshock_detect::DetectConfig;
use foreshock_model::Timestamp;

use super::{
    notifications::{self, Notifications},
    pressure::Sent,
    records::{Presence, Records},
    stages::{self, Compared, Stages},
    undisturbed::{self, Same, Undisturbed},
    webhook::Told,
};
use crate::{remains::Remains, server::Start};

/// Differences of a kind that are shown; the rest is counted.
const SHOWN: usize = 5;

/// What there is to look at.
pub(super) struct Examined<'a> {
    pub(super) remains: &'a Remains,
    /// How it was started: the replay is by the same program and configuration.
    pub(super) how: &'a Start,
    pub(super) config: DetectConfig,
    pub(super) sent: &'a Sent,
    pub(super) told: &'a [Told],
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) presence: Presence,
    /// Entries that one attempt to send them left twice, in words.
    pub(super) twice: Vec<String>,
    pub(super) refused_for_good: u64,
    pub(super) stages: Stages,
    pub(super) undisturbed: Undisturbed,
    pub(super) notifications: Notifications,
    /// The sum of the metrics of that name.
    pub(super) holes_told: u64,
    pub(super) wrong_requests: u64,
}

impl Examined<'_> {
    /// Reads all of it. Blocks for long.
    pub(super) fn outcome(self) -> anyhow::Result<Outcome> {
        let records = Records::new(self.sent.numbers);
        let stages = stages::compare(self.remains, self.config, &records)?;
        Ok(Outcome {
            presence: records.presence(self.sent),
            twice: records.twice(),
            refused_for_good: self.sent.wrong,
            stages,
            undisturbed: undisturbed::compare(self.remains, self.how)?,
            notifications: notifications::compare(self.remains, self.told)?,
            ..Outcome::default()
        })
    }
}

impl Outcome {
    /// Everything that is off, one sentence each; empty: nothing is.
    pub(super) fn faults(&self) -> Vec<String> {
        let Self { presence, notifications, .. } = self;
        let counts = [
            (presence.missing, "acknowledged records are not in the journal"),
            (presence.unexplained, "records are in the journal more often than they were sent"),
            (self.refused_for_good, "requests were refused for good, or kept in part"),
            (self.holes_told, "source holes on the metrics page"),
            (notifications.altered, "notifications are not what the journal says of their incident"),
            (self.wrong_requests, "requests to the webhook without the key of their incident"),
        ];
        let mut faults = counted(&counts);
        faults.extend(self.twice.iter().take(SHOWN).cloned());
        if presence.acknowledged == 0 {
            faults.push("nothing was acknowledged: the run shows nothing".to_owned());
        }
        if self.undisturbed.closed == Timestamp::default() {
            faults.push("no window was closed everywhere: the replay shows nothing".to_owned());
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

    /// The rows of the table.
    pub(super) fn rows(&self) -> Vec<(String, String)> {
        let Self { presence, notifications, .. } = self;
        let equal = |is_equal: bool| if is_equal { "yes" } else { "NO" };
        let number = |name: &str, count: u64| (name.to_owned(), count.to_string());
        let holes = self.compared().iter().map(|(_, compared)| compared.holes).sum::<u64>();
        let mut rows = vec![
            number("acknowledged", presence.acknowledged),
            number("present", presence.present),
            number("missing", presence.missing),
            number("repeats by clients", presence.repeats),
            number("entries there twice", self.twice.len() as u64),
            number("holes", self.holes_told + holes),
        ];
        rows.extend(self.compared().map(|(name, compared)| {
            let equal = equal(compared.differences.is_empty());
            (format!("{name} as made again"), format!("{equal} ({})", compared.messages))
        }));
        rows.extend(self.replayed().map(|(name, same)| {
            (
                format!("{name} equal to replay"),
                format!("{} ({})", equal(same.differences.is_empty()), same.equal),
            )
        }));
        rows.extend([
            number("incidents to be told", notifications.due),
            number("notifications lost", notifications.lost.len() as u64),
            number("notifications out of order", notifications.out_of_order),
            number("notifications told again", notifications.repeats),
        ]);
        rows
    }

    fn replayed(&self) -> [(&'static str, &Same); 2] {
        [("findings", &self.undisturbed.findings), ("incidents", &self.undisturbed.incidents)]
    }

    fn compared(&self) -> [(&'static str, &Compared); 3] {
        let Stages { summaries, findings, incidents } = &self.stages;
        [("summaries", summaries), ("findings", findings), ("incidents", incidents)]
    }
}

/// A sentence for each count that should be 0 and is not.
pub(super) fn counted(counts: &[(u64, &str)]) -> Vec<String> {
    counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
}
