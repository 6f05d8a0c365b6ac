//! What an instance counts and times between two exports of its metrics.
//!
//! Knows no shop: instruments and their encoding. Names and units follow the OpenTelemetry semantic conventions.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
        HistogramDataPoint, Metric, NumberDataPoint, Sum, exponential_histogram_data_point::Buckets,
        metric::Data, number_data_point::Value,
    },
};

use crate::instance::{number, text};

/// Bounds of request durations in seconds, as the conventions advise.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Durations in fixed buckets.
#[derive(Clone, Debug, Default)]
struct Durations {
    buckets: [u64; BOUNDS.len() + 1],
    sum: f64,
    min: f64,
    max: f64,
}

impl Durations {
    fn record(&mut self, seconds: f64) {
        let first = self.sum == 0.0;
        self.buckets[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        self.sum += seconds;
        self.min = if first { seconds } else { self.min.min(seconds) };
        self.max = self.max.max(seconds);
    }

    fn point(&self, start: u64, at: u64, attributes: Vec<KeyValue>) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: at,
            count: self.buckets.iter().sum(),
            sum: Some(self.sum),
            bucket_counts: self.buckets.to_vec(),
            explicit_bounds: BOUNDS.to_vec(),
            min: Some(self.min),
            max: Some(self.max),
            ..HistogramDataPoint::default()
        }
    }
}

/// Durations in exponential buckets of scale 3 (eight to a power of two).
#[derive(Clone, Debug, Default)]
struct ScaledDurations {
    buckets: BTreeMap<i32, u64>,
    sum: f64,
}

const SCALE: i32 = 3;

impl ScaledDurations {
    fn record(&mut self, seconds: f64) {
        let index = (seconds.max(1e-9).log2() * f64::from(1 << SCALE)).ceil() as i32 - 1;
        *self.buckets.entry(index).or_default() += 1;
        self.sum += seconds;
    }

    fn point(&self, start: u64, at: u64, attributes: Vec<KeyValue>) -> ExponentialHistogramDataPoint {
        let offset = self.buckets.keys().next().copied().unwrap_or(0);
        let last = self.buckets.keys().next_back().copied().unwrap_or(offset - 1);
        let bucket_counts =
            (offset..=last).map(|index| self.buckets.get(&index).copied().unwrap_or(0)).collect();
        ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: at,
            count: self.buckets.values().sum(),
            sum: Some(self.sum),
            scale: SCALE,
            positive: Some(Buckets { offset, bucket_counts }),
            ..ExponentialHistogramDataPoint::default()
        }
    }
}

#[derive(Clone, Debug)]
struct Route {
    method: &'static str,
    route: &'static str,
    status: u16,
    durations: Durations,
}

/// The instruments of one instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meters {
    started: u64,
    exported: u64,
    routes: Vec<Route>,
    statements: Vec<(&'static str, Durations)>,
    bank: ScaledDurations,
    /// Logins since the last export: succeeded, failed.
    pub(crate) logins: [u64; 2],
    /// Requests since the last export.
    pub(crate) requests: u64,
    /// Whatever the service counts most: requests, commits, orders, labels, mails.
    pub(crate) total: u64,
    /// Gauges that were set since the last export.
    pub(crate) set: Vec<Metric>,
}

impl Meters {
    /// `started`: when counting begins.
    pub(crate) fn new(started: u64) -> Self {
        Self { started, exported: started, ..Self::default() }
    }

    /// A request was answered.
    pub(crate) fn served(&mut self, method: &'static str, route: &'static str, status: u16, seconds: f64) {
        let known =
            self.routes.iter().position(|r| r.route == route && r.status == status && r.method == method);
        let at = known.unwrap_or_else(|| {
            self.routes.push(Route { method, route, status, durations: Durations::default() });
            self.routes.len() - 1
        });
        self.routes[at].durations.record(seconds);
    }

    /// The database answered.
    pub(crate) fn queried(&mut self, operation: &'static str, seconds: f64) {
        let at = self.statements.iter().position(|(name, _)| *name == operation).unwrap_or_else(|| {
            self.statements.push((operation, Durations::default()));
            self.statements.len() - 1
        });
        self.statements[at].1.record(seconds);
    }

    /// The bank answered.
    pub(crate) fn charged(&mut self, seconds: f64) {
        self.bank.record(seconds);
    }

