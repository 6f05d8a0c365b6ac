//! What people said of incidents, and what follows for the series that those stood on.
//!
//! A verdict moves the bar of a series and kind of finding. One that lowers a prior only ever takes pages away. One that
//! raises it is paid for by everything else: p-values are weighted (Genovese, Roeder and Wasserman, Biometrika 2006), and
//! the weights of all tests average to at most one, so that the expected number of false pages stays what the budget
//! says. Time is that of windows.

use std::collections::BTreeMap;

use foreshock_model::{Feedback, Finding, IncidentId, Kind, ServiceName, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use super::{Thresholds, budget::Account};
use crate::FeedbackLimits;

/// What was expected pages when it is a thousand times less likely than what was judged: what is expected comes again, never
/// quite of the same size, and its p-value moves by an order of magnitude or two with that.
const EXPECTED: f64 = 3.0;
/// What was not useful pages when it is ten times less likely: it was right, and too little. The same again is a warning.
const NOT_USEFUL: f64 = 1.0;
/// What was useful has at most so many times its share of the budget. More brings little (a unit of surprise each ten
/// times) and would have to be paid by all others.
const USEFUL: f64 = 10.0;
/// However much is useful, everything else keeps this share of its level: a third of a unit of surprise.
const LEAST_LEFT: f64 = 0.5;
/// A series is judged on windows of so many lengths, each a stream of tests: 10 s, a minute, ten, an hour.
const LENGTHS: f64 = 4.0;
/// What was said of a forecast does not hold when less than this share of the time is left: a disk that was expected to be
/// full tomorrow is not expected to be full in an hour.
const NEARER: f64 = 0.25;
const DAY_NANOS: u64 = 86_400_000_000_000;

/// What a person's word made of what is asked of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Prior {
    /// What was said.
    pub verdict: Verdict,
    /// Of which incident.
    pub incident: IncidentId,
    /// How surprising what it was said of is, looked at over as long a window.
    pub judged: f64,
    /// It holds for windows that end before this.
    pub until: Timestamp,
}

/// What was judged of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Judged {
    surprise: f64,
    window_seconds: u32,
    lasted_seconds: u32,
    left_seconds: u32,
}

impl Judged {
    /// How surprising the same would be over a window of so many seconds. What goes on for so many times as long is so many
    /// times as surprising (the logarithms of independent windows' p-values add up), but it lasted only so long.
    fn over(self, seconds: f64) -> f64 {
        if self.window_seconds == 0 {
            return self.surprise;
        }
        let held = seconds.min(f64::from(self.lasted_seconds));
        self.surprise * (held / f64::from(self.window_seconds)).max(1.0)
    }

    /// Whether something runs out so much sooner that it is another matter.
    fn is_far_from(self, finding: &Finding) -> bool {
        let nearer = NEARER * f64::from(self.left_seconds);
        finding.time_left().is_some_and(|left| left.as_secs_f64() < nearer)
    }
}

/// A series and what is found of it.
type Key = (ServiceName, String, Kind);

/// What was said of a tenant's incidents and holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Priors {
    said: BTreeMap<IncidentId, Feedback>,
    /// The latest word on each series: on which incident, and what was judged.
    series: BTreeMap<Key, (IncidentId, Judged)>,
    /// How many of them are raised, by kind.
    raised: BTreeMap<Kind, u32>,
    /// The day on which all of it was told last, since 1970.
    told: u64,
}

impl Priors {
    /// Comes to the window that ends then, and takes what was said, in its order. Returns what is to be told: what holds
    /// now, what does not any more, and once a day everything.
    pub(super) fn take(
        &mut self,
        end: Timestamp,
        words: Vec<Feedback>,
        limits: &FeedbackLimits,
    ) -> Vec<Feedback> {
        if end == Timestamp::MAX {
            return Vec::new();
        }
        let over: Vec<IncidentId> =
            self.said.iter().filter(|(_, said)| said.until <= end).map(|(id, _)| *id).collect();
        let mut told: Vec<Feedback> = over.into_iter().filter_map(|id| self.withdraw(id)).collect();
        for word in words {
            self.hear(word, end, limits, &mut told);
        }
        let day = end.nanos() / DAY_NANOS;
        if day > self.told && !self.said.is_empty() {
            self.told = day;
            told.retain(|said| said.verdict == Verdict::None);
            told.extend(self.said.values().cloned());
        }
        told
    }

