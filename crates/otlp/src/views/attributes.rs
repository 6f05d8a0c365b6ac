//! Attributes: pairs of key and value.

use super::AnyValue;
use crate::wire::{Fields, Value};

/// The attributes of a record, a resource, a scope. Pairs that can't be read are left out.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    fields: Fields<'a>,
    number: u32,
}

impl<'a> Attributes<'a> {
    /// Field `number` of `message`.
    pub(crate) fn new(message: &'a [u8], number: u32) -> Self {
        Self { fields: Fields::new(message), number }
    }

    /// The value of a key; the first one, should it be there twice.
    pub fn get(self, key: &str) -> Option<AnyValue<'a>> {
        self.into_iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, AnyValue<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.fields.next().ok()?? {
                (number, Value::Bytes(pair)) if number == self.number => {
                    if let Some(pair) = read_pair(pair) {
                        return Some(pair);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Reads a KeyValue.
#[inline]
pub(super) fn read_pair(pair: &[u8]) -> Option<(&str, AnyValue<'_>)> {
    let mut fields = Fields::new(pair);
    let mut key: &[u8] = &[];
    let mut value = AnyValue::Empty;
    while let Some(field) = fields.next().ok()? {
        match field {
            (1, Value::Bytes(bytes)) => key = bytes,
            (2, Value::Bytes(bytes)) => value = AnyValue::read(bytes).ok()?,
            _ => {}
        }
    }
    Some((std::str::from_utf8(key).ok()?, value))
}
