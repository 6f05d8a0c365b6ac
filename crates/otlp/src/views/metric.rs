//! A metric: its name, its unit, and the points of one kind.

use std::marker::PhantomData;

use super::{
    ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, Record, SummaryDataPoint, Unreadable,
    resource::Messages, text,
};
use crate::wire::{Fields, Value};

/// One metric, borrowed.
#[derive(Clone, Debug)]
pub struct Metric<'a> {
    /// What is measured.
    pub name: &'a str,
    /// In which unit (UCUM); may be empty.
    pub unit: &'a str,
    /// For people; may be empty.
    pub description: &'a str,
    /// The points.
    pub data: MetricData<'a>,
}

/// The points of a metric, by kind.
#[derive(Clone, Debug)]
pub enum MetricData<'a> {
    /// No kind is set, or one that OTLP does not have.
    None,
    /// Values that stand by themselves.
    Gauge(Points<'a, NumberDataPoint<'a>>),
    /// Values that add up.
    Sum {
        /// The values.
        points: Points<'a, NumberDataPoint<'a>>,
        /// Whether it only grows.
        monotonic: bool,
        /// Since when it adds up.
        temporality: Temporality,
    },
    /// Counts in buckets with given bounds.
    Histogram {
        /// The histograms.
        points: Points<'a, HistogramDataPoint<'a>>,
        /// Since when it adds up.
        temporality: Temporality,
    },
    /// Counts in buckets whose bounds are powers of a base.
    ExponentialHistogram {
        /// The histograms.
        points: Points<'a, ExponentialHistogramDataPoint<'a>>,
        /// Since when it adds up.
        temporality: Temporality,
    },
    /// Quantiles that the source has computed.
    Summary(Points<'a, SummaryDataPoint<'a>>),
}

/// Since when a value adds up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Temporality {
    /// Not said, or a number that OTLP does not have.
    #[default]
    Unspecified,
    /// Since the point before.
    Delta,
    /// Since the start of the series.
    Cumulative,
}

impl<'a> Record<'a> for Metric<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut metric = Self { name: "", unit: "", description: "", data: MetricData::None };
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next().map_err(|error| Unreadable::Wire("Metric", error))? {
            match field {
                (1, Value::Bytes(name)) => metric.name = text(name, "Metric.name")?,
                (2, Value::Bytes(words)) => metric.description = text(words, "Metric.description")?,
                (3, Value::Bytes(unit)) => metric.unit = text(unit, "Metric.unit")?,
                (5, Value::Bytes(data)) => metric.data = MetricData::Gauge(Points::new(data)),
                (7, Value::Bytes(data)) => {
                    let (temporality, monotonic) = read_kind(data)?;
                    metric.data = MetricData::Sum { points: Points::new(data), monotonic, temporality };
                }
                (9, Value::Bytes(data)) => {
                    let (temporality, _) = read_kind(data)?;
                    metric.data = MetricData::Histogram { points: Points::new(data), temporality };
                }
                (10, Value::Bytes(data)) => {
                    let (temporality, _) = read_kind(data)?;
                    metric.data = MetricData::ExponentialHistogram { points: Points::new(data), temporality };
                }
                (11, Value::Bytes(data)) => metric.data = MetricData::Summary(Points::new(data)),
                _ => {}
            }
        }
        Ok(metric)
    }
}

/// Temporality and monotony, which stand behind the points.
fn read_kind(data: &[u8]) -> Result<(Temporality, bool), Unreadable> {
    let mut temporality = Temporality::Unspecified;
    let mut monotonic = false;
    let mut fields = Fields::new(data);
    while let Some(field) = fields.next().map_err(|error| Unreadable::Wire("Metric.data", error))? {
        match field {
            (2, Value::Varint(number)) => {
                temporality = match number as i32 {
                    1 => Temporality::Delta,
                    2 => Temporality::Cumulative,
                    _ => Temporality::Unspecified,
                }
            }
            (3, Value::Varint(flag)) => monotonic = flag != 0,
            _ => {}
        }
    }
    Ok((temporality, monotonic))
}

/// The points of a metric.
#[derive(Clone, Debug)]
pub struct Points<'a, P> {
    messages: Messages<'a>,
    point: PhantomData<fn() -> P>,
}

impl<'a, P: Record<'a>> Points<'a, P> {
    fn new(data: &'a [u8]) -> Self {
        Self { messages: Messages::new(data, 1, "Metric.data"), point: PhantomData }
    }
}

impl<'a, P: Record<'a>> Iterator for Points<'a, P> {
    type Item = Result<P, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.messages.next()?.and_then(P::read))
    }
}
