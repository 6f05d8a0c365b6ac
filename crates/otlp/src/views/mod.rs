//! Borrowed views of telemetry, for the stages: resources, their scopes, their records.
//!
//! They trust nothing: a payload may come from a foreign writer and may be anything. A resource, scope or record
//! that can't be read is an error item of its iterator; after a broken envelope the iterator ends. Within a record,
//! fields of a wrong wire type count as absent, attributes that can't be read are left out. Nothing panics.
//! Where a message that may be there once is there twice, the last one counts ([`crate::check`] refuses it).

mod attributes;
mod log;
mod metric;
mod point;
mod resource;
mod span;
mod value;

pub use attributes::Attributes;
pub use log::LogRecord;
pub use metric::{Metric, MetricData, Points, Temporality};
pub use point::{
    Buckets, ExponentialHistogramDataPoint, HistogramDataPoint, Number, NumberDataPoint, Quantile,
    SummaryDataPoint,
};
pub(crate) use resource::{Messages, resource_identity};
pub use resource::{Record, Records, Resource, ResourceRecords, Resources, Scope, ScopeRecords, Scopes};
pub use span::{Span, SpanKind, StatusCode};
pub use value::{AnyValue, KeyValues, Values};

use crate::wire::WireError;

/// The log records of a payload, by resource and scope.
pub fn logs(payload: &[u8]) -> Resources<'_, LogRecord<'_>> {
    Resources::new(payload)
}

/// The metrics of a payload, by resource and scope.
pub fn metrics(payload: &[u8]) -> Resources<'_, Metric<'_>> {
    Resources::new(payload)
}

/// The spans of a payload, by resource and scope.
pub fn spans(payload: &[u8]) -> Resources<'_, Span<'_>> {
    Resources::new(payload)
}

/// Why something can't be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unreadable {
    /// Its bytes are not protobuf.
    #[error("{0} is not protobuf: {1}")]
    Wire(&'static str, WireError),
    /// A text of it is not UTF-8.
    #[error("{0} is not valid UTF-8")]
    Utf8(&'static str),
}

/// Text of a view, checked.
#[inline]
fn text<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a str, Unreadable> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| Unreadable::Utf8(what))
}
