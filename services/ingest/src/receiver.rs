//! What happens to a request once its headers are there, whichever way it came: admit, decompress, check,
//! append, acknowledge.
//!
//! Acknowledges only what [`Journal::append`] has made durable. Never looks at a record: that is `check`'s.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use foreshock_journal::{Appended, Batch, Entry, Journal, JournalError, Partition, Payload, Pending, Stream};
use foreshock_otlp::{
    CheckLimits, Checked, Signal, check,
    json::{self, JsonError},
};
use http::HeaderMap;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use crate::{
    IngestConfig, IngestMetrics, Transport,
    body::{Pace, over_budget},
    budget::{Budget, Reservation},
    clock::ReceiveClock,
    compression::{Encoding, Undecodable, decompress},
    refusal::{Reason, Refusal},
    rules::Rules,
    tenants::Account,
};

/// Bodies above this are checked where they can't hold up other requests.
const OFFLOAD_BYTES: usize = 4 << 20;

/// Everything requests share.
pub(crate) struct Receiver {
    journal: Arc<dyn Journal>,
    /// Replaced whole; a request keeps to those it was let in by.
    rules: RwLock<Arc<Rules>>,
    budget: Arc<Budget>,
    metrics: Arc<IngestMetrics>,
    clock: ReceiveClock,
    pub(crate) pace: Pace,
    retry_after: Duration,
    draining: AtomicBool,
    in_flight: TaskTracker,
}

/// A request that may be read: whose it is, what it holds, and the proof that it is being served.
pub(crate) struct Admission {
    account: Arc<Account>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) reservation: Reservation,
    began: Instant,
    _served: TaskTrackerToken,
}

/// What became of the records of an accepted request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) rejected: u64,
    /// Why, as one English sentence; empty where none was rejected.
    pub(crate) reasons: String,
}

impl Receiver {
    pub(crate) fn new(
        config: &IngestConfig,
        rules: Rules,
        journal: Arc<dyn Journal>,
        metrics: Arc<IngestMetrics>,
    ) -> Self {
        let budget = Budget::new(config.memory_limit_bytes);
        metrics.watch(&budget);
        Self {
            journal,
            rules: RwLock::new(Arc::new(rules)),
            budget,
            metrics,
            clock: ReceiveClock::default(),
            pace: Pace {
                grace: config.connections.body_grace,
                min_bytes_per_second: config.connections.min_body_bytes_per_second,
                retry_after: config.retry_after,
            },
            retry_after: config.retry_after,
            draining: AtomicBool::new(false),
            in_flight: TaskTracker::new(),
        }
    }

    /// The rules of requests that come now.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on these hold.
    pub(crate) fn replace_rules(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// Lets a request in by its headers alone, or refuses it before its body is read.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<Admission, Refusal> {
        // First the token, then the flag: a drain that saw no token has set the flag before.
        let served = self.in_flight.token();
        if self.draining.load(SeqCst) {
            return Err(Refusal::for_now(
                Reason::Draining,
                self.retry_after,
                "this server is about to stop; send again, to another one where there are several",
            ));
        }
        let rules = self.rules();
        let account = Arc::clone(rules.tenants.of(headers)?);
        account.quota.admit().map_err(|over| over_quota(&account, over.retry_after))?;
        Ok(Admission {
            account,
            rules,
            reservation: self.budget.open(),
            began: Instant::now(),
            _served: served,
        })
    }

    /// The request as it was before compression.
    pub(crate) async fn decompress(
        &self,
        admission: &mut Admission,
        encoding: Encoding,
        body: Bytes,
    ) -> Result<Bytes, Refusal> {
        let limit = admission.rules.max_request_bytes;
        decompress(encoding, body, limit, &mut admission.reservation).await.map_err(|error| match error {
            Undecodable::TooLarge => Refusal::too_large(limit),
            Undecodable::OverBudget => over_budget(self.retry_after),
            Undecodable::Broken(refusal) => refusal,
        })
    }

    /// A request in protobuf from one in JSON.
    pub(crate) async fn read_json(
        &self,
        signal: Signal,
        admission: &mut Admission,
        text: Bytes,
    ) -> Result<Bytes, Refusal> {
        let (text_bytes, limit) = (text.len() as u64, admission.rules.max_request_bytes);
        // What it becomes is counted before it is made: protobuf takes less than JSON, but for floating point.
        admission.reservation.grow(text.len()).map_err(|_| over_budget(self.retry_after))?;
        let reading = move || json::from_json(signal, &text, usize::try_from(limit).unwrap_or(usize::MAX));
        let body = offload(text_bytes, reading).await?.map_err(|error| match error {
            JsonError::TooLarge { .. } => Refusal::too_large(limit),
            other => Refusal::unreadable(other.to_string()),
        })?;
        admission.reservation.cover(body.len()).map_err(|_| over_budget(self.retry_after))?;
        Ok(body.into())
    }

