//! What series are called, and what their names and units tell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::service::ServiceMetrics;
use crate::detect::{draft::number, harm::metric_of};

/// Units of time in seconds, the longest first.
const TIMES: [(&str, f64); 4] = [("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)];
/// What the name of the series of a histogram's quantile ends with.
const QUANTILE: &str = ".p95";

/// What only findings and views need of series: few units are shared by many.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Names {
    series: Vec<(Box<str>, u32)>,
    units: Vec<Box<str>>,
    by_unit: BTreeMap<Box<str>, u32>,
}

/// What one series is called.
#[derive(Clone, Copy)]
pub(super) struct SeriesText<'a> {
    pub(super) name: &'a str,
    pub(super) instance: &'a str,
    pub(super) unit: &'a str,
}

impl Names {
    /// Adds the next series.
    pub(super) fn push(&mut self, name: String, unit: String) {
        let next = u32::try_from(self.units.len()).unwrap_or(u32::MAX);
        let unit: Box<str> = unit.into();
        let number = *self.by_unit.entry(unit.clone()).or_insert(next);
        if number == next {
            self.units.push(unit);
        }
        self.series.push((name.into(), number));
    }

    /// Of a series of an instance of a service.
    pub(super) fn of<'a>(
        &'a self,
        number: u32,
        instance: u32,
        service: &'a ServiceMetrics,
    ) -> SeriesText<'a> {
        let (name, unit) = &self.series[number as usize];
        let unit = &self.units[*unit as usize];
        SeriesText { name, instance: service.instance_name(instance), unit }
    }
}

impl SeriesText<'_> {
    /// The series of a finding: name, and the instance it is of.
    pub(super) fn series(&self) -> String {
        if self.instance.is_empty() {
            self.name.to_string()
        } else {
            format!("{}@{}", self.name, self.instance)
        }
    }

    /// For titles: the metric and the values of its attributes.
    pub(super) fn shown(&self) -> String {
        let Some((metric, attributes)) = self.name.trim_end_matches('}').split_once('{') else {
            return self.name.to_string();
        };
        let values: Vec<&str> =
            attributes.split(',').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value)).collect();
        format!("{metric} ({})", values.join(" "))
    }

    /// The name of the histogram that this is the quantile of.
    pub(super) fn histogram(&self) -> Option<String> {
        let (metric, attributes) = self.name.split_at(self.name.find('{').unwrap_or(self.name.len()));
        Some(format!("{}{attributes}", metric.strip_suffix(QUANTILE)?))
    }

    /// Whether it measures time.
    pub(super) fn is_time(&self) -> bool {
        self.second().is_some()
    }

    /// A value for people: of time in the unit that suits it, else in its own.
    pub(super) fn quantity(&self, value: f64) -> String {
        let Some(second) = self.second() else { return format!("{}{}", number(value), self.unit_shown()) };
        let seconds = value * second;
        let suits = |(_, second): &&(&str, f64)| seconds >= *second;
        let (unit, second) = TIMES.iter().find(suits).unwrap_or(&TIMES[TIMES.len() - 1]);
        format!("{} {unit}", number(seconds / second))
    }

    /// Its unit in seconds, where it is one of time.
    fn second(&self) -> Option<f64> {
        TIMES.iter().find(|(unit, _)| *unit == self.unit).map(|(_, second)| *second)
    }

    pub(super) fn unit_shown(&self) -> String {
        match annotated(self.unit).0 {
            "" | "1" => String::new(),
            unit => format!(" {unit}"),
        }
    }
}

/// The value of an attribute in a series' name.
pub(super) fn attribute<'a>(name: &'a str, key: &str) -> Option<&'a str> {
    let (_, attributes) = name.strip_suffix('}')?.split_once('{')?;
    attributes.split(',').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

/// The value at which a bounded resource is used up, where the metric's name and unit tell: a share of 1, a
/// percentage of 100. A unit may say in an annotation, as UCUM has them, what it is a percentage of: `%{used}`.
pub(super) fn limit_of(name: &str, unit: &str) -> Option<f64> {
    let metric = metric_of(name);
    let (unit, annotation) = annotated(unit);
    let says = |word: &&str| metric.contains(*word) || annotation.contains(*word);
    let used = ["utilization", "usage", "used", "utilisation"].iter().any(says);
    let is_percentage = matches!(unit, "%" | "percent")
        || (matches!(unit, "" | "1") && (metric.ends_with("percent") || metric.ends_with("pct")));
    match unit {
        _ if is_percentage => used.then_some(100.0),
        "1" | "" if used && metric.contains("utili") => Some(1.0),
        _ => None,
    }
}

/// A unit and what its annotation says.
fn annotated(unit: &str) -> (&str, &str) {
    let (unit, annotation) = unit.split_once('{').unwrap_or((unit, ""));
    (unit, annotation.trim_end_matches('}'))
}

#[cfg(test)]
mod tests {
    use super::limit_of;

    #[test]
    fn names_and_units_tell_the_limit_of_what_can_be_used_up() {
        for (name, unit, limit) in [
            ("system.filesystem.utilization{device=sda}", "1", Some(1.0)),
            ("disk.used", "%", Some(100.0)),
            ("d07", "%{used_percent}", Some(100.0)),
            ("disk_used_percent", "", Some(100.0)),
            ("utilization_percent", "1", Some(100.0)),
            ("cpu.idle", "%", None),
            ("d07", "%{free_percent}", None),
            ("disk.used", "By", None),
        ] {
            assert_eq!(limit_of(name, unit), limit, "{name} in {unit}");
        }
    }
}
