//! correlate: makes incidents of a tenant's findings.
//!
//! Final findings wait until every source has closed their window, then they are taken window by window in an order
//! that arrival can't change; only they open, change and resolve incidents. Provisional findings may raise a
//! provisional incident at once. It carries the id that the final one will have, and no later output follows from it
//! but its own withdrawal.

mod budget;
mod causes;
mod incident;
mod next_window;
mod priors;
mod provisional;
#[cfg(test)]
mod sample;
mod service_map;
mod spread;
mod tally;
mod tenant;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read, Write},
    sync::Arc,
};

use foreshock_model::{BASE_WINDOW, Feedback, Finding, FindingId, Incident, Kind, Tenant, Timestamp, proto};
use prost::Message;
use serde::{Deserialize, Serialize};

pub use self::{
    budget::{KindSpending, Spending, Thresholds},
    next_window::NextWindow,
    priors::Prior,
    service_map::ServiceMap,
    spread::Spread,
};
use self::{next_window::next_window, tenant::TenantState};
use crate::{
    DetectConfig, Holes, Input, InputId, InputKind, Origin, Outputs, RestoreError, Stage, degraded,
    partition_of_tenant,
    stage::{restore_state, save_state},
    upstream::Upstream,
    workings::Decision,
};

/// Feedback in one message, at most.
const FEEDBACK_A_MESSAGE: usize = 50;

/// The stage correlate over one partition of the findings stream.
pub struct Correlate {
    state: State,
    config: Arc<DetectConfig>,
    decisions: Decisions,
}

#[derive(Clone, Serialize, Deserialize)]
struct State {
    origin: Origin,
    /// The partitions of detect.
    upstream: Upstream,
    closed: Timestamp,
    /// What waits for its window to be closed everywhere, by the window's end.
    pending: BTreeMap<Timestamp, Pending>,
    tenants: BTreeMap<Tenant, TenantState>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Pending {
    findings: Vec<Finding>,
    tests: Vec<TestCount>,
    news: Vec<News>,
    /// What people said, in its order; of an incident the last word alone.
    words: Vec<Feedback>,
}

/// What a tenant is told at the close of a window.
#[derive(Debug, Default, PartialEq)]
struct Told {
    incidents: Vec<Incident>,
    /// What holds of what people said, and what does not any more.
    feedback: Vec<Feedback>,
}

/// How many tests of a kind a window held, and how many of them had a small p-value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct TestCount {
    tenant: Tenant,
    kind: Kind,
    count: u64,
    /// Of the windows that they are about, together.
    seconds: u64,
    /// Of the tests that tell it: those, and how many there are of them.
    candidates: u64,
    told: u64,
    /// Findings, where not all tests tell it.
    found: u64,
}

/// Findings somebody wants to know the decision over, and the decisions.
#[derive(Debug, Default)]
struct Decisions {
    asked: BTreeSet<FindingId>,
    noted: Vec<Decision>,
}

/// What was learned of a tenant's services.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum News {
    Edge { tenant: Tenant, caller: String, callee: String },
    Changed { tenant: Tenant, time: Timestamp, service: String, what: String },
}

impl Correlate {
    /// Empty state over `input`, a partition of the findings stream, fed by detect's partitions `sources`; `outputs`
    /// partitions of the incidents stream.
    pub fn new(config: Arc<DetectConfig>, input: InputId, sources: Vec<InputId>, outputs: u16) -> Self {
        let state = State {
            origin: Origin::new(Self::NAME, input, outputs),
            upstream: Upstream::new(sources),
            closed: Timestamp::default(),
            pending: BTreeMap::new(),
            tenants: BTreeMap::new(),
        };
        Self { state, config, decisions: Decisions::default() }
    }

    /// Whether each message came once and without a hole.
    pub fn holes(&self) -> &Holes {
        self.state.upstream.holes()
    }

    /// How far each source has come.
    pub fn source_watermarks(&self) -> &BTreeMap<InputId, Timestamp> {
        self.state.upstream.reached()
    }

    /// Each tenant's budget as it stands: what was spent, and the thresholds that follow.
    pub fn spending(&self) -> impl Iterator<Item = (&Tenant, Spending)> {
        self.state.tenants.iter().map(|(tenant, state)| (tenant, state.spending(&self.config)))
    }

    /// Notes what is decided over a finding.
    pub fn ask(&mut self, id: FindingId) {
        self.decisions.asked.insert(id);
    }

    /// The decisions noted since this was last called.
    pub fn take_decisions(&mut self) -> Vec<Decision> {
        std::mem::take(&mut self.decisions.noted)
    }

