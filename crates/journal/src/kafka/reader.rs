//! Reads one partition of a stream.

use std::{sync::Arc, time::Duration};

use super::{
    message,
    names::Names,
    tap::{PATIENCE, Polled, Tap, Taps},
};
use crate::{BoxFuture, Entry, Fetched, JournalError, Offset, Partition, Reader};

/// One partition that is being read.
pub(super) struct KafkaReader {
    tap: Tap,
    taps: Arc<Taps>,
    names: Arc<Names>,
    partition: Partition,
    /// Read and not handed out, as it did not fit any more.
    ahead: Option<(Offset, Entry)>,
    position: Offset,
    /// Everything committed was read, and nothing has come since.
    at_end: bool,
}

impl KafkaReader {
    /// Fails where `from` is not there any more.
    pub(super) fn open(
        taps: &Arc<Taps>,
        names: &Arc<Names>,
        partition: Partition,
        from: Offset,
    ) -> Result<Self, JournalError> {
        let topic = names.topic(partition.stream);
        let (first, _) = taps.bounds(topic, partition.index.into())?;
        if from.0 < first {
            return Err(JournalError::OutOfRange { partition, asked: from, first: Offset(first) });
        }
        let tap = taps.open(topic, partition.index.into(), from.0)?;
        Ok(Self {
            tap,
            taps: Arc::clone(taps),
            names: Arc::clone(names),
            partition,
            ahead: None,
            position: from,
            at_end: false,
        })
    }

    /// What has arrived, up to `max_bytes`.
    fn take_arrived(&mut self, max_bytes: usize) -> Result<Fetched, JournalError> {
        let mut fetched = Fetched::new();
        let mut bytes = 0;
        let stream = self.partition.stream;
        loop {
            let next = match self.ahead.take() {
                Some(next) => next,
                None => match self.tap.poll(Duration::ZERO, |message| message::entry(stream, message)) {
                    Ok(Polled::Message(entry)) => {
                        self.at_end = false;
                        (Offset(self.tap.position() - 1), entry)
                    }
                    Ok(Polled::End) => {
                        self.at_end = true;
                        continue;
                    }
                    Ok(Polled::Nothing) => return Ok(fetched),
                    Ok(Polled::Gone) => return Err(self.out_of_range()?),
                    Err(error) => return Err(error),
                },
            };
            bytes += next.1.payload.len();
            if bytes > max_bytes && !fetched.is_empty() {
                self.ahead = Some(next);
                return Ok(fetched);
            }
            self.position = next.0.next();
            fetched.push(next);
        }
    }

    fn out_of_range(&self) -> Result<JournalError, JournalError> {
        let topic = self.names.topic(self.partition.stream);
        let (first, _) = self.taps.bounds(topic, self.partition.index.into())?;
        Ok(JournalError::OutOfRange {
            partition: self.partition,
            asked: self.position,
            first: Offset(first.max(self.position.0)),
        })
    }

    async fn fetch(&mut self, max_bytes: usize, wait: bool) -> Result<Fetched, JournalError> {
        loop {
            let fetched = self.take_arrived(max_bytes)?;
            if !fetched.is_empty() || (!wait && self.at_end) {
                return Ok(fetched);
            }
            if wait {
                self.tap.arrived().await;
            } else if tokio::time::timeout(PATIENCE, self.tap.arrived()).await.is_err() {
                return Err(JournalError::Kafka {
                    doing: "reading",
                    reason: format!("nothing came of {} within {PATIENCE:?}", self.partition),
                });
            }
        }
    }
}

impl Reader for KafkaReader {
    fn next(&mut self, max_bytes: usize) -> BoxFuture<'_, Result<Fetched, JournalError>> {
        Box::pin(self.fetch(max_bytes, true))
    }

    fn read_now(&mut self, max_bytes: usize) -> BoxFuture<'_, Result<Fetched, JournalError>> {
        Box::pin(self.fetch(max_bytes, false))
    }

    fn position(&self) -> Offset {
        self.position
    }
}
