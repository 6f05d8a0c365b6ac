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

/// First words of metrics about a process or what it runs in,
const RUNTIMES: [&str; 9] =
    ["process", "jvm", "go", "nodejs", "v8js", "dotnet", "cpython", "container", "k8s"];
/// words of what it holds, and gives back when it ends: less of it is most often a restart or a deploy,
const HELD: [&str; 7] = ["memory", "memstats", "heap", "rss", "descriptor", "descriptors", "fds"];
/// and of what there is left, where less is more held.
const LEFT: [&str; 7] = ["free", "available", "unused", "limit", "max", "request", "remaining"];

/// The metric's own name, without the attributes of a series.
pub(super) fn metric_of(name: &str) -> &str {
    name.split('{').next().unwrap_or(name)
}

/// Whether a text speaks of something bad.
pub(super) fn speaks_of_harm(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    HARMFUL.iter().any(|word| lower.contains(word))
}

/// Whether a higher value of a metric is bad by its nature.
pub(super) fn more_harms(name: &str, unit: &str) -> bool {
    let metric = metric_of(name).to_ascii_lowercase();
    let is_time = matches!(unit, "s" | "ms" | "us" | "ns") && metric.contains("p95");
    is_time || HARMFUL.iter().chain(&WAITING).any(|word| metric.contains(word))
}

/// Whether a lower value of a gauge is what a process gives back.
pub(super) fn less_is_given_back(name: &str) -> bool {
    let metric = metric_of(name).to_ascii_lowercase();
    let words = || metric.split(['.', '_']);
    words().next().is_some_and(|first| RUNTIMES.contains(&first))
        && words().any(|word| HELD.contains(&word))
        && !words().any(|word| LEFT.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_memory_of_a_process_is_given_back_and_of_anything_else_it_is_not() {
        for name in [
            "process.memory.usage",
            "process.memory.usage{pod=freestyle}",
            "jvm.memory.used{jvm.memory.pool.name=G1 Old Gen}",
            "go_memstats_heap_inuse_bytes",
            "process.open_file_descriptor.count",
            "k8s.pod.memory.working_set",
        ] {
            assert!(less_is_given_back(name), "{name}");
        }
        for name in [
            "k8s.pod.memory.available",
            "jvm.memory.limit",
            "process.uptime",
            "system.memory.usage{state=free}",
            "redis_memory_used_bytes",
            "process.cheapest_offers",
            "container.orders{pool=heap}",
        ] {
            assert!(!less_is_given_back(name), "{name}");
        }
    }

    #[test]
    fn latencies_and_errors_harm_and_traffic_does_not() {
        assert!(more_harms("http.server.request.duration.p95{route=/}", "s"));
        assert!(more_harms("kafka.consumer.lag", ""));
        assert!(!more_harms("http.server.requests{error=none}", ""));
        assert!(speaks_of_harm("Failed password for <user>"));
    }
}
