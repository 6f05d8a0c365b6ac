//! Judges one record (or resource, or scope): well-formed all the way down, and within the limits.
//!
//! Goes by the schema's table. Allocates nothing; recurses no deeper than the limit of levels.

use std::ptr;

use foreshock_model::Timestamp;

use super::{
    CheckLimits,
    fault::{Fault, What},
};
use crate::{
    schema::{ANY_VALUE, ARRAY_VALUE, Field, KEY_VALUE, KEY_VALUE_LIST, Kind, Label, Message},
    wire::{Fields, Numbers, Value, WireError},
};

/// Prost, and so most readers, stop at 100 messages within one another; 32 values with their lists and pairs stay below.
const MOST_LEVELS: u32 = 32;

/// The limits as one request meets them.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    levels: u32,
    record_bytes: usize,
    attributes: usize,
    attribute_bytes: usize,
    earliest_ns: u64,
    latest_ns: u64,
}

impl Rules {
    pub(crate) fn new(limits: &CheckLimits, now: Timestamp) -> Self {
        Self {
            levels: limits.depth.min(MOST_LEVELS),
            record_bytes: limits.record_bytes,
            attributes: limits.attributes,
            attribute_bytes: limits.attribute_bytes,
            earliest_ns: limits.earliest.nanos(),
            latest_ns: now.plus(limits.ahead).nanos(),
        }
    }

