//! Walks what is around the records: resources, scopes and, of metrics, the metric and its kind.
//!
//! What is broken here has no record to blame, so the whole request is refused. Records are judged by the rules.

use foreshock_model::Identity;

use super::{
    fault::{Fault, Refusals, What},
    malformed::{Broke, Malformed},
    rules::{Rules, malformed},
};
use crate::{
    Signal,
    schema::{Kind, METRIC, Message, RESOURCE, SCOPE},
    views::resource_identity,
    wire::{Fields, Value},
};

/// One walk over one request.
pub(crate) struct Walk<'r> {
    pub(crate) signal: Signal,
    pub(crate) rules: &'r Rules,
    pub(crate) refusals: Refusals,
}

/// What came of a resource, a scope or a metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Records taken.
    pub(crate) accepted: u64,
    /// Something of it is refused, so its bytes can't be kept as they are.
    pub(crate) altered: bool,
    /// All of it is refused.
    pub(crate) dropped: bool,
}

impl Tally {
    const ONE: Self = Self { accepted: 1, altered: false, dropped: false };
    const DROPPED: Self = Self { accepted: 0, altered: true, dropped: true };

    fn add(&mut self, part: Self) {
        self.accepted += part.accepted;
        self.altered |= part.altered;
    }
}

impl Walk<'_> {
    /// One resource with everything in it; its identity is what its attributes say.
    pub(crate) fn resource<'b>(&mut self, bytes: &'b [u8]) -> Result<(Identity<'b>, Tally), Malformed> {
        let mut fields = Fields::new(bytes);
        let mut tally = Tally::default();
        let mut resource = None;
        let mut fault = None;
        let mut scopes = 0;
        loop {
            let next = fields.next();
            let at = bytes.len() - fields.rest().len();
            match next.map_err(|error| Malformed::new(self.signal, Broke::Wire(error), at))? {
                None => break,
                Some((1, Value::Bytes(message))) => {
                    if resource.replace(message).is_some() {
                        fault = Some(Fault { what: What::Twice, message: "Resource", field: "" });
                    }
                    fault = fault.or(self.rules.judge(&RESOURCE, message).err());
                }
                Some((2, Value::Bytes(scope))) => {
                    let part = self
                        .scope(scope)
                        .map_err(|inner| inner.within(self.signal.lists()[1], scopes, at - scope.len()))?;
                    tally.add(part);
                    scopes += 1;
                }
                Some((3, Value::Bytes(url))) => fault = fault.or(url_fault(url)),
                Some((1..=3, _)) => return Err(Malformed::new(self.signal, Broke::WireType, at)),
                Some(_) => {}
            }
        }
        if let Some(fault) = fault {
            self.refusals.note(fault, tally.accepted);
            return Ok((Identity::default(), Tally::DROPPED));
        }
        Ok((resource.map(resource_identity).unwrap_or_default(), tally))
    }

    /// One scope with its records.
    pub(crate) fn scope(&mut self, bytes: &[u8]) -> Result<Tally, Malformed> {
        let item = self.signal.item();
        let mut fields = Fields::new(bytes);
        let mut tally = Tally::default();
        let mut scope_seen = false;
        let mut fault = None;
        loop {
            let next = fields.next();
            match next {
                Ok(None) => break,
                Ok(Some((2, Value::Bytes(record)))) => tally.add(self.item(item, record)),
                Ok(Some((1, Value::Bytes(scope)))) => {
                    if scope_seen {
                        fault = Some(Fault { what: What::Twice, message: SCOPE.name, field: "" });
                    }
                    scope_seen = true;
                    fault = fault.or(self.rules.judge(&SCOPE, scope).err());
                }
                Ok(Some((3, Value::Bytes(url)))) => fault = fault.or(url_fault(url)),
                Ok(Some((1..=3, _))) => {
                    let at = bytes.len() - fields.rest().len();
                    return Err(Malformed::new(self.signal, Broke::WireType, at));
                }
                Ok(Some(_)) => {}
                Err(error) => {
                    let at = bytes.len() - fields.rest().len();
                    return Err(Malformed::new(self.signal, Broke::Wire(error), at));
                }
            }
        }
        if let Some(fault) = fault {
            self.refusals.note(fault, tally.accepted);
            return Ok(Tally::DROPPED);
        }
        Ok(tally)
    }

    /// What a scope holds: a record, or a metric with its points.
    #[inline]
    pub(crate) fn item(&mut self, item: &'static Message, bytes: &[u8]) -> Tally {
        if matches!(self.signal, Signal::Metrics) { self.metric(bytes) } else { self.record(item, bytes) }
    }

    #[inline]
    pub(crate) fn record(&mut self, schema: &'static Message, bytes: &[u8]) -> Tally {
        match self.rules.judge(schema, bytes) {
            Ok(()) => Tally::ONE,
            Err(fault) => {
                self.refusals.note(fault, 1);
                Tally::DROPPED
            }
        }
    }

    /// A metric. One that is broken itself is refused with all its points, and counts as one at least.
    fn metric(&mut self, bytes: &[u8]) -> Tally {
        let mut fields = Fields::new(bytes);
        let mut tally = Tally::default();
        let mut data_seen = false;
        let mut fault = None;
        loop {
            let (number, value) = match fields.next() {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(error) => {
                    self.refusals.note(malformed(&METRIC, error), tally.accepted.max(1));
                    return Tally::DROPPED;
                }
            };
            let Some(field) = METRIC.field(number) else { continue };
            match (field.kind, value) {
                (Kind::Message(data), Value::Bytes(bytes)) => {
                    if data_seen {
                        fault = Some(Fault { what: What::Twice, message: METRIC.name, field: "data" });
                    }
                    data_seen = true;
                    match self.points(data, bytes) {
                        Ok(part) => tally.add(part),
                        Err((found, part)) => {
                            tally.add(part);
                            fault = fault.or(Some(found));
                        }
                    }
                }
                _ => fault = fault.or(self.rules.judge_field(&METRIC, field, value).err()),
            }
        }
        if let Some(fault) = fault {
            self.refusals.note(fault, tally.accepted);
            return Tally::DROPPED;
        }
        tally
    }

    /// The points of a gauge, a sum and so on. An error comes with what was counted before it.
    fn points(&mut self, data: &'static Message, bytes: &[u8]) -> Result<Tally, (Fault, Tally)> {
        let mut fields = Fields::new(bytes);
        let mut tally = Tally::default();
        let mut fault = None;
        loop {
            let (number, value) = match fields.next() {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(error) => {
                    tally.accepted = tally.accepted.max(1);
                    return Err((malformed(data, error), tally));
                }
            };
            let Some(field) = data.field(number) else { continue };
            match (field.kind, value) {
                (Kind::Message(point), Value::Bytes(bytes)) => tally.add(self.record(point, bytes)),
                _ => fault = fault.or(self.rules.judge_field(data, field, value).err()),
            }
        }
        fault.map_or(Ok(tally), |fault| Err((fault, tally)))
    }
}

fn url_fault(url: &[u8]) -> Option<Fault> {
    let fault = Fault { what: What::Utf8, message: "", field: "schemaUrl" };
    std::str::from_utf8(url).is_err().then_some(fault)
}
