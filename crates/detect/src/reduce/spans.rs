//! Folds spans: how many of each operation, how slow, how many failed, and who calls whom.

use std::collections::{BTreeMap, BTreeSet};

use foreshock_model::{Timestamp, proto};
use foreshock_otlp::views::{self, Span, SpanKind, StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    Fold,
    bad::BadRecords,
    core::Core,
    sources::{ServiceId, SourceId},
    windows::OpenWindows,
};
use crate::{Input, Outputs};

/// The operation that all are folded into that are over the limit.
const OTHER: &str = "other";
/// Operation names are cut at this many bytes.
const NAME_BYTES: usize = 120;
/// Buckets an octave of latency: base 2^(1/8).
const BUCKETS_AN_OCTAVE: f64 = 8.0;

/// The fold of the spans stream.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct SpanFold {
    /// Operations met, by service.
    known: BTreeMap<ServiceId, BTreeSet<String>>,
    operations: u32,
    windows: OpenWindows<SpanWindow>,
}

#[derive(Default, Serialize, Deserialize)]
struct SpanWindow {
    operations: BTreeMap<(ServiceId, String), Latencies>,
    /// Calls by caller and callee.
    calls: BTreeMap<(ServiceId, String), Latencies>,
    instances: BTreeMap<SourceId, (u64, Timestamp, Timestamp)>,
    folded: BTreeMap<ServiceId, u64>,
}

#[derive(Default, Serialize, Deserialize)]
struct Latencies {
    count: u64,
    errors: u64,
    buckets: BTreeMap<u32, u64>,
}

impl Fold for SpanFold {
    fn fold(
        &mut self,
        core: &mut Core,
        input: &Input<'_>,
        out: &mut Outputs<proto::Summaries>,
    ) -> Result<(), String> {
        let mut bad = BadRecords::default();
        for resource in views::spans(input.payload) {
            let Some(resource) = bad.sift(resource) else { continue };
            let source = core.source(input.tenant, &resource.resource);
            for scope in resource.scopes() {
                let Some(scope) = bad.sift(scope) else { continue };
                for span in scope.records() {
                    let Some(span) = bad.sift(span) else { continue };
                    self.span(core, input, source, &span, out);
                }
            }
        }
        bad.verdict()
    }

    fn summarise_due(
        &mut self,
        core: &Core,
        due: Timestamp,
    ) -> Option<BTreeMap<ServiceId, proto::WindowSummary>> {
        let (start, window) = self.windows.take_due(due)?;
        Some(summarise(core, start, window))
    }
}

impl SpanFold {
    fn span(
        &mut self,
        core: &mut Core,
        input: &Input<'_>,
        source: SourceId,
        span: &Span<'_>,
        out: &mut Outputs<proto::Summaries>,
    ) {
        let nanos = |time: Option<Timestamp>| time.map_or(0, Timestamp::nanos);
        // A span is known when it ends.
        let timed = core.time_of(&[nanos(span.end), nanos(span.start)], input.received);
        let place = self.windows.place(timed.time, &core.watermark, core.config.limits.open_windows);
        if !place.late {
            let service = core.sources.source(source).service;
            let name = self.operation(service, span.name, core.config.limits.operations);
            let window = self.windows.at(place.window);
            let (spans, first, last) = window.instances.entry(source).or_insert((0, timed.time, timed.time));
            *spans += 1;
            *first = timed.time.min(*first);
            *last = timed.time.max(*last);
            if name == OTHER && span.name != OTHER {
                *window.folded.entry(service).or_default() += 1;
            }
            let took = nanos(span.end).saturating_sub(nanos(span.start));
            let failed = span.status == StatusCode::Error;
            if matches!(span.kind, SpanKind::Client | SpanKind::Producer)
                && let Some(peer) = peer(span)
            {
                let peer = core.sources.get_service(service).name.sibling(&peer);
                window.calls.entry((service, peer)).or_default().add(took, failed);
            }
            window.operations.entry((service, name)).or_default().add(took, failed);
        }
        if let Some(due) = core.record_passed(timed.time) {
            self.close(core, due, input.offset, out);
        }
    }

    /// The operation a span counts for: its name, or "other" where one more would be too many.
    fn operation(&mut self, service: ServiceId, name: &str, limit: u32) -> String {
        let name = &name[..name.floor_char_boundary(NAME_BYTES)];
        let known = self.known.entry(service).or_default();
        if !known.contains(name) {
            if self.operations >= limit {
                return OTHER.to_owned();
            }
            known.insert(name.to_owned());
            self.operations += 1;
        }
        name.to_owned()
    }
}

impl Latencies {
    fn add(&mut self, nanos: u64, failed: bool) {
        self.count += 1;
        self.errors += u64::from(failed);
        *self.buckets.entry(bucket(nanos)).or_default() += 1;
    }

    fn into_proto(self, operation: String, callee: String) -> proto::SpanWindow {
        let (bucket, bucket_count) = self.buckets.into_iter().unzip();
        let (count, errors) = (self.count, self.errors);
        proto::SpanWindow { operation, callee, count, errors, bucket, bucket_count }
    }
}

/// The service on the other side, as semantic conventions name it.
fn peer(span: &Span<'_>) -> Option<String> {
    let attributes = span.attributes();
    ["service.peer.name", "peer.service"].into_iter().find_map(|key| {
        let peer = attributes.get(key)?.as_str()?;
        (!peer.is_empty()).then(|| peer[..peer.floor_char_boundary(NAME_BYTES)].to_owned())
    })
}

/// The index of a latency's bucket: floor(8 log2 ns).
fn bucket(nanos: u64) -> u32 {
    (libm::log2(nanos.max(1) as f64) * BUCKETS_AN_OCTAVE) as u32
}

fn summarise(core: &Core, start: Timestamp, window: SpanWindow) -> BTreeMap<ServiceId, proto::WindowSummary> {
    let mut summaries: BTreeMap<ServiceId, proto::WindowSummary> = BTreeMap::new();
    for (source, (records, first, last)) in window.instances {
        let source = core.sources.source(source);
        let summary = summaries.entry(source.service).or_insert_with(|| core.summary(source.service, start));
        summary.instances.push(source.seen(records, first, last));
    }
    for ((service, operation), latencies) in window.operations {
        let summary = summaries.entry(service).or_insert_with(|| core.summary(service, start));
        summary.spans.push(latencies.into_proto(operation, String::new()));
    }
    for ((service, callee), latencies) in window.calls {
        let summary = summaries.entry(service).or_insert_with(|| core.summary(service, start));
        summary.spans.push(latencies.into_proto(String::new(), callee));
    }
    for (service, operations) in window.folded {
        let summary = summaries.entry(service).or_insert_with(|| core.summary(service, start));
        summary.folded.get_or_insert_default().operations += operations;
    }
    summaries
}
