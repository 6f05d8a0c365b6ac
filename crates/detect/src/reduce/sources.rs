//! The instances and services of an input partition, interned to dense numbers.

use std::collections::BTreeMap;

use crate::Table;
use foreshock_model::{ServiceName, Tenant, Timestamp, fingerprint64, fingerprint128, proto};
use foreshock_otlp::views::Resource;
use serde::{Deserialize, Serialize};

/// Dense number of an instance in its partition.
pub(super) type SourceId = u32;
/// Dense number of a service in its partition.
pub(super) type ServiceId = u32;

/// The source that all are folded into that are over the limit.
const OTHER: &str = "other";
/// Hosts told apart in the lines of one resource. Lines of those beyond count as the resource's own.
const HOSTS_A_RESOURCE: u16 = 1_000;

/// One instance that sends telemetry: a resource, or a host that the lines of one name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) service: ServiceId,
    pub(super) instance: Box<str>,
    pub(super) version: Box<str>,
    /// Tells it from every other instance, in any partitioning.
    pub(super) identity: u64,
    /// Hosts told apart in its lines.
    hosts: u16,
}

impl Source {
    /// What a window saw of it.
    pub(super) fn seen(&self, records: u64, first: Timestamp, last: Timestamp) -> proto::InstanceWindow {
        proto::InstanceWindow {
            instance: self.instance.to_string(),
            records,
            first: first.nanos(),
            last: last.nanos(),
            version: self.version.to_string(),
            identity: if &*self.instance == OTHER { 0 } else { self.identity },
        }
    }
}

/// One service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Service {
    pub(super) tenant: Tenant,
    pub(super) name: ServiceName,
    /// Partition of the summaries stream that all of it goes to.
    pub(super) output: u16,
}

/// Interning tables. The state that a fold keeps for a source is the fold's own, by [`SourceId`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Sources {
    sources: Vec<Source>,
    services: Vec<Service>,
    /// By hash of tenant and the resource's bytes as they came.
    by_bytes: Table<u64, SourceId>,
    by_service: Table<u128, ServiceId>,
    /// By resource and hash of the host that its line names.
    by_host: Table<(SourceId, u64), SourceId>,
    /// Times resources were met that were over the limit, by the service that stands for them.
    folded: BTreeMap<ServiceId, u64>,
}

impl Sources {
    /// The number of a resource, new if it was not seen before.
    pub(super) fn intern(
        &mut self,
        tenant: &Tenant,
        resource: &Resource<'_>,
        limit: u32,
        outputs: u16,
    ) -> SourceId {
        let bytes = fingerprint64(resource.raw()) ^ fingerprint64(tenant.as_str().as_bytes()).rotate_left(1);
        if let Some(id) = self.by_bytes.get(&bytes) {
            return *id;
        }
        if self.by_bytes.len() >= limit as usize {
            let other = self.other(tenant, outputs);
            *self.folded.entry(self.source(other).service).or_default() += 1;
            return other;
        }
        let identity = resource.identity();
        let mut version = "";
        for (key, value) in resource.attributes() {
            if key == "service.version" {
                version = value.as_str().unwrap_or_default();
            }
        }
        let key = identity.key(tenant);
        let source = Source {
            service: self.service(tenant, identity.service(), outputs),
            instance: identity.instance().into(),
            version: version.into(),
            identity: fingerprint64(&key.0),
            hosts: 0,
        };
        let id = self.push(source);
        self.by_bytes.insert(bytes, id);
        id
    }

    /// The source that a line is of that names `host`, whose hash is `hash`, and came with the resource `of`: one that gathers the lines of many
    /// hosts, as syslog does, is not the one that falls silent. `None` where one more would be too many.
    pub(super) fn host(&mut self, of: SourceId, host: &str, hash: u64, limit: u32) -> Option<SourceId> {
        if let Some(id) = self.by_host.get(&(of, hash)) {
            return Some(*id);
        }
        let resource = self.sources.get_mut(of as usize)?;
        if *resource.instance == *host {
            self.by_host.insert((of, hash), of);
            return Some(of);
        }
        if resource.hosts >= HOSTS_A_RESOURCE || self.by_host.len() + self.by_bytes.len() >= limit as usize {
            return None;
        }
        resource.hosts += 1;
        let source = Source {
            service: resource.service,
            instance: host.into(),
            version: resource.version.clone(),
            identity: resource.identity.rotate_left(23) ^ hash,
            hosts: 0,
        };
        let id = self.push(source);
        self.by_host.insert((of, hash), id);
        Some(id)
    }

    /// The source of a tenant that stands for all that are over the limit.
    fn other(&mut self, tenant: &Tenant, outputs: u16) -> SourceId {
        let key = fingerprint64(tenant.as_str().as_bytes());
        if let Some(id) = self.by_bytes.get(&key) {
            return *id;
        }
        let service = self.service(tenant, OTHER.into(), outputs);
        let (instance, version) = (OTHER.into(), "".into());
        let id = self.push(Source { service, instance, version, identity: key, hosts: 0 });
        self.by_bytes.insert(key, id);
        id
    }

    fn push(&mut self, source: Source) -> SourceId {
        let id = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.sources.push(source);
        id
    }

    fn service(&mut self, tenant: &Tenant, name: ServiceName, outputs: u16) -> ServiceId {
        let key = service_key(tenant, &name);
        *self.by_service.entry(key).or_insert_with(|| {
            let output = output_of(key, outputs);
            self.services.push(Service { tenant: tenant.clone(), name, output });
            u32::try_from(self.services.len() - 1).unwrap_or(u32::MAX)
        })
    }

    pub(super) fn source(&self, id: SourceId) -> &Source {
        &self.sources[id as usize]
    }

    pub(super) fn get_service(&self, id: ServiceId) -> &Service {
        &self.services[id as usize]
    }

    /// What was folded since this was last called.
    pub(super) fn take_folded(&mut self) -> BTreeMap<ServiceId, u64> {
        std::mem::take(&mut self.folded)
    }

    /// How many instances are known.
    pub(super) fn len(&self) -> usize {
        self.sources.len()
    }
}

/// The partition of the summaries stream that all of a service goes to.
pub(super) fn partition_of_service(tenant: &Tenant, name: &ServiceName, outputs: u16) -> u16 {
    output_of(service_key(tenant, name), outputs)
}

fn service_key(tenant: &Tenant, name: &ServiceName) -> u128 {
    fingerprint128(&[b"service", tenant.as_str().as_bytes(), name.as_str().as_bytes()])
}

fn output_of(service_key: u128, outputs: u16) -> u16 {
    u16::try_from(service_key % u128::from(outputs.max(1))).unwrap_or(0)
}
