//! Writing: the little that rewriting and JSON need. Appends to a vector.

use super::{Fields, Value};

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// How many bytes a varint takes.
pub(crate) fn varint_len(number: u64) -> usize {
    (number | 1).ilog2() as usize / 7 + 1
}

/// Appends a tag.
pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

/// Appends a length-delimited field.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Puts the length of what was appended from `start` on in front of it: so a nested message is written
/// without knowing its length beforehand.
pub(crate) fn close_length(out: &mut Vec<u8>, start: usize) {
    let end = out.len();
    put_varint(out, (end - start) as u64);
    let width = out.len() - end;
    out[start..].rotate_right(width);
}

/// Copies the fields of a message as they are, save those length-delimited ones that `replace` says it has dealt
/// with. Stops where the message is broken.
pub(crate) fn copy_fields(
    bytes: &[u8],
    out: &mut Vec<u8>,
    mut replace: impl FnMut(u32, &[u8], &mut Vec<u8>) -> bool,
) {
    let mut fields = Fields::new(bytes);
    loop {
        let before = fields.rest();
        let Ok(Some((number, value))) = fields.next() else { return };
        let raw = &before[..before.len() - fields.rest().len()];
        match value {
            Value::Bytes(bytes) if replace(number, bytes, out) => {}
            _ => out.extend_from_slice(raw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_takes_as_many_bytes_as_are_written() {
        let edges = (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit]);
        for number in edges.chain([u64::MAX]) {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!(out.len(), varint_len(number), "{number}");
        }
    }
}
