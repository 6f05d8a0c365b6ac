//! What every fold needs besides its own tables: time, sources, and the way out.

use std::{collections::BTreeMap, sync::Arc};

use foreshock_model::{BASE_WINDOW, ServiceName, Tenant, Timestamp, proto};
use prost::Message;
use serde::{Deserialize, Serialize};

use super::sources::{ServiceId, Sources, partition_of_service};
use crate::{Clock, DetectConfig, Folds, OWN_SERVICE, Origin, Outputs, Watermark, degraded::Unread};

/// A message of the summaries stream is split above this.
const MESSAGE_BYTES: usize = 1 << 20;

/// Tenants whose unreadable entries are told apart between two closes; those beyond count as the default one's.
const UNREAD_TENANTS: usize = 1_000;

/// Times before this are no times: 2000-01-01.
const YEAR_2000: Timestamp = Timestamp::from_secs(946_684_800);

/// State that all folds share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Core {
    #[serde(skip)]
    pub(super) config: Arc<DetectConfig>,
    pub(super) origin: Origin,
    pub(super) watermark: Watermark,
    pub(super) sources: Sources,
    /// Everything that was passed on as folded.
    pub(super) folds: Folds,
    /// Entries set aside since the last close.
    unread: BTreeMap<Tenant, Unread>,
}

/// A record's time and whether it had to be held to the receive time.
pub(super) struct Timed {
    pub(super) time: Timestamp,
    pub(super) ahead: bool,
}

impl Core {
    pub(super) fn new(config: Arc<DetectConfig>, origin: Origin) -> Self {
        Self {
            config,
            origin,
            watermark: Watermark::default(),
            sources: Sources::default(),
            folds: Folds::default(),
            unread: BTreeMap::new(),
        }
    }

    /// The time that places a record: the first of `candidates` that is a time at all, held to the receive time on
    /// the live clock.
    pub(super) fn time_of(&self, candidates: &[u64], received: Timestamp) -> Timed {
        let day_ahead = received.nanos().saturating_add(86_400_000_000_000);
        let sane = |nanos: &u64| {
            *nanos >= YEAR_2000.nanos() && (self.config.clock == Clock::Event || *nanos <= day_ahead)
        };
        let time = candidates.iter().copied().find(|nanos| sane(nanos)).map_or(received, Timestamp);
        let ahead = self.config.clock == Clock::Live && time > received.plus(self.config.ahead_tolerance());
        Timed { time: if ahead { received } else { time }, ahead }
    }

    /// On the event clock a record moves time by itself. Returns what is due then.
    pub(super) fn record_passed(&mut self, time: Timestamp) -> Option<Timestamp> {
        if self.config.clock == Clock::Live {
            return None;
        }
        self.watermark.tell(time);
        self.watermark.advance(self.config.lateness())
    }

    /// The interned source of a resource.
    pub(super) fn source(&mut self, tenant: &Tenant, resource: &foreshock_otlp::views::Resource<'_>) -> u32 {
        self.sources.intern(tenant, resource, self.config.limits.sources, self.origin.outputs())
    }

    /// An empty summary of a service's window.
    pub(super) fn summary(&self, service: ServiceId, window: Timestamp) -> proto::WindowSummary {
        let service = self.sources.get_service(service);
        proto::WindowSummary {
            tenant: service.tenant.to_string(),
            service: service.name.to_string(),
            window_start: window.nanos(),
            ..Default::default()
        }
    }

    /// Passes on closed windows and the watermark to every output partition, in messages of bounded size.
    pub(super) fn emit(
        &mut self,
        closed: Timestamp,
        windows: Vec<BTreeMap<ServiceId, proto::WindowSummary>>,
        offset: u64,
        out: &mut Outputs<proto::Summaries>,
    ) {
        let mut by_output: Vec<Vec<proto::WindowSummary>> = vec![Vec::new(); self.origin.outputs().into()];
        let last = windows.iter().flatten().map(|(_, summary)| Timestamp(summary.window_start)).max();
        for (service, summary) in windows.into_iter().flatten() {
            let output = usize::from(self.sources.get_service(service).output);
            by_output[output].extend(in_pieces(summary));
        }
        // At the end of the input there is no last window but that of the last record.
        let of = if closed == Timestamp::MAX { last } else { Some(closed.minus(BASE_WINDOW)) };
        if let Some(start) = of {
            for (output, summary) in self.of_itself(start) {
                by_output[usize::from(output)].push(summary);
            }
        }
        for summary in by_output.iter().flatten() {
            self.folds.add(&summary.folded.as_ref().map(Folds::of).unwrap_or_default());
        }
        for (output, summaries) in (0u16..).zip(by_output) {
            let mut message = proto::Summaries::default();
            let mut bytes = 0;
            for summary in summaries {
                bytes += summary.encoded_len();
                message.windows.push(summary);
                if bytes > MESSAGE_BYTES {
                    self.send(output, std::mem::take(&mut message), offset, out);
                    bytes = 0;
                }
            }
            message.watermark = closed.nanos();
            self.send(output, message, offset, out);
        }
    }

