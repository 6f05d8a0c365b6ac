//! What each instance reports every ten seconds.

use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};

use crate::{
    calendar::SECOND,
    fault::Fault,
    instance::{number, text},
    meters::{self, count_gauge, gauge},
    services::{Home, Service},
    shop::Shop,
};

/// Interval between two exports of an instance's metrics.
pub(crate) const EXPORT_EVERY_S: u64 = 10;

impl Service {
    pub(crate) const fn has_heap(self) -> bool {
        matches!(self, Self::Cart | Self::Orders)
    }

    /// Name and unit of its cumulative counter.
    const fn counter(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Frontend => Some(("nginx.requests", "requests")),
            Self::Checkout => Some(("shop.orders.placed", "{order}")),
            Self::Payment => Some(("shop.charges", "{charge}")),
            Self::OrdersDb => Some(("postgresql.commits", "{commit}")),
            Self::Shipping => Some(("shop.labels.created", "{label}")),
            Self::Mailer => Some(("postfix.messages", "{message}")),
            Self::ReportJob => Some(("report.rows", "{row}")),
            Self::Catalog | Self::Cart | Self::Orders | Self::Auth => None,
        }
    }
}

impl Shop {
    /// Exports of the instances whose turn it is in the second that ends at `at`.
    pub(crate) fn export_metrics(&mut self, at: u64) {
        for index in 0..self.instances.len() {
            let instance = &self.instances[index];
            let phase = 3 * instance.service as u64 + u64::from(instance.number);
            let is_due = (at / SECOND + phase).is_multiple_of(EXPORT_EVERY_S);
            if !is_due || !instance.is_up(at) {
                continue;
            }
            let gauges = self.gauges(index, at);
            let instance = &mut self.instances[index];
            let service = instance.service;
            let mut metrics = instance.meters.export(at, service.counter(), service == Service::Auth);
            metrics.extend(gauges);
            if metrics.is_empty() {
                continue;
            }
            self.measured_points += metrics.iter().map(meters::points).sum::<usize>() as u32;
            self.measured.push(ResourceMetrics {
                resource: Some(instance.resource.clone()),
                scope_metrics: vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }],
                ..ResourceMetrics::default()
            });
        }
    }

    /// Samples memory, processor, disks and queues of one instance.
    fn gauges(&mut self, index: usize, at: u64) -> Vec<Metric> {
        let instance = &self.instances[index];
        let service = instance.service;
        let place = usize::from(instance.number) - 1;
        let interval_s = EXPORT_EVERY_S as f64;
        let requests = instance.meters.requests;
        let up_s = at.saturating_sub(instance.started) as f64 / 1e9;
        self.bodies[index].step(interval_s, requests, up_s, &mut self.random);
        if service == Service::Cart && self.fault.is_on(Fault::MemoryLeak, at) {
            let load = requests as f64 / interval_s / (7.0 * self.options.scale);
            if self.bodies[index].leak(interval_s, load.min(2.0)) {
                self.fault.shows(at);
            }
            if self.bodies[index].memory_used >= 0.995 {
                self.kill(index, at);
                return Vec::new();
            }
        }
        let body = self.bodies[index];
        let mut metrics = match service.home() {
            Home::Pod => vec![
                gauge("process.cpu.utilization", "1", at, vec![(body.processor_used, vec![])]),
                gauge("k8s.container.memory_limit_utilization", "1", at, vec![(body.memory_used, vec![])]),
            ],
            Home::Host => vec![
                gauge("system.cpu.utilization", "1", at, vec![(body.processor_used, vec![])]),
                gauge(
                    "system.memory.utilization",
                    "1",
                    at,
                    vec![(body.memory_used, vec![text("system.memory.state", "used")])],
                ),
            ],
        };
        if let Some(heap) = body.heap {
            let attributes = vec![text("jvm.memory.type", "heap"), text("jvm.memory.pool.name", "G1 Heap")];
            metrics.push(gauge(
                "jvm.memory.used",
                "By",
                at,
                vec![((heap.used_mb() * 1_048_576.0).round(), attributes)],
            ));
        }
        let filesystem = |used: f64, device: &str, mount: &str| {
            (used, vec![text("system.device", device), text("system.filesystem.mountpoint", mount)])
        };
        match service {
            Service::OrdersDb => {
                let disks = vec![
                    filesystem(self.database_disk.used(), "/dev/vdb1", "/var/lib/postgresql"),
                    filesystem(0.222, "/dev/vda1", "/"),
                ];
                metrics.push(gauge("system.filesystem.utilization", "1", at, disks));
                let backends = 22 + self.random.poisson(requests as f64 / interval_s / 4.0);
                metrics.push(count_gauge(
                    "postgresql.backends",
                    "{connection}",
                    at,
                    vec![(backends.cast_signed(), vec![text("db.namespace", "orders")])],
                ));
            }
            Service::Frontend => {
                let disk = filesystem(self.web_disks[place].used(), "/dev/vda1", "/");
                metrics.push(gauge("system.filesystem.utilization", "1", at, vec![disk]));
                let open = self.random.poisson(4.0 + 0.5 * requests as f64 / interval_s);
                metrics.push(count_gauge(
                    "nginx.connections_current",
                    "connections",
                    at,
                    vec![(open.cast_signed(), vec![text("state", "active")])],
                ));
            }
            Service::Orders => {
                let used = self.random.poisson(2.0).min(20);
                let points = [("used", used), ("idle", 20 - used)].map(|(state, n)| {
                    (
                        n.cast_signed(),
                        vec![
                            text("db.client.connection.pool.name", "HikariPool-1"),
                            text("db.client.connection.state", state),
                        ],
                    )
                });
                metrics.push(count_gauge("db.client.connection.count", "{connection}", at, points.to_vec()));
            }
            Service::Mailer => {
                self.mails_queued.retain(|sent| *sent > at);
                let depth = self.mails_queued.len() as i64;
                metrics.push(count_gauge(
                    "postfix.queue.size",
                    "{message}",
                    at,
                    vec![(depth, vec![text("queue", "active")])],
                ));
            }
            Service::ReportJob => metrics.push(gauge(
                "system.filesystem.utilization",
                "1",
                at,
                vec![filesystem(0.418, "/dev/vda1", "/")],
            )),
            Service::Auth => {
                let sessions = 900 + self.random.below(40);
                metrics.push(count_gauge(
                    "auth.sessions.active",
                    "{session}",
                    at,
                    vec![(
                        sessions.cast_signed(),
                        vec![number("auth.shard", i64::from(instance_number(place)))],
                    )],
                ));
            }
            _ => {}
        }
        metrics
    }
}

fn instance_number(place: usize) -> u8 {
    u8::try_from(place).unwrap_or(u8::MAX)
}
