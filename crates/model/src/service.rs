//! The name a service is known by in findings, incidents and on the map.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// `namespace/name`, or `name` where there is no namespace; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// From the resource attributes `service.namespace` and `service.name`.
    pub fn new(namespace: Option<&str>, name: Option<&str>) -> Self {
        let name = name.filter(|name| !name.is_empty()).unwrap_or("unknown_service");
        match namespace.filter(|namespace| !namespace.is_empty()) {
            Some(namespace) => Self(format!("{namespace}/{name}").into()),
            None => Self(name.into()),
        }
    }

    /// The full name of a service that this one knows by `service.name` alone: taken to be of the same namespace.
    pub fn sibling(&self, name: &str) -> String {
        match self.0.rsplit_once('/') {
            Some((namespace, _)) if !name.contains('/') => format!("{namespace}/{name}"),
            _ => name.to_owned(),
        }
    }

    /// The name without its namespace.
    pub fn bare(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(_, name)| name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ServiceName {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&str> for ServiceName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<ServiceName> for String {
    fn from(service: ServiceName) -> Self {
        service.as_str().to_owned()
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
