//! Whose telemetry it is.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A tenant's name: 1 to 64 bytes of `a-z A-Z 0-9 - _ .`; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(Arc<str>);

/// A name that no tenant can have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("tenant {0:?} is not a name: use 1 to 64 of a-z, A-Z, 0-9, '-', '_', '.'")]
pub struct TenantError(String);

impl Tenant {
    /// Checks and takes a name.
    pub fn new(name: &str) -> Result<Self, TenantError> {
        let fits = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if fits { Ok(Self(name.into())) } else { Err(TenantError(name.chars().take(80).collect())) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    /// Whose records carry no tenant.
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Tenant {
    type Error = TenantError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(&name)
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.as_str().to_owned()
    }
}
