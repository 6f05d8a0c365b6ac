//! Who calls whom, as client spans tell.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use foreshock_model::{Finding, ServiceName};
use serde::{Deserialize, Serialize};

use crate::{PEER, PEER_ADDRESS};

/// At most this many edges are kept a tenant.
const EDGES: usize = 20_000;

/// The calls of one tenant's services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceMap {
    callees: BTreeMap<ServiceName, BTreeSet<ServiceName>>,
    callers: BTreeMap<ServiceName, BTreeSet<ServiceName>>,
    edges: usize,
}

impl ServiceMap {
    /// Takes note of a call.
    pub fn note(&mut self, caller: &str, callee: &str) {
        let (caller, callee) = (ServiceName::from(caller), ServiceName::from(callee));
        if caller == callee || self.edges >= EDGES {
            return;
        }
        if self.callees.entry(caller.clone()).or_default().insert(callee.clone()) {
            self.callers.entry(callee).or_default().insert(caller);
            self.edges += 1;
        }
    }

    /// Whether it calls or is called.
    pub fn knows(&self, service: &ServiceName) -> bool {
        self.callees.contains_key(service) || self.callers.contains_key(service)
    }

    /// The service that an address is of, as `caller` sees it: one that it calls, whose name the address is or begins
    /// with.
    pub fn at_address(&self, caller: &ServiceName, address: &str) -> Option<&ServiceName> {
        self.callees.get(caller)?.iter().find(|callee| {
            let rest = address.strip_prefix(callee.bare());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', ':']))
        })
    }

    /// The service on the other side of the call that a finding is about.
    pub fn peer(&self, finding: &Finding) -> Option<ServiceName> {
        let named = finding.labels.get(PEER).map(|peer| ServiceName::from(peer.as_str()));
        named.or_else(|| self.at_address(&finding.service, finding.labels.get(PEER_ADDRESS)?).cloned())
    }

    /// Whether `service` calls `callee`, over any number of services in between up to `hops` calls.
    pub fn depends_on(&self, service: &ServiceName, callee: &ServiceName, hops: usize) -> bool {
        self.reach(service, callee, hops, &|s| self.callees.get(s))
    }

    /// The number of calls between two services in either direction, if it is at most `hops`.
    pub fn distance(&self, a: &ServiceName, b: &ServiceName, hops: usize) -> Option<usize> {
        (0..=hops).find(|hops| self.depends_on(a, b, *hops) || self.depends_on(b, a, *hops))
    }

    fn reach<'a>(
        &'a self,
        from: &'a ServiceName,
        to: &ServiceName,
        hops: usize,
        next: &dyn Fn(&ServiceName) -> Option<&'a BTreeSet<ServiceName>>,
    ) -> bool {
        let mut seen = BTreeSet::from([from]);
        let mut queue = VecDeque::from([(from, 0)]);
        while let Some((service, depth)) = queue.pop_front() {
            if service == to {
                return true;
            }
            if depth == hops {
                continue;
            }
            for other in next(service).into_iter().flatten() {
                if seen.insert(other) {
                    queue.push_back((other, depth + 1));
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_calls_in_one_direction_and_stops_at_the_limit() {
        let mut map = ServiceMap::default();
        map.note("frontend", "orders");
        map.note("orders", "db");
        map.note("frontend", "cart");
        let distance = |a: &str, b: &str| map.distance(&a.into(), &b.into(), 2);
        assert_eq!(distance("db", "frontend"), Some(2));
        assert_eq!(distance("orders", "orders"), Some(0));
        assert_eq!(distance("cart", "orders"), None);
        assert!(map.depends_on(&"frontend".into(), &"db".into(), 2));
        assert!(!map.depends_on(&"db".into(), &"frontend".into(), 2));
    }
}
