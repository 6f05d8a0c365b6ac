//! The data points of metrics.

use foreshock_model::Timestamp;

use super::{Attributes, Record, Unreadable, log::time};
use crate::wire::{Fields, Numbers, Value, WireError, zigzag32};

/// The bit of a point's flags that says that there is no value at this time.
const NO_RECORDED_VALUE: u64 = 1;

/// A number as the source has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A floating point number; may be NaN or infinite.
    Double(f64),
}

impl Number {
    /// As a floating point number; whole numbers beyond 2^53 are rounded.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Double(number) => number,
        }
    }
}

/// A point of a gauge or a sum.
#[derive(Clone, Debug)]
pub struct NumberDataPoint<'a> {
    /// When.
    pub time: Option<Timestamp>,
    /// Since when, of a sum.
    pub start: Option<Timestamp>,
    /// The value; `None` where the source says there is none.
    pub value: Option<Number>,
    attributes: &'a [u8],
}

impl<'a> Record<'a> for NumberDataPoint<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut point = Self { time: None, start: None, value: None, attributes: &[] };
        let mut absent = false;
        let mut fields = Fields::new(bytes);
        loop {
            let before = fields.rest();
            match fields.next().map_err(|error| Unreadable::Wire("NumberDataPoint", error))? {
                None => break,
                Some((2, Value::Fixed64(nanos))) => point.start = time(nanos),
                Some((3, Value::Fixed64(nanos))) => point.time = time(nanos),
                Some((4, Value::Fixed64(bits))) => point.value = Some(Number::Double(f64::from_bits(bits))),
                Some((6, Value::Fixed64(number))) => point.value = Some(Number::Int(number.cast_signed())),
                Some((7, Value::Bytes(_))) if point.attributes.is_empty() => point.attributes = before,
                Some((8, Value::Varint(flags))) => absent = flags & NO_RECORDED_VALUE != 0,
                Some(_) => {}
            }
        }
        if absent {
            point.value = None;
        }
        Ok(point)
    }
}

impl<'a> NumberDataPoint<'a> {
    /// Its attributes, which with the metric's name make the series.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes, 7)
    }
}

/// A histogram with given bounds.
#[derive(Clone, Debug)]
pub struct HistogramDataPoint<'a> {
    /// When.
    pub time: Option<Timestamp>,
    /// Since when.
    pub start: Option<Timestamp>,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: Option<f64>,
    /// The least of them.
    pub min: Option<f64>,
    /// The largest of them.
    pub max: Option<f64>,
    /// The source says that there is no value at this time.
    pub no_recorded_value: bool,
    raw: &'a [u8],
}

impl<'a> Record<'a> for HistogramDataPoint<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Unreadable> {
        let mut point = Self {
            time: None,
            start: None,
            count: 0,
            sum: None,
            min: None,
            max: None,
            no_recorded_value: false,
            raw,
        };
        let mut fields = Fields::new(raw);
        while let Some(field) =
            fields.next().map_err(|error| Unreadable::Wire("HistogramDataPoint", error))?
        {
            match field {
                (2, Value::Fixed64(nanos)) => point.start = time(nanos),
                (3, Value::Fixed64(nanos)) => point.time = time(nanos),
                (4, Value::Fixed64(count)) => point.count = count,
                (5, Value::Fixed64(bits)) => point.sum = Some(f64::from_bits(bits)),
                (6 | 7, Value::Bytes(packed)) if !packed.len().is_multiple_of(8) => {
                    return Err(Unreadable::Wire("HistogramDataPoint", WireError::Truncated));
                }
                (10, Value::Varint(flags)) => point.no_recorded_value = flags & NO_RECORDED_VALUE != 0,
                (11, Value::Fixed64(bits)) => point.min = Some(f64::from_bits(bits)),
                (12, Value::Fixed64(bits)) => point.max = Some(f64::from_bits(bits)),
                _ => {}
            }
        }
        Ok(point)
    }
}

impl<'a> HistogramDataPoint<'a> {
    /// Its attributes, which with the metric's name make the series.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 9)
    }

    /// The counts of the buckets: one more than there are bounds, or none.
    pub fn bucket_counts(&self) -> impl Iterator<Item = u64> + use<'a> {
        Numbers::fixed64(self.raw, 6)
    }

    /// The upper bounds, each inclusive, of all buckets but the last.
    pub fn bounds(&self) -> impl Iterator<Item = f64> + use<'a> {
        Numbers::fixed64(self.raw, 7).map(f64::from_bits)
    }
}

/// A histogram whose bounds are powers of 2^(2^-scale).
#[derive(Clone, Debug)]
pub struct ExponentialHistogramDataPoint<'a> {
    /// When.
    pub time: Option<Timestamp>,
    /// Since when.
    pub start: Option<Timestamp>,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: Option<f64>,
    /// The least of them.
    pub min: Option<f64>,
    /// The largest of them.
    pub max: Option<f64>,
    /// The base of the bounds is 2^(2^-scale).
    pub scale: i32,
    /// Values too close to zero for a bucket.
    pub zero_count: u64,
    /// How close to zero that is.
    pub zero_threshold: f64,
    /// Values above zero.
    pub positive: Buckets<'a>,
    /// Values below zero, by their magnitude.
    pub negative: Buckets<'a>,
    /// The source says that there is no value at this time.
    pub no_recorded_value: bool,
    raw: &'a [u8],
}

