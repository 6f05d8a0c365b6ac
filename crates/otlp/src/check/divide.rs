//! The slow way of a resource above the limit of a part: divided into several resources, each below it.
//!
//! What lies around the records (resource, scope, metric) is repeated in each, so all have one identity; it comes
//! first, which protobuf leaves open. The records stay slices of the request. What fits whole is taken whole: a
//! scope, a metric, a record. What holds no record and does not fit is left out. Knows no partitions.

use std::{mem, ops::Range};

use bytes::Bytes;

use super::fault::{Fault, Refusals, What};
use crate::{
    Signal,
    schema::{Kind, Label, Message},
    wire::{Fields, Value, copy_fields, put_varint, varint_len},
};

/// What lies around records may take as many bytes again as the request has, and so many besides. Else a resource
/// just below the limit, repeated around each of a million records, would make a terabyte of 64 MiB.
const AROUND_BYTES: usize = 8 << 20;

/// Divides the resources of one request.
pub(crate) struct Divider {
    signal: Signal,
    limit: usize,
    around_left: usize,
}

/// A resource with a part of its records, its tag and length in front; its bytes are within the limit.
#[derive(Debug, Default)]
pub(crate) struct Fragment {
    pub(crate) records: u64,
    pub(crate) bytes: usize,
    pub(crate) pieces: Vec<Bytes>,
}

impl Divider {
    pub(crate) fn new(signal: Signal, limit: usize, request_bytes: usize) -> Self {
        Self { signal, limit, around_left: request_bytes.saturating_add(AROUND_BYTES) }
    }

    /// The resource, one that the walk found sound, in as few fragments as its order allows. Records that do not
    /// fit are noted as refused.
    pub(crate) fn divide(&mut self, resource: &Bytes, refusals: &mut Refusals) -> Vec<Fragment> {
        let (number, levels) = (1, levels_above_records(self.signal));
        let Some(schema) = list(self.signal.schema(), number) else { return Vec::new() };
        if framed(resource.len()) <= self.limit {
            let mut whole = Fragment { records: records(schema, levels, resource), ..Fragment::default() };
            whole.put(header(number, resource.len()));
            whole.put(resource.clone());
            return vec![whole];
        }
        let mut division = Division {
            source: resource,
            limit: self.limit,
            around_left: &mut self.around_left,
            refusals,
            levels: Vec::new(),
            steps: Vec::new(),
            records: 0,
            fragments: Vec::new(),
        };
        division.within(schema, levels, number, 0..resource.len());
        division.fragments
    }
}

impl Fragment {
    fn put(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.bytes += piece.len();
            self.pieces.push(piece);
        }
    }
}

/// One resource while it is divided.
struct Division<'d> {
    source: &'d Bytes,
    limit: usize,
    around_left: &'d mut usize,
    refusals: &'d mut Refusals,
    /// The messages around the place that is being looked at, the resource first.
    levels: Vec<Level>,
    /// The fragment that grows, in the order it will be written, and its records.
    steps: Vec<Step>,
    records: u64,
    fragments: Vec<Fragment>,
}

struct Level {
    /// Its field's number in the message it lies in.
    number: u32,
    /// All its fields but those that hold records further down.
    around: Bytes,
    /// Its bytes in the fragment that grows, without the message that is still open in it.
    length: usize,
    /// The step that began it in this fragment.
    begun: Option<usize>,
}

enum Step {
    Begin {
        number: u32,
        /// Known once the message is complete.
        length: usize,
        around: Bytes,
    },
    Slice(Range<usize>),
}

