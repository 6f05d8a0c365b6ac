//! The figures of all services in Prometheus' text form.

mod families;

use std::sync::atomic::Ordering::Relaxed;

use families::Families;
use foreshock_detect::Spending;
use foreshock_ingest::IngestSnapshot;
use foreshock_journal::{Health, Journal};
use foreshock_model::Tenant;
use foreshock_worker::{LagReport, PartitionFigures, PartitionLag, WorkerMetrics, resident_bytes};

use super::{Figures, reload::Reloads};

pub(super) const CONTENT_TYPE: &str = families::CONTENT_TYPE;

/// All figures as they are now.
pub(super) fn render(figures: &Figures, journal: Option<&dyn Journal>) -> String {
    let mut to = Families::default();
    to.gauge("process_resident_memory_bytes", "Memory of the process in use", [], resident_bytes() as f64);
    ingest(&mut to, &figures.ingest.snapshot());
    if let Some(journal) = journal {
        log(&mut to, journal);
        stages(&mut to, &LagReport::now(&figures.worker, journal));
    }
    worker(&mut to, &figures.worker);
    notify(&mut to, &figures.notify.get());
    console(&mut to, &figures.console);
    configuration(&mut to, &figures.reloads);
    to.render()
}

fn ingest(to: &mut Families, seen: &IngestSnapshot) {
    for (signal, transport, traffic) in &seen.traffic {
        let labels = || {
            [("signal", format!("{signal:?}").to_lowercase()), ("transport", transport.as_str().to_owned())]
        };
        to.counter(
            "foreshock_ingest_requests_total",
            "Requests read whole",
            labels(),
            traffic.requests as f64,
        );
        to.counter(
            "foreshock_ingest_bytes_total",
            "Uncompressed bytes of requests",
            labels(),
            traffic.bytes as f64,
        );
        to.counter(
            "foreshock_ingest_records_total",
            "Log records, data points and spans received",
            labels(),
            traffic.records as f64,
        );
        to.counter(
            "foreshock_ingest_acknowledged_records_total",
            "Records that are durable and acknowledged",
            labels(),
            traffic.acknowledged_records as f64,
        );
        to.counter(
            "foreshock_ingest_rejected_records_total",
            "Records refused one by one, by partial success",
            labels(),
            traffic.rejected_records as f64,
        );
    }
    for (reason, count) in &seen.refused {
        let labels = [("reason", reason.as_str().to_owned())];
        to.counter(
            "foreshock_ingest_refused_requests_total",
            "Requests refused whole",
            labels,
            *count as f64,
        );
    }
    to.gauge(
        "foreshock_ingest_in_flight_bytes",
        "Bytes received and not yet durable",
        [],
        seen.in_flight_bytes as f64,
    );
    to.gauge("foreshock_ingest_connections", "Open connections", [], seen.connections_open as f64);
    to.counter(
        "foreshock_ingest_connections_opened_total",
        "Connections accepted",
        [],
        seen.connections_opened as f64,
    );
    let latency = &seen.ack_latency_ns;
    let mut below = 0;
    let mut buckets = Vec::new();
    for bound in families::SECONDS {
        let upto = latency.count_between(0, (bound * 1e9) as u64);
        buckets.push((bound, upto.saturating_sub(below)));
        below = upto;
    }
    buckets.push((f64::INFINITY, latency.len().saturating_sub(below)));
    to.histogram(
        "foreshock_ingest_acknowledge_seconds",
        "From the first header of a request to its answer",
        [],
        latency.mean() * latency.len() as f64 / 1e9,
        buckets,
    );
}

