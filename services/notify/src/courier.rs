//! The loop: reads the incidents stream, sends what the outbox says is due, and writes down what became of it.
//!
//! One task owns everything, requests and reads under way included: whoever drops it drops them all.

use std::{
    collections::VecDeque, future::pending, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration,
};

use bytes::Bytes;
use foreshock_journal::{
    Batch, BoxFuture, Consumed, Entry, EntryKind, Fetched, Journal, JournalError, Offset, Partition, Pending,
    Reader, Stream,
};
use foreshock_model::{Incident, Tenant, proto};
use futures_util::{StreamExt, stream::FuturesUnordered};
use prost::Message;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    Config, Metrics, NotifyError,
    client::Outcome,
    outbox::{Job, News, Outbox},
    recover,
    sender::{Sender, wall_clock},
    sources::{Arrival, Sources},
};

/// The name under which offsets are committed.
pub const CONSUMER: &str = "notify";

/// Most bytes taken from a reader at a time.
const READ_BYTES: usize = 1 << 20;
/// Records that wait for the journal before nothing more is read or sent.
const MOST_UNRECORDED: usize = 1000;
/// How long after reading, at the latest, the offset is committed where nothing is to be recorded.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How long requests under way may take when the service ends.
const GRACE: Duration = Duration::from_secs(5);
/// Most bytes of a message that can't be read that are kept.
const POISON_BYTES: usize = 64 << 10;

type Reading = BoxFuture<'static, (usize, Box<dyn Reader>, Result<Fetched, JournalError>)>;
type Sending = BoxFuture<'static, (Job, Outcome)>;

/// What is known of one partition of the incidents stream.
struct Progress {
    partition: Partition,
    /// Everything before it was folded.
    position: Offset,
    /// Everything before it is settled, and durably so.
    committed: Option<Offset>,
    /// Nothing was removed from its beginning.
    from_start: bool,
    /// Its reader, while no read is under way.
    reader: Option<Box<dyn Reader>>,
}

pub(crate) struct Courier {
    journal: Arc<dyn Journal>,
    metrics: Arc<Metrics>,
    senders: Vec<Arc<Sender>>,
    names: Vec<(String, &'static str)>,
    outbox: Outbox,
    sources: Sources,
    progress: Vec<Progress>,
    reads: FuturesUnordered<Reading>,
    sends: FuturesUnordered<Sending>,
    unrecorded: VecDeque<(Partition, Entry)>,
    flush: Option<(Pending, Flushing)>,
    /// Offsets alone are not committed before this.
    commit_after: Instant,
    /// The journal refused: nothing is appended before this.
    refused_until: Instant,
}

/// What a batch under way holds.
struct Flushing {
    entries: Vec<(Partition, Entry)>,
    next: Vec<(usize, Offset)>,
}

impl Courier {
    /// Reads what earlier runs left of these partitions, up to their present end; sends nothing yet.
    pub(crate) async fn start(
        config: &Config,
        senders: Vec<Arc<Sender>>,
        journal: Arc<dyn Journal>,
        metrics: Arc<Metrics>,
        partitions: &[Partition],
    ) -> Result<Self, NotifyError> {
        let rules = config.routes.iter().cloned().zip(senders.iter().map(|sender| sender.refresh()));
        let mut outbox =
            Outbox::new(rules.collect(), config.retry.clone(), config.in_flight, config.incidents);
        let names: Vec<_> =
            config.routes.iter().map(|route| (route.name.clone(), route.receiver())).collect();
        let routes: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        let most = config.incidents.saturating_mul(4 * routes.len().max(1));
        outbox.remember(recover::deliveries(journal.as_ref(), &routes, most).await?);

        let mut progress = Vec::new();
        for partition in partitions.iter().copied() {
            let reader = recover::reader_from(journal.as_ref(), partition, Offset(0))?;
            progress.push(Progress {
                partition,
                position: reader.position(),
                committed: journal.committed(CONSUMER, partition)?,
                from_start: reader.position() == Offset(0),
                reader: Some(reader),
            });
        }
        let mut courier = Self {
            journal,
            metrics,
            senders,
            names,
            outbox,
            sources: Sources::default(),
            progress,
            reads: FuturesUnordered::new(),
            sends: FuturesUnordered::new(),
            unrecorded: VecDeque::new(),
            flush: None,
            commit_after: Instant::now(),
            refused_until: Instant::now(),
        };
        courier.catch_up().await?;
        Ok(courier)
    }

    async fn catch_up(&mut self) -> Result<(), NotifyError> {
        for index in 0..self.progress.len() {
            while self.outbox.has_room() {
                let Some(reader) = self.progress[index].reader.as_mut() else { break };
                let fetched = reader.read_now(READ_BYTES).await?;
                if fetched.is_empty() {
                    break;
                }
                self.fold(index, fetched);
            }
        }
        if self.outbox.has_room() {
            self.outbox.forget_known();
        }
        info!(incidents = self.outbox.len(), "notify has read what earlier runs left");
        Ok(())
    }

