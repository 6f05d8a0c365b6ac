//! Points in time and windows, in Unix nanoseconds.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A point in time: nanoseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The largest point in time that can be said; closes every window.
    pub const MAX: Self = Self(u64::MAX);

    /// From whole seconds since the epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000_000)
    }

    /// From seconds since the epoch; stops at the epoch and at the end of time.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * 1e9) as u64)
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the epoch.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Later by `by`; stops at the end of time.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }

    /// Earlier by `by`; stops at the epoch.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(by)))
    }

    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The window of `length` that holds this point. Windows are aligned to the epoch.
    pub fn window(self, length: Duration) -> Window {
        let length_ns = nanos(length).max(1);
        Window { start: Self(self.0 - self.0 % length_ns), length }
    }

    /// RFC 3339 in UTC with nine digits of nanoseconds.
    pub fn to_rfc3339(self) -> String {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(at) => format!("{at:.9}"),
            Err(_) => "9999-12-31T23:59:59.999999999Z".to_owned(),
        }
    }

    /// Reads RFC 3339.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(at.as_nanosecond()).ok().map(Self)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl Serialize for Timestamp {
    /// As people and the JSON outside read it: RFC 3339 text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    /// What [`Serialize`] wrote: RFC 3339 where people read it, nanoseconds elsewhere.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return u64::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        Self::parse_rfc3339(&text)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is not a time; write it as RFC 3339")))
    }
}

/// The base window that everything is folded into first; longer ones are roll-ups of it.
pub const BASE_WINDOW: Duration = Duration::from_secs(10);

/// A stretch of time `[start, start + length)`, aligned to the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// First point in time that belongs to it.
    pub start: Timestamp,
    /// How long it lasts.
    pub length: Duration,
}

impl Window {
    /// First point in time after it.
    pub fn end(self) -> Timestamp {
        self.start.plus(self.length)
    }

    /// The window right after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self { start: self.end(), length: self.length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_nine_digits_and_read_back() {
        let at = Timestamp(1_700_000_000_000_000_001);
        assert_eq!(at.to_rfc3339(), "2023-11-14T22:13:20.000000001Z");
        assert_eq!(Timestamp::parse_rfc3339(&at.to_rfc3339()), Some(at));
        assert_eq!(Timestamp::from_secs(0).to_rfc3339(), "1970-01-01T00:00:00.000000000Z");
        let json = serde_json::to_string(&at).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), at);
    }

    #[test]
    fn fractions_of_seconds_stop_at_the_ends_of_time() {
        assert_eq!(Timestamp::from_secs_f64(1.5), Timestamp(1_500_000_000));
        assert_eq!([-1.0, f64::NAN].map(Timestamp::from_secs_f64), [Timestamp::from_secs(0); 2]);
        assert_eq!(Timestamp::from_secs_f64(f64::INFINITY), Timestamp::MAX);
    }

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let window = Timestamp::from_secs(125).window(BASE_WINDOW);
        assert_eq!(window.start, Timestamp::from_secs(120));
        assert_eq!(window.end(), Timestamp::from_secs(130));
        assert_eq!(window.end().window(BASE_WINDOW), window.next());
    }
}