fn log(to: &mut Families, journal: &dyn Journal) {
    let figures = journal.figures();
    let writable = f64::from(u8::from(journal.health() == Health::Writable));
    to.gauge("foreshock_journal_writable", "1 while appends are accepted", [], writable);
    to.counter("foreshock_journal_batches_total", "Batches made durable", [], figures.batches as f64);
    to.counter("foreshock_journal_bytes_total", "Bytes made durable", [], figures.bytes as f64);
    to.counter("foreshock_journal_refused_total", "Appends refused", [], figures.refused as f64);
    to.gauge(
        "foreshock_journal_queued_bytes",
        "Bytes that wait to be written",
        [],
        figures.queued_bytes as f64,
    );
    to.gauge(
        "foreshock_journal_cached_bytes",
        "Bytes held in memory for readers",
        [],
        figures.cached_bytes as f64,
    );
    to.counter(
        "foreshock_journal_damaged_frames_total",
        "Frames found damaged and set aside",
        [],
        figures.damaged_frames as f64,
    );
    let mut below = 0;
    let buckets = figures
        .sync_latency
        .iter()
        .map(|(bound, upto)| {
            let inside = upto.saturating_sub(below);
            below = *upto;
            (
                if bound.is_zero() || *bound == std::time::Duration::MAX {
                    f64::INFINITY
                } else {
                    bound.as_secs_f64()
                },
                inside,
            )
        })
        .collect();
    to.histogram(
        "foreshock_journal_sync_seconds",
        "Time of a sync",
        [],
        figures.sync_total.as_secs_f64(),
        buckets,
    );
    for share in &figures.shares {
        let labels = || [("consumer", share.consumer.clone())];
        to.gauge(
            "foreshock_share_partitions",
            "Partitions that this process serves",
            labels(),
            share.partitions as f64,
        );
        to.counter(
            "foreshock_share_rebalances_total",
            "Times partitions came or went",
            labels(),
            share.rebalances as f64,
        );
        to.gauge(
            "foreshock_share_last_rebalance_seconds",
            "How long it took until the partitions that came last were taken over",
            labels(),
            share.last_rebalance.as_secs_f64(),
        );
        to.counter(
            "foreshock_transactions_total",
            "Transactions committed",
            labels(),
            share.transactions as f64,
        );
        to.counter(
            "foreshock_transaction_seconds_total",
            "Time from the first batch of a transaction to its commit",
            labels(),
            share.transaction_time.as_secs_f64(),
        );
    }
    for row in journal.stat_at_hand() {
        let labels = || {
            [
                ("stream", row.partition.stream.name().to_owned()),
                ("partition", row.partition.index.to_string()),
            ]
        };
        to.gauge(
            "foreshock_journal_entries",
            "Entries that lie in a partition",
            labels(),
            row.next.0.saturating_sub(row.first.0) as f64,
        );
        to.gauge(
            "foreshock_journal_stored_bytes",
            "Bytes that lie in a partition",
            labels(),
            row.bytes.unwrap_or(0) as f64,
        );
    }
}

/// A figure of a stage's partition: name, help, whether it only grows, and how it is read.
type Column = (&'static str, &'static str, bool, fn(&PartitionFigures) -> f64);

const COLUMNS: [Column; 25] = [
    ("foreshock_stage_entries_total", "Entries taken", true, |f| f.entries as f64),
    ("foreshock_stage_records_total", "Telemetry records taken", true, |f| f.records as f64),
    ("foreshock_stage_input_bytes_total", "Bytes taken", true, |f| f.input_bytes as f64),
    ("foreshock_stage_outputs_total", "Messages put out", true, |f| f.outputs as f64),
    ("foreshock_stage_output_bytes_total", "Bytes put out", true, |f| f.output_bytes as f64),
    ("foreshock_stage_poison_total", "Entries set aside as unreadable", true, |f| f.poison as f64),
    ("foreshock_stage_panics_total", "Entries over which the stage panicked", true, |f| f.panics as f64),
    ("foreshock_stage_commits_total", "Batches made durable", true, |f| f.commits as f64),
    (
        "foreshock_stage_commits_refused_total",
        "Commits the journal refused and that were made again",
        true,
        |f| f.refused as f64,
    ),
    ("foreshock_stage_skips_total", "Times a source was given up", true, |f| f.skips as f64),
    ("foreshock_stage_source_holes_total", "Messages of sources that never came; must be 0", true, |f| {
        f.holes as f64
    }),
    ("foreshock_stage_source_repeats_total", "Messages of sources that came again", true, |f| {
        f.repeats as f64
    }),
    ("foreshock_stage_lost_entries_total", "Entries removed by retention before they were read", true, |f| {
        f.lost as f64
    }),
    ("foreshock_stage_rebuilt_total", "States rebuilt from the log for want of a snapshot", true, |f| {
        f.rebuilt as f64
    }),
    ("foreshock_stage_snapshots_total", "Snapshots written", true, |f| f.snapshots as f64),
    ("foreshock_stage_snapshots_failed_total", "Snapshots that could not be written", true, |f| {
        f.snapshots_failed as f64
    }),
    ("foreshock_stage_snapshot_seconds_total", "Time spent on snapshots", true, |f| {
        f.snapshot_micros as f64 / 1e6
    }),
    ("foreshock_stage_snapshot_bytes", "Size of the last snapshot", false, |f| f.snapshot_bytes as f64),
    ("foreshock_stage_recovery_seconds", "Time the start took", false, |f| f.recovery_micros as f64 / 1e6),
    ("foreshock_stage_instances", "Instances told apart", false, |f| f.instances as f64),
    ("foreshock_stage_patterns", "Log patterns held", false, |f| f.patterns as f64),
    ("foreshock_stage_series", "Metric series held", false, |f| f.series as f64),
    ("foreshock_stage_forecasts_judged", "Forecasts whose time has come", false, |f| {
        f.forecasts_judged as f64
    }),
    (
        "foreshock_stage_forecasts_right",
        "Of those: right within a fifth of how far they looked ahead",
        false,
        |f| f.forecasts_right as f64,
    ),
    ("foreshock_stage_forecasts_within", "Of those: the 80 % interval held the truth", false, |f| {
        f.forecasts_within as f64
    }),
];