    /// Checks a request, makes it durable, and says what became of it.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        signal: Signal,
        transport: Transport,
        admission: Admission,
        body: Bytes,
    ) -> Result<Outcome, Refusal> {
        let Admission { account, rules, reservation, began, _served } = admission;
        let bytes = body.len() as u64;
        let received = self.clock.now();
        let stream = stream_of(signal);
        let checking = {
            let (receiver, account) = (Arc::clone(self), Arc::clone(&account));
            move || {
                let partitions = receiver.journal.partitions(stream);
                let part_bytes = receiver.journal.max_entry_bytes();
                let limits = CheckLimits { part_bytes, ..rules.check_limits.clone() };
                check(signal, &account.tenant, &body, &limits, received, partitions)
            }
        };
        let Checked { accepted, rejected, reasons, parts } = offload(bytes, checking)
            .await?
            .map_err(|malformed| Refusal::unreadable(malformed.to_string()))?;
        self.metrics.received(signal, transport, bytes, accepted + rejected);
        if accepted > 0 {
            account.quota.take(bytes, accepted).map_err(|over| over_quota(&account, over.retry_after))?;
            let entries = parts.into_iter().map(|part| {
                let entry =
                    Entry::data(account.tenant.clone(), received, part.records, payload(part.payload));
                (Partition::new(stream, part.partition), entry)
            });
            let batch = Batch { entries: entries.collect(), consumed: None };
            let pending = self.journal.append(batch);
            let durable =
                Durable { pending: Some((pending, reservation)), in_flight: self.in_flight.clone() };
            durable.await.map_err(|error| self.unwritten(&error))?;
        }
        self.metrics.answered(signal, transport, accepted, rejected, began.elapsed());
        Ok(Outcome { rejected, reasons })
    }

    /// Counts a refusal on its way out.
    pub(crate) fn count(&self, refusal: &Refusal) {
        self.metrics.refused(refusal.reason);
    }

    /// From now on every new request is refused.
    pub(crate) fn refuse_new(&self) {
        self.draining.store(true, SeqCst);
        self.in_flight.close();
    }

    /// Returns when every request that was let in has been answered. Only after [`Self::refuse_new`].
    pub(crate) async fn finished(&self) {
        self.in_flight.wait().await;
    }

    fn unwritten(&self, error: &JournalError) -> Refusal {
        match error {
            JournalError::TooLarge { .. } => Refusal::for_good(Reason::TooLarge, error.to_string()),
            // All others may pass or be repaired: the sender keeps its data and tries again.
            _ => Refusal::for_now(
                Reason::Journal,
                self.retry_after,
                format!("the journal did not take the request: {error}"),
            ),
        }
    }
}

/// Runs what may take long for a large body on a thread of its own.
pub(crate) async fn offload<T: Send + 'static>(
    bytes: u64,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    if bytes <= OFFLOAD_BYTES as u64 {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        if error.is_cancelled() {
            return Refusal::for_now(
                Reason::Draining,
                Duration::from_secs(1),
                "this server is stopping; send again",
            );
        }
        tracing::error!(%error, "checking a request failed; this is a defect of Foreshock, please report it");
        Refusal::unreadable("the request could not be checked; the receiver's log says why")
    })
}

fn over_quota(account: &Account, retry_after: Duration) -> Refusal {
    Refusal::for_now(
        Reason::Quota,
        retry_after,
        format!(
            "the quota of tenant {} is used up; send again later, or raise it in [tenants]",
            account.tenant
        ),
    )
}

fn stream_of(signal: Signal) -> Stream {
    match signal {
        Signal::Logs => Stream::Logs,
        Signal::Metrics => Stream::Metrics,
        Signal::Traces => Stream::Spans,
    }
}

fn payload(mut slices: Vec<Bytes>) -> Payload {
    if slices.len() == 1 { Payload::Whole(slices.swap_remove(0)) } else { Payload::Slices(slices) }
}

/// An append and the memory it holds.
///
/// Dropped before its end, because the client has gone, it is awaited by a task of its own: the journal holds
/// the bytes until then, so the memory limit must count them.
struct Durable {
    pending: Option<(Pending, Reservation)>,
    in_flight: TaskTracker,
}

impl Future for Durable {
    type Output = Result<Appended, JournalError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((pending, _)) = &mut self.pending else { return Poll::Ready(Err(JournalError::Closed)) };
        let result = ready!(Pin::new(pending).poll(context));
        self.pending = None;
        Poll::Ready(result)
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        let Some((pending, reservation)) = self.pending.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Ends when the journal answers or closes; a drain waits for it as for any request.
            let rest = async move {
                let _ = pending.await;
                drop(reservation);
            };
            self.in_flight.spawn_on(rest, &runtime);
        }
    }
}
