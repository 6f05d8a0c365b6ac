//! The shop as a whole: a clock that is moved on second by second, and what is sent of each stretch of time.

use std::time::Duration;

use bytes::Bytes;
use foreshock_model::Timestamp;
use foreshock_shipper::Signal;
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    metrics::v1::ResourceMetrics,
    trace::v1::{ResourceSpans, ScopeSpans},
};
use prost::Message;

use crate::{
    calendar::{At, SECOND, Style},
    fault::{Fault, FaultRun, Label},
    instance::Instance,
    lines::Level,
    meters::Meters,
    physics::{Body, DatabaseDisk, Drift, LogDisk},
    random::Random,
    releases::{self, Rollout},
    services::Service,
    traffic::{VISITS, after},
    wire,
};

/// How the shop is set up.
#[derive(Clone, Debug, PartialEq)]
pub struct ShopOptions {
    /// The simulated time it opens at; whole seconds.
    pub start_at: Timestamp,
    /// Simulated time that one step covers; whole seconds, at least one.
    pub step: Duration,
    /// Visitors relative to the usual number (about 150 lines a second when most come).
    pub scale: f64,
    /// Share of requests that are traced.
    pub traced_share: f64,
    /// What goes wrong, if anything.
    pub fault: Option<Fault>,
    /// Quiet time before it does.
    pub fault_after: Duration,
}

impl ShopOptions {
    /// A quiet shop at the usual scale that opens at `start_at`, in steps of five seconds.
    pub fn new(start_at: Timestamp) -> Self {
        Self {
            start_at,
            step: Duration::from_secs(5),
            scale: 1.0,
            traced_share: 0.1,
            fault: None,
            fault_after: Duration::from_secs(3600),
        }
    }

    /// With a fault.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }
}

/// One encoded Export request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which export service it is for.
    pub signal: Signal,
    /// Export{Logs,Metrics,Trace}ServiceRequest; also valid as LogsData, MetricsData, TracesData.
    pub body: Bytes,
    /// Log records, data points or spans in it.
    pub records: u32,
}

/// A simulated shop of eleven services. The same seed and options give the same bytes.
#[derive(Clone, Debug)]
pub struct Shop {
    pub(crate) options: ShopOptions,
    pub(crate) random: Random,
    /// Unix nanoseconds; everything before is done.
    now: u64,
    pub(crate) instances: Vec<Instance>,
    /// Memory and processor of each instance.
    pub(crate) bodies: Vec<Body>,
    /// By service, the instances that are in use, in the order of their numbers.
    pub(crate) by_service: [Vec<usize>; Service::ALL.len()],
    /// How lively each kind of visit is at present (logarithm).
    pub(crate) moods: [Drift; VISITS.len()],
    pub(crate) database_disk: DatabaseDisk,
    pub(crate) web_disks: [LogDisk; 2],
    pub(crate) fault: FaultRun,
    pub(crate) rollouts: Vec<Rollout>,
    pub(crate) next_order: u64,
    /// When each mail that waits will have been sent.
    pub(crate) mails_queued: Vec<u64>,
    pub(crate) measured: Vec<ResourceMetrics>,
    pub(crate) measured_points: u32,
}

impl Shop {
    /// Opens the shop.
    pub fn new(seed: u64, options: ShopOptions) -> Self {
        let mut random = Random::new(seed);
        let start = options.start_at.nanos() / SECOND * SECOND;
        let mut instances = Vec::new();
        let mut by_service: [Vec<usize>; Service::ALL.len()] = Default::default();
        for service in Service::ALL {
            for number in 1..=service.instances() {
                let up_for = (3600 + random.below(20 * 86_400)) * SECOND;
                let started = start.saturating_sub(up_for);
                by_service[service as usize].push(instances.len());
                let mut instance = Instance::new(service, number, service.version(), started, &mut random);
                // The processes are old and warm, their counters begin with the shop.
                instance.meters = Meters::new(start);
                instances.push(instance);
            }
        }
        let bodies = instances.iter().map(|i| Body::new(i.service.has_heap(), &mut random)).collect();
        let moods = std::array::from_fn(|_| Drift::new(0.08, 240.0, &mut random));
        let fault_at = start + options.fault_after.as_secs() * SECOND;
        Self {
            now: start,
            bodies,
            by_service,
            moods,
            database_disk: DatabaseDisk::new(),
            web_disks: [LogDisk::new(); 2],
            fault: FaultRun::new(options.fault, fault_at),
            rollouts: releases::usual_day(start, &mut random),
            next_order: 700_000 + random.below(200_000),
            mails_queued: Vec::new(),
            measured: Vec::new(),
            measured_points: 0,
            instances,
            random,
            options,
        }
    }

