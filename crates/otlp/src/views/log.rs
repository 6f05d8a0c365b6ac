//! A log record.

use foreshock_model::Timestamp;

use super::{AnyValue, Attributes, Record, Unreadable, text};
use crate::wire::{Fields, Value};

/// One log record, borrowed.
#[derive(Clone, Debug)]
pub struct LogRecord<'a> {
    /// When it happened; `None` where the sender does not know.
    pub time: Option<Timestamp>,
    /// When a collector saw it.
    pub observed: Option<Timestamp>,
    /// 1 to 24; 0 where there is none.
    pub severity_number: i32,
    /// The level as the source calls it; may be empty.
    pub severity_text: &'a str,
    /// The line, or a structure.
    pub body: AnyValue<'a>,
    /// 16 bytes or none.
    pub trace_id: &'a [u8],
    /// 8 bytes or none.
    pub span_id: &'a [u8],
    /// What kind of event it is; mostly empty.
    pub event_name: &'a str,
    /// From the first attribute on.
    attributes: &'a [u8],
}

impl<'a> Record<'a> for LogRecord<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut record = Self {
            time: None,
            observed: None,
            severity_number: 0,
            severity_text: "",
            body: AnyValue::Empty,
            trace_id: &[],
            span_id: &[],
            event_name: "",
            attributes: &[],
        };
        let mut fields = Fields::new(bytes);
        loop {
            let before = fields.rest();
            match fields.next().map_err(|error| Unreadable::Wire("LogRecord", error))? {
                None => return Ok(record),
                Some((1, Value::Fixed64(nanos))) => record.time = time(nanos),
                Some((2, Value::Varint(number))) => record.severity_number = number as i32,
                Some((3, Value::Bytes(level))) => {
                    record.severity_text = text(level, "LogRecord.severityText")?
                }
                Some((5, Value::Bytes(body))) => record.body = AnyValue::read(body)?,
                Some((6, Value::Bytes(_))) if record.attributes.is_empty() => record.attributes = before,
                Some((9, Value::Bytes(id))) => record.trace_id = id,
                Some((10, Value::Bytes(id))) => record.span_id = id,
                Some((11, Value::Fixed64(nanos))) => record.observed = time(nanos),
                Some((12, Value::Bytes(name))) => record.event_name = text(name, "LogRecord.eventName")?,
                Some(_) => {}
            }
        }
    }
}

impl<'a> LogRecord<'a> {
    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes, 6)
    }
}

/// A time on the wire; 0 says that there is none.
pub(super) fn time(nanos: u64) -> Option<Timestamp> {
    (nanos != 0).then_some(Timestamp(nanos))
}
