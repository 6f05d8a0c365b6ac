//! When to try again. No jitter: the schedule can be told beforehand, and requests in flight are limited anyway.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

use crate::config::Retry;

/// Longest Retry-After that is honoured; a receiver that asks for more is asked again after this.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// How long to wait after the `failures`-th failure in a row (from 1), `asked` being the receiver's Retry-After.
pub(crate) fn wait(retry: &Retry, failures: u32, asked: Option<Duration>) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let own = retry.first.saturating_mul(1 << doublings);
    own.min(retry.longest).max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

/// Reads a Retry-After: seconds, or the date of HTTP. A date that has passed is no wait.
pub(crate) fn retry_after(value: &str, now: jiff::Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_the_receivers_wish_is_honoured_within_it() {
        let retry = Retry::default();
        let waits: Vec<u64> = (1..=11).map(|n| wait(&retry, n, None).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(wait(&retry, 1, Some(Duration::from_secs(7))).as_secs(), 7);
        assert_eq!(wait(&retry, 5, Some(Duration::from_secs(7))).as_secs(), 16);
        assert_eq!(wait(&retry, 1, Some(Duration::from_secs(1 << 40))).as_secs(), 3600);
        assert_eq!(wait(&retry, u32::MAX, None).as_secs(), 300);
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        let now: jiff::Timestamp = "2015-10-21T07:27:30Z".parse().unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:27:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-5", now), None);
    }
}
