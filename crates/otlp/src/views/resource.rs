//! The envelope: resources hold scopes, scopes hold records.

use std::marker::PhantomData;

use foreshock_model::Identity;

use super::{Attributes, Unreadable, text};
use crate::wire::{Fields, Value};

/// What a scope holds: a log record, a metric or a span.
pub trait Record<'a>: Sized {
    /// Reads it from its own bytes.
    fn read(bytes: &'a [u8]) -> Result<Self, Unreadable>;
}

/// The resources of a payload.
#[derive(Clone, Debug)]
pub struct Resources<'a, R> {
    groups: Messages<'a>,
    record: PhantomData<fn() -> R>,
}

impl<'a, R: Record<'a>> Resources<'a, R> {
    /// Of a LogsData, MetricsData or TracesData, as `R` is.
    pub fn new(payload: &'a [u8]) -> Self {
        Self { groups: Messages::new(payload, 1, "the payload"), record: PhantomData }
    }
}

impl<'a, R: Record<'a>> Iterator for Resources<'a, R> {
    type Item = Result<ResourceRecords<'a, R>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.groups.next()?.and_then(ResourceRecords::read))
    }
}

/// One resource and what it sent.
#[derive(Clone, Debug)]
pub struct ResourceRecords<'a, R> {
    /// Who sent it.
    pub resource: Resource<'a>,
    /// The schema of the resource's attributes; mostly empty.
    pub schema_url: &'a str,
    raw: &'a [u8],
    record: PhantomData<fn() -> R>,
}

impl<'a, R: Record<'a>> ResourceRecords<'a, R> {
    fn read(raw: &'a [u8]) -> Result<Self, Unreadable> {
        const WHAT: &str = "ResourceLogs, -Metrics or -Spans";
        let mut group = Self { resource: Resource { raw: &[] }, schema_url: "", raw, record: PhantomData };
        let mut fields = Fields::new(raw);
        while let Some(field) = fields.next().map_err(|error| Unreadable::Wire(WHAT, error))? {
            match field {
                (1, Value::Bytes(resource)) => group.resource = Resource { raw: resource },
                (3, Value::Bytes(url)) => group.schema_url = text(url, "schemaUrl")?,
                _ => {}
            }
        }
        Ok(group)
    }

    /// Its scopes.
    pub fn scopes(&self) -> Scopes<'a, R> {
        Scopes { groups: Messages::new(self.raw, 2, "a resource"), record: PhantomData }
    }
}

/// Who sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource<'a> {
    raw: &'a [u8],
}

impl<'a> Resource<'a> {
    /// A view of a Resource message.
    pub fn new(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// The message's bytes: equal bytes are an equal resource, so they serve to intern it.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 1)
    }

    /// What of it tells one instance from another. Values that are not text have no part in it; of a key that is
    /// there twice the last one counts.
    pub fn identity(&self) -> Identity<'a> {
        resource_identity(self.raw)
    }
}

/// The identity in a Resource message.
pub(crate) fn resource_identity(raw: &[u8]) -> Identity<'_> {
    let mut identity = Identity::default();
    for (key, value) in Attributes::new(raw, 1) {
        if let Some(value) = value.as_str() {
            identity.note(key, value);
        }
    }
    identity
}

/// The scopes of a resource.
#[derive(Clone, Debug)]
pub struct Scopes<'a, R> {
    groups: Messages<'a>,
    record: PhantomData<fn() -> R>,
}

impl<'a, R: Record<'a>> Iterator for Scopes<'a, R> {
    type Item = Result<ScopeRecords<'a, R>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.groups.next()?.and_then(ScopeRecords::read))
    }
}

/// One scope (an instrumentation library, a logger) and its records.
#[derive(Clone, Debug)]
pub struct ScopeRecords<'a, R> {
    /// Which.
    pub scope: Scope<'a>,
    /// The schema of the records' attributes; mostly empty.
    pub schema_url: &'a str,
    raw: &'a [u8],
    record: PhantomData<fn() -> R>,
}

impl<'a, R: Record<'a>> ScopeRecords<'a, R> {
    fn read(raw: &'a [u8]) -> Result<Self, Unreadable> {
        let mut group = Self { scope: Scope::default(), schema_url: "", raw, record: PhantomData };
        let mut fields = Fields::new(raw);
        loop {
            match fields.next().map_err(|error| Unreadable::Wire("ScopeLogs, -Metrics or -Spans", error))? {
                None => return Ok(group),
                Some((2, _)) => {}
                Some((1, Value::Bytes(scope))) => group.scope = Scope::read(scope)?,
                Some((3, Value::Bytes(url))) => group.schema_url = text(url, "schemaUrl")?,
                Some(_) => {}
            }
        }
    }

    /// Its records.
    pub fn records(&self) -> Records<'a, R> {
        Records { messages: Messages::new(self.raw, 2, "a scope"), record: PhantomData }
    }
}

/// An instrumentation scope.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// Its name; may be empty.
    pub name: &'a str,
    /// Its version; may be empty.
    pub version: &'a str,
    raw: &'a [u8],
}

impl<'a> Scope<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Unreadable> {
        let mut scope = Self { name: "", version: "", raw };
        let mut fields = Fields::new(raw);
        while let Some(field) =
            fields.next().map_err(|error| Unreadable::Wire("InstrumentationScope", error))?
        {
            match field {
                (1, Value::Bytes(name)) => scope.name = text(name, "InstrumentationScope.name")?,
                (2, Value::Bytes(version)) => scope.version = text(version, "InstrumentationScope.version")?,
                _ => {}
            }
        }
        Ok(scope)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 3)
    }
}

/// The records of a scope.
#[derive(Clone, Debug)]
pub struct Records<'a, R> {
    messages: Messages<'a>,
    record: PhantomData<fn() -> R>,
}

impl<'a, R: Record<'a>> Iterator for Records<'a, R> {
    type Item = Result<R, Unreadable>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.messages.next()?.and_then(R::read))
    }
}

/// The length-delimited fields of one number. Ends after an error.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a> {
    fields: Fields<'a>,
    number: u32,
    what: &'static str,
}

impl<'a> Messages<'a> {
    pub(crate) fn new(raw: &'a [u8], number: u32, what: &'static str) -> Self {
        Self { fields: Fields::new(raw), number, what }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], Unreadable>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.fields.next() {
                Ok(None) => return None,
                Ok(Some((number, Value::Bytes(bytes)))) if number == self.number => return Some(Ok(bytes)),
                Ok(Some(_)) => {}
                Err(error) => {
                    self.fields = Fields::new(&[]);
                    return Some(Err(Unreadable::Wire(self.what, error)));
                }
            }
        }
    }
}
