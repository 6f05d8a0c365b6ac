//! What an overload came to.

use std::{fmt, time::Duration};

use super::{FACTOR, memory::MemoryLimit, records::Presence};
use crate::report::{Refused, Report};

/// What the load generator notes of a request that it did not get to send; no answer of the server's.
const NOT_SENT: &str = "not sent in time";

/// What was found during and after the overload.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub(super) closed: Report,
    pub(super) overload: Report,
    pub(super) memory_limit: MemoryLimit,
    pub(super) peak_bytes: u64,
    pub(super) journal_bytes: u64,
    pub(super) journal_limit: u64,
    /// The server's own count of refusals.
    pub(super) reasons: Vec<(String, u64)>,
    pub(super) presence: Presence,
    pub(super) holes: u64,
    pub(super) catching_up: Duration,
    pub(super) checking: Duration,
}

/// How a request ended that was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As OTLP wants an overload to be told: UNAVAILABLE with RetryInfo.
    ToldWhen,
    /// In any other way.
    Wrong,
    /// It was never sent.
    NotSent,
}

fn end_of(refused: &Refused) -> End {
    match refused.status.as_str() {
        NOT_SENT => End::NotSent,
        "Unavailable" if refused.has_retry_info => End::ToldWhen,
        _ => End::Wrong,
    }
}

fn requests(report: &Report, end: End) -> u64 {
    report.refused.iter().filter(|refused| end_of(refused) == end).map(|refused| refused.requests).sum()
}