    /// The instruments as metrics; begins the next interval. `counted` names the total, where there is one.
    pub(crate) fn export(&mut self, at: u64, counted: Option<(&str, &str)>, has_logins: bool) -> Vec<Metric> {
        let mut metrics = std::mem::take(&mut self.set);
        let start = self.started;
        if !self.routes.is_empty() {
            let point = |route: &Route| {
                let attributes = vec![
                    text("http.request.method", route.method),
                    text("http.route", route.route),
                    number("http.response.status_code", i64::from(route.status)),
                    text("url.scheme", "http"),
                ];
                route.durations.point(start, at, attributes)
            };
            let points = self.routes.iter().map(point).collect();
            metrics.push(durations("http.server.request.duration", points));
        }
        if !self.statements.is_empty() {
            let point = |(operation, durations): &(&'static str, Durations)| {
                let attributes = vec![
                    text("db.system.name", "postgresql"),
                    text("db.operation.name", operation),
                    text("server.address", "orders-db-1"),
                ];
                durations.point(start, at, attributes)
            };
            let points = self.statements.iter().map(point).collect();
            metrics.push(durations("db.client.operation.duration", points));
        }
        if !self.bank.buckets.is_empty() {
            let attributes = vec![
                text("http.request.method", "POST"),
                text("server.address", "api.bank.example"),
                number("http.response.status_code", 200),
            ];
            let point = std::mem::take(&mut self.bank).point(self.exported, at, attributes);
            metrics.push(Metric {
                name: "http.client.request.duration".to_owned(),
                unit: "s".to_owned(),
                data: Some(Data::ExponentialHistogram(ExponentialHistogram {
                    data_points: vec![point],
                    aggregation_temporality: AggregationTemporality::Delta.into(),
                })),
                ..Metric::default()
            });
        }
        if let Some((name, unit)) = counted {
            let points = vec![int_point(self.total, start, at, vec![])];
            metrics.push(sum(name, unit, points, AggregationTemporality::Cumulative));
        }
        if has_logins {
            let points = ["success", "failure"]
                .iter()
                .zip(std::mem::take(&mut self.logins))
                .map(|(outcome, n)| int_point(n, self.exported, at, vec![text("auth.result", outcome)]))
                .collect();
            metrics.push(sum("auth.logins", "{login}", points, AggregationTemporality::Delta));
        }
        self.requests = 0;
        self.exported = at;
        metrics
    }
}

fn durations(name: &str, data_points: Vec<HistogramDataPoint>) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: "s".to_owned(),
        data: Some(Data::Histogram(Histogram {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
        })),
        ..Metric::default()
    }
}

fn int_point(value: u64, start: u64, at: u64, attributes: Vec<KeyValue>) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: start,
        time_unix_nano: at,
        value: Some(Value::AsInt(value.cast_signed())),
        ..NumberDataPoint::default()
    }
}

fn sum(
    name: &str,
    unit: &str,
    data_points: Vec<NumberDataPoint>,
    temporality: AggregationTemporality,
) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        data: Some(Data::Sum(Sum {
            data_points,
            aggregation_temporality: temporality.into(),
            is_monotonic: true,
        })),
        ..Metric::default()
    }
}

/// A gauge with one point a set of attributes.
pub(crate) fn gauge(name: &str, unit: &str, at: u64, values: Vec<(f64, Vec<KeyValue>)>) -> Metric {
    let point = |(value, attributes): (f64, Vec<KeyValue>)| NumberDataPoint {
        attributes,
        time_unix_nano: at,
        value: Some(Value::AsDouble(value)),
        ..NumberDataPoint::default()
    };
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        data: Some(Data::Gauge(Gauge { data_points: values.into_iter().map(point).collect() })),
        ..Metric::default()
    }
}

/// A gauge of whole numbers.
pub(crate) fn count_gauge(name: &str, unit: &str, at: u64, values: Vec<(i64, Vec<KeyValue>)>) -> Metric {
    let point = |(value, attributes): (i64, Vec<KeyValue>)| NumberDataPoint {
        attributes,
        time_unix_nano: at,
        value: Some(Value::AsInt(value)),
        ..NumberDataPoint::default()
    };
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        data: Some(Data::Gauge(Gauge { data_points: values.into_iter().map(point).collect() })),
        ..Metric::default()
    }
}

/// How many data points a metric holds.
pub(crate) fn points(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_bucket_whose_bounds_hold_it() {
        let mut durations = Durations::default();
        for seconds in [0.005, 0.0051, 20.0] {
            durations.record(seconds);
        }
        let point = durations.point(0, 1, vec![]);
        assert_eq!((point.bucket_counts[0], point.bucket_counts[1], point.bucket_counts[14]), (1, 1, 1));
        assert_eq!((point.count, point.min, point.max), (3, Some(0.005), Some(20.0)));

        let mut scaled = ScaledDurations::default();
        for seconds in [0.5, 0.51, 1.0, 1.01] {
            scaled.record(seconds);
        }
        // Bucket i holds (base^i, base^(i+1)]: 0.5 is the upper bound of bucket -9, 1.0 that of bucket -1.
        assert_eq!(scaled.buckets.into_iter().collect::<Vec<_>>(), [(-9, 1), (-8, 1), (-1, 1), (0, 1)]);
    }
}