impl<'a> Record<'a> for ExponentialHistogramDataPoint<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Unreadable> {
        let mut point = Self {
            time: None,
            start: None,
            count: 0,
            sum: None,
            min: None,
            max: None,
            scale: 0,
            zero_count: 0,
            zero_threshold: 0.0,
            positive: Buckets::default(),
            negative: Buckets::default(),
            no_recorded_value: false,
            raw,
        };
        let mut fields = Fields::new(raw);
        while let Some(field) =
            fields.next().map_err(|error| Unreadable::Wire("ExponentialHistogramDataPoint", error))?
        {
            match field {
                (2, Value::Fixed64(nanos)) => point.start = time(nanos),
                (3, Value::Fixed64(nanos)) => point.time = time(nanos),
                (4, Value::Fixed64(count)) => point.count = count,
                (5, Value::Fixed64(bits)) => point.sum = Some(f64::from_bits(bits)),
                (6, Value::Varint(scale)) => point.scale = zigzag32(scale),
                (7, Value::Fixed64(count)) => point.zero_count = count,
                (8, Value::Bytes(buckets)) => point.positive = Buckets::read(buckets)?,
                (9, Value::Bytes(buckets)) => point.negative = Buckets::read(buckets)?,
                (10, Value::Varint(flags)) => point.no_recorded_value = flags & NO_RECORDED_VALUE != 0,
                (12, Value::Fixed64(bits)) => point.min = Some(f64::from_bits(bits)),
                (13, Value::Fixed64(bits)) => point.max = Some(f64::from_bits(bits)),
                (14, Value::Fixed64(bits)) => point.zero_threshold = f64::from_bits(bits),
                _ => {}
            }
        }
        Ok(point)
    }
}

impl<'a> ExponentialHistogramDataPoint<'a> {
    /// Its attributes, which with the metric's name make the series.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 1)
    }
}

/// One side of an exponential histogram: bucket `i` holds values in (base^(offset+i), base^(offset+i+1)].
#[derive(Clone, Copy, Debug, Default)]
pub struct Buckets<'a> {
    /// The index of the first bucket.
    pub offset: i32,
    raw: &'a [u8],
}

impl<'a> Buckets<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Unreadable> {
        let mut buckets = Self { offset: 0, raw };
        let mut fields = Fields::new(raw);
        while let Some(field) = fields.next().map_err(|error| Unreadable::Wire("Buckets", error))? {
            match field {
                (1, Value::Varint(offset)) => buckets.offset = zigzag32(offset),
                (2, Value::Bytes(packed)) if !Numbers::are_packed_in(packed, false) => {
                    return Err(Unreadable::Wire("Buckets", WireError::Truncated));
                }
                _ => {}
            }
        }
        Ok(buckets)
    }

    /// The counts, from the bucket of index `offset` on.
    pub fn counts(&self) -> impl Iterator<Item = u64> + use<'a> {
        Numbers::varint(self.raw, 2)
    }
}

/// Quantiles that the source has computed.
#[derive(Clone, Debug)]
pub struct SummaryDataPoint<'a> {
    /// When.
    pub time: Option<Timestamp>,
    /// Since when.
    pub start: Option<Timestamp>,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The source says that there is no value at this time.
    pub no_recorded_value: bool,
    raw: &'a [u8],
}

/// One quantile of a summary.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantile {
    /// In [0, 1].
    pub quantile: f64,
    /// The value there.
    pub value: f64,
}

impl<'a> Record<'a> for SummaryDataPoint<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Unreadable> {
        let mut point = Self { time: None, start: None, count: 0, sum: 0.0, no_recorded_value: false, raw };
        let mut fields = Fields::new(raw);
        while let Some(field) = fields.next().map_err(|error| Unreadable::Wire("SummaryDataPoint", error))? {
            match field {
                (2, Value::Fixed64(nanos)) => point.start = time(nanos),
                (3, Value::Fixed64(nanos)) => point.time = time(nanos),
                (4, Value::Fixed64(count)) => point.count = count,
                (5, Value::Fixed64(bits)) => point.sum = f64::from_bits(bits),
                (8, Value::Varint(flags)) => point.no_recorded_value = flags & NO_RECORDED_VALUE != 0,
                _ => {}
            }
        }
        Ok(point)
    }
}

impl<'a> SummaryDataPoint<'a> {
    /// Its attributes, which with the metric's name make the series.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 7)
    }

    /// Its quantiles. Those that can't be read are left out.
    pub fn quantiles(&self) -> impl Iterator<Item = Quantile> + use<'a> {
        super::resource::Messages::new(self.raw, 6, "SummaryDataPoint")
            .map_while(Result::ok)
            .filter_map(read_quantile)
    }
}

fn read_quantile(bytes: &[u8]) -> Option<Quantile> {
    let mut quantile = Quantile::default();
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next().ok()? {
        match field {
            (1, Value::Fixed64(bits)) => quantile.quantile = f64::from_bits(bits),
            (2, Value::Fixed64(bits)) => quantile.value = f64::from_bits(bits),
            _ => {}
        }
    }
    Some(quantile)
}
