//! Reading: the fields of one message, and the numbers of a repeated field whether packed or not.

/// Why bytes are not a protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WireError {
    /// The message ends within a tag or a value.
    #[error("it ends in the middle of a field")]
    Truncated,
    /// A length goes beyond the end of the message.
    #[error("a length goes beyond the end")]
    LyingLength,
    /// A varint of more than 64 bits.
    #[error("a number is longer than 64 bits")]
    LongVarint,
    /// A tag that names field 0, or a field number above what protobuf has.
    #[error("a field number is out of range")]
    FieldNumber,
    /// A group, which OTLP never has.
    #[error("it holds a group, which OTLP does not have")]
    Group,
    /// One of the two wire types that do not exist.
    #[error("a wire type does not exist")]
    WireType,
}

/// One field's value as it lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: text, bytes, a message, packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// Walks the fields of one message, in the order of the wire. After an error it must not be asked further.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field's number and value; `None` at the end.
    #[inline(always)]
    #[allow(
        clippy::should_implement_trait,
        reason = "fallible and hot: a Result of an Option reads with `?`"
    )]
    pub fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, WireError> {
        let Some((&first, after)) = self.rest.split_first() else { return Ok(None) };
        let tag = if first < 0x80 {
            self.rest = after;
            u64::from(first)
        } else {
            self.varint()?
        };
        let number = match u32::try_from(tag) {
            Ok(tag) if tag >= 8 => tag >> 3,
            _ => return Err(WireError::FieldNumber),
        };
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => {
                let (word, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
                self.rest = rest;
                Value::Fixed64(u64::from_le_bytes(*word))
            }
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::LyingLength)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(WireError::LyingLength)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            5 => {
                let (word, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
                self.rest = rest;
                Value::Fixed32(u32::from_le_bytes(*word))
            }
            3 | 4 => return Err(WireError::Group),
            _ => return Err(WireError::WireType),
        };
        Ok(Some((number, value)))
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, WireError> {
        match *self.rest {
            [low, ref rest @ ..] if low < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut number = 0;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            if index == 9 && *byte > 1 {
                return Err(WireError::LongVarint);
            }
            number |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(number);
            }
        }
        Err(if self.rest.len() < 10 { WireError::Truncated } else { WireError::LongVarint })
    }
}

/// The numbers of one repeated field, packed or one by one or both, as 64 bits each.
///
/// Floating point numbers come as their bits. Ends at the first byte that can't be read.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    fields: Fields<'a>,
    number: u32,
    fixed: bool,
    packed: Fields<'a>,
}

impl<'a> Numbers<'a> {
    /// Field `number` of `message`, whose elements are 64 bits wide.
    pub fn fixed64(message: &'a [u8], number: u32) -> Self {
        Self { fields: Fields::new(message), number, fixed: true, packed: Fields::new(&[]) }
    }

    /// Field `number` of `message`, whose elements are varints.
    pub fn varint(message: &'a [u8], number: u32) -> Self {
        Self { fields: Fields::new(message), number, fixed: false, packed: Fields::new(&[]) }
    }

    /// The elements of one packed value.
    pub(crate) fn packed(packed: &'a [u8], fixed: bool) -> Self {
        Self { fields: Fields::new(&[]), number: 0, fixed, packed: Fields::new(packed) }
    }

    /// Whether `packed` is a whole number of elements.
    pub(crate) fn are_packed_in(packed: &[u8], fixed: bool) -> bool {
        let mut rest = Fields::new(packed);
        while !fixed && !rest.rest.is_empty() {
            if rest.varint().is_err() {
                return false;
            }
        }
        !fixed || packed.len().is_multiple_of(8)
    }
}

impl Iterator for Numbers<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            if !self.packed.rest.is_empty() {
                if !self.fixed {
                    return self.packed.varint().ok();
                }
                let (word, rest) = self.packed.rest.split_first_chunk()?;
                self.packed.rest = rest;
                return Some(u64::from_le_bytes(*word));
            }
            match self.fields.next().ok()?? {
                (number, Value::Bytes(packed)) if number == self.number => self.packed = Fields::new(packed),
                (number, Value::Fixed64(word)) if number == self.number && self.fixed => return Some(word),
                (number, Value::Varint(word)) if number == self.number && !self.fixed => return Some(word),
                _ => {}
            }
        }
    }
}

/// A `sint32` from the wire.
pub fn zigzag32(number: u64) -> i32 {
    // Protobuf has readers keep the low 32 bits.
    let low = number as u32;
    ((low >> 1) as i32) ^ -((low & 1) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_of_more_than_64_bits_is_refused_and_one_of_64_is_read() {
        let mut largest = vec![0x08];
        largest.extend([0xff; 9]);
        largest.push(0x01);
        assert_eq!(Fields::new(&largest).next(), Ok(Some((1, Value::Varint(u64::MAX)))));
        *largest.last_mut().expect("not empty") = 0x02;
        assert_eq!(Fields::new(&largest).next(), Err(WireError::LongVarint));
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error_however_large() {
        assert_eq!(Fields::new(&[0x0a, 2, 1]).next(), Err(WireError::LyingLength));
        let huge = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(Fields::new(&huge).next(), Err(WireError::LyingLength));
    }

    #[test]
    fn groups_field_zero_and_unknown_wire_types_are_refused() {
        for (tag, error) in [
            (0x0b, WireError::Group),
            (0x0c, WireError::Group),
            (0x0e, WireError::WireType),
            (0x02, WireError::FieldNumber),
        ] {
            assert_eq!(Fields::new(&[tag, 0]).next(), Err(error));
        }
    }

    #[test]
    fn packed_and_single_numbers_of_one_field_are_read_as_one_sequence() {
        let message = [0x10, 1, 0x12, 3, 2, 0x80, 1, 0x18, 9, 0x10, 3];
        assert_eq!(Numbers::varint(&message, 2).collect::<Vec<_>>(), [1, 2, 128, 3]);
    }
}
