//! What the console shows of the running stages: patterns and series, asked of detect, and budgets, as correlate
//! reports them.

use std::{collections::BTreeMap, sync::Arc};

use foreshock_console::{BudgetRow, ForecastsRow, Insight, KindBudgetRow, PatternRow, SeriesRow};
use foreshock_detect::{KindSpending, detect::Detect};
use foreshock_model::{ServiceName, Tenant};
use foreshock_worker::{Views, WorkerMetrics};

/// Minutes after which a series' baseline is good enough to tell deviations.
const LEARNED_MINUTES: u32 = 10;

/// The partitions of detect in this process, and the figures of all.
pub(super) struct StageInsight {
    pub(super) detect: Arc<Views<Detect>>,
    pub(super) figures: Arc<WorkerMetrics>,
}

impl Insight for StageInsight {
    fn patterns(&self, tenant: &Tenant, limit: usize) -> Vec<PatternRow> {
        let tenant = tenant.clone();
        let mut rows: Vec<_> =
            self.detect.ask(move |detect| detect.patterns(&tenant)).into_iter().flatten().collect();
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
            self.detect.ask(move |detect| detect.series(&tenant, asked)).into_iter().flatten().collect();
        rows.retain(|row| service.is_none_or(|service| row.service == *service));
        rows.sort_by(|a, b| (&a.service, &a.name, &a.instance).cmp(&(&b.service, &b.name, &b.instance)));
        rows.truncate(limit);
        rows.into_iter()
            .map(|row| SeriesRow {
                service: row.service,
                name: row.name,
                attributes: BTreeMap::from([("instance".to_owned(), row.instance)]),
                unit: row.unit,
                last_value: row.last.map(|(_, value)| value),
                last_seen: row.last.map(|(end, _)| end),
                learned: row.learned_minutes >= LEARNED_MINUTES,
                forecasts: row.forecasts.map(|fared| ForecastsRow {
                    judged: fared.judged,
                    right: fared.right,
                    within: fared.held,
                }),
            })
            .collect()
    }

    fn budget(&self, tenant: &Tenant) -> Option<BudgetRow> {
        let all = self.figures.all().into_iter();
        let (_, spending) =
            all.flat_map(|(_, _, figures)| figures.spending()).find(|(known, _)| known == tenant)?;
        let of_kind = |of: KindSpending| KindBudgetRow {
            tests_a_week: of.tests_a_week,
            calibration: of.calibration,
            page: of.page,
            warn: of.warn,
        };
        Some(BudgetRow {
            pages_a_week: spending.pages_a_week,
            paged_a_week: spending.thresholds.paged_a_week,
            tests_a_week: spending.thresholds.tests_a_week,
            page: spending.thresholds.page,
            warn: spending.thresholds.warn,
            kinds: spending.kinds.into_iter().map(|(kind, of)| (kind, of_kind(of))).collect(),
        })
    }
}