fn labels(lag: &PartitionLag) -> [(&'static str, String); 3] {
    [
        ("stage", lag.stage.to_owned()),
        ("stream", lag.partition.stream.name().to_owned()),
        ("partition", lag.partition.index.to_string()),
    ]
}

fn folded(figures: &PartitionFigures) -> [(&'static str, u64); 7] {
    [
        ("shapes", figures.folded_shapes),
        ("patterns", figures.folded_patterns),
        ("series", figures.folded_series),
        ("sources", figures.folded_sources),
        ("operations", figures.folded_operations),
        ("services", figures.folded_services),
        ("steps", figures.folded_steps),
    ]
}

fn stages(to: &mut Families, report: &LagReport) {
    for lag in &report.partitions {
        to.gauge("foreshock_stage_lag_entries", "Entries not taken yet", labels(lag), lag.offsets as f64);
        to.gauge(
            "foreshock_stage_lag_seconds",
            "Age of the last entry taken, where there are more",
            labels(lag),
            lag.seconds,
        );
        for (kind, count) in folded(&lag.figures) {
            let [stage, stream, partition] = labels(lag);
            to.counter(
                "foreshock_stage_folded_total",
                "What went over a limit and was counted as other, by what it is",
                [stage, stream, partition, ("kind", kind.to_owned())],
                count as f64,
            );
        }
        for (name, help, grows, read) in COLUMNS {
            if grows {
                to.counter(name, help, labels(lag), read(&lag.figures));
            } else {
                to.gauge(name, help, labels(lag), read(&lag.figures));
            }
        }
    }
}

fn worker(to: &mut Families, metrics: &WorkerMetrics) {
    to.counter(
        "foreshock_worker_ticks_total",
        "Ticks appended to quiet partitions",
        [],
        metrics.ticks() as f64,
    );
    to.counter(
        "foreshock_worker_ticks_refused_total",
        "Ticks the journal refused",
        [],
        metrics.ticks_refused() as f64,
    );
    to.counter(
        "foreshock_worker_markers_total",
        "Markers appended: a stage lags",
        [],
        metrics.markers() as f64,
    );
    to.counter(
        "foreshock_worker_markers_refused_total",
        "Markers the journal refused",
        [],
        metrics.markers_refused() as f64,
    );
    to.gauge(
        "foreshock_worker_recovering_partitions",
        "Partitions that are not back at the head",
        [],
        metrics.recovering() as f64,
    );
    for (stage, partitions) in metrics.followed() {
        to.gauge(
            "foreshock_worker_followed_partitions",
            "Partitions that another process of our name serves, and whose state is kept at hand here",
            [("stage", stage.to_owned())],
            partitions as f64,
        );
    }
    let seen = metrics.acknowledged_to_finding.distribution();
    to.histogram(
        "foreshock_acknowledged_to_finding_seconds",
        "From the receive time of the entry that caused it to the commit of a finding",
        [],
        seen.sum_seconds,
        seen.buckets,
    );
    for (stage, partition, figures) in metrics.all() {
        figures.spending().iter().for_each(|(tenant, spending)| budget(to, tenant, spending));
        let seen = figures.commit.distribution();
        let labels = [
            ("stage", stage.to_owned()),
            ("stream", partition.stream.name().to_owned()),
            ("partition", partition.index.to_string()),
        ];
        to.histogram(
            "foreshock_stage_commit_seconds",
            "From the append of a batch to its durability",
            labels,
            seen.sum_seconds,
            seen.buckets,
        );
    }
}

fn budget(to: &mut Families, tenant: &Tenant, spending: &Spending) {
    let labels = || [("tenant", tenant.to_string())];
    let all = spending.thresholds;
    to.gauge(
        "foreshock_budget_pages_a_week",
        "False pages a week that are wanted",
        labels(),
        spending.pages_a_week,
    );
    to.gauge(
        "foreshock_budget_paged_a_week",
        "Incidents a week that paged, with a memory of a week",
        labels(),
        all.paged_a_week,
    );
    to.gauge("foreshock_budget_tests_a_week", "Tests a week", labels(), all.tests_a_week);
    to.gauge(
        "foreshock_budget_page_surprise",
        "How surprising a finding must be to page, as -log10 p",
        labels(),
        all.page,
    );
    for (kind, spending) in &spending.kinds {
        to.gauge(
            "foreshock_budget_calibration",
            "How many times as many small p-values a kind has as it should",
            [("tenant", tenant.to_string()), ("kind", kind.to_string())],
            spending.calibration,
        );
    }
}

fn notify(to: &mut Families, metrics: &foreshock_notify::Metrics) {
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed) as f64;
    to.counter(
        "foreshock_notify_source_holes_total",
        "Incident messages that never came; must be 0",
        [],
        load(&metrics.source_holes),
    );
    to.counter(
        "foreshock_notify_source_repeats_total",
        "Incident messages that came again",
        [],
        load(&metrics.source_duplicates),
    );
    to.counter(
        "foreshock_notify_poison_total",
        "Incident messages that could not be read",
        [],
        load(&metrics.poison),
    );
    to.counter(
        "foreshock_notify_evicted_total",
        "Open incidents let go for want of room",
        [],
        load(&metrics.evicted),
    );
    to.gauge("foreshock_notify_incidents", "Incidents held in memory", [], load(&metrics.incidents));
    for route in &metrics.routes {
        let labels = || [("route", route.route.clone()), ("receiver", route.receiver.to_owned())];
        to.counter(
            "foreshock_notify_delivered_total",
            "Incident revisions delivered",
            labels(),
            load(&route.delivered),
        );
        to.counter(
            "foreshock_notify_retried_total",
            "Attempts that failed and are made again",
            labels(),
            load(&route.retried),
        );
        to.counter(
            "foreshock_notify_given_up_total",
            "Incident revisions given up",
            labels(),
            load(&route.given_up),
        );
        to.gauge("foreshock_notify_queue", "Incidents that wait to be told", labels(), load(&route.queue));
        let mut below = 0;
        let bounds = foreshock_notify::LATENCY_BOUNDS_MS.map(|bound| bound as f64 / 1e3);
        let buckets = bounds
            .into_iter()
            .chain([f64::INFINITY])
            .zip(route.latency.cumulative())
            .map(|(bound, upto)| {
                let inside = upto.saturating_sub(below);
                below = upto;
                (bound, inside)
            })
            .collect();
        to.histogram(
            "foreshock_notify_delivery_seconds",
            "From an incident's entry in the journal to the receiver's answer",
            labels(),
            route.latency.sum().as_secs_f64(),
            buckets,
        );
    }
}

fn console(to: &mut Families, metrics: &foreshock_console::Metrics) {
    to.counter(
        "foreshock_console_requests_total",
        "Requests to the HTTP API",
        [],
        metrics.requests.load(Relaxed) as f64,
    );
    to.counter(
        "foreshock_console_feedback_total",
        "Feedback on incidents that was taken",
        [],
        metrics.feedback.load(Relaxed) as f64,
    );
    to.gauge(
        "foreshock_console_stream_clients",
        "Clients of the event stream",
        [],
        metrics.stream_clients.load(Relaxed) as f64,
    );
    to.counter(
        "foreshock_console_stream_dropped_total",
        "Clients let go because they fell behind",
        [],
        metrics.stream_dropped.load(Relaxed) as f64,
    );
}

fn configuration(to: &mut Families, reloads: &Reloads) {
    for (outcome, counter) in [("applied", &reloads.applied), ("refused", &reloads.refused)] {
        to.counter(
            "foreshock_config_reloads_total",
            "Times the configuration was read again",
            [("outcome", outcome.to_owned())],
            counter.load(Relaxed) as f64,
        );
    }
    to.gauge(
        "foreshock_config_taken_timestamp_seconds",
        "When the configuration was last taken, at the start or by a reload",
        [],
        reloads.taken_at.load(Relaxed) as f64,
    );
}