    fn take(&mut self, input: &Input<'_>, out: &mut Outputs<proto::Incidents>) -> Result<(), String> {
        let read = self.state.upstream.read::<proto::Findings>(input.payload)?;
        let Some((source, message)) = read else { return Ok(()) };
        let watermark = Timestamp(message.watermark);
        for finding in &message.findings {
            let finding = Finding::try_from(finding).map_err(|error| error.to_string())?;
            if finding.provisional {
                self.provisional(finding, input.offset, out);
            } else {
                self.pending_at(finding.window_end).findings.push(finding);
            }
        }
        let tests = message.tests.into_iter().filter_map(|tests| {
            let tenant = Tenant::new(&tests.tenant).ok()?;
            Some(TestCount {
                tenant,
                // Of a kind that is not known here there are no findings either.
                kind: Kind::parse(&tests.kind)?,
                count: tests.count,
                seconds: tests.count.saturating_mul(tests.window_seconds.into()),
                candidates: tests.candidates,
                told: tests.told,
                found: tests.found,
            })
        });
        let edges = message.edges.into_iter().filter_map(|edge| {
            let tenant = Tenant::new(&edge.tenant).ok()?;
            Some(News::Edge { tenant, caller: edge.caller, callee: edge.callee })
        });
        let changes = message.changes.into_iter().filter_map(|change| {
            let (tenant, time) = (Tenant::new(&change.tenant).ok()?, Timestamp(change.time));
            Some(News::Changed { tenant, time, service: change.service, what: change.what })
        });
        let news: Vec<News> = edges.chain(changes).collect();
        let tests: Vec<TestCount> = tests.collect();
        if !tests.is_empty() || !news.is_empty() {
            let pending = self.pending_at(watermark);
            pending.tests.extend(tests);
            pending.news.extend(news);
        }
        self.state.upstream.tell(source, message.watermark);
        Ok(())
    }

    /// Takes a word of the owner.
    fn mark(&mut self, input: &Input<'_>, out: &mut Outputs<proto::Incidents>) -> Result<(), String> {
        let marker = proto::Marker::decode(input.payload.clone()).map_err(|error| error.to_string())?;
        match marker.says {
            Some(proto::marker::Says::Lagging(lagging)) => {
                let (last, provisional) = degraded::lagging(&lagging, input.received);
                // While a stage lags no window is closed, so who waits for one would hear of it when it is over.
                if provisional.window_end > self.state.closed {
                    self.provisional(provisional, input.offset, out);
                }
                self.pending_at(last.window_end).findings.push(last);
            }
            Some(proto::marker::Says::Feedback(feedback)) => {
                let word = Feedback::try_from(&feedback).map_err(|error| error.to_string())?;
                let next = next_window(self.state.closed);
                let words = &mut self.pending_at(word.from.max(next)).words;
                words.retain(|before| (before.incident, &before.tenant) != (word.incident, &word.tenant));
                words.push(word);
            }
            None => {}
        }
        Ok(())
    }

    /// Where something waits for `window_end` to be closed; what comes too late is taken with the next window.
    fn pending_at(&mut self, window_end: Timestamp) -> &mut Pending {
        let at =
            if window_end > self.state.closed { window_end } else { self.state.closed.plus(BASE_WINDOW) };
        self.state.pending.entry(at).or_default()
    }

    fn provisional(&mut self, finding: Finding, offset: u64, out: &mut Outputs<proto::Incidents>) {
        let state = self.state.tenants.entry(finding.tenant.clone()).or_default();
        let tenant = finding.tenant.clone();
        if let Some(incident) = state.provisional(finding, &self.config) {
            let told = Told { incidents: vec![incident], ..Told::default() };
            self.emit(&tenant, &told, Timestamp::default(), offset, out);
        }
    }

    /// Takes every window that is closed everywhere.
    fn close_due(&mut self, offset: u64, out: &mut Outputs<proto::Incidents>) {
        let Some(due) = self.state.upstream.lowest() else { return };
        if due <= self.state.closed {
            return;
        }
        while let Some(end) = self.next_end(due) {
            let pending = self.state.pending.remove(&end).unwrap_or_default();
            self.close(end, pending, offset, out);
            self.state.closed = end;
        }
        self.state.closed = due;
    }

