//! An entry as a message, and back.
//!
//! Telemetry is plain OTLP for any other reader; what we add travels in headers. A message without them, as the
//! Collector writes it, belongs to the default tenant and was received at its own timestamp.

use std::str;

use bytes::Bytes;
use foreshock_model::{Tenant, Timestamp};
use rdkafka::{
    Message,
    message::{BorrowedMessage, Header, Headers, OwnedHeaders},
};

use crate::{Entry, EntryKind, Payload, Stream};

/// Whose it is.
const TENANT: &str = "foreshock-tenant";
/// When it was received, Unix nanoseconds.
const RECEIVED: &str = "foreshock-received";
/// On an empty message: time has come as far as this, Unix nanoseconds.
const TICK: &str = "foreshock-tick";
/// How many records it holds. Always there on telemetry of ours; a message of our own streams without it is one.
const RECORDS: &str = "foreshock-records";
/// What else than data it is.
const KIND: &str = "foreshock-kind";
const MARKER: &str = "marker";
const SKIP: &str = "skip";

/// The headers of an entry's message in a stream.
pub(super) fn headers(stream: Stream, entry: &Entry) -> OwnedHeaders {
    let mut number = [0; 20];
    let received = decimal(entry.received.0, &mut number);
    let headers = OwnedHeaders::new_with_capacity(3);
    match entry.kind {
        EntryKind::Tick => return headers.insert(Header { key: TICK, value: Some(received) }),
        EntryKind::Data => {}
        EntryKind::Marker => return said(headers, MARKER, received),
        EntryKind::Skip => return said(headers, SKIP, received),
    }
    let headers = headers.insert(Header { key: RECEIVED, value: Some(received) });
    let headers = if stream.is_telemetry() || entry.records != 1 {
        let mut number = [0; 20];
        headers.insert(Header { key: RECORDS, value: Some(decimal(entry.records.into(), &mut number)) })
    } else {
        headers
    };
    if entry.tenant == Tenant::default() {
        return headers;
    }
    headers.insert(Header { key: TENANT, value: Some(entry.tenant.as_str()) })
}

fn said(headers: OwnedHeaders, kind: &str, received: &str) -> OwnedHeaders {
    let headers = headers.insert(Header { key: RECEIVED, value: Some(received) });
    headers.insert(Header { key: KIND, value: Some(kind) })
}

/// A number's decimal digits, without an allocation.
fn decimal(mut number: u64, buffer: &mut [u8; 20]) -> &str {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(number % 10).expect("one digit");
        number /= 10;
        if number == 0 {
            return str::from_utf8(&buffer[at..]).expect("digits");
        }
    }
}

/// The entry that a message of a stream holds. A header that can't be read counts as one that is not there.
pub(super) fn entry(stream: Stream, message: &BorrowedMessage<'_>) -> Entry {
    let payload = message.payload().map_or_else(Bytes::new, Bytes::copy_from_slice);
    let mut read = ReadHeaders::default();
    if let Some(headers) = message.headers() {
        headers.iter().for_each(|header| read.take(header.key, header.value));
    }
    let stamped = || {
        let millis = message.timestamp().to_millis().and_then(|millis| u64::try_from(millis).ok());
        Timestamp(millis.unwrap_or(0).saturating_mul(1_000_000))
    };
    if payload.is_empty()
        && let Some(now) = read.tick
    {
        return Entry::tick(now);
    }
    let records = match read.kind {
        EntryKind::Data => read.records.unwrap_or(u32::from(!stream.is_telemetry())),
        _ => 0,
    };
    Entry {
        tenant: read.tenant.unwrap_or_default(),
        received: read.received.unwrap_or_else(stamped),
        kind: read.kind,
        records,
        payload: Payload::Whole(payload),
        key: None,
    }
}

struct ReadHeaders {
    tenant: Option<Tenant>,
    received: Option<Timestamp>,
    tick: Option<Timestamp>,
    records: Option<u32>,
    kind: EntryKind,
}

impl Default for ReadHeaders {
    fn default() -> Self {
        Self { tenant: None, received: None, tick: None, records: None, kind: EntryKind::Data }
    }
}

impl ReadHeaders {
    fn take(&mut self, key: &str, value: Option<&[u8]>) {
        let Some(text) = value.and_then(|value| str::from_utf8(value).ok()) else { return };
        match key {
            TENANT => self.tenant = Tenant::new(text).ok(),
            RECEIVED => self.received = text.parse().ok().map(Timestamp),
            TICK => self.tick = text.parse().ok().map(Timestamp),
            RECORDS => self.records = text.parse().ok(),
            KIND if text == MARKER => self.kind = EntryKind::Marker,
            KIND if text == SKIP => self.kind = EntryKind::Skip,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_their_digits() {
        let mut buffer = [0; 20];
        for number in [0, 7, 10, 1_700_000_000_123_456_789, u64::MAX] {
            assert_eq!(decimal(number, &mut buffer), number.to_string());
        }
    }
}
