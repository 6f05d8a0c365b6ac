//! An incident that many findings stand on, though none of them may page alone.

use std::collections::{BTreeMap, BTreeSet};

use foreshock_model::{Finding, Kind, ServiceName, Severity};
use serde::{Deserialize, Serialize};

/// So many services, or so many kinds and series of one service, are more than one of them odd by itself.
const SIDES: usize = 3;

/// How far an incident reaches, and how surprising that is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Services, or kinds of findings of one service.
    pub sides: usize,
    /// -log10 of their combined p-value.
    pub surprise: f64,
}

impl Spread {
    /// Of the findings that are at least warnings, if there are enough sides to them. `surprise` is what a finding's
    /// p-value is worth.
    pub(super) fn of(findings: &[Finding], surprise: impl Fn(&Finding) -> f64) -> Option<Self> {
        let telling =
            |finding: &&Finding| finding.severity > Severity::Info && finding.kind != Kind::Degraded;
        let mut services: BTreeMap<&ServiceName, Vec<&Finding>> = BTreeMap::new();
        for finding in findings.iter().filter(telling) {
            services.entry(&finding.service).or_default().push(finding);
        }
        let best = |all: &Vec<&Finding>| all.iter().map(|finding| surprise(finding)).max_by(f64::total_cmp);
        if services.len() >= SIDES {
            return Some(Self::combine(&services.values().filter_map(best).collect::<Vec<_>>()));
        }
        let sides = services.values().map(|all| unlike(all, &surprise)).filter(|sides| sides.len() >= SIDES);
        sides.map(|sides| Self::combine(&sides)).max_by(|a, b| a.surprise.total_cmp(&b.surprise))
    }

    /// The harmonic mean of the p-values (Wilson, PNAS 2019), times e ln n, which holds however they hang together
    /// (Vovk and Wang, Biometrika 2020). It is never below the smallest of them.
    fn combine(surprises: &[f64]) -> Self {
        let sides = surprises.len();
        let n = sides as f64;
        let mean = surprises.iter().map(|surprise| libm::exp10(*surprise)).sum::<f64>() / n;
        let surprise = libm::log10(mean) - libm::log10(std::f64::consts::E * libm::log(n));
        Self { sides, surprise }
    }
}

/// The surprises of findings that have neither kind nor series in common.
fn unlike(findings: &[&Finding], surprise: &impl Fn(&Finding) -> f64) -> Vec<f64> {
    let mut ordered: Vec<(f64, &Finding)> =
        findings.iter().map(|finding| (surprise(finding), *finding)).collect();
    ordered.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
    let (mut kinds, mut series) = (BTreeSet::new(), BTreeSet::new());
    let mut unlike = Vec::new();
    for (surprise, finding) in ordered {
        if !kinds.contains(&finding.kind) && series.insert(&finding.series) {
            kinds.insert(finding.kind);
            unlike.push(surprise);
        }
    }
    unlike
}
