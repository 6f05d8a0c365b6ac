//! What a run on Kafka came to.

use std::{collections::BTreeMap, fmt, time::Duration};

use foreshock_detect::Clock;

use super::{
    super::{clocks::Judged, outcome::Outcome, verdict::clock_name},
    disturbance::Disturbance,
    failover::{Cause, FailOver},
};

/// What was found after the disturbances.
#[derive(Clone, Debug)]
pub struct KafkaVerdict {
    pub(super) clock: Clock,
    pub(super) disturbances: BTreeMap<Disturbance, u64>,
    /// The builds that workers were rolled between.
    pub(super) versions: [String; 2],
    /// Processes that ended without having been told to, or not in order.
    pub(super) deaths: Vec<String>,
    pub(super) fail_overs: Vec<FailOver>,
    /// Messages of sources that came again and were passed over, by the last metrics pages.
    pub(super) source_repeats: u64,
    pub(super) topic_bytes: u64,
    pub(super) topic_limit: u64,
    pub(super) disturbing: Duration,
    pub(super) settling: Duration,
    pub(super) checking: Duration,
    pub(super) outcome: Outcome,
}

impl Judged for KafkaVerdict {
    fn faults(&self) -> Vec<String> {
        let mut faults = self.deaths.clone();
        if self.topic_bytes > self.topic_limit {
            faults.push(format!("the topics took {} bytes of {}", self.topic_bytes, self.topic_limit));
        }
        if self.source_repeats > 0 {
            faults.push(format!("{} messages of stages were there twice", self.source_repeats));
        }
        for fail_over in self.fail_overs.iter().filter(|fail_over| fail_over.took.is_none()) {
            faults.push(format!("after {:?} not everything was served again", fail_over.cause));
        }
        faults.extend(self.outcome.faults());
        faults
    }

    fn incidents_due(&self) -> u64 {
        self.outcome.notifications.due
    }
}

impl KafkaVerdict {
    fn fail_over(&self, cause: Cause) -> String {
        let of = self.fail_overs.iter().filter(|fail_over| fail_over.cause == cause);
        let mut took: Vec<Duration> =
            of.clone().filter(|fail_over| fail_over.alone).filter_map(|fail_over| fail_over.took).collect();
        took.sort_unstable();
        let mut all: Vec<Duration> = of.filter_map(|fail_over| fail_over.took).collect();
        all.sort_unstable();
        let seconds = |took: Option<&Duration>| {
            took.map_or_else(|| "-".to_owned(), |took| format!("{:.1}", took.as_secs_f64()))
        };
        format!(
            "{} / {} s ({}); {} s ({})",
            seconds(took.get(took.len() / 2)),
            seconds(took.last()),
            took.len(),
            seconds(all.last()),
            all.len()
        )
    }
}

impl fmt::Display for KafkaVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: &str| writeln!(f, "{name:<36}{value:>30}");
        row("clock", clock_name(self.clock))?;
        row("disturbances", &self.disturbances.values().sum::<u64>().to_string())?;
        for (disturbance, count) in &self.disturbances {
            row(&format!("  {}", disturbance.name()), &count.to_string())?;
        }
        row("builds of workers", &self.versions.join(", "))?;
        row("processes that ended by themselves", &self.deaths.len().to_string())?;
        row("topics, all copies", &format!("{:.2} GB", self.topic_bytes as f64 / 1e9))?;
        for (name, value) in self.outcome.rows() {
            row(&name, &value)?;
        }
        row("repeats of stages", &self.source_repeats.to_string())?;
        // Median and longest of those in which nothing else was disturbed; the longest of all.
        row("served again, worker killed", &self.fail_over(Cause::WorkerKilled))?;
        row("served again, worker stopped", &self.fail_over(Cause::WorkerStopped))?;
        row("committing again, broker killed", &self.fail_over(Cause::BrokerKilled))?;
        row("took", &format!("{:.0} s", self.disturbing.as_secs_f64()))?;
        row("caught up in", &format!("{:.0} s", self.settling.as_secs_f64()))?;
        row("checked in", &format!("{:.0} s", self.checking.as_secs_f64()))?;
        for fault in self.faults() {
            writeln!(f, "WRONG: {fault}")?;
        }
        Ok(())
    }
}
