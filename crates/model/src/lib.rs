//! The words of the domain as types: tenant, identity, time, window, finding, incident.
//!
//! Pure values. Nothing here reads a clock, a file or a socket.

mod feedback;
mod finding;
mod id;
mod identity;
mod incident;
mod kind;
mod partition;
mod service;
mod tenant;
mod time;

pub use feedback::{Feedback, JudgedSeries, Verdict};
pub use finding::{Evidence, Expected, Finding, RunsOut};
pub use id::{FindingId, Id, IncidentId, fingerprint64, fingerprint128};
pub use identity::{IDENTITY_ATTRIBUTES, Identity, PartitionKey};
pub use incident::{Cause, Change, Incident, IncidentStatus};
pub use kind::{Kind, Severity};
pub use partition::{partition_of, partition_of_tenant};
pub use service::ServiceName;
pub use tenant::{Tenant, TenantError};
pub use time::{BASE_WINDOW, Timestamp, Window};

pub use foreshock_proto::v1 as proto;

/// A message of our own streams that can't be turned into a value of the domain.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("message of foreshock.v1 is not valid: {0}")]
pub struct InvalidMessage(pub String);