    /// Runs until the shutdown or until the journal fails for good.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), NotifyError> {
        loop {
            self.start_reads();
            self.start_sends();
            self.start_flush();
            self.show();
            let next_send = self.outbox.next_due().filter(|_| self.unrecorded.len() < MOST_UNRECORDED);
            let wake = [next_send, self.next_flush()].into_iter().flatten().min();
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some((index, reader, result)) = self.reads.next() => self.finish_read(index, reader, result)?,
                Some((job, outcome)) = self.sends.next() => self.finish_send(&job, outcome),
                result = flushed(&mut self.flush) => self.finish_flush(result)?,
                () = alarm(wake) => {}
            }
        }
        self.finish().await
    }

    /// Lets requests under way end, and writes down what became of them.
    async fn finish(mut self) -> Result<(), NotifyError> {
        self.reads.clear();
        let deadline = Instant::now() + GRACE;
        while !self.sends.is_empty() {
            tokio::select! {
                Some((job, outcome)) = self.sends.next() => self.finish_send(&job, outcome),
                () = sleep_until(deadline) => break,
            }
        }
        self.commit_after = Instant::now();
        loop {
            self.start_flush();
            if self.flush.is_none() {
                return Ok(());
            }
            tokio::select! {
                result = flushed(&mut self.flush) => self.finish_flush(result)?,
                () = sleep_until(deadline) => {
                    warn!("the journal did not answer in time; some incidents may be told again with the same key");
                    return Ok(());
                }
            }
        }
    }

    fn start_reads(&mut self) {
        if !self.outbox.has_room() || self.unrecorded.len() >= MOST_UNRECORDED {
            return;
        }
        for (index, progress) in self.progress.iter_mut().enumerate() {
            if let Some(mut reader) = progress.reader.take() {
                self.reads.push(Box::pin(async move {
                    let result = reader.next(READ_BYTES).await;
                    (index, reader, result)
                }));
            }
        }
    }

    fn finish_read(
        &mut self,
        index: usize,
        reader: Box<dyn Reader>,
        result: Result<Fetched, JournalError>,
    ) -> Result<(), NotifyError> {
        let partition = self.progress[index].partition;
        self.progress[index].reader = Some(match result {
            Ok(fetched) => {
                self.fold(index, fetched);
                reader
            }
            Err(error @ JournalError::OutOfRange { .. }) => {
                warn!(%partition, %error, "entries were removed before notify read them");
                let position = self.progress[index].position;
                recover::reader_from(self.journal.as_ref(), partition, position)?
            }
            Err(error) => return Err(error.into()),
        });
        Ok(())
    }

    fn fold(&mut self, index: usize, fetched: Fetched) {
        for (offset, entry) in fetched {
            self.progress[index].position = offset.next();
            if entry.kind == EntryKind::Data {
                self.fold_entry(index, offset, entry);
            }
        }
    }

    fn fold_entry(&mut self, index: usize, offset: Offset, entry: Entry) {
        let Progress { partition, committed, from_start, .. } = self.progress[index];
        let settled = committed.is_some_and(|committed| offset < committed);
        let received = entry.received;
        let payload = entry.payload.into_bytes();
        let message = match proto::Incidents::decode(payload.clone()) {
            Ok(message) => message,
            Err(error) => return self.set_aside(settled, partition, offset, &entry.tenant, &payload, &error),
        };
        if let Some(source) = &message.source {
            match self.sources.arrive(partition, source, from_start) {
                Arrival::Next => {}
                Arrival::Repeat => {
                    self.metrics.source_duplicates.fetch_add(1, Relaxed);
                    return;
                }
                Arrival::Hole(missing) => {
                    warn!(%partition, %offset, missing, "messages are missing in the incidents stream");
                    self.metrics.source_holes.fetch_add(missing, Relaxed);
                }
            }
        }
        for incident in &message.incidents {
            match Incident::try_from(incident) {
                Ok(incident) => {
                    let partition = partition.index;
                    let news = News { partition, offset, received, incident, settled };
                    let evicted = self.outbox.fold(news, Instant::now());
                    self.metrics.evicted.fetch_add(evicted as u64, Relaxed);
                }
                Err(error) => self.set_aside(settled, partition, offset, &entry.tenant, &payload, &error),
            }
        }
    }

    /// Keeps what can't be read, with the reason; once, not again after a restart.
    fn set_aside(
        &mut self,
        settled: bool,
        partition: Partition,
        offset: Offset,
        tenant: &Tenant,
        payload: &Bytes,
        error: &dyn std::fmt::Display,
    ) {
        if settled {
            return;
        }
        warn!(%partition, %offset, %error, "a message that can't be read is set aside");
        self.metrics.poison.fetch_add(1, Relaxed);
        let poison = proto::Poison {
            stage: CONSUMER.to_owned(),
            stream: partition.stream.name().to_owned(),
            partition: partition.index.into(),
            offset: offset.0,
            reason: error.to_string(),
            payload: payload.slice(..payload.len().min(POISON_BYTES)),
            payload_bytes: payload.len() as u64,
        };
        self.record(Stream::Poison, partition.index, tenant.clone(), poison.encode_to_vec());
    }

    fn record(&mut self, stream: Stream, index: u16, tenant: Tenant, message: Vec<u8>) {
        let partition = Partition::new(stream, index % self.journal.partitions(stream).max(1));
        self.unrecorded.push_back((partition, Entry::data(tenant, wall_clock(), 1, message)));
    }

    fn start_sends(&mut self) {
        while self.unrecorded.len() < MOST_UNRECORDED
            && let Some(job) = self.outbox.next_job(Instant::now())
        {
            let sender = self.senders[job.route].clone();
            self.sends.push(Box::pin(async move {
                let outcome = sender.send(&job, wall_clock()).await;
                (job, outcome)
            }));
        }
    }

    fn finish_send(&mut self, job: &Job, outcome: Outcome) {
        let wall = wall_clock();
        let finished = self.outbox.finish(job, outcome, Instant::now(), wall);
        let metrics = &self.metrics.routes[job.route];
        let (route, receiver) = &self.names[job.route];
        let (incident, revision) = (job.incident.id, job.incident.revision);
        match &finished.outcome {
            Outcome::Delivered if finished.refresh => {
                metrics.refreshed.fetch_add(1, Relaxed);
            }
            Outcome::Delivered => {
                debug!(%route, %incident, revision, "told");
                metrics.delivered.fetch_add(1, Relaxed);
                if let Some(since) = finished.waited_since {
                    metrics.latency.observe(wall.since(since));
                }
            }
            Outcome::Retry { error, .. } => {
                warn!(%route, %incident, revision, attempt = finished.attempt, %error, "could not be told, again later");
                metrics.retried.fetch_add(1, Relaxed);
            }
            Outcome::GivenUp { error } => {
                warn!(%route, %incident, revision, attempt = finished.attempt, %error, "given up");
                metrics.given_up.fetch_add(1, Relaxed);
            }
        }
        if !finished.refresh {
            let record = finished.record(job, route, receiver, wall);
            self.record(
                Stream::Deliveries,
                job.partition,
                job.incident.tenant.clone(),
                record.encode_to_vec(),
            );
        }
    }

    /// When a batch may be written next, if there is anything to write and none is under way.
    fn next_flush(&self) -> Option<Instant> {
        if self.flush.is_some() {
            return None;
        }
        if !self.unrecorded.is_empty() {
            return Some(self.refused_until);
        }
        self.moved().next().map(|_| self.commit_after.max(self.refused_until))
    }

    fn moved(&self) -> impl Iterator<Item = (usize, Offset)> {
        self.progress.iter().enumerate().filter_map(|(index, progress)| {
            let settled = self.outbox.low_watermark(progress.partition.index, progress.position);
            let committed = progress.committed.unwrap_or_default();
            (settled > committed).then_some((index, settled))
        })
    }

    /// Writes records and offsets as one batch, one batch at a time.
    fn start_flush(&mut self) {
        let now = Instant::now();
        if self.next_flush().is_none_or(|at| at > now) {
            return;
        }
        let next: Vec<_> = self.moved().collect();
        let entries: Vec<_> = self.unrecorded.drain(..).collect();
        let consumed = Consumed {
            consumer: CONSUMER.to_owned(),
            next: next.iter().map(|(index, offset)| (self.progress[*index].partition, *offset)).collect(),
        };
        let consumed = (!next.is_empty()).then_some(consumed);
        let pending = self.journal.append(Batch { entries: entries.clone(), consumed });
        self.flush = Some((pending, Flushing { entries, next }));
        self.commit_after = now + COMMIT_EVERY;
    }

    fn finish_flush(
        &mut self,
        result: (Flushing, Result<Vec<Offset>, JournalError>),
    ) -> Result<(), NotifyError> {
        let (flushing, result) = result;
        match result {
            Ok(_) => {
                for (index, offset) in flushing.next {
                    self.progress[index].committed = Some(offset);
                }
                Ok(())
            }
            Err(error)
                if error.is_passing() && !matches!(error, JournalError::Closed | JournalError::Fenced(_)) =>
            {
                warn!(%error, "what was sent could not be recorded, again later");
                for entry in flushing.entries.into_iter().rev() {
                    self.unrecorded.push_front(entry);
                }
                self.refused_until = Instant::now() + COMMIT_EVERY;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn show(&self) {
        self.metrics.incidents.store(self.outbox.len() as u64, Relaxed);
        for (index, metrics) in self.metrics.routes.iter().enumerate() {
            metrics.queue.store(self.outbox.queued(index) as u64, Relaxed);
        }
    }
}

/// Resolves with the batch under way and its fate; never, where none is.
async fn flushed(flush: &mut Option<(Pending, Flushing)>) -> (Flushing, Result<Vec<Offset>, JournalError>) {
    let Some((pending_append, _)) = flush else { return pending().await };
    let result = pending_append.await;
    let (_, flushing) = flush.take().expect("it was there before the await and nobody else holds it");
    (flushing, result)
}

async fn alarm(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
