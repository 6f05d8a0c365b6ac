//! The slow way: a resource written again without its refused records, all lengths around them set right.
//!
//! Decides by the same walk that found something to refuse; what is not refused is copied byte for byte.

use super::{envelope::Walk, fault::Refusals, rules::Rules};
use crate::{
    Signal,
    schema::{Kind, METRIC},
    wire::{copy_fields, put_bytes},
};

/// The resource without what the rules refuse. The walk has found its envelope sound and some record to keep.
pub(crate) fn resource(signal: Signal, rules: &Rules, bytes: &[u8]) -> Vec<u8> {
    let mut walk = Walk { signal, rules, refusals: Refusals::default() };
    let mut out = Vec::with_capacity(bytes.len());
    copy_fields(bytes, &mut out, |number, scope, out| {
        if number != 2 {
            return false;
        }
        match walk.scope(scope) {
            Ok(tally) if !tally.altered => return false,
            Ok(tally) if tally.accepted > 0 => put_bytes(out, 2, &rewrite_scope(&mut walk, scope)),
            _ => {}
        }
        true
    });
    out
}

fn rewrite_scope(walk: &mut Walk<'_>, bytes: &[u8]) -> Vec<u8> {
    let item = walk.signal.item();
    let mut out = Vec::with_capacity(bytes.len());
    copy_fields(bytes, &mut out, |number, record, out| {
        if number != 2 {
            return false;
        }
        let tally = walk.item(item, record);
        if tally.accepted > 0 && tally.altered {
            put_bytes(out, 2, &rewrite_metric(walk, record));
        }
        tally.altered
    });
    out
}

fn rewrite_metric(walk: &mut Walk<'_>, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    copy_fields(bytes, &mut out, |number, data, out| {
        let Some(Kind::Message(schema)) = METRIC.field(number).map(|field| field.kind) else { return false };
        let mut points = Vec::with_capacity(data.len());
        copy_fields(data, &mut points, |number, point, _| {
            match schema.field(number).map(|field| field.kind) {
                Some(Kind::Message(record)) => walk.record(record, point).dropped,
                _ => false,
            }
        });
        put_bytes(out, number, &points);
        true
    });
    out
}