impl Division<'_> {
    /// Takes what a message holds, which lies at `at` of the source and is not taken whole. `levels` are between
    /// it and its records, itself included.
    fn within(&mut self, schema: &'static Message, levels: u32, number: u32, at: Range<usize>) {
        let source = self.source;
        let bytes = &source[at.clone()];
        let around = around(schema, bytes);
        self.levels.push(Level { number, length: around.len(), around, begun: None });
        let mut fields = Fields::new(bytes);
        loop {
            let start = at.end - fields.rest().len();
            let Ok(Some((number, value))) = fields.next() else { break };
            let end = at.end - fields.rest().len();
            let (Some(inner), Value::Bytes(child)) = (list(schema, number), value) else { continue };
            if self.take(start..end) {
                self.records += records(inner, levels - 1, child);
            } else if levels > 1 {
                self.within(inner, levels - 1, number, end - child.len()..end);
            } else {
                self.refuse(inner, end - start);
            }
        }
        self.leave();
    }

    /// Takes a whole field of the innermost message, into this fragment or a fresh one, if either has the room.
    fn take(&mut self, field: Range<usize>) -> bool {
        let so_far = self.size_with(field.len(), |level| level.length);
        if so_far > self.limit {
            if self.size_alone(field.len()) > self.limit {
                return false;
            }
            self.finish();
        }
        let to_begin = self.levels.iter().filter(|level| level.begun.is_none());
        let Some(left) = self.around_left.checked_sub(to_begin.map(|level| level.around.len()).sum()) else {
            return false;
        };
        *self.around_left = left;
        for level in &mut self.levels {
            if level.begun.is_none() {
                level.begun = Some(self.steps.len());
                let (number, around) = (level.number, level.around.clone());
                self.steps.push(Step::Begin { number, length: 0, around });
            }
        }
        if let Some(innermost) = self.levels.last_mut() {
            innermost.length += field.len();
        }
        match self.steps.last_mut() {
            Some(Step::Slice(before)) if before.end == field.start => before.end = field.end,
            _ => self.steps.push(Step::Slice(field)),
        }
        true
    }

    #[cold]
    fn refuse(&mut self, record: &'static Message, bytes: usize) {
        let bytes = self.size_alone(bytes);
        let what = if bytes > self.limit {
            What::PartBytes { largest: bytes, limit: self.limit }
        } else {
            What::AroundBytes(self.limit)
        };
        self.refusals.note(Fault { what, message: record.name, field: "" }, 1);
    }

    /// The bytes of a fragment that holds nothing but so many bytes of the innermost message.
    fn size_alone(&self, bytes: usize) -> usize {
        self.size_with(bytes, |level| level.around.len())
    }

    fn size_with(&self, bytes: usize, length: impl Fn(&Level) -> usize) -> usize {
        self.levels.iter().rev().fold(bytes, |inner, level| framed(length(level) + inner))
    }

    /// Ends the innermost message.
    fn leave(&mut self) {
        if self.levels.len() == 1 {
            self.finish();
        }
        let Some(Level { begun: Some(step), length, .. }) = self.levels.pop() else { return };
        self.set_length(step, length);
        if let Some(outer) = self.levels.last_mut() {
            outer.length += framed(length);
        }
    }

    /// Ends the fragment; what is open will begin again in the next.
    fn finish(&mut self) {
        let mut inner = 0;
        for at in (0..self.levels.len()).rev() {
            let level = &mut self.levels[at];
            let length = mem::replace(&mut level.length, level.around.len()) + inner;
            if let Some(step) = level.begun.take() {
                self.set_length(step, length);
                inner = framed(length);
            }
        }
        let mut fragment = Fragment { records: mem::take(&mut self.records), ..Fragment::default() };
        for step in self.steps.drain(..) {
            match step {
                Step::Begin { number, length, around } => {
                    fragment.put(header(number, length));
                    fragment.put(around);
                }
                Step::Slice(range) => fragment.put(self.source.slice(range)),
            }
        }
        if !fragment.pieces.is_empty() {
            self.fragments.push(fragment);
        }
    }

    fn set_length(&mut self, step: usize, known: usize) {
        if let Some(Step::Begin { length, .. }) = self.steps.get_mut(step) {
            *length = known;
        }
    }
}

/// Messages one within another from the resource's down to the one that holds the records.
fn levels_above_records(signal: Signal) -> u32 {
    match signal {
        // Resource and scope.
        Signal::Logs | Signal::Traces => 2,
        // The metric and its kind besides.
        Signal::Metrics => 4,
    }
}

/// What the field holds, where it leads on to records: the lists, and the kinds of a metric.
fn list(schema: &Message, number: u32) -> Option<&'static Message> {
    match schema.field(number).map(|field| (field.label, field.kind)) {
        Some((Label::Many | Label::OneOf, Kind::Message(inner))) => Some(inner),
        _ => None,
    }
}

/// Counts the records in a message with so many levels above them.
fn records(schema: &'static Message, levels: u32, bytes: &[u8]) -> u64 {
    if levels == 0 {
        return 1;
    }
    let mut fields = Fields::new(bytes);
    let mut count = 0;
    while let Ok(Some((number, value))) = fields.next() {
        if let (Some(inner), Value::Bytes(child)) = (list(schema, number), value) {
            count += records(inner, levels - 1, child);
        }
    }
    count
}

fn around(schema: &Message, bytes: &[u8]) -> Bytes {
    let mut out = Vec::new();
    copy_fields(bytes, &mut out, |number, _, _| list(schema, number).is_some());
    out.into()
}

/// A message of `length` bytes with its tag and its length; the fields that lead to records have tags of one byte.
fn framed(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}

fn header(number: u32, length: usize) -> Bytes {
    let mut out = Vec::with_capacity(11);
    put_varint(&mut out, u64::from(number) << 3 | 2);
    put_varint(&mut out, length as u64);
    out.into()
}