    /// The end of the next window to be taken, up to `due`: every base window while an incident stands, for it may
    /// be over, otherwise only those that something waits for or that decide over what is provisional.
    fn next_end(&self, due: Timestamp) -> Option<Timestamp> {
        let pending = self.state.pending.keys().next().copied().filter(|end| *end <= due);
        if due == Timestamp::MAX {
            return pending;
        }
        let stands = self.state.tenants.values().any(TenantState::stands);
        let step = self.state.closed.plus(BASE_WINDOW);
        let decides = self.state.tenants.values().filter_map(TenantState::decides).min();
        let decides = decides.map(|end| end.max(step)).filter(|end| *end <= due);
        let step = (stands && step <= due).then_some(step);
        let own = self.state.upstream.is_troubled().then_some(due);
        pending.into_iter().chain(step).chain(decides).chain(own).min()
    }

    fn close(
        &mut self,
        end: Timestamp,
        mut pending: Pending,
        offset: u64,
        out: &mut Outputs<proto::Incidents>,
    ) {
        if self.state.upstream.is_troubled() {
            let window = end.minus(BASE_WINDOW).window(BASE_WINDOW);
            let State { upstream, origin, .. } = &mut self.state;
            pending.findings.extend(upstream.take_troubles(origin.input(), window));
        }
        let mut by_tenant: BTreeMap<Tenant, Pending> = BTreeMap::new();
        for finding in pending.findings {
            by_tenant.entry(finding.tenant.clone()).or_default().findings.push(finding);
        }
        for tests in pending.tests {
            by_tenant.entry(tests.tenant.clone()).or_default().tests.push(tests);
        }
        for news in pending.news {
            let (News::Edge { tenant, .. } | News::Changed { tenant, .. }) = &news;
            by_tenant.entry(tenant.clone()).or_default().news.push(news);
        }
        for word in pending.words {
            by_tenant.entry(word.tenant.clone()).or_default().words.push(word);
        }
        for tenant in by_tenant.keys() {
            if !self.state.tenants.contains_key(tenant) {
                self.state.tenants.insert(tenant.clone(), TenantState::default());
            }
        }
        let tenants: Vec<Tenant> = self.state.tenants.keys().cloned().collect();
        for tenant in tenants {
            let mut pending = by_tenant.remove(&tenant).unwrap_or_default();
            pending.findings.sort_by_key(|finding| finding.id);
            pending.findings.dedup_by_key(|finding| finding.id);
            pending.tests.sort();
            pending.news.sort();
            let Some(state) = self.state.tenants.get_mut(&tenant) else { continue };
            let told = state.close(end, pending, &self.config, &mut self.decisions);
            if told != Told::default() {
                self.emit(&tenant, &told, end, offset, out);
            }
        }
    }

    fn emit(
        &mut self,
        tenant: &Tenant,
        told: &Told,
        watermark: Timestamp,
        offset: u64,
        out: &mut Outputs<proto::Incidents>,
    ) {
        let output = partition_of_tenant(tenant, self.state.origin.outputs());
        // What was said may be much once a day; no message gets larger than an entry may be.
        let mut pieces = told.feedback.chunks(FEEDBACK_A_MESSAGE);
        let mut incidents = told.incidents.as_slice();
        loop {
            let feedback = pieces.next().unwrap_or_default();
            let message = proto::Incidents {
                source: Some(self.state.origin.stamp(output, offset)),
                watermark: watermark.nanos(),
                incidents: std::mem::take(&mut incidents).iter().map(Into::into).collect(),
                feedback: feedback.iter().map(Into::into).collect(),
            };
            out.messages.push((output, message));
            if pieces.len() == 0 {
                break;
            }
        }
    }
}

impl Stage for Correlate {
    const NAME: &'static str = "correlate";
    const STATE_VERSION: u32 = 5;
    type Output = proto::Incidents;

    fn apply(&mut self, input: Input<'_>, out: &mut Outputs<proto::Incidents>) {
        let taken = match input.kind {
            InputKind::Data => self.take(&input, out),
            InputKind::Skip => self.state.upstream.skip(input.payload),
            InputKind::Marker => self.mark(&input, out),
            InputKind::Tick => Ok(()),
        };
        if let Err(reason) = taken {
            self.state.upstream.set_aside(input.offset, &reason);
            out.poison.push((input.offset, reason));
        }
        self.close_due(input.offset, out);
    }

    fn set_aside(&mut self, input: Input<'_>, reason: &str) {
        self.state.upstream.set_aside(input.offset, reason);
    }

    fn save(&self, to: &mut dyn Write) -> io::Result<()> {
        save_state(Self::STATE_VERSION, &self.state, to)
    }

    fn restore(&mut self, from: &mut dyn Read) -> Result<(), RestoreError> {
        self.state = restore_state(Self::STATE_VERSION, from)?;
        Ok(())
    }
}
