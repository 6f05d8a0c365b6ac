//! The close of one base window, over all services of the partition.

use std::collections::BTreeMap;

use foreshock_model::{Kind, Severity, Window};
use foreshock_stats::Tail;

use super::{
    ServiceKey,
    draft::{Draft, HOUR, MINUTE, TEN_MINUTES},
    merged::Merged,
    report::Report,
    series::SeriesTable,
    service::ServiceState,
};
use crate::DetectConfig;

/// What the close of a window works on.
pub(super) struct Closing<'a> {
    pub(super) services: &'a mut BTreeMap<ServiceKey, ServiceState>,
    pub(super) series: &'a mut SeriesTable,
    pub(super) folded_services: &'a mut u64,
    pub(super) config: &'a DetectConfig,
    pub(super) window: Window,
}

impl Closing<'_> {
    /// Takes what was seen and judges every roll-up that ends here.
    pub(super) fn run(&mut self, merged: BTreeMap<ServiceKey, Merged>) -> Report {
        let mut report = Report::default();
        for (key, merged) in merged {
            self.take(&key, merged, &mut report);
        }
        let end = self.window.end();
        if end == end.window(MINUTE).start {
            let minute = end.minus(MINUTE).window(MINUTE);
            for (key, service) in self.services.iter_mut() {
                service.close_minute(key, minute, &mut report);
            }
            self.series.close_minute(minute, &mut report);
        }
        if end == end.window(TEN_MINUTES).start {
            let ten = end.minus(TEN_MINUTES).window(TEN_MINUTES);
            for (key, service) in self.services.iter_mut() {
                service.close_ten_minutes(key, ten, &mut report);
            }
            self.series.close_ten_minutes(ten, &mut report);
        }
        if end == end.window(HOUR).start {
            let hour = end.minus(HOUR).window(HOUR);
            for (key, service) in self.services.iter_mut() {
                service.close_hour(key, hour, &mut report);
            }
        }
        report
    }

    fn take(&mut self, key: &ServiceKey, merged: Merged, report: &mut Report) {
        if !self.services.contains_key(key) {
            if self.services.len() >= self.config.limits.services as usize {
                *self.folded_services += 1;
                return;
            }
            let state = ServiceState::new(self.window.start, &self.config.limits);
            self.services.insert(key.clone(), state);
        }
        let Some(service) = self.services.get_mut(key) else { return };
        degraded(key, &merged, self.window, report);
        let mut merged = merged;
        let new_series = std::mem::take(&mut merged.new_series);
        let values = std::mem::take(&mut merged.series);
        self.series.announce(key, new_series, self.window.start, self.config.limits.series);
        self.series.take(&values);
        service.take(key, merged, self.window, &self.config.limits, report);
    }
}

/// What Foreshock has to say about itself: something was folded, so it sees less than there is.
fn degraded(key: &ServiceKey, merged: &Merged, window: Window, report: &mut Report) {
    let folds = [
        (
            "shapes",
            merged.folded_shapes,
            "lines are counted as one other pattern; raise detect.limits.shapes",
        ),
        ("series", merged.folded_series, "metric points are not watched; raise detect.limits.series"),
        (
            "sources",
            merged.folded_sources,
            "records are counted as one other source; raise detect.limits.sources",
        ),
    ];
    for (series, count, what) in folds.into_iter().filter(|(_, count, _)| *count > 0) {
        let draft = Draft {
            key,
            kind: Kind::Degraded,
            series: &format!("foreshock.folded.{series}"),
            window,
            tail: Tail::from_surprise(20.0),
            effect: count as f64,
            observed: count as f64,
            expected: (0.0, 0.0),
            severity: Severity::Warning,
            title: format!("Foreshock sees {} only in part: {count} {what}", key.1),
        };
        report.findings.push(draft.finish());
    }
}
