//! Which instance a record comes from, and the key that keeps its records in order.

use std::fmt;

use xxhash_rust::xxh3::Xxh3Default;

use crate::Tenant;

/// The resource attributes that tell one instance from another, in the order they are hashed.
pub const IDENTITY_ATTRIBUTES: [&str; 6] = [
    "service.namespace",
    "service.name",
    "service.instance.id",
    "host.name",
    "k8s.pod.uid",
    "k8s.namespace.name",
];

/// The identity attributes of one resource, borrowed; those that are absent are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity<'a> {
    /// By the order of [`IDENTITY_ATTRIBUTES`].
    pub values: [Option<&'a str>; IDENTITY_ATTRIBUTES.len()],
}

/// The key of a telemetry message: all records of one instance share it, so they stay in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionKey(pub [u8; 16]);

impl<'a> Identity<'a> {
    /// Notes an attribute of the resource; those that are no part of the identity are passed over.
    pub fn note(&mut self, key: &str, value: &'a str) {
        if let Some(at) = IDENTITY_ATTRIBUTES.iter().position(|name| *name == key) {
            self.values[at] = Some(value);
        }
    }

    /// XXH3-128 (seed 0, big-endian) over the tenant and each present attribute in order.
    ///
    /// The bytes hashed: the tenant's length as u32 little-endian and its bytes; then for each attribute that is
    /// there one byte with its index in [`IDENTITY_ATTRIBUTES`], the value's length as u32 little-endian, the value.
    pub fn key(&self, tenant: &Tenant) -> PartitionKey {
        let mut hash = Xxh3Default::new();
        update_text(&mut hash, tenant.as_str());
        for (index, value) in (0u8..).zip(self.values) {
            if let Some(value) = value {
                hash.update(&[index]);
                update_text(&mut hash, value);
            }
        }
        PartitionKey(hash.digest128().to_be_bytes())
    }

    /// `service.namespace/service.name`, or the name alone, or `unknown_service`.
    pub fn service(&self) -> crate::ServiceName {
        crate::ServiceName::new(self.values[0], self.values[1])
    }

    /// What tells this instance from others of its service: the instance id, else the pod, else the host.
    pub fn instance(&self) -> &'a str {
        self.values[2].or(self.values[4]).or(self.values[3]).unwrap_or("")
    }
}

fn update_text(hash: &mut Xxh3Default, text: &str) {
    hash.update(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    hash.update(text.as_bytes());
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
