//! A span of a trace.

use foreshock_model::Timestamp;

use super::{Attributes, Record, Unreadable, log::time, text};
use crate::wire::{Fields, Value};

/// One span, borrowed.
#[derive(Clone, Debug)]
pub struct Span<'a> {
    /// 16 bytes.
    pub trace_id: &'a [u8],
    /// 8 bytes.
    pub span_id: &'a [u8],
    /// The parent's span id; empty for a root.
    pub parent_span_id: &'a [u8],
    /// What it does.
    pub name: &'a str,
    /// Which side of a call it is.
    pub kind: SpanKind,
    /// When it began.
    pub start: Option<Timestamp>,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// How it ended.
    pub status: StatusCode,
    /// Why it failed; mostly empty.
    pub status_message: &'a str,
    /// From the first attribute on.
    attributes: &'a [u8],
}

/// Which side of a call a span is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SpanKind {
    /// Not said, or a number that OTLP does not have.
    #[default]
    Unspecified,
    /// Within a service.
    Internal,
    /// Serves a call.
    Server,
    /// Makes a call.
    Client,
    /// Hands over a message.
    Producer,
    /// Takes a message.
    Consumer,
}

/// How a span ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusCode {
    /// Not said, or a number that OTLP does not have.
    #[default]
    Unset,
    /// Well.
    Ok,
    /// With an error.
    Error,
}

impl<'a> Record<'a> for Span<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut span = Self {
            trace_id: &[],
            span_id: &[],
            parent_span_id: &[],
            name: "",
            kind: SpanKind::Unspecified,
            start: None,
            end: None,
            status: StatusCode::Unset,
            status_message: "",
            attributes: &[],
        };
        let mut fields = Fields::new(bytes);
        loop {
            let before = fields.rest();
            match fields.next().map_err(|error| Unreadable::Wire("Span", error))? {
                None => return Ok(span),
                Some((1, Value::Bytes(id))) => span.trace_id = id,
                Some((2, Value::Bytes(id))) => span.span_id = id,
                Some((4, Value::Bytes(id))) => span.parent_span_id = id,
                Some((5, Value::Bytes(name))) => span.name = text(name, "Span.name")?,
                Some((6, Value::Varint(kind))) => span.kind = SpanKind::from_wire(kind as i32),
                Some((7, Value::Fixed64(nanos))) => span.start = time(nanos),
                Some((8, Value::Fixed64(nanos))) => span.end = time(nanos),
                Some((9, Value::Bytes(_))) if span.attributes.is_empty() => span.attributes = before,
                Some((15, Value::Bytes(status))) => {
                    (span.status, span.status_message) = read_status(status)?;
                }
                Some(_) => {}
            }
        }
    }
}

impl<'a> Span<'a> {
    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes, 9)
    }
}

fn read_status(bytes: &[u8]) -> Result<(StatusCode, &str), Unreadable> {
    let mut code = StatusCode::Unset;
    let mut message = "";
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next().map_err(|error| Unreadable::Wire("Status", error))? {
        match field {
            (2, Value::Bytes(bytes)) => message = text(bytes, "Status.message")?,
            (3, Value::Varint(number)) => {
                code = match number as i32 {
                    1 => StatusCode::Ok,
                    2 => StatusCode::Error,
                    _ => StatusCode::Unset,
                }
            }
            _ => {}
        }
    }
    Ok((code, message))
}

impl SpanKind {
    fn from_wire(kind: i32) -> Self {
        match kind {
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Unspecified,
        }
    }
}
