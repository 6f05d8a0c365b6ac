//! What the console shows of the running stages: patterns and series, asked of detect.

use std::{collections::BTreeMap, sync::Arc};

use foreshock_console::{Insight, PatternRow, SeriesRow};
use foreshock_detect::detect::Detect;
use foreshock_model::{ServiceName, Tenant, Timestamp};
use foreshock_worker::Views;

/// Minutes after which a series' baseline is good enough to tell deviations.
const LEARNED_MINUTES: u32 = 10;

/// The partitions of detect in this process.
pub(super) struct StageInsight(pub(super) Arc<Views<Detect>>);

impl Insight for StageInsight {
    fn patterns(&self, tenant: &Tenant, limit: usize) -> Vec<PatternRow> {
        let tenant = tenant.clone();
        let mut rows: Vec<_> =
            self.0.ask(move |detect| detect.patterns(&tenant)).into_iter().flatten().collect();
        rows.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.id.cmp(&b.id)));
        rows.truncate(limit);
        rows.into_iter()
            .map(|row| PatternRow {
                id: row.id,
                template: row.template,
                service: row.service,
                count: row.count,
                share: row.count as f64 / row.of.max(1) as f64,
                first_seen: row.first,
                last_seen: row.last,
                examples: Vec::new(),
            })
            .collect()
    }

    fn series(&self, tenant: &Tenant, service: Option<&ServiceName>, limit: usize) -> Vec<SeriesRow> {
        let tenant = tenant.clone();
        // One service's may be anywhere among them.
        let asked = if service.is_some() { usize::MAX } else { limit };
        let mut rows: Vec<_> =
            self.0.ask(move |detect| detect.series(&tenant, asked)).into_iter().flatten().collect();
        rows.retain(|row| service.is_none_or(|service| row.service == *service));
        rows.sort_by(|a, b| (&a.service, &a.name, &a.instance).cmp(&(&b.service, &b.name, &b.instance)));
        rows.truncate(limit);
        rows.into_iter()
            .map(|row| SeriesRow {
                service: row.service,
                name: row.name,
                attributes: BTreeMap::from([("instance".to_owned(), row.instance)]),
                unit: row.unit,
                last_value: None,
                last_seen: Timestamp::default(),
                learned: row.learned_minutes >= LEARNED_MINUTES,
            })
            .collect()
    }
}
