//! Saturating load whose every record can be found again, through kills and restarts.
//!
//! A request that was not answered is sent again with the same number, so that its records may be there more than
//! once; one that was never acknowledged may be there or not.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use foreshock_shipper::{ClientOptions, Signal};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    load::unix_nanos,
    payload::{self, Payload, PayloadOptions},
    transport::{Answer, Transport},
};

/// Records of one resource, and resources of one request.
const RECORDS: usize = 100;
const RESOURCES: usize = 10;
/// Records of a request.
pub(super) const REQUEST_RECORDS: usize = RECORDS * RESOURCES;
const CONNECTIONS: usize = 2;
const IN_FLIGHT: usize = 8;
/// Attempts for one request before its number is left as it is.
const ATTEMPTS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What became of the requests, by number from 0.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Numbers that were acknowledged.
    pub(super) acknowledged: Vec<u64>,
    /// Attempts that were not answered, by number.
    pub(super) unanswered: HashMap<u64, u32>,
    /// Answers that kept only a part, or refused for good. Must be 0.
    pub(super) wrong: u64,
    /// Numbers given.
    pub(super) numbers: u64,
}

struct Shared {
    payloads: Vec<Payload>,
    next: AtomicU64,
    sent_bytes: AtomicU64,
    allowed_bytes: AtomicU64,
    promise: Promise,
    /// The time the records carry; 0: the present.
    time: Arc<AtomicU64>,
    stop: AtomicBool,
    sent: Mutex<Sent>,
}

/// What a receiver says of a request that it refuses for the time being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// It kept none of it.
    RefusedIsNotKept,
    /// It may have kept some: it was not answered itself.
    RefusedMayBeKept,
}

/// The running load.
pub(super) struct Pressure {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
}

impl Pressure {
    /// Starts to send to these receivers, each request to one of them and again to the same; nothing goes out before
    /// [`Pressure::allow`].
    pub(super) fn start(to: &[String], promise: Promise, time: Arc<AtomicU64>) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            payloads: payload::pool(&PayloadOptions {
                signal: Signal::Logs,
                resources: RESOURCES,
                records: RECORDS,
                pool: 32,
                line_bytes: 200,
                services: 20,
                series: 0,
            }),
            next: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            allowed_bytes: AtomicU64::new(0),
            promise,
            time,
            stop: AtomicBool::new(false),
            sent: Mutex::default(),
        });
        let mut workers = JoinSet::new();
        for to in to.iter().cycle().take(CONNECTIONS) {
            let mut options = ClientOptions::new(to.clone());
            options.deadline = Duration::from_secs(15);
            let connection = Transport::grpc(&options)?;
            for _ in 0..IN_FLIGHT {
                workers.spawn(work(connection.clone(), Arc::clone(&shared)));
            }
        }
        Ok(Self { shared, workers })
    }

    /// Lets so many bytes in all go out.
    pub(super) fn allow(&self, bytes: u64) {
        self.shared.allowed_bytes.store(bytes, Relaxed);
    }

    /// Requests acknowledged so far.
    pub(super) fn acknowledged(&self) -> u64 {
        self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner).acknowledged.len() as u64
    }

    /// Ends the load: what is under way is answered or given up first.
    pub(super) async fn stop(mut self) -> anyhow::Result<Sent> {
        self.shared.stop.store(true, Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended?;
        }
        let mut sent = self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.numbers = self.shared.next.load(Relaxed);
        Ok(std::mem::take(&mut *sent))
    }
}

async fn work(connection: Transport, shared: Arc<Shared>) {
    while !shared.stop.load(Relaxed) {
        if shared.sent_bytes.load(Relaxed) >= shared.allowed_bytes.load(Relaxed) {
            sleep(PAUSE).await;
            continue;
        }
        let number = shared.next.fetch_add(1, Relaxed);
        send(&connection, &shared, number).await;
    }
}

/// Sends one request until it is acknowledged, refused for good, or nobody waits any longer.
async fn send(connection: &Transport, shared: &Shared, number: u64) {
    let payload = &shared.payloads[number as usize % shared.payloads.len()];
    let time = match shared.time.load(Relaxed) {
        0 => unix_nanos(),
        time => time,
    };
    let body = payload.stamped(number, time);
    for _ in 0..ATTEMPTS {
        shared.sent_bytes.fetch_add(body.len() as u64, Relaxed);
        let answer = connection.send(Signal::Logs, body.clone()).await;
        let pause = {
            let mut sent = shared.sent.lock().unwrap_or_else(PoisonError::into_inner);
            match answer {
                Answer::Accepted { rejected: 0 } => {
                    sent.acknowledged.push(number);
                    return;
                }
                Answer::Accepted { .. } => {
                    sent.wrong += 1;
                    return;
                }
                Answer::Refused { status, retry_after } if is_answer(&status) => {
                    if retry_after.is_none() {
                        sent.wrong += 1;
                        return;
                    }
                    if shared.promise == Promise::RefusedMayBeKept {
                        *sent.unanswered.entry(number).or_default() += 1;
                    }
                    retry_after.unwrap_or(PAUSE)
                }
                Answer::Refused { .. } => {
                    *sent.unanswered.entry(number).or_default() += 1;
                    PAUSE
                }
            }
        };
        if shared.stop.load(Relaxed) {
            return;
        }
        sleep(pause.min(LONGEST_PAUSE)).await;
    }
}

/// Whether the receiver said so, rather than a connection that broke.
fn is_answer(status: &str) -> bool {
    status != "transport"
}
