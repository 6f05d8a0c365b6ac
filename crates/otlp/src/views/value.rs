//! AnyValue: text, a number, a list, pairs.

use std::{
    borrow::Cow,
    fmt::{self, Write},
};

use super::{Unreadable, attributes::read_pair, resource::Messages, text};
use crate::wire::{Fields, Value};

/// Lists and pairs are rendered this deep; what is deeper shows as an ellipsis.
const RENDERED_LEVELS: u32 = 32;

/// A value of any kind, borrowed.
#[derive(Clone, Debug, Default)]
pub enum AnyValue<'a> {
    /// Nothing is set.
    #[default]
    Empty,
    /// Text.
    Text(&'a str),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A list.
    Array(Values<'a>),
    /// Pairs of key and value.
    Map(KeyValues<'a>),
}

impl<'a> AnyValue<'a> {
    /// Reads an AnyValue message; lists and pairs are read when they are iterated.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut fields = Fields::new(bytes);
        let mut value = Self::Empty;
        while let Some(field) = fields.next().map_err(|error| Unreadable::Wire("AnyValue", error))? {
            match field {
                (1, Value::Bytes(bytes)) => value = Self::Text(text(bytes, "AnyValue.stringValue")?),
                (2, Value::Varint(number)) => value = Self::Bool(number != 0),
                (3, Value::Varint(number)) => value = Self::Int(number.cast_signed()),
                (4, Value::Fixed64(bits)) => value = Self::Double(f64::from_bits(bits)),
                (5, Value::Bytes(list)) => value = Self::Array(Values(Messages::new(list, 1, "ArrayValue"))),
                (6, Value::Bytes(pairs)) => {
                    value = Self::Map(KeyValues(Messages::new(pairs, 1, "KeyValueList")))
                }
                (7, Value::Bytes(bytes)) => value = Self::Bytes(bytes),
                // An index into a table that only profiles have: as if nothing were there, says the specification.
                (8, Value::Varint(_)) => value = Self::Empty,
                _ => {}
            }
        }
        Ok(value)
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// As one line of text for people: text and numbers as they are, bytes in hexadecimal, lists and pairs as JSON.
    pub fn to_text(&self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            other => Cow::Owned(other.to_string()),
        }
    }

    fn write_json(&self, f: &mut fmt::Formatter<'_>, levels: u32) -> fmt::Result {
        let Some(levels) = levels.checked_sub(1) else { return f.write_str("\"...\"") };
        match self {
            Self::Empty => f.write_str("null"),
            Self::Text(text) => write_json_text(f, text),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Double(number) if number.is_finite() => write!(f, "{number}"),
            Self::Double(number) => write!(f, "\"{number}\""),
            Self::Bytes(bytes) => write!(f, "\"{}\"", hex::encode(bytes)),
            Self::Array(values) => {
                f.write_char('[')?;
                for (index, value) in values.clone().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    value.write_json(f, levels)?;
                }
                f.write_char(']')
            }
            Self::Map(pairs) => {
                f.write_char('{')?;
                for (index, (key, value)) in pairs.clone().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    write_json_text(f, key)?;
                    f.write_char(':')?;
                    value.write_json(f, levels)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_json_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

impl fmt::Display for AnyValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Double(number) => write!(f, "{number}"),
            Self::Bytes(bytes) => f.write_str(&hex::encode(bytes)),
            other => other.write_json(f, RENDERED_LEVELS),
        }
    }
}

/// The elements of a list. Those that can't be read are left out.
#[derive(Clone, Debug)]
pub struct Values<'a>(Messages<'a>);

impl<'a> Iterator for Values<'a> {
    type Item = AnyValue<'a>;

    fn next(&mut self) -> Option<AnyValue<'a>> {
        self.0.by_ref().map_while(Result::ok).find_map(|value| AnyValue::read(value).ok())
    }
}

/// Pairs of key and value. Those that can't be read are left out.
#[derive(Clone, Debug)]
pub struct KeyValues<'a>(Messages<'a>);

impl<'a> Iterator for KeyValues<'a> {
    type Item = (&'a str, AnyValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.by_ref().map_while(Result::ok).find_map(read_pair)
    }
}
