//! JSON to protobuf, in one pass as it is parsed.
//!
//! Unknown fields are ignored, null is absent, a 64-bit number may be a string or a number, an enum a number or a
//! name, an id hexadecimal of either case. Whether the records are good is not judged here: that is for the check.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{base64, scalar::Scalar};
use crate::{
    Signal,
    schema::{Field, Kind, Label, Message},
    wire::{close_length, put_tag, put_varint},
};

/// Why a body is not taken as OTLP JSON. Sending it again does not help.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It is not JSON, or a field has a value it can't have.
    #[error("the body is not OTLP JSON: {0}")]
    Invalid(#[from] serde_json::Error),
    /// It would be larger than the limit.
    #[error("the body is larger than {max_bytes} bytes once it is protobuf; send fewer records at once")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
}

/// Turns a request in JSON into the same request in protobuf of at most `max_bytes`.
pub fn from_json(signal: Signal, json: &[u8], max_bytes: usize) -> Result<Vec<u8>, JsonError> {
    let mut writer = Writer { out: Vec::with_capacity(json.len() / 2), max_bytes };
    let mut parser = serde_json::Deserializer::from_slice(json);
    let parsed = MessageSeed { schema: signal.schema(), writer: &mut writer }
        .deserialize(&mut parser)
        .and_then(|()| parser.end());
    if writer.out.len() > max_bytes {
        return Err(JsonError::TooLarge { max_bytes });
    }
    parsed?;
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    max_bytes: usize,
}

/// An object as a message, its fields appended without tag or length in front.
struct MessageSeed<'w> {
    schema: &'static Message,
    writer: &'w mut Writer,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object of {}", self.schema.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(NameSeed(self.schema))? {
            match field {
                Some(field) => map.next_value_seed(FieldSeed {
                    schema: self.schema,
                    field,
                    place: Place::Field,
                    writer: self.writer,
                })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            if self.writer.out.len() > self.writer.max_bytes {
                return Err(de::Error::custom("it is too large"));
            }
        }
        Ok(())
    }
}

/// A key as the field it names.
struct NameSeed(&'static Message);

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name of a field of {}", self.0.name)
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.field_named(name))
    }
}

/// Where a value stands, and so what goes in front of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Field,
    Element,
    /// Of a list of numbers, which have one tag in common.
    Packed,
}

