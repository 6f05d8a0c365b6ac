//! Families of metrics, gathered row by row and written in OpenMetrics' text form.

use std::{collections::BTreeMap, fmt};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text::encode},
    metrics::MetricType,
    registry::Registry,
};

/// What [`Families::render`] writes.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of latencies in seconds.
pub(super) const SECONDS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

type Labels = Vec<(&'static str, String)>;

#[derive(Clone, Debug)]
enum Value {
    Counter(f64),
    Gauge(f64),
    Histogram { sum: f64, buckets: Vec<(f64, u64)> },
}

#[derive(Clone, Debug)]
struct Family {
    help: &'static str,
    rows: Vec<(Labels, Value)>,
}

/// Families by name. Names follow Prometheus' rules: a unit at the end, `_total` on what only grows.
#[derive(Clone, Debug, Default)]
pub(super) struct Families(BTreeMap<&'static str, Family>);

impl Families {
    pub(super) fn counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: impl IntoIterator<Item = (&'static str, String)>,
        value: f64,
    ) {
        self.add(name, help, labels, Value::Counter(value));
    }

    pub(super) fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: impl IntoIterator<Item = (&'static str, String)>,
        value: f64,
    ) {
        self.add(name, help, labels, Value::Gauge(value));
    }

    /// `buckets`: upper bound and how many lie in the bucket; the last bound is `f64::INFINITY`.
    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: impl IntoIterator<Item = (&'static str, String)>,
        sum: f64,
        buckets: Vec<(f64, u64)>,
    ) {
        self.add(name, help, labels, Value::Histogram { sum, buckets });
    }

    fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: impl IntoIterator<Item = (&'static str, String)>,
        value: Value,
    ) {
        let family = self.0.entry(name).or_insert(Family { help, rows: Vec::new() });
        family.rows.push((labels.into_iter().collect(), value));
    }

    pub(super) fn render(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, family) in &self.0 {
            let Some((_, first)) = family.rows.first() else { continue };
            // The encoder writes the suffix of counters itself.
            let name = name.strip_suffix("_total").unwrap_or(name);
            let mut encoder = encoder.encode_descriptor(name, family.help, None, first.metric_type())?;
            for (labels, value) in &family.rows {
                value.encode(encoder.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

impl EncodeMetric for Value {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Counter(value) => encoder.encode_counter::<Labels, _, f64>(value, None),
            Self::Gauge(value) => encoder.encode_gauge(value),
            Self::Histogram { sum, buckets } => {
                let count = buckets.iter().map(|(_, count)| count).sum();
                encoder.encode_histogram::<Labels>(*sum, count, buckets, None)
            }
        }
    }

    fn metric_type(&self) -> MetricType {
        match self {
            Self::Counter(_) => MetricType::Counter,
            Self::Gauge(_) => MetricType::Gauge,
            Self::Histogram { .. } => MetricType::Histogram,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_family_stand_together_under_one_name() {
        let mut families = Families::default();
        families.counter("foreshock_a_total", "What a is", [("x", "1".to_owned())], 2.0);
        families.gauge("foreshock_b_bytes", "What b is", [], 7.0);
        families.counter("foreshock_a_total", "What a is", [("x", "quote \" it".to_owned())], 3.0);
        families.histogram("foreshock_c_seconds", "What c is", [], 1.5, vec![(1.0, 2), (f64::INFINITY, 1)]);
        assert_eq!(
            families.render(),
            "# HELP foreshock_a What a is\n\
             # TYPE foreshock_a counter\n\
             foreshock_a_total{x=\"1\"} 2.0\n\
             foreshock_a_total{x=\"quote \\\" it\"} 3.0\n\
             # HELP foreshock_b_bytes What b is\n\
             # TYPE foreshock_b_bytes gauge\n\
             foreshock_b_bytes{} 7.0\n\
             # HELP foreshock_c_seconds What c is\n\
             # TYPE foreshock_c_seconds histogram\n\
             foreshock_c_seconds_sum{} 1.5\n\
             foreshock_c_seconds_count{} 3\n\
             foreshock_c_seconds_bucket{le=\"1.0\"} 2\n\
             foreshock_c_seconds_bucket{le=\"+Inf\"} 3\n\
             # EOF\n"
        );
    }
}
