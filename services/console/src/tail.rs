//! Keeps the view up with the journal: what is there at the start, then what comes.

use std::sync::{Arc, Mutex, PoisonError};

use foreshock_journal::{EntryKind, Fetched, Journal, JournalError, Offset, Partition, Reader, Stream};
use foreshock_model::{Feedback, Finding, Incident, proto};
use prost::Message;
use serde::Serialize;
use tracing::warn;

use crate::{events::Events, view::View};

/// Most bytes read at a time.
const READ_BYTES: usize = 1 << 20;
/// Entries of a partition that are read at the start, the newest.
const BACK: u64 = 20_000;
/// The streams that are shown.
const SHOWN: [Stream; 2] = [Stream::Incidents, Stream::Findings];

/// The view and those who listen to its changes.
#[derive(Debug)]
pub(crate) struct Shown {
    view: Mutex<View>,
    pub(crate) events: Events,
}

impl Shown {
    pub(crate) fn new(view: View) -> Self {
        Self { view: Mutex::new(view), events: Events::new() }
    }

    /// Looks at the view or changes it. Not for long: everybody waits.
    pub(crate) fn view<T>(&self, look: impl FnOnce(&mut View) -> T) -> T {
        // Each change of the view is whole before anything can panic, so that it stays valid.
        look(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One partition's reader.
pub(crate) struct Tail {
    partition: Partition,
    reader: Box<dyn Reader>,
}

/// Reads what is there, without events, and returns the readers to go on with.
pub(crate) async fn start(journal: &dyn Journal, shown: &Shown) -> Result<Vec<Tail>, JournalError> {
    let stat = journal.stat()?;
    let mut tails = Vec::new();
    for stream in SHOWN {
        for index in 0..journal.partitions(stream) {
            let partition = Partition::new(stream, index);
            let row = stat.iter().find(|row| row.partition == partition);
            let from = row.map_or(Offset(0), |row| row.first.max(Offset(row.next.0.saturating_sub(BACK))));
            let mut tail = Tail { partition, reader: reader(journal, partition, from)? };
            loop {
                let fetched = tail.reader.read_now(READ_BYTES).await?;
                if fetched.is_empty() {
                    break;
                }
                take(shown, partition, fetched, false);
            }
            tails.push(tail);
        }
    }
    Ok(tails)
}

impl Tail {
    /// Follows its partition until the journal fails.
    pub(crate) async fn follow(
        mut self,
        journal: Arc<dyn Journal>,
        shown: Arc<Shown>,
    ) -> Result<(), JournalError> {
        loop {
            match self.reader.next(READ_BYTES).await {
                Ok(fetched) => take(&shown, self.partition, fetched, true),
                Err(JournalError::OutOfRange { first, .. }) => {
                    self.reader = reader(journal.as_ref(), self.partition, first)?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn reader(
    journal: &dyn Journal,
    partition: Partition,
    from: Offset,
) -> Result<Box<dyn Reader>, JournalError> {
    match journal.reader(partition, from) {
        Err(JournalError::OutOfRange { first, .. }) => journal.reader(partition, first),
        other => other,
    }
}

fn take(shown: &Shown, partition: Partition, fetched: Fetched, tell: bool) {
    for (offset, entry) in fetched {
        if entry.kind != EntryKind::Data {
            continue;
        }
        let payload = entry.payload.into_bytes();
        let taken = match partition.stream {
            Stream::Incidents => {
                proto::Incidents::decode(payload).map(|message| take_incidents(shown, &message, tell))
            }
            _ => proto::Findings::decode(payload).map(|message| take_findings(shown, &message, tell)),
        };
        if let Err(error) = taken {
            warn!(%partition, %offset, %error, "a message can't be read and is not shown");
        }
    }
}

fn take_incidents(shown: &Shown, message: &proto::Incidents, tell: bool) {
    for incident in &message.incidents {
        match Incident::try_from(incident) {
            Ok(incident) => {
                let taken = shown.view(|view| view.take_incident(incident));
                announce(shown, "incident", taken.filter(|_| tell));
            }
            Err(error) => warn!(%error, "an incident is not shown"),
        }
    }
    for feedback in &message.feedback {
        match Feedback::try_from(feedback) {
            Ok(feedback) => {
                let taken = shown.view(|view| view.take_feedback(feedback));
                announce(shown, "feedback", taken.filter(|_| tell));
            }
            Err(error) => warn!(%error, "a feedback is not shown"),
        }
    }
}

fn take_findings(shown: &Shown, message: &proto::Findings, tell: bool) {
    for finding in &message.findings {
        match Finding::try_from(finding) {
            Ok(finding) => {
                let taken = shown.view(|view| view.take_finding(finding));
                announce(shown, "finding", taken.filter(|_| tell));
            }
            Err(error) => warn!(%error, "a finding is not shown"),
        }
    }
}

fn announce<T: Serialize>(shown: &Shown, name: &'static str, what: Option<Arc<T>>) {
    if let Some(Ok(text)) = what.map(|what| serde_json::to_string(what.as_ref())) {
        shown.events.push(name, text);
    }
}
