//! The plain numbers in a metrics payload: gauges and sums, each with the series it is of, named as detection names it.

use foreshock_detect::reduce::series_name;
use foreshock_model::Timestamp;
use foreshock_otlp::views::{self, Metric, MetricData, Number, NumberDataPoint, Temporality};

/// One value of one series.
pub(crate) struct NumberSeen<'a> {
    pub(crate) service: &'a str,
    pub(crate) series: String,
    pub(crate) unit: &'a str,
    pub(crate) time: Timestamp,
    pub(crate) value: Number,
    /// It counts up: what matters is how much it grew.
    pub(crate) counts: bool,
}

/// What a value that follows another of its series is worth: what `counts` is worth what it grew by since the count
/// `before`; nothing is known of the first.
pub(crate) fn worth(value: f64, counts: bool, before: &mut Option<f64>) -> Option<f64> {
    if !counts {
        return Some(value);
    }
    let before = before.replace(value)?;
    // A counter that was reset starts from 0 again.
    Some(if value < before { value } else { value - before })
}

/// Every number of a payload that has a time, in order. What can't be read is passed over: it is counted elsewhere.
pub(crate) fn numbers(payload: &[u8], see: &mut dyn FnMut(NumberSeen<'_>)) {
    for resource in views::metrics(payload).flatten() {
        let identity = resource.resource.identity();
        for scope in resource.scopes().flatten() {
            for metric in scope.records().flatten() {
                of_metric(identity.service().as_str(), identity.instance(), &metric, see);
            }
        }
    }
}

fn of_metric(service: &str, instance: &str, metric: &Metric<'_>, see: &mut dyn FnMut(NumberSeen<'_>)) {
    let (points, counts) = match &metric.data {
        MetricData::Gauge(points) => (points, false),
        MetricData::Sum { points, monotonic, temporality } => {
            (points, *monotonic && *temporality == Temporality::Cumulative)
        }
        _ => return,
    };
    for point in points.clone().flatten() {
        let NumberDataPoint { time: Some(time), value: Some(value), .. } = point else { continue };
        let mut series = series_name(metric.name, "", point.attributes());
        if !instance.is_empty() {
            series = format!("{series}@{instance}");
        }
        see(NumberSeen { service, series, unit: metric.unit, time, value, counts });
    }
}