impl Verdict {
    /// Everything that is off, one sentence each; empty: nothing is.
    pub fn faults(&self) -> Vec<String> {
        let Self { presence, closed, overload, .. } = self;
        let mut faults = Vec::new();
        let limit = self.memory_limit.bytes();
        if self.peak_bytes > limit {
            faults.push(format!(
                "resident memory came to {}, the limit is {}",
                mib(self.peak_bytes),
                mib(limit)
            ));
        }
        if self.journal_bytes > self.journal_limit {
            faults.push(format!("the journal took {} bytes of {}", self.journal_bytes, self.journal_limit));
        }
        if requests(overload, End::ToldWhen) == 0 {
            faults.push("no overload was reached: not one request was refused".to_owned());
        }
        let wrong = [closed, overload].into_iter().flat_map(|report| &report.refused);
        for Refused { status, has_retry_info, requests } in
            wrong.filter(|refused| end_of(refused) == End::Wrong)
        {
            let info = if *has_retry_info { "with" } else { "without" };
            faults.push(format!("{requests} requests ended with {status} {info} RetryInfo"));
        }
        let counts = [
            (
                closed.rejected_records + overload.rejected_records,
                "records of accepted requests were rejected",
            ),
            (presence.missing, "acknowledged records are not in the journal"),
            (presence.repeated, "records are in the journal more than once"),
            (presence.not_acknowledged, "records of requests that were refused are in the journal"),
            (presence.foreign, "records in the journal have numbers that were never given"),
            (self.holes, "source holes on the metrics page"),
        ];
        faults.extend(
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")),
        );
        faults
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { closed, overload, presence, .. } = self;
        let mut row = |name: &str, value: String| writeln!(f, "{name:<44}{value:>16}");
        let (told_when, wrong) = (requests(overload, End::ToldWhen), requests(overload, End::Wrong));
        let sent = overload.acknowledged_requests + told_when + wrong;
        let records = overload.acknowledged_records as f64 / overload.acknowledged_requests.max(1) as f64;
        row("sustainable (closed loop), records/s", format!("{:.0}", closed.records_a_second))?;
        row("due (open loop), records/s", format!("{:.0}", closed.records_a_second * FACTOR))?;
        row("of it sent, records/s", format!("{:.0}", sent as f64 * records / overload.seconds))?;
        row("acknowledged, records/s", format!("{:.0}", overload.records_a_second))?;
        row("acknowledge p99 under overload", format!("{:.0} ms", overload.latency_ms[2]))?;
        row("requests sent", sent.to_string())?;
        row("requests refused with RetryInfo", told_when.to_string())?;
        row("requests that ended otherwise", wrong.to_string())?;
        for (reason, count) in &self.reasons {
            row(&format!("  the server's count, {reason}"), count.to_string())?;
        }
        row("resident memory, peak", mib(self.peak_bytes))?;
        row("resident memory, limit", mib(self.memory_limit.bytes()))?;
        for (part, bytes) in &self.memory_limit.parts {
            writeln!(f, "  {:>8}  {part}", mib(*bytes))?;
        }
        let mut row = |name: &str, value: String| writeln!(f, "{name:<44}{value:>16}");
        row("journal", format!("{:.2} GB", self.journal_bytes as f64 / 1e9))?;
        row("records acknowledged", presence.acknowledged.to_string())?;
        row("present", presence.present.to_string())?;
        row("missing", presence.missing.to_string())?;
        row("there more than once", presence.repeated.to_string())?;
        row("refused and there all the same", presence.not_acknowledged.to_string())?;
        row("source holes", self.holes.to_string())?;
        row("overload took", format!("{:.0} s", overload.seconds))?;
        row("caught up in", format!("{:.0} s", self.catching_up.as_secs_f64()))?;
        row("checked in", format!("{:.0} s", self.checking.as_secs_f64()))?;
        for fault in self.faults() {
            writeln!(f, "WRONG: {fault}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Usage;

    fn report(refused: &[(&str, bool, u64)]) -> Report {
        let refused = refused.iter().map(|(status, has_retry_info, requests)| Refused {
            status: (*status).to_owned(),
            has_retry_info: *has_retry_info,
            requests: *requests,
        });
        Report {
            seconds: 1.0,
            acknowledged_requests: 1,
            acknowledged_records: 10,
            acknowledged_bytes: 100,
            records_a_second: 10.0,
            rejected_records: 0,
            latency_ms: [1.0; 5],
            refused: refused.collect(),
            processes: Vec::new(),
            own: Usage::default(),
            per_second: Vec::new(),
            next_number: 1,
        }
    }

    fn verdict(overload: Report) -> Verdict {
        Verdict {
            closed: report(&[]),
            overload,
            memory_limit: MemoryLimit { parts: vec![("all".to_owned(), 100)] },
            peak_bytes: 100,
            journal_bytes: 7,
            journal_limit: 7,
            reasons: Vec::new(),
            presence: Presence { acknowledged: 10, present: 10, ..Presence::default() },
            holes: 0,
            catching_up: Duration::ZERO,
            checking: Duration::ZERO,
        }
    }

    #[test]
    fn only_an_overload_that_was_told_of_as_it_should_be_passes() {
        let good = [("Unavailable", true, 5), (NOT_SENT, false, 9)];
        assert_eq!(verdict(report(&good)).faults(), Vec::<String>::new());
        for wrong in [("Unavailable", false, 1), ("transport", false, 1), ("ResourceExhausted", true, 1)] {
            assert_eq!(verdict(report(&[good[0], wrong])).faults().len(), 1);
        }
        let idle = verdict(report(&[(NOT_SENT, false, 9)])).faults();
        assert!(idle.len() == 1 && idle[0].starts_with("no overload was reached"), "{idle:?}");
    }

    #[test]
    fn each_breach_is_a_sentence_of_its_own() {
        let mut bad = verdict(report(&[("Unavailable", true, 5)]));
        bad.peak_bytes += 1;
        bad.journal_bytes += 1;
        bad.holes = 1;
        bad.presence = Presence { missing: 1, repeated: 1, not_acknowledged: 1, foreign: 1, ..bad.presence };
        assert_eq!(bad.faults().len(), 7, "{:?}", bad.faults());
    }
}
