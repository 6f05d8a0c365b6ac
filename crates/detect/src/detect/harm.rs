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

/// Words of what a process holds until it ends, and gives back then: less of it is a restart, which is told of by itself.
const HELD: [&str; 6] = ["memory", "heap", "rss", "file_descriptor", "open_fds", "uptime"];

/// Of what there is left, less is more held.
const LEFT: [&str; 4] = ["free", "available", "unused", "limit"];

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

/// Whether a lower value of a gauge is what a process gives back. `name` has its attributes: a state may be "free".
pub(super) fn less_is_given_back(name: &str) -> bool {
    let lower = name.to_ascii_lowercase().replace('.', "_");
    let metric = lower.split('{').next().unwrap_or(&lower);
    HELD.iter().any(|word| metric.contains(word)) && !LEFT.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_memory_held_is_given_back_and_less_left_is_not() {
        assert!(less_is_given_back("process.memory.usage"));
        assert!(less_is_given_back("system.memory.usage{state=used}"));
        assert!(less_is_given_back("process.open_file_descriptor.count"));
        assert!(!less_is_given_back("system.memory.usage{state=free}"));
        assert!(!less_is_given_back("node_memory_MemAvailable_bytes"));
        assert!(!less_is_given_back("http.server.active_requests{pool=heap}"));
    }

    #[test]
    fn latencies_and_errors_harm_and_traffic_does_not() {
        assert!(more_harms("http.server.request.duration.p95{route=/}", "s"));
        assert!(more_harms("kafka.consumer.lag", ""));
        assert!(!more_harms("http.server.requests{error=none}", ""));
        assert!(speaks_of_harm("Failed password for <user>"));
    }
}
