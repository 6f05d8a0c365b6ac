//! What is wrong with a record, and the sentence that tells its sender.

use std::fmt;

use crate::{Signal, wire::WireError};

/// Distinct reasons that are told; further ones are only counted.
const REASONS_TOLD: usize = 4;

/// What is wrong with one record (or with the resource, scope or metric it belongs to).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) what: What,
    /// Message and field, as the specification names them; the field may be empty.
    pub(crate) message: &'static str,
    pub(crate) field: &'static str,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Wire(WireError),
    WireType,
    Utf8,
    Depth(u32),
    RecordBytes(usize),
    AttributeBytes(usize),
    Attributes(usize),
    TooEarly,
    TooFarAhead,
    IdLength(usize),
    Twice,
    /// With everything around it, it is above the limit of a part.
    PartBytes {
        largest: usize,
        limit: usize,
    },
    /// What is around it was repeated often enough; the limit is that of a part.
    AroundBytes(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)?;
        if !self.field.is_empty() {
            write!(f, ".{}", self.field)?;
        }
        match self.what {
            What::Wire(error) => write!(f, " is not protobuf ({error})"),
            What::WireType => f.write_str(" has the wrong wire type"),
            What::Utf8 => f.write_str(" is not valid UTF-8"),
            What::Depth(limit) => write!(f, " is nested deeper than {limit} levels"),
            What::RecordBytes(limit) => write!(f, " is larger than {limit} bytes"),
            What::AttributeBytes(limit) => write!(f, " is larger than {limit} bytes"),
            What::Attributes(limit) => write!(f, " are more than {limit}"),
            What::TooEarly => f.write_str(" lies before the earliest time that is taken"),
            What::TooFarAhead => f.write_str(" lies too far in the future"),
            What::IdLength(length) => write!(f, " has not {length} bytes"),
            What::Twice => f.write_str(" is there twice"),
            What::PartBytes { largest, limit } => write!(
                f,
                " with its resource and scope around it, {largest} bytes the largest, is above the journal's limit of {limit} bytes for one record; send smaller records or raise max.message.bytes of the topic"
            ),
            What::AroundBytes(limit) => write!(
                f,
                " has too large a resource and scope around it to be repeated below the journal's limit of {limit} bytes; send fewer or smaller attributes of the resource"
            ),
        }
    }
}

impl Fault {
    /// Whether the other is told with this one; of sizes the largest is.
    fn joins(&mut self, other: &Self) -> bool {
        match (&mut self.what, other.what) {
            (What::PartBytes { largest, .. }, What::PartBytes { largest: bytes, .. })
                if self.message == other.message =>
            {
                *largest = bytes.max(*largest);
                true
            }
            _ => self == other,
        }
    }
}

/// Refusals of one request, by reason.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    told: Vec<(Fault, u64)>,
    other_reasons: u64,
    records: u64,
}

impl Refusals {
    /// Notes that `records` records are refused for `fault`. It may be none: a resource without records.
    #[cold]
    pub(crate) fn note(&mut self, fault: Fault, records: u64) {
        self.records += records;
        for (known, count) in &mut self.told {
            if known.joins(&fault) {
                *count += records;
                return;
            }
        }
        if self.told.len() < REASONS_TOLD {
            self.told.push((fault, records));
        } else {
            self.other_reasons += records;
        }
    }

    /// How many records are refused.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// One English sentence; empty where nothing was refused.
    pub(crate) fn sentence(&self, signal: Signal, accepted: u64) -> String {
        if self.told.is_empty() {
            return String::new();
        }
        let (refused, all) = (self.records, self.records + accepted);
        let mut text = format!("{refused} of {all} {} refused, the others are kept: ", signal.records());
        for (index, (fault, count)) in self.told.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            text += &format!("{separator}{fault} ({count})");
        }
        if self.other_reasons > 0 {
            text += &format!("; other reasons ({})", self.other_reasons);
        }
        text
    }
}
