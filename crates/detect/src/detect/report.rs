//! What a window's close has to say, on its way to the findings stream.

use std::collections::{BTreeMap, BTreeSet};

use foreshock_model::{Change, Finding, Kind, ServiceName, Tenant, Timestamp, proto};
use foreshock_stats::Tail;

use super::draft::LEAST_SURPRISE;
use crate::{Origin, Outputs, partition_of_tenant};

/// Findings in one message.
const FINDINGS_A_MESSAGE: usize = 500;

/// Kinds whose p-values are held to the record of their service before they are put out ([`foreshock_stats::Peaks`]; all metrics
/// together, peers and shapes: to their own history): that there are many says that much happens.
const HELD_TO_A_RECORD: [Kind; 10] = [
    Kind::Spike,
    Kind::Dip,
    Kind::LevelShift,
    Kind::TrendChange,
    Kind::VarianceChange,
    Kind::SeasonBroken,
    Kind::FlatLine,
    Kind::JointDeviation,
    Kind::OddOneOut,
    Kind::DistributionMoved,
];

/// Findings, how many tests they stand out of, and news of services.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
    /// Tests made, by tenant, kind and seconds a window.
    tests: BTreeMap<(Tenant, Kind, u32), u64>,
    /// Tests that tell whether their p-value was small, and how many were.
    candidates: BTreeMap<(Tenant, Kind, u32), (u64, u64)>,
    pub(super) edges: BTreeSet<(Tenant, ServiceName, String)>,
    pub(super) changes: Vec<(Tenant, Change)>,
    /// Services there was no room for, by tenant.
    pub(super) unwatched: BTreeMap<Tenant, u64>,
}

impl Report {
    /// Counts tests, so that the budget can be divided by them: each once, in the window it is made in. `window_seconds` is how
    /// long a window what it finds is about.
    pub(super) fn tested(&mut self, tenant: &Tenant, kind: Kind, window_seconds: u32, count: u64) {
        if count > 0 {
            *self.tests.entry((tenant.clone(), kind, window_seconds)).or_default() += count;
        }
    }

    /// Counts tests that tell their p-value, put out as a finding or not: whether it is small shows whether the kind's are
    /// too careful or too small. Of tests that never tell only the findings are known, which can show that p-values are
    /// too small but not that they are too careful.
    pub(super) fn told(&mut self, tenant: &Tenant, kind: Kind, window_seconds: u32, count: u64, tail: Tail) {
        self.tested(tenant, kind, window_seconds, count);
        let small = if tail.surprise() >= LEAST_SURPRISE { count } else { 0 };
        let all = self.candidates.entry((tenant.clone(), kind, window_seconds)).or_default();
        *all = (all.0 + count, all.1 + small);
    }

    /// The message of the tests of each tenant, kind and length.
    fn tests(&self) -> Vec<proto::Tests> {
        let mut findings: BTreeMap<(&Tenant, Kind), u64> = BTreeMap::new();
        let counts = |finding: &&Finding| {
            finding.surprise >= LEAST_SURPRISE && !HELD_TO_A_RECORD.contains(&finding.kind)
        };
        for finding in self.findings.iter().filter(counts) {
            *findings.entry((&finding.tenant, finding.kind)).or_default() += 1;
        }
        let tests = self.tests.iter().map(|(key, count)| {
            let (tenant, kind, window_seconds) = key;
            let (told, candidates) = self.candidates.get(key).copied().unwrap_or_default();
            // With the first length of the kind: a finding's own window need not be of any of them.
            let found = (told < *count).then(|| findings.remove(&(tenant, *kind))).flatten();
            proto::Tests {
                tenant: tenant.to_string(),
                kind: kind.to_string(),
                count: *count,
                window_seconds: *window_seconds,
                candidates,
                told,
                found: found.unwrap_or_default(),
            }
        });
        tests.collect()
    }

    /// Puts out provisional findings, each to its tenant's partition.
    pub(super) fn emit_now(self, origin: &mut Origin, offset: u64, out: &mut Outputs<proto::Findings>) {
        for finding in self.findings {
            let output = partition_of_tenant(&finding.tenant, origin.outputs());
            let message = proto::Findings {
                source: Some(origin.stamp(output, offset)),
                findings: vec![(&finding).into()],
                ..Default::default()
            };
            out.messages.push((output, message));
        }
    }

    /// Puts out a closed window: to every partition, so that each knows how far this source has come.
    pub(super) fn emit_closed(
        mut self,
        origin: &mut Origin,
        watermark: Timestamp,
        offset: u64,
        out: &mut Outputs<proto::Findings>,
    ) {
        let outputs = origin.outputs();
        self.findings.sort_by_key(|finding| finding.id);
        let mut last: Vec<proto::Findings> = vec![proto::Findings::default(); usize::from(outputs)];
        for finding in &self.findings {
            let output = partition_of_tenant(&finding.tenant, outputs);
            let message = &mut last[usize::from(output)];
            message.findings.push(finding.into());
            if message.findings.len() >= FINDINGS_A_MESSAGE {
                let mut full = std::mem::take(message);
                full.source = Some(origin.stamp(output, offset));
                out.messages.push((output, full));
            }
        }
        let tests = self.tests();
        for ((tenant, _, _), tests) in self.tests.keys().zip(tests) {
            last[usize::from(partition_of_tenant(tenant, outputs))].tests.push(tests);
        }
        for (tenant, caller, callee) in self.edges {
            last[usize::from(partition_of_tenant(&tenant, outputs))].edges.push(proto::Edge {
                caller: caller.to_string(),
                callee,
                tenant: tenant.to_string(),
            });
        }
        for (tenant, change) in self.changes {
            last[usize::from(partition_of_tenant(&tenant, outputs))].changes.push(proto::Change {
                time: change.time.nanos(),
                service: change.service.to_string(),
                what: change.what,
                tenant: tenant.to_string(),
            });
        }
        for (output, mut message) in (0u16..).zip(last) {
            message.source = Some(origin.stamp(output, offset));
            message.watermark = watermark.nanos();
            out.messages.push((output, message));
        }
    }
}