    /// The simulated time: all records before it have been returned.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// The fault of this run and when it could first be seen, as far as the run has come.
    pub fn label(&self) -> Option<Label> {
        self.fault.label()
    }

    /// `service.name` of every service.
    pub fn services() -> impl Iterator<Item = &'static str> {
        Service::ALL.into_iter().map(Service::name)
    }

    /// Moves on by one step and returns what was recorded in it: at most one request a signal, each with the
    /// records of every instance that has some, each instance's in the order of their times.
    pub fn step(&mut self) -> Vec<Request> {
        for _ in 0..self.options.step.as_secs().max(1) {
            self.tick();
        }
        let requests = [self.collect_logs(), self.collect_metrics(), self.collect_spans()];
        requests.into_iter().flatten().collect()
    }

    fn tick(&mut self) {
        let from = self.now;
        let filling_s = self.fault.age(Fault::DiskFull, from);
        let since_start_s = from.saturating_sub(self.options.start_at.nanos()) as f64 / 1e9;
        if self.database_disk.step(from, since_start_s, filling_s, &mut self.random) {
            self.fault.shows(from + SECOND);
        }
        self.roll_out(from, SECOND);
        self.visitors_come(from, SECOND);
        self.work_goes_on(from, SECOND);
        self.collect_garbage(from);
        self.now += SECOND;
        self.export_metrics(self.now);
    }

    /// Java services stand still now and then, and cart writes that down.
    fn collect_garbage(&mut self, from: u64) {
        for service in [Service::Cart, Service::Orders] {
            for place in 0..self.by_service[service as usize].len() {
                let index = self.by_service[service as usize][place];
                let requests = self.instances[index].meters.requests;
                let Some(heap) = &mut self.bodies[index].heap else { continue };
                let Some(done) = heap.step(1.0, requests, &mut self.random) else { continue };
                let end = after(from, done.pause_s);
                let instance = &mut self.instances[index];
                instance.paused_until = end;
                let (before, left) = (done.before_mb, done.after_mb);
                instance.say(
                    end,
                    Level::Info,
                    format_args!(
                        "[{}][info][gc] GC({}) Pause Young (Normal) (G1 Evacuation Pause) {before:.0}M->{left:.0}M(1024M) {:.3}ms",
                        At(end, Style::Offset),
                        done.number,
                        done.pause_s * 1e3
                    ),
                );
            }
        }
    }

    fn collect_logs(&mut self) -> Option<Request> {
        let mut body = Vec::new();
        let mut records = 0;
        let mut lines = Vec::new();
        for instance in &mut self.instances {
            lines.clear();
            let count = instance.logs.drain_before(self.now, &mut lines);
            if count == 0 {
                continue;
            }
            records += count;
            // ResourceLogs: the resource, then one ScopeLogs (field 2) with the lines.
            let mut head = instance.encoded_resource.clone();
            head.push(0x12);
            wire::put_varint(&mut head, lines.len());
            wire::put_field_of(&mut body, 1, &head, &lines);
        }
        (records > 0).then(|| Request { signal: Signal::Logs, body: body.into(), records })
    }

    fn collect_metrics(&mut self) -> Option<Request> {
        let resource_metrics = std::mem::take(&mut self.measured);
        let records = std::mem::take(&mut self.measured_points);
        let message = ExportMetricsServiceRequest { resource_metrics };
        (records > 0).then(|| Request {
            signal: Signal::Metrics,
            body: message.encode_to_vec().into(),
            records,
        })
    }

    fn collect_spans(&mut self) -> Option<Request> {
        let now = self.now;
        let mut records = 0;
        let mut resource_spans = Vec::new();
        for instance in &mut self.instances {
            let (done, open): (Vec<_>, Vec<_>) =
                instance.spans.drain(..).partition(|span| span.end_time_unix_nano < now);
            instance.spans = open;
            if done.is_empty() {
                continue;
            }
            records += u32::try_from(done.len()).unwrap_or(u32::MAX);
            resource_spans.push(ResourceSpans {
                resource: Some(instance.resource.clone()),
                scope_spans: vec![ScopeSpans { spans: done, ..ScopeSpans::default() }],
                ..ResourceSpans::default()
            });
        }
        let message = ExportTraceServiceRequest { resource_spans };
        (records > 0).then(|| Request {
            signal: Signal::Traces,
            body: message.encode_to_vec().into(),
            records,
        })
    }
}
