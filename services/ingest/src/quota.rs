//! Quotas of one tenant: bytes and records a second.
//!
//! A token bucket that may go into debt: a request is let in while the bucket is not empty and then pays in
//! full, so that one request larger than the bucket still passes and the rate holds on average.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Over quota; send again after this long.
#[derive(Debug, PartialEq)]
pub(crate) struct OverQuota {
    pub(crate) retry_after: Duration,
}

/// The quotas of one tenant.
#[derive(Debug)]
pub(crate) struct Quota(Option<Mutex<Buckets>>);

#[derive(Debug)]
struct Buckets {
    bytes: Option<Bucket>,
    records: Option<Bucket>,
}

/// Holds one second's worth at most.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    level: f64,
    filled: Instant,
}

impl Quota {
    /// `None`: without limit.
    pub(crate) fn new(bytes_per_second: Option<u64>, records_per_second: Option<u64>, now: Instant) -> Self {
        if bytes_per_second.is_none() && records_per_second.is_none() {
            return Self(None);
        }
        let bucket = |rate: u64| Bucket { rate: rate as f64, level: rate as f64, filled: now };
        Self(Some(Mutex::new(Buckets {
            bytes: bytes_per_second.map(bucket),
            records: records_per_second.map(bucket),
        })))
    }

    /// Whether a request may come in now; takes nothing.
    pub(crate) fn admit(&self) -> Result<(), OverQuota> {
        self.take(0, 0)
    }

    /// Pays for a request, or refuses it and takes nothing.
    pub(crate) fn take(&self, bytes: u64, records: u64) -> Result<(), OverQuota> {
        match &self.0 {
            None => Ok(()),
            Some(buckets) => {
                buckets.lock().unwrap_or_else(PoisonError::into_inner).take(bytes, records, Instant::now())
            }
        }
    }
}

impl Buckets {
    fn take(&mut self, bytes: u64, records: u64, now: Instant) -> Result<(), OverQuota> {
        let debts = [&mut self.bytes, &mut self.records].into_iter().flatten().filter_map(|b| b.debt(now));
        if let Some(retry_after) = debts.max() {
            return Err(OverQuota { retry_after });
        }
        if let Some(bucket) = &mut self.bytes {
            bucket.level -= bytes as f64;
        }
        if let Some(bucket) = &mut self.records {
            bucket.level -= records as f64;
        }
        Ok(())
    }
}

impl Bucket {
    /// How long until it is no longer empty; `None` where it is not.
    fn debt(&mut self, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.filled);
        self.filled = now;
        self.level = self.rate.min(self.level + self.rate * passed.as_secs_f64());
        if self.level > 0.0 {
            return None;
        }
        if self.rate <= 0.0 {
            return Some(Duration::from_secs(60));
        }
        Some(Duration::from_secs_f64((-self.level / self.rate).clamp(0.001, 3600.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(bytes: u64, records: u64) -> (Buckets, Instant) {
        let now = Instant::now();
        let Quota(Some(buckets)) = Quota::new(Some(bytes), Some(records), now) else { unreachable!() };
        (buckets.into_inner().unwrap(), now)
    }

    #[test]
    fn a_large_request_passes_once_and_its_debt_is_waited_for() {
        let (mut buckets, now) = quota(1_000, 1_000_000);
        buckets.take(5_000, 1, now).unwrap();
        let refused = buckets.take(1, 1, now).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(4));
        assert!(buckets.take(1, 1, now + Duration::from_millis(3_900)).is_err());
        buckets.take(1, 1, now + Duration::from_millis(4_100)).unwrap();
    }

    #[test]
    fn over_a_minute_no_more_than_the_rate_and_one_second_gets_in() {
        let (mut buckets, start) = quota(1 << 40, 100);
        let mut records = 0;
        for millis in 0..60_000 {
            if buckets.take(10, 7, start + Duration::from_millis(millis)).is_ok() {
                records += 7;
            }
        }
        assert!((6_000..=6_107).contains(&records), "{records}");
    }

    #[test]
    fn what_is_refused_takes_nothing() {
        let (mut buckets, now) = quota(1_000, 10);
        buckets.take(1, 10, now).unwrap();
        for _ in 0..100 {
            buckets.take(1_000, 10, now).unwrap_err();
        }
        buckets.take(1, 1, now + Duration::from_millis(100)).unwrap();
    }
}
