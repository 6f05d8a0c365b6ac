//! The little of protobuf that is needed to put encoded parts together.

/// Tag of `log_records` in ScopeLogs.
pub(crate) const LOG_RECORDS: u8 = 0x12;

pub(crate) fn varint_len(value: usize) -> usize {
    (usize::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

pub(crate) fn put_varint(out: &mut Vec<u8>, value: usize) {
    let mut left = value;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// A length-delimited field with `body` as its content. Field numbers up to 15.
pub(crate) fn put_field(out: &mut Vec<u8>, field: u8, body: &[u8]) {
    out.push(field << 3 | 2);
    put_varint(out, body.len());
    out.extend_from_slice(body);
}

/// `field` holding the message made of the two parts `head` and `tail`.
pub(crate) fn put_field_of(out: &mut Vec<u8>, field: u8, head: &[u8], tail: &[u8]) {
    out.push(field << 3 | 2);
    put_varint(out, head.len() + tail.len());
    out.extend_from_slice(head);
    out.extend_from_slice(tail);
}