struct FieldSeed<'w> {
    schema: &'static Message,
    field: &'static Field,
    place: Place,
    writer: &'w mut Writer,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = if self.wants_list() { "a list of " } else { "" };
        let what = match self.field.kind {
            Kind::Bool => "true or false",
            Kind::Double => "a number",
            Kind::Enum(_) => "a number or a name of the enum",
            Kind::Text => "text",
            Kind::Bytes => "bytes in base64",
            Kind::TraceId | Kind::SpanId => "an id in hexadecimal",
            kind => kind.message().map_or("a whole number within its range", |message| message.name),
        };
        write!(f, "{list}{what} in {}.{}", self.schema.name, self.field.name)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Scalar::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(Scalar::Int(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Scalar::Int(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Scalar::Double(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.scalar(Scalar::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if !self.wants_list() {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &self));
        }
        let Self { schema, field, writer, .. } = self;
        let place = if field.packs() { Place::Packed } else { Place::Element };
        if place == Place::Packed {
            put_tag(&mut writer.out, field.number, 2);
        }
        let start = writer.out.len();
        while list.next_element_seed(FieldSeed { schema, field, place, writer: &mut *writer })?.is_some() {
            if writer.out.len() > writer.max_bytes {
                return Err(de::Error::custom("it is too large"));
            }
        }
        if place == Place::Packed {
            close_length(&mut writer.out, start);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Some(schema) = self.field.kind.message().filter(|_| !self.wants_list()) else {
            return Err(de::Error::invalid_type(de::Unexpected::Map, &self));
        };
        put_tag(&mut self.writer.out, self.field.number, 2);
        let start = self.writer.out.len();
        MessageSeed { schema, writer: &mut *self.writer }.visit_map(map)?;
        close_length(&mut self.writer.out, start);
        Ok(())
    }
}

impl FieldSeed<'_> {
    fn wants_list(&self) -> bool {
        self.field.label == Label::Many && self.place == Place::Field
    }

    fn scalar<E: de::Error>(mut self, scalar: Scalar<'_>) -> Result<(), E> {
        let written = !self.wants_list() && self.put(&scalar).is_some();
        if written {
            return Ok(());
        }
        let found = match scalar {
            Scalar::Bool(value) => de::Unexpected::Bool(value),
            Scalar::Int(number) => match i64::try_from(number) {
                Ok(number) => de::Unexpected::Signed(number),
                Err(_) => de::Unexpected::Unsigned(u64::try_from(number).unwrap_or(u64::MAX)),
            },
            Scalar::Double(number) => de::Unexpected::Float(number),
            Scalar::Text(text) => de::Unexpected::Str(text),
        };
        Err(E::invalid_value(found, &self))
    }

    /// Writes the value; `None` where the field can't have it.
    fn put(&mut self, scalar: &Scalar<'_>) -> Option<()> {
        let number = self.field.number;
        let tagged = self.place != Place::Packed;
        let out = &mut self.writer.out;
        let tag = |out: &mut Vec<u8>, wire_type| {
            if tagged {
                put_tag(out, number, wire_type);
            }
        };
        let varint = |out: &mut Vec<u8>, value: u64| {
            tag(out, 0);
            put_varint(out, value);
        };
        match self.field.kind {
            Kind::Bool => match scalar {
                Scalar::Bool(value) => varint(out, u64::from(*value)),
                _ => return None,
            },
            Kind::Enum(names) => {
                let value = match scalar {
                    Scalar::Text(text) => {
                        names.iter().find(|(name, _)| name == text).map(|(_, value)| *value)
                    }
                    _ => None,
                };
                let value = value.or_else(|| i32::try_from(scalar.whole()?).ok())?;
                varint(out, i64::from(value).cast_unsigned());
            }
            Kind::Int32 => varint(out, i64::from(i32::try_from(scalar.whole()?).ok()?).cast_unsigned()),
            Kind::Int64 => varint(out, i64::try_from(scalar.whole()?).ok()?.cast_unsigned()),
            Kind::Uint32 => varint(out, u32::try_from(scalar.whole()?).ok()?.into()),
            Kind::Uint64 => varint(out, u64::try_from(scalar.whole()?).ok()?),
            Kind::Sint32 => {
                let value = i32::try_from(scalar.whole()?).ok()?;
                varint(out, ((value << 1) ^ (value >> 31)).cast_unsigned().into());
            }
            Kind::Fixed32 => {
                let value = u32::try_from(scalar.whole()?).ok()?;
                tag(out, 5);
                out.extend(value.to_le_bytes());
            }
            Kind::Fixed64 | Kind::Time => {
                let value = u64::try_from(scalar.whole()?).ok()?;
                tag(out, 1);
                out.extend(value.to_le_bytes());
            }
            Kind::Sfixed64 => {
                let value = i64::try_from(scalar.whole()?).ok()?;
                tag(out, 1);
                out.extend(value.to_le_bytes());
            }
            Kind::Double => {
                let value = scalar.double()?;
                tag(out, 1);
                out.extend(value.to_le_bytes());
            }
            Kind::Text => self.put_bytes(scalar.text()?.as_bytes()),
            Kind::Bytes => {
                let bytes = base64::decode(scalar.text()?)?;
                self.put_bytes(&bytes);
            }
            Kind::TraceId | Kind::SpanId => {
                let id = hex::decode(scalar.text()?).ok()?;
                self.put_bytes(&id);
            }
            Kind::AnyValue | Kind::Attribute | Kind::Message(_) => return None,
        }
        Some(())
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        crate::wire::put_bytes(&mut self.writer.out, self.field.number, bytes);
    }
}
