//! Ids that follow from what they describe, so that a receiver can drop a repeat.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use crate::{Kind, ServiceName, Tenant, Timestamp, Window};

/// 128 bits, written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(pub u128);

/// Names one finding for ever.
pub type FindingId = Id;
/// Names one incident for ever.
pub type IncidentId = Id;

impl Id {
    /// Of a finding: tenant, service, series, window and kind; a provisional one has another than the final one.
    pub fn finding(
        tenant: &Tenant,
        service: &ServiceName,
        series: &str,
        window: Window,
        kind: Kind,
        provisional: bool,
    ) -> FindingId {
        let start = window.start.nanos().to_le_bytes();
        let length = (window.length.as_nanos() as u64).to_le_bytes();
        Self(fingerprint128(&[
            b"finding",
            tenant.as_str().as_bytes(),
            service.as_str().as_bytes(),
            series.as_bytes(),
            &start,
            &length,
            kind.as_str().as_bytes(),
            &[u8::from(provisional)],
        ]))
    }

    /// Of an incident: tenant, the service it began at, and the base window it began in.
    pub fn incident(tenant: &Tenant, service: &ServiceName, began: Timestamp) -> IncidentId {
        Self(fingerprint128(&[
            b"incident",
            tenant.as_str().as_bytes(),
            service.as_str().as_bytes(),
            &began.nanos().to_le_bytes(),
        ]))
    }

    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

/// XXH3-128 over parts, each preceded by its length, so that parts can't run into one another.
pub fn fingerprint128(parts: &[&[u8]]) -> u128 {
    let mut hash = Xxh3Default::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.digest128()
}

/// XXH3-64 of bytes.
pub fn fingerprint64(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is not an id: 32 hexadecimal digits are"))
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}
