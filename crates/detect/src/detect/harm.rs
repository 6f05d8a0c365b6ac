//! Whether more of something harms: from its name, its unit and its words.
//!
//! A deviation that is sure to be one need not matter. What wakes people is limited to what harms by its nature:
//! errors, refusals, waiting, exhaustion. All else is told without a page.

/// Words of things that are bad to have more of.
const HARMFUL: [&str; 22] = [
    "error",
    "fail",
    "fatal",
    "panic",
    "exception",
    "timeout",
    "timed out",
    "denied",
    "refused",
    "rejected",
    "unavailable",
    "invalid",
    "abort",
    "crash",
    "drop",
    "retry",
    "retries",
    "oom",
    "killed",
    "unauthorized",
    "lag",
    "backlog",
];

/// Words of metrics that count what waits.
const WAITING: [&str; 5] = ["queue", "pending", "waiting", "latency", "duration"];

/// Whether a text speaks of something bad.
pub(super) fn speaks_of_harm(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    HARMFUL.iter().any(|word| lower.contains(word))
}

/// Whether a higher value of a metric is bad by its nature.
pub(super) fn more_harms(name: &str, unit: &str) -> bool {
    let metric = name.split('{').next().unwrap_or(name).to_ascii_lowercase();
    let is_time = matches!(unit, "s" | "ms" | "us" | "ns") && metric.contains("p95");
    is_time || HARMFUL.iter().chain(&WAITING).any(|word| metric.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_and_errors_harm_and_traffic_does_not() {
        assert!(more_harms("http.server.request.duration.p95{route=/}", "s"));
        assert!(more_harms("kafka.consumer.lag", ""));
        assert!(!more_harms("http.server.requests{error=none}", ""));
        assert!(speaks_of_harm("Failed password for <user>"));
    }
}