    /// Takes note of an entry that can't be read.
    pub(super) fn set_aside(&mut self, tenant: &Tenant, offset: u64, reason: &str) {
        let room = self.unread.len() < UNREAD_TENANTS || self.unread.contains_key(tenant);
        let tenant = if room { tenant.clone() } else { Tenant::default() };
        self.unread.entry(tenant).or_default().note(1, offset, reason);
    }

    /// What this partition has to say of itself with the window that starts at `start`, and the partition it goes to.
    fn of_itself(&mut self, start: Timestamp) -> Vec<(u16, proto::WindowSummary)> {
        let mut said = Vec::new();
        for (service, sources) in self.sources.take_folded() {
            let mut summary = self.summary(service, start);
            summary.folded = Some(proto::Folded { sources, ..Default::default() });
            said.push((self.sources.get_service(service).output, summary));
        }
        for (tenant, Unread { count, offset, reason }) in std::mem::take(&mut self.unread) {
            let own = ServiceName::from(OWN_SERVICE);
            let (stream, partition) = (self.origin.input().stream.clone(), self.origin.input().partition);
            let summary = proto::WindowSummary {
                tenant: tenant.to_string(),
                service: own.to_string(),
                window_start: start.nanos(),
                unread: Some(proto::Unread { count, stream, partition: partition.into(), offset, reason }),
                ..Default::default()
            };
            said.push((partition_of_service(&tenant, &own, self.origin.outputs()), summary));
        }
        said
    }

    /// Passes on what can't wait.
    pub(super) fn emit_urgent(
        &mut self,
        service: ServiceId,
        urgent: proto::NewShape,
        offset: u64,
        out: &mut Outputs<proto::Summaries>,
    ) {
        let output = self.sources.get_service(service).output;
        self.send(output, proto::Summaries { urgent: vec![urgent], ..Default::default() }, offset, out);
    }

    fn send(
        &mut self,
        output: u16,
        mut message: proto::Summaries,
        offset: u64,
        out: &mut Outputs<proto::Summaries>,
    ) {
        message.source = Some(self.origin.stamp(output, offset));
        out.messages.push((output, message));
    }
}

/// A summary in pieces, each of which fits a message: a window in which a service begins to be seen has much to say of its
/// shapes, and sessions have many steps. Who merges them adds them up, in whatever order they come; steps stay in theirs.
fn in_pieces(mut summary: proto::WindowSummary) -> Vec<proto::WindowSummary> {
    let shapes = std::mem::take(&mut summary.shapes);
    let sessions = std::mem::take(&mut summary.sessions);
    let mut pieces = Pieces { bytes: summary.encoded_len(), last: summary, full: Vec::new() };
    for shape in shapes {
        pieces.with_room_for(shape.encoded_len()).shapes.push(shape);
    }
    for steps in sessions {
        pieces.with_room_for(steps.encoded_len()).sessions.push(steps);
    }
    pieces.full.push(pieces.last);
    pieces.full
}

struct Pieces {
    full: Vec<proto::WindowSummary>,
    last: proto::WindowSummary,
    bytes: usize,
}

impl Pieces {
    /// The piece that takes so many bytes more: a fresh one where the last would be too large with them.
    fn with_room_for(&mut self, bytes: usize) -> &mut proto::WindowSummary {
        let is_empty = self.last.shapes.is_empty() && self.last.sessions.is_empty();
        if self.bytes + bytes > MESSAGE_BYTES && !is_empty {
            let fresh = proto::WindowSummary {
                tenant: self.last.tenant.clone(),
                service: self.last.service.clone(),
                window_start: self.last.window_start,
                ..Default::default()
            };
            self.full.push(std::mem::replace(&mut self.last, fresh));
            self.bytes = 0;
        }
        self.bytes += bytes;
        &mut self.last
    }
}
