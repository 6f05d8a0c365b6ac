//! How far behind the worker is, and what it can't see: for the metrics page and for people.

use std::fs;

use foreshock_journal::{Journal, Partition};
use foreshock_model::Timestamp;

use crate::{PartitionFigures, WorkerMetrics, wall};

/// How far one stage is behind in one partition.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionLag {
    /// Which stage.
    pub stage: &'static str,
    /// Reading what.
    pub partition: Partition,
    /// Entries on the journal that it has not taken yet.
    pub offsets: u64,
    /// Age of the last entry taken, where there are more; else 0.
    pub seconds: f64,
    /// All its figures.
    pub figures: PartitionFigures,
}

/// The worker's lag, and what is wrong. It never makes ingest unready.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LagReport {
    /// By stage and partition.
    pub partitions: Vec<PartitionLag>,
    /// Sentences on what detection does not see or sees late; empty when all is well.
    pub degraded: Vec<String>,
}

/// Behind by more than this many seconds is worth a sentence.
const LAGS_SECONDS: f64 = 30.0;

impl LagReport {
    /// As things stand.
    pub fn now(metrics: &WorkerMetrics, journal: &dyn Journal) -> Self {
        let now = wall::now();
        let mut report = Self::default();
        for (stage, partition, figures) in metrics.all() {
            let live = figures.is_live();
            let figures = figures.figures();
            let end = journal.end(partition).map_or(0, |end| end.0);
            let offsets = end.saturating_sub(figures.position);
            let seconds = match offsets {
                0 => 0.0,
                _ if figures.received == 0 => 0.0,
                _ => now.since(Timestamp(figures.received)).as_secs_f64(),
            };
            let lag = PartitionLag { stage, partition, offsets, seconds, figures };
            lag.complain(live, &mut report.degraded);
            report.partitions.push(lag);
        }
        report
    }
}

impl PartitionLag {
    fn complain(&self, live: bool, degraded: &mut Vec<String>) {
        let Self { stage, partition, figures, .. } = self;
        if !live {
            degraded.push(format!("{stage} of {partition} is recovering"));
        }
        if self.seconds > LAGS_SECONDS {
            degraded.push(format!("{stage} of {partition} is {:.0} s behind", self.seconds));
        }
        for (count, what) in [
            (figures.holes, "messages of its sources are missing"),
            (figures.lost, "entries were removed by retention before they were read"),
            (figures.poison, "entries could not be read and lie on the poison stream"),
            (figures.skips, "times a source was given up"),
        ] {
            if count > 0 {
                degraded.push(format!("{stage} of {partition}: {count} {what}"));
            }
        }
    }
}

/// Memory of this process that is in use, in bytes; 0 where the system does not say.
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(|rest| {
        let number = rest.trim().strip_suffix("kB")?;
        number.trim().parse::<u64>().ok()
    });
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_has_memory() {
        assert!(super::resident_bytes() > 1 << 20);
    }
}
