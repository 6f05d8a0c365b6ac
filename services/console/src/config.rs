//! The section `[console]`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::what_if::MOST_HOURS;

/// Where the console listens and how much it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Default `127.0.0.1:7700`.
    pub listen: SocketAddr,
    /// Names under which browsers may reach it, besides localhost and addresses. Default: none.
    pub hosts: Vec<String>,
    /// Connections at a time. Default 256.
    pub connections: usize,
    /// Of them, clients of the event stream. Default 64.
    pub stream_clients: usize,
    /// Incidents held for each tenant. Default 500.
    pub incidents: usize,
    /// Findings held for each tenant. Default 2000.
    pub findings: usize,
    /// Tenants held; of further ones nothing is shown. Default 256.
    pub tenants: usize,
    /// Longest stretch that a what-if may be asked about, in hours. Default 24.
    pub what_if_hours: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7700)),
            hosts: Vec::new(),
            connections: 256,
            stream_clients: 64,
            incidents: 500,
            findings: 2000,
            tenants: 256,
            what_if_hours: 24,
        }
    }
}

impl Config {
    pub(crate) fn longest_what_if(&self) -> Duration {
        Duration::from_secs(u64::from(self.what_if_hours) * 3600)
    }

    /// Everything that is wrong, one sentence each. Empty: it can be run.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let limits = [
            ("connections", self.connections, 10_000),
            ("stream_clients", self.stream_clients, 1_000),
            ("incidents", self.incidents, 10_000),
            ("findings", self.findings, 100_000),
            ("tenants", self.tenants, 10_000),
        ];
        for (key, value, most) in limits {
            if value == 0 || value > most {
                problems.push(format!("console.{key} must be 1 to {most}"));
            }
        }
        if !(1..=MOST_HOURS).contains(&self.what_if_hours) {
            problems.push(format!("console.what_if_hours must be 1 to {MOST_HOURS}"));
        }
        for host in &self.hosts {
            let plain =
                !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
            if !plain {
                problems.push(format!("console.hosts: {host:?} must be a host name without scheme and port"));
            }
        }
        problems
    }
}
