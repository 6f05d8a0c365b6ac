//! The wall clock: when something is said or asked.

use std::time::{SystemTime, UNIX_EPOCH};

use foreshock_model::Timestamp;

/// The present time; the epoch where the system's clock is set before it.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
