//! The body of a request, read within its limits of size, memory and time.
//!
//! A body that came in one frame is taken as it is. One of several frames is put together once, in memory that
//! grows with what has come, never with what was announced.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::{
    budget::Reservation,
    read_ahead::ReadAhead,
    refusal::{Reason, Refusal},
};

/// Frames below this are copied: a slice would keep the connection's whole read buffer alive for it.
const COPY_BELOW_BYTES: usize = 64 << 10;

/// What is allocated at once for a body that announced more.
const FIRST_BYTES: usize = 1 << 20;

/// How slow a body may come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) grace: Duration,
    pub(crate) min_bytes_per_second: u32,
    pub(crate) retry_after: Duration,
}

/// A body on its way in.
pub(crate) struct Arriving<'a, B> {
    body: B,
    pace: Pace,
    pub(crate) limit_bytes: u64,
    pub(crate) reservation: &'a mut Reservation,
    read_ahead: &'a ReadAhead,
    started: Instant,
    received_bytes: u64,
}

impl<'a, B: Body<Data = Bytes> + Unpin> Arriving<'a, B>
where
    B::Error: std::fmt::Display,
{
    pub(crate) fn new(
        body: B,
        pace: Pace,
        limit_bytes: u64,
        reservation: &'a mut Reservation,
        read_ahead: &'a ReadAhead,
    ) -> Self {
        Self { body, pace, limit_bytes, reservation, read_ahead, started: Instant::now(), received_bytes: 0 }
    }

    /// The next frame that holds bytes, paid for by the reservation; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let earned = self.received_bytes / u64::from(self.pace.min_bytes_per_second.max(1));
        let deadline = self.started + self.pace.grace + Duration::from_secs(earned);
        loop {
            let Ok(frame) = timeout_at(deadline, self.body.frame()).await else {
                return Err(Refusal::for_now(
                    Reason::TooSlow,
                    self.pace.retry_after,
                    format!(
                        "only {} bytes of the body came in {} s; send it faster, or a smaller one",
                        self.received_bytes,
                        self.started.elapsed().as_secs()
                    ),
                ));
            };
            let frame = match frame {
                None => return Ok(None),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Err(Refusal::unreadable(format!("the body broke off: {error}"))),
            };
            let Ok(bytes) = frame.into_data() else { continue };
            if bytes.is_empty() {
                continue;
            }
            self.received_bytes += bytes.len() as u64;
            self.read_ahead.handed_on();
            self.reservation.grow(bytes.len()).map_err(|_| over_budget(self.pace.retry_after))?;
            return Ok(Some(bytes));
        }
    }

    /// The whole body, however long it was announced to be.
    pub(crate) async fn whole(mut self, announced: Option<u64>) -> Result<Bytes, Refusal> {
        let limit = self.limit_bytes;
        if announced.is_some_and(|bytes| bytes > limit) {
            return Err(Refusal::too_large(limit));
        }
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        if first.len() as u64 > limit {
            return Err(Refusal::too_large(limit));
        }
        let announced = announced.and_then(|bytes| usize::try_from(bytes).ok());
        if announced == Some(first.len()) {
            return Ok(kept(first));
        }
        let mut whole = Assembly::new(announced.unwrap_or(4 * first.len()));
        whole.push(&first);
        while let Some(bytes) = self.next().await? {
            if self.received_bytes > limit {
                return Err(Refusal::too_large(limit));
            }
            whole.push(&bytes);
        }
        Ok(whole.finish())
    }
}

/// The memory limit was reached while a body came in.
pub(crate) fn over_budget(retry_after: Duration) -> Refusal {
    Refusal::for_now(
        Reason::Overloaded,
        retry_after,
        "as many bytes as ingest.memory_limit_bytes allows wait to be written; send again later",
    )
}

/// A body of several frames, put together.
pub(crate) struct Assembly {
    bytes: BytesMut,
    expected: usize,
}

impl Assembly {
    pub(crate) fn new(expected: usize) -> Self {
        Self { bytes: BytesMut::with_capacity(expected.min(FIRST_BYTES)), expected }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() {
            // Twice as much, but no more than will come.
            let target = (2 * self.bytes.capacity()).min(self.expected).max(needed);
            self.bytes.reserve(target - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn finish(self) -> Bytes {
        self.bytes.freeze()
    }
}

/// A slice that may be held for long: large ones as they are, small ones in memory of their own.
pub(crate) fn kept(bytes: Bytes) -> Bytes {
    if bytes.len() < COPY_BELOW_BYTES { Bytes::copy_from_slice(&bytes) } else { bytes }
}
