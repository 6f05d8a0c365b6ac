//! One histogram: how the values of its minute are spread, and what is told of it.

use std::{collections::BTreeSet, time::Duration};

use foreshock_model::{Finding, Kind, Severity, Timestamp, Window};
use foreshock_stats::series::{Gain, LEAST_CELL, ShapeSeen, ShapeWatch};
use serde::{Deserialize, Serialize};

use super::{service::ServiceMetrics, text::SeriesText};
use crate::detect::draft::{Draft, LEAST_SURPRISE};

/// What its quantile or its rate has told is not told again as a shape, until nothing was to be told for so long: the shape is that of
/// some ten minutes.
const TOLD_ALREADY: Duration = Duration::from_secs(900);

/// What is kept of a histogram besides the series of its quantile and its rate.
#[derive(Serialize, Deserialize)]
pub(super) struct Histogram {
    /// The number of its rate.
    rate: u32,
    /// How its buckets are cut.
    cut: u32,
    /// Counts of the minute, by cell.
    minute: Vec<(i32, u64)>,
    /// When its quantile or its rate has last told of what it shows.
    told: Timestamp,
    watch: ShapeWatch,
}

impl Histogram {
    /// Knows nothing yet.
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, cut: 0, minute: Vec::new(), told: Timestamp::default(), watch: ShapeWatch::default() }
    }

    /// Adds the counts of a base window. Those of other buckets are the beginning of another histogram.
    pub(super) fn take(&mut self, cut: u32, counts: &[(i32, u64)]) {
        if cut != self.cut {
            *self = Self { cut, told: self.told, ..Self::new(self.rate) };
        }
        for (cell, count) in counts {
            match self.minute.iter_mut().find(|(of, _)| of == cell) {
                Some((_, sum)) => *sum = sum.saturating_add(*count),
                None => self.minute.push((*cell, *count)),
            }
        }
    }

    /// Takes note of what was told in the minute of its other series; `quantile` is the number of one of them.
    pub(super) fn note_told(&mut self, quantile: u32, told: &BTreeSet<u32>, minute: Window) {
        if told.contains(&quantile) || told.contains(&self.rate) {
            self.told = minute.end();
        }
    }

    /// Judges the minute; `None` where there is nothing to judge.
    pub(super) fn close_minute(&mut self, minute: Window) -> Option<ShapeSeen> {
        // With its room: between minutes nothing is held.
        let counts = std::mem::take(&mut self.minute);
        self.watch.observe(minute.end().as_secs_f64(), &counts)
    }

    /// What is told of what was seen. The service's record is asked and not fed: that a shape moves says nothing of how often its
    /// other metrics are far off.
    pub(super) fn tell(
        &mut self,
        seen: &ShapeSeen,
        service: &ServiceMetrics,
        text: SeriesText<'_>,
        minute: Window,
    ) -> Option<Finding> {
        let worth = service.worth(seen.tail);
        if !seen.is_large() || worth.surprise() < LEAST_SURPRISE {
            return None;
        }
        if minute.end().since(self.told) < TOLD_ALREADY {
            self.told = minute.end();
            return None;
        }
        let (gain, name) = (self.watch.gain()?, text.histogram()?);
        let text = SeriesText { name: &name, ..text };
        let key = service.key();
        // What a share may be by a usual distance, were there two cells.
        let usual = (seen.usual * gain.before * (1.0 - gain.before)).sqrt();
        let draft = Draft {
            key,
            kind: Kind::DistributionMoved,
            series: &text.series(),
            window: service.window(minute),
            tail: worth,
            effect: seen.distance,
            observed: gain.now,
            expected: ((gain.before - usual).max(0.0), (gain.before + usual).min(1.0)),
            // What is slow, or fails, is told by the quantile and by errors: a shape is where to look.
            severity: Severity::Warning,
            title: format!(
                "{}: {} has another shape: {} now {}, {} before",
                key.1,
                text.shown(),
                percent(gain.now),
                what(&gain, text),
                percent(gain.before)
            ),
        };
        let mut finding = draft.finish();
        finding.labels.insert("alone".into(), format!("{:.2}", seen.tail.surprise()));
        Some(finding)
    }
}

/// What the values of a gain are.
fn what(gain: &Gain, text: SeriesText<'_>) -> String {
    let verb = if text.is_time() { "take" } else { "are" };
    let value = |cell: i32| text.quantity(libm::exp2(f64::from(cell) / 2.0));
    match (gain.above.filter(|cell| *cell > LEAST_CELL), gain.up_to) {
        (Some(above), Some(up_to)) => format!("{verb} {} to {}", value(above), value(up_to)),
        (Some(above), None) => format!("{verb} more than {}", value(above)),
        (None, Some(up_to)) => format!("{verb} up to {}", value(up_to)),
        (None, None) => format!("{verb} anything"),
    }
}

fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.01 { "under 1 %".to_owned() } else { format!("{:.0} %", 100.0 * share) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(unit: &str, above: Option<i32>, up_to: Option<i32>) -> String {
        let text = SeriesText { name: "h.p95{a=b}", instance: "", unit };
        what(&Gain { above, up_to, now: 0.5, before: 0.1 }, text)
    }

    #[test]
    fn sizes_are_told_in_units_that_people_read() {
        assert_eq!(said("s", Some(-2), Some(1)), "take 500 ms to 1.41 s");
        assert_eq!(said("ms", Some(10), None), "take more than 32 ms");
        assert_eq!(said("ns", Some(LEAST_CELL), Some(31)), "take up to 46.3 us");
        assert_eq!(said("By", Some(20), Some(22)), "are 1024 By to 2048 By");
        assert_eq!(said("{item}", None, Some(2)), "are up to 2");
        assert_eq!([0.0, 0.004, 0.026, 0.344].map(percent), ["0 %", "under 1 %", "3 %", "34 %"]);
    }
}