    /// Judges a record, a resource or a scope as a whole.
    #[inline]
    pub(crate) fn judge(&self, schema: &'static Message, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.len() > self.record_bytes {
            let what = What::RecordBytes(self.record_bytes);
            return Err(Fault { what, message: schema.name, field: "" });
        }
        self.message(schema, bytes, self.levels)
    }

    /// Judges one field of a message that is not judged as a whole: a metric, or a wrapper of points.
    pub(crate) fn judge_field(
        &self,
        schema: &'static Message,
        field: &'static Field,
        value: Value<'_>,
    ) -> Result<(), Fault> {
        let fault = |what| Fault { what, message: schema.name, field: field.name };
        if let Value::Bytes(bytes) = value
            && bytes.len() > self.attribute_bytes
        {
            return Err(fault(What::AttributeBytes(self.attribute_bytes)));
        }
        self.field(field, value, self.levels).map_err(|found| found.at(fault))
    }

    fn message(&self, schema: &'static Message, bytes: &[u8], levels: u32) -> Result<(), Fault> {
        let mut fields = Fields::new(bytes);
        let mut seen = 0u32;
        let mut attributes = 0;
        loop {
            let (number, value) = match fields.next() {
                Ok(Some(next)) => next,
                Ok(None) => return Ok(()),
                Err(error) => return Err(malformed(schema, error)),
            };
            let Some(field) = schema.field(number) else { continue };
            let fault = |what| Fault { what, message: schema.name, field: field.name };
            match (field.kind, value) {
                (Kind::Text, Value::Bytes(text)) => {
                    if !is_utf8(text) {
                        return Err(fault(What::Utf8));
                    }
                }
                (Kind::Attribute, Value::Bytes(pair)) => {
                    attributes += 1;
                    if attributes > self.attributes {
                        return Err(fault(What::Attributes(self.attributes)));
                    }
                    if pair.len() > self.attribute_bytes {
                        return Err(fault(What::AttributeBytes(self.attribute_bytes)));
                    }
                    self.key_value(pair, levels)?;
                }
                _ => {
                    if field.label != Label::Many && matches!(field.kind, Kind::AnyValue | Kind::Message(_)) {
                        // Protobuf would have two merged, which no view of the bytes can show.
                        if seen & 1 << number != 0 {
                            return Err(fault(What::Twice));
                        }
                        seen |= 1 << number;
                    }
                    self.field(field, value, levels).map_err(|found| found.at(fault))?;
                }
            }
        }
    }

    #[inline]
    fn field(&self, field: &'static Field, value: Value<'_>, levels: u32) -> Result<(), Found> {
        match (field.kind, value) {
            (Kind::Time, Value::Fixed64(nanos)) => {
                if nanos != 0 && nanos < self.earliest_ns {
                    return Err(Found::Here(What::TooEarly));
                }
                if nanos > self.latest_ns {
                    return Err(Found::Here(What::TooFarAhead));
                }
            }
            (Kind::AnyValue, Value::Bytes(bytes)) => self.any_value(bytes, levels).map_err(Found::Below)?,
            (Kind::Text, Value::Bytes(text)) => {
                if !is_utf8(text) {
                    return Err(Found::Here(What::Utf8));
                }
            }
            (Kind::TraceId, Value::Bytes(id)) => check_id(id, 16)?,
            (Kind::SpanId, Value::Bytes(id)) => check_id(id, 8)?,
            (Kind::Attribute, Value::Bytes(pair)) => self.key_value(pair, levels).map_err(Found::Below)?,
            (Kind::Message(message), Value::Bytes(bytes)) => {
                // What has attributes of its own (an event, a link, an exemplar) counts as a level.
                let is_value =
                    [&KEY_VALUE, &ARRAY_VALUE, &KEY_VALUE_LIST].iter().any(|at| ptr::eq(*at, message));
                let levels = if is_value { levels } else { levels.saturating_sub(1) };
                self.message(message, bytes, levels).map_err(Found::Below)?;
            }
            (Kind::Fixed64 | Kind::Double | Kind::Uint64, Value::Bytes(packed)) if field.packs() => {
                if !Numbers::are_packed_in(packed, !matches!(field.kind, Kind::Uint64)) {
                    return Err(Found::Here(What::Wire(WireError::Truncated)));
                }
            }
            _ if field.fits(value) => {}
            _ => return Err(Found::Here(What::WireType)),
        }
        Ok(())
    }

    /// Nearly every attribute is a short key and a short text: seen through without the table.
    #[inline]
    fn key_value(&self, pair: &[u8], levels: u32) -> Result<(), Fault> {
        if let [0x0a, length, rest @ ..] = pair
            && *length < 0x80
            && let Some((key, [0x12, length, value @ ..])) = rest.split_at_checked(usize::from(*length))
            && usize::from(*length) == value.len()
            && value.len() < 0x80
        {
            if !is_utf8(key) {
                return Err(Fault { what: What::Utf8, message: KEY_VALUE.name, field: "key" });
            }
            return self.any_value(value, levels);
        }
        self.message(&KEY_VALUE, pair, levels)
    }

    #[inline]
    fn any_value(&self, value: &[u8], levels: u32) -> Result<(), Fault> {
        let Some(levels) = levels.checked_sub(1) else {
            return Err(Fault { what: What::Depth(self.levels), message: ANY_VALUE.name, field: "" });
        };
        if let [0x0a, length, text @ ..] = value
            && *length < 0x80
            && usize::from(*length) == text.len()
        {
            return if is_utf8(text) {
                Ok(())
            } else {
                Err(Fault { what: What::Utf8, message: ANY_VALUE.name, field: "stringValue" })
            };
        }
        self.message(&ANY_VALUE, value, levels)
    }
}

/// A fault of the field itself, or one further below that has its place already.
enum Found {
    Here(What),
    Below(Fault),
}

impl Found {
    #[cold]
    fn at(self, here: impl FnOnce(What) -> Fault) -> Fault {
        match self {
            Self::Here(what) => here(what),
            Self::Below(fault) => fault,
        }
    }
}

#[cold]
pub(crate) fn malformed(schema: &'static Message, error: WireError) -> Fault {
    Fault { what: What::Wire(error), message: schema.name, field: "" }
}

#[inline]
fn check_id(id: &[u8], length: usize) -> Result<(), Found> {
    if id.is_empty() || id.len() == length { Ok(()) } else { Err(Found::Here(What::IdLength(length))) }
}

/// Short text is mostly ASCII, and that is seen faster without the call.
#[inline]
fn is_utf8(text: &[u8]) -> bool {
    if text.len() < 32 {
        text.is_ascii() || std::str::from_utf8(text).is_ok()
    } else {
        simdutf8::basic::from_utf8(text).is_ok()
    }
}
