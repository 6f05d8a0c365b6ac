//! Protobuf to JSON, as the specification has it: 64-bit numbers as strings, ids in hexadecimal, enums as integers.
//!
//! Writes what is on the wire; what OTLP does not know, or has a wrong wire type, is left out. Text that is not
//! UTF-8 (a foreign writer's) is shown with replacement characters.

use std::io::Write;

use super::base64;
use crate::{
    Signal,
    schema::{Field, Kind, Label, Message},
    split_records,
    views::Unreadable,
    wire::{Fields, Numbers, Value, zigzag32},
};

/// Messages within one another; what is deeper shows as an empty message. Checked records stay below.
const MOST_LEVELS: u32 = 100;

/// Appends a LogsData (MetricsData, TracesData) as one JSON object. After an error `out` is as it was before.
pub fn to_json(signal: Signal, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
    let before = out.len();
    let written = write_message(signal.schema(), payload, out, MOST_LEVELS);
    if written.is_err() {
        out.truncate(before);
    }
    written
}

/// Each record of a payload as one JSON object: a whole LogsData (MetricsData, TracesData) with the record's
/// resource and scope. No line end.
pub fn json_lines(
    signal: Signal,
    payload: &[u8],
) -> impl Iterator<Item = Result<Vec<u8>, Unreadable>> + use<'_> {
    split_records(signal, payload).map(move |record| {
        let mut line = Vec::new();
        to_json(signal, &record?, &mut line)?;
        Ok(line)
    })
}

fn write_message(
    schema: &'static Message,
    bytes: &[u8],
    out: &mut Vec<u8>,
    levels: u32,
) -> Result<(), Unreadable> {
    let Some(levels) = levels.checked_sub(1) else {
        out.extend(b"{}");
        return Ok(());
    };
    let present = fields_present(schema, bytes)?;
    out.push(b'{');
    let mut first = true;
    for field in schema.fields.iter().filter(|field| present & 1 << field.number != 0) {
        if !first {
            out.push(b',');
        }
        first = false;
        out.push(b'"');
        out.extend(field.name.as_bytes());
        out.extend(b"\":");
        write_field(schema, field, bytes, out, levels)?;
    }
    out.push(b'}');
    Ok(())
}

/// A bit for each field to show. Of a choice only the last counts.
fn fields_present(schema: &'static Message, bytes: &[u8]) -> Result<u32, Unreadable> {
    let mut present = 0u32;
    let mut choice = 0u32;
    let mut fields = Fields::new(bytes);
    while let Some((number, value)) = fields.next().map_err(|error| Unreadable::Wire(schema.name, error))? {
        if let Some(field) = schema.field(number).filter(|field| field.fits(value)) {
            if field.label == Label::OneOf {
                choice = 1 << number;
            } else {
                present |= 1 << number;
            }
        }
    }
    Ok(present | choice)
}

fn write_field(
    schema: &'static Message,
    field: &'static Field,
    bytes: &[u8],
    out: &mut Vec<u8>,
    levels: u32,
) -> Result<(), Unreadable> {
    let mut fields = Fields::new(bytes);
    let mut last = None;
    let many = field.label == Label::Many;
    let before = out.len();
    while let Some((number, value)) = fields.next().map_err(|error| Unreadable::Wire(schema.name, error))? {
        match value {
            _ if number != field.number || !field.fits(value) => {}
            Value::Bytes(packed) if field.packs() => write_packed(field, packed, out),
            value if many => {
                out.push(b',');
                write_value(field, value, out, levels)?;
            }
            value => last = Some(value),
        }
    }
    match last {
        Some(value) => write_value(field, value, out, levels)?,
        // Every element has a comma in front; the first one's becomes the bracket.
        None if out.len() > before => {
            out[before] = b'[';
            out.push(b']');
        }
        None => out.extend(b"[]"),
    }
    Ok(())
}

fn write_packed(field: &'static Field, packed: &[u8], out: &mut Vec<u8>) {
    let varints = matches!(field.kind, Kind::Uint64);
    for number in Numbers::packed(packed, !varints) {
        out.push(b',');
        let value = if varints { Value::Varint(number) } else { Value::Fixed64(number) };
        write_number(field.kind, value, out);
    }
}

fn write_value(
    field: &'static Field,
    value: Value<'_>,
    out: &mut Vec<u8>,
    levels: u32,
) -> Result<(), Unreadable> {
    let Value::Bytes(bytes) = value else {
        write_number(field.kind, value, out);
        return Ok(());
    };
    match field.kind {
        Kind::TraceId | Kind::SpanId => write_quoted(out, &hex::encode(bytes)),
        Kind::Bytes => write_quoted(out, &base64::encode(bytes)),
        kind => match kind.message() {
            Some(message) => write_message(message, bytes, out, levels)?,
            None => write_json(out, &String::from_utf8_lossy(bytes)),
        },
    }
    Ok(())
}

fn write_number(kind: Kind, value: Value<'_>, out: &mut Vec<u8>) {
    // Protobuf has readers of 32-bit fields keep the low 32 bits.
    match (kind, value) {
        (Kind::Bool, Value::Varint(number)) => write_json(out, &(number != 0)),
        (Kind::Int32 | Kind::Enum(_), Value::Varint(number)) => write_json(out, &(number as i32)),
        (Kind::Uint32, Value::Varint(number)) => write_json(out, &(number as u32)),
        (Kind::Sint32, Value::Varint(number)) => write_json(out, &zigzag32(number)),
        (Kind::Int64, Value::Varint(number)) => write_quoted(out, &number.cast_signed().to_string()),
        (Kind::Sfixed64, Value::Fixed64(number)) => write_quoted(out, &number.cast_signed().to_string()),
        (Kind::Double, Value::Fixed64(bits)) => write_double(out, f64::from_bits(bits)),
        (_, Value::Varint(number) | Value::Fixed64(number)) => write_quoted(out, &number.to_string()),
        (_, Value::Fixed32(number)) => write_json(out, &number),
        (_, Value::Bytes(_)) => out.extend(b"null"),
    }
}

fn write_double(out: &mut Vec<u8>, number: f64) {
    if number.is_nan() {
        write_quoted(out, "NaN");
    } else if number.is_infinite() {
        write_quoted(out, if number > 0.0 { "Infinity" } else { "-Infinity" });
    } else {
        write_json(out, &number);
    }
}

fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("text and numbers are always JSON, and a vector takes them");
}

fn write_quoted(out: &mut Vec<u8>, text: &str) {
    write!(out, "\"{text}\"").expect("a vector takes what is written");
}
