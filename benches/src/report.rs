//! What a run gave, for people and for programs.

use std::fmt;

use serde::Serialize;

use crate::process::Usage;

/// Requests that were not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// What was said.
    pub status: String,
    /// Whether the receiver said when to come again.
    pub has_retry_info: bool,
    /// How many.
    pub requests: u64,
}

/// What a watched process used during the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ProcessReport {
    /// Which.
    pub pid: u32,
    /// What it used.
    pub usage: Usage,
}

/// Figures of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// How long it took.
    pub seconds: f64,
    /// Requests that were acknowledged.
    pub acknowledged_requests: u64,
    /// Records in them, those not kept left out.
    pub acknowledged_records: u64,
    /// Bytes in them, before compression.
    pub acknowledged_bytes: u64,
    /// Acknowledged records a second.
    pub records_a_second: f64,
    /// Records of acknowledged requests that were not kept.
    pub rejected_records: u64,
    /// Latency in milliseconds: 50 %, 90 %, 99 %, 99.9 %, largest.
    pub latency_ms: [f64; 5],
    /// What was refused, most first.
    pub refused: Vec<Refused>,
    /// Watched processes.
    pub processes: Vec<ProcessReport>,
    /// The load generator itself.
    pub own: Usage,
    /// Acknowledged records in each second.
    pub per_second: Vec<u64>,
    /// The first number that no request of this run had.
    pub next_number: u64,
}

impl Report {
    fn cpu_a_million(&self, usage: &Usage) -> f64 {
        usage.cpu_s * 1e6 / (self.acknowledged_records.max(1) as f64)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "acknowledged  {:.0} records/s, {} records in {} requests, {:.1} MB/s, {:.1} s",
            self.records_a_second,
            self.acknowledged_records,
            self.acknowledged_requests,
            self.acknowledged_bytes as f64 / 1e6 / self.seconds,
            self.seconds
        )?;
        let [p50, p90, p99, p999, largest] = self.latency_ms;
        writeln!(
            f,
            "latency       50 % {p50:.2} ms, 90 % {p90:.2}, 99 % {p99:.2}, 99.9 % {p999:.2}, largest {largest:.2}"
        )?;
        for refused in &self.refused {
            let hint = if refused.has_retry_info { "with" } else { "without" };
            writeln!(
                f,
                "refused       {} requests: {}, {hint} a time to come again",
                refused.requests, refused.status
            )?;
        }
        if self.rejected_records > 0 {
            writeln!(f, "not kept      {} records of acknowledged requests", self.rejected_records)?;
        }
        for process in &self.processes {
            writeln!(
                f,
                "process {:<6}{:.2} CPU-s, {:.3} a million records, {:.0} MB at most",
                process.pid,
                process.usage.cpu_s,
                self.cpu_a_million(&process.usage),
                process.usage.peak_bytes as f64 / 1e6
            )?;
        }
        write!(
            f,
            "this client   {:.2} CPU-s, {:.3} a million records",
            self.own.cpu_s,
            self.cpu_a_million(&self.own)
        )
    }
}
