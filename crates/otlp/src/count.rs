//! How many records a payload holds, for payloads whose writer did not say.

use std::iter;

use crate::{Signal, split::data_of, views::Messages};

/// Log records, data points or spans of a payload. Steps over each without looking into it; what can't be read counts
/// as nothing.
pub fn count_records(signal: Signal, payload: &[u8]) -> u64 {
    let items =
        children(payload, 1).flat_map(|resource| children(resource, 2)).flat_map(|scope| children(scope, 2));
    let count = match signal {
        Signal::Metrics => items.map(points).sum(),
        Signal::Logs | Signal::Traces => items.count(),
    };
    count as u64
}

fn points(metric: &[u8]) -> usize {
    data_of(metric).map_or(0, |data| children(metric, data).map(|points| children(points, 1).count()).sum())
}

fn children(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    let mut messages = Messages::new(message, number, "");
    iter::from_fn(move || messages.next()?.ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::put_bytes;

    fn message(number: u32, children: &[&[u8]]) -> Vec<u8> {
        let mut message = Vec::new();
        children.iter().for_each(|child| put_bytes(&mut message, number, child));
        message
    }

    #[test]
    fn what_lies_behind_something_broken_is_not_counted_and_what_lies_before_it_is() {
        let scope = message(2, &[b"", b"", b""]);
        let mut payload = message(1, &[&message(2, &[&scope, &scope]), &message(2, &[&scope])]);
        assert_eq!(count_records(Signal::Logs, &payload), 9);
        payload.extend([0x0a, 0x7f]);
        assert_eq!(count_records(Signal::Logs, &payload), 9);
        assert_eq!(count_records(Signal::Logs, b"{\"resourceLogs\":[]}"), 0);
        assert_eq!(count_records(Signal::Logs, b""), 0);
    }
}
