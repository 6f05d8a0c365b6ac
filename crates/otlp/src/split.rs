//! A payload taken apart into payloads of one record each, for showing them one by one.

use std::iter;

use crate::{
    Signal,
    schema::{Kind, METRIC},
    views::{Messages, Unreadable},
    wire::{Fields, Value, copy_fields, put_bytes},
};

type Each<'a> = Box<dyn Iterator<Item = Result<Vec<u8>, Unreadable>> + 'a>;

/// One payload a log record, data point or span, each with its resource and scope (and metric).
///
/// What can't be read is an error item; the iterator goes on with what follows, where that can be told.
pub fn split_records(
    signal: Signal,
    payload: &[u8],
) -> impl Iterator<Item = Result<Vec<u8>, Unreadable>> + use<'_> {
    within(Ok(payload), 1, "the payload", move |resource| {
        within(resource, 2, "a resource", move |scope| {
            within(scope, 2, "a scope", move |item| match signal {
                Signal::Metrics => points(item),
                Signal::Logs | Signal::Traces => whole(item),
            })
        })
    })
}

/// A metric once a point.
fn points(metric: Result<&[u8], Unreadable>) -> Each<'_> {
    match metric.map(data_of) {
        Ok(Some(data)) => {
            within(metric, data, "a metric", |points| within(points, 1, "a metric's data", whole))
        }
        Ok(None) => Box::new(iter::empty()),
        Err(error) => Box::new(iter::once(Err(error))),
    }
}

/// The number of the field that holds a metric's points.
pub(crate) fn data_of(metric: &[u8]) -> Option<u32> {
    let mut fields = Fields::new(metric);
    let mut data = None;
    while let Ok(Some((number, value))) = fields.next() {
        let is_data = METRIC.field(number).is_some_and(|field| matches!(field.kind, Kind::Message(_)));
        if is_data && matches!(value, Value::Bytes(_)) {
            data = Some(number);
        }
    }
    data
}

fn whole(record: Result<&[u8], Unreadable>) -> Each<'_> {
    Box::new(iter::once(record.map(<[u8]>::to_vec)))
}

/// What `inner` makes of each child (field `number`) of a message, put back into the message without the others.
fn within<'a>(
    parent: Result<&'a [u8], Unreadable>,
    number: u32,
    what: &'static str,
    inner: impl Fn(Result<&'a [u8], Unreadable>) -> Each<'a> + 'a,
) -> Each<'a> {
    let parent = match parent {
        Ok(parent) => parent,
        Err(error) => return Box::new(iter::once(Err(error))),
    };
    let mut around = Vec::new();
    copy_fields(parent, &mut around, |field, _, _| field == number);
    Box::new(Messages::new(parent, number, what).flat_map(inner).map(move |child| {
        let child = child?;
        let mut message = around.clone();
        put_bytes(&mut message, number, &child);
        Ok(message)
    }))
}
