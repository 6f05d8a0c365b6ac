//! A tenant gets what its quota says, over all partitions together; what is over is counted as other and told.

mod support;

use std::collections::BTreeMap;

use foreshock_detect::{
    Clock, DetectConfig, Quota,
    pipeline::{Partitions, Pipeline},
};
use foreshock_model::{Kind, Tenant};
use support::{LOGS, METRICS, at, degraded, feed, gauges, logs};

const PATTERNS: [&str; 6] = [
    "INFO ready to serve",
    "WARN disk of the shop is slow",
    "INFO cache was cleared by hand now",
    "ERROR ledger sealed",
    "INFO a new leader was elected after the vote",
    "DEBUG",
];

fn acme() -> Tenant {
    Tenant::new("acme").expect("a name")
}

fn pipeline(quota: Quota, summaries: u16) -> Pipeline {
    let quotas = BTreeMap::from([(acme(), quota)]);
    let config = DetectConfig { clock: Clock::Event, quotas, ..DetectConfig::default() };
    Pipeline::new(config, Partitions { telemetry: 1, summaries, findings: 1 })
}

fn services() -> impl Iterator<Item = String> {
    (0..20).map(|n| format!("service-{n}"))
}

#[test]
fn a_tenant_has_no_more_patterns_than_its_quota_and_others_are_not_held_to_it() {
    for (summaries, most) in [(1, 7), (4, 7), (4, 40)] {
        let mut pipeline = pipeline(Quota { patterns: Some(most), series: None }, summaries);
        for (second, text) in (0..).zip(PATTERNS) {
            for tenant in [acme(), Tenant::default()] {
                for service in services() {
                    let lines = [(at(second), text.to_owned())];
                    feed(&mut pipeline, &tenant, LOGS, &logs(&service, "a", lines));
                }
            }
        }
        pipeline.finish();
        let count = |tenant: &Tenant| {
            let patterns = pipeline.detect().flat_map(|stage| stage.patterns(tenant));
            patterns.filter(|pattern| pattern.id != format!("{:016x}", 0)).count() as u64
        };
        assert_eq!(count(&acme()), most, "{summaries} partitions");
        assert_eq!(count(&Tenant::default()), 20 * 6);
        let lines = |tenant: &Tenant| -> u64 {
            pipeline.detect().flat_map(|stage| stage.patterns(tenant)).map(|pattern| pattern.count).sum()
        };
        assert_eq!((lines(&acme()), lines(&Tenant::default())), (120, 120), "nothing is lost of the counts");
        let told = pipeline.take().findings;
        assert!(told.iter().filter(|f| f.kind == Kind::Degraded).all(|f| f.tenant == acme()));
        let folded: f64 = degraded(&told)
            .iter()
            .map(|(_, series, count)| {
                assert_eq!(series, "foreshock.folded.patterns");
                *count
            })
            .sum();
        assert_eq!(folded, 120.0 - most as f64);
    }
}

#[test]
fn a_tenant_has_no_more_series_than_its_quota_and_is_told_of_the_values_not_watched() {
    for (summaries, most) in [(1, 7), (4, 7), (4, 30)] {
        let mut pipeline = pipeline(Quota { series: Some(most), patterns: None }, summaries);
        for tenant in [acme(), Tenant::default()] {
            for service in services() {
                feed(
                    &mut pipeline,
                    &tenant,
                    METRICS,
                    &gauges(&service, at(0), &["queue", "heap", "workers"]),
                );
            }
        }
        pipeline.finish();
        let count = |tenant: &Tenant| {
            pipeline.detect().map(|stage| stage.series(tenant, 1_000).len() as u64).sum::<u64>()
        };
        assert_eq!((count(&acme()), count(&Tenant::default())), (most, 60), "{summaries} partitions");
        let told = pipeline.take().findings;
        assert!(told.iter().all(|f| f.kind != Kind::Degraded || f.tenant == acme()));
        let folded: f64 = degraded(&told).iter().map(|(_, _, count)| count).sum();
        assert_eq!(folded, 60.0 - most as f64);
    }
}