    fn hear(&mut self, word: Feedback, end: Timestamp, limits: &FeedbackLimits, told: &mut Vec<Feedback>) {
        let before = self.withdraw(word.incident);
        let until = end.plus(limits.lasts(word.verdict));
        // What Foreshock says of itself is counted, not inferred: no prior moves it.
        let moves = word.series.into_iter().filter(|of| of.kind != Kind::Degraded).collect::<Vec<_>>();
        if word.verdict == Verdict::None || moves.is_empty() || until <= end {
            told.extend(before);
            return;
        }
        let incident = word.incident;
        for of in &moves {
            let key = (of.service.clone(), of.series.clone(), of.kind);
            let judged = Judged {
                surprise: of.surprise,
                window_seconds: of.window_seconds,
                lasted_seconds: of.lasted_seconds,
                left_seconds: of.left_seconds,
            };
            // The same series twice, as two findings of one incident: the greater counts.
            let same = self.series.get(&key).filter(|(same, _)| *same == incident);
            if same.is_some_and(|(_, known)| known.surprise >= judged.surprise) {
                continue;
            }
            let Some((other, _)) = self.series.insert(key.clone(), (incident, judged)) else { continue };
            let Some(said) = self.said.get_mut(&other).filter(|_| other != incident) else { continue };
            said.series.retain(|of| (&of.service, &of.series, of.kind) != (&key.0, &key.1, key.2));
            if said.series.is_empty() {
                told.extend(self.withdraw(other));
            }
        }
        let said = Feedback { from: end, until, series: moves, ..word };
        told.push(said.clone());
        self.said.insert(incident, said);
        while self.said.len() > limits.incidents.max(1) as usize {
            let first = self.said.values().map(|said| (said.until, said.from, said.incident)).min();
            told.extend(first.and_then(|(_, _, id)| self.withdraw(id)));
        }
        self.count();
    }

    /// Forgets what was said of an incident. Returns the word that it does not hold any more, if it did.
    fn withdraw(&mut self, incident: IncidentId) -> Option<Feedback> {
        let said = self.said.remove(&incident)?;
        self.series.retain(|_, (of, _)| *of != incident);
        self.count();
        Some(Feedback { verdict: Verdict::None, ..said })
    }

    fn count(&mut self) {
        self.raised.clear();
        for ((_, _, kind), (incident, _)) in &self.series {
            if self.said.get(incident).is_some_and(|said| said.verdict == Verdict::Useful) {
                *self.raised.entry(*kind).or_default() += 1;
            }
        }
    }

    /// What was said of a finding's series.
    pub(super) fn of(&self, finding: &Finding) -> Option<Prior> {
        if self.series.is_empty() {
            return None;
        }
        let key = (finding.service.clone(), finding.series.clone(), finding.kind);
        let (incident, judged) = *self.series.get(&key)?;
        let said = self.said.get(&incident)?;
        if said.verdict != Verdict::Useful && judged.is_far_from(finding) {
            return None;
        }
        let seconds = finding.window_end.since(finding.window_start).as_secs_f64();
        Some(Prior { verdict: said.verdict, incident, judged: judged.over(seconds), until: said.until })
    }

    /// The level of what was said to be useful, and of everything else, in parts of what they would have.
    pub(super) fn weights(&self, account: &Account) -> Weights {
        if self.raised.is_empty() {
            return Weights::of(0.0);
        }
        let of_kind = |(kind, series): (&Kind, &u32)| {
            let most = f64::from(*series) * LENGTHS;
            // Sessions of a service are tested one by one, and any number of them may be of the same series.
            if *kind == Kind::BrokenSequence { most.max(account.streams_of(*kind)) } else { most }
        };
        Weights::of(self.raised.iter().map(of_kind).sum::<f64>() / account.streams())
    }
}

/// Weights of p-values that average to at most one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Weights {
    pub(super) useful: f64,
    pub(super) others: f64,
}

impl Weights {
    /// Where at most such a share of all tests is raised. With fewer the average is below one, for `useful` is the larger.
    fn of(share: f64) -> Self {
        if share <= 0.0 {
            return Self { useful: 1.0, others: 1.0 };
        }
        let share = share.min(1.0);
        let others = (1.0 / (1.0 + (USEFUL - 1.0) * share)).max(LEAST_LEFT);
        Self { useful: (1.0 - (1.0 - share) * others) / share, others }
    }

    /// What is asked of a finding of whose series this was said.
    pub(super) fn apply(self, thresholds: Thresholds, prior: Option<&Prior>) -> Thresholds {
        let weight = match prior {
            Some(Prior { verdict: Verdict::Useful, .. }) => self.useful,
            _ => self.others,
        };
        let by = libm::log10(weight);
        let asked = Thresholds { page: thresholds.page - by, warn: thresholds.warn - by, ..thresholds };
        let more = match prior.map(|prior| prior.verdict) {
            Some(Verdict::Expected) => EXPECTED,
            Some(Verdict::NotUseful) => NOT_USEFUL,
            _ => return asked,
        };
        // Another like the one that was judged is no news, however far beyond the budget's level that was.
        let judged = prior.map_or(0.0, |prior| prior.judged);
        let page = asked.page.max(judged) + more;
        Thresholds { page, warn: page - (asked.page - asked.warn), ..asked }
    }
}

#[cfg(test)]
mod tests;
