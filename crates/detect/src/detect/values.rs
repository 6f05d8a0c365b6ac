//! The values that a service's lines hold: a number out of range, a value never seen in its place, a place that had few
//! values and has many.

mod place;

use std::collections::BTreeMap;

use foreshock_model::{Kind, Window};
use foreshock_stats::{End, range::merge};
use foreshock_template::{Mark, Miner, ParameterKind, TemplateId};
use serde::{Deserialize, Serialize};

use self::place::PlaceWatch;
use super::{
    ServiceKey,
    draft::{number, span},
    merged::{Example, MergedPlace, MergedShape},
    news::NewsRate,
    patterns::pattern_id,
    report::Report,
};
use crate::workings::numbers;

/// Windows over which the number of tests is smoothed.
const TESTS_MEMORY: f64 = 360.0;
/// The word at an open position stands behind all of its parameters.
const WORD: u16 = 15;

/// A place of a template: its token, and which of the values in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct PlaceKey {
    template: TemplateId,
    place: u16,
}

/// Where the values of a shape stand in its template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShapePlaces {
    /// Of each parameter, in order.
    places: Box<[(u16, ParameterUnit)]>,
    /// Words where the template holds anything: place and hash. Only of shapes that came when it did already.
    words: Box<[(u16, u64)]>,
}

/// What a number is shown with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ParameterUnit {
    /// It is no quantity.
    None,
    Plain,
    Seconds,
    Bytes,
}

/// The values of all places.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Values {
    places: BTreeMap<PlaceKey, PlaceWatch>,
    news: NewsRate,
    /// Ranges that a window tests, in the mean.
    tests: f64,
}

/// What a window holds of a place.
struct PlaceWindow<'a> {
    unit: ParameterUnit,
    draws: u64,
    /// Hash, how often, how it is spelled (empty for a word), and the line.
    seen: Vec<(u64, u64, &'a str, &'a Example)>,
    overflow: bool,
    high: Vec<f64>,
    highest: Option<&'a Example>,
    low: Vec<f64>,
    lowest: Option<&'a Example>,
    /// The first line of its shapes.
    first: Option<&'a Example>,
}

impl ShapePlaces {
    pub(super) fn of(marks: &[Mark], words: &[(u16, &str)]) -> Self {
        let place = |token: u16, within: u16| token << 4 | within;
        let of_mark =
            |mark: &Mark| (place(mark.token, mark.within.min(WORD - 1)), ParameterUnit::of(mark.kind));
        let hash = |word: &str| foreshock_model::fingerprint64(word.as_bytes()) & !1;
        Self {
            places: marks.iter().map(of_mark).collect(),
            words: words.iter().map(|(token, word)| (place(*token, WORD), hash(word))).collect(),
        }
    }
}

impl ParameterUnit {
    fn of(kind: ParameterKind) -> Self {
        match kind {
            ParameterKind::Number | ParameterKind::Value => Self::Plain,
            ParameterKind::Duration => Self::Seconds,
            ParameterKind::Size => Self::Bytes,
            _ => Self::None,
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Seconds if value < 1.0 => format!("{} ms", number(value * 1e3)),
            Self::Seconds if value < 120.0 => format!("{} s", number(value)),
            Self::Seconds => span(value),
            Self::Bytes => match value {
                v if v >= 1_073_741_824.0 => format!("{} GiB", number(v / 1_073_741_824.0)),
                v if v >= 1_048_576.0 => format!("{} MiB", number(v / 1_048_576.0)),
                v if v >= 1_024.0 => format!("{} KiB", number(v / 1_024.0)),
                v => format!("{} B", number(v)),
            },
            Self::Plain | Self::None => number(value),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Bytes => "By",
            Self::Plain | Self::None => "1",
        }
    }
}

impl Values {
    /// Every number kept of the places of a template, by place.
    pub(super) fn workings(&self, template: TemplateId) -> serde_json::Value {
        let places = self.places.iter().filter(|(key, _)| key.template == template);
        places.map(|(key, watch)| (key.place.to_string(), numbers(watch))).collect()
    }

    /// Takes one base window: the shapes that it holds, each with its template and where its values stand in it. At most
    /// `limit` places are watched.
    pub(super) fn take<'a>(
        &mut self,
        key: &ServiceKey,
        shapes: impl Iterator<Item = (&'a MergedShape, TemplateId, &'a ShapePlaces)>,
        (window, lines, limit): (Window, u64, usize),
        miner: &Miner,
        report: &mut Report,
    ) {
        let mut windows: BTreeMap<PlaceKey, PlaceWindow<'a>> = BTreeMap::new();
        for (shape, template, places) in shapes {
            gather(&mut windows, shape, template, places);
        }
        self.news.passed(window.length, lines);
        let mut tests = 0;
        for (place, seen) in windows {
            if self.places.len() >= limit && !self.places.contains_key(&place) {
                continue;
            }
            let watch = self.places.entry(place).or_insert_with(|| PlaceWatch::new(seen.unit));
            tests += u64::from(watch.unit != ParameterUnit::None && watch.range.values() > 0);
            let drafts = watch.take(key, place, &seen, window, &mut self.news, self.tests);
            report.findings.extend(drafts.into_iter().map(|draft| draft.finish(miner)));
        }
        self.tests += (tests as f64 - self.tests) / TESTS_MEMORY;
        let seconds = u32::try_from(window.length.as_secs()).unwrap_or(u32::MAX);
        report.tested(&key.0, Kind::ParameterValue, seconds, tests);
    }

    /// Places of templates that became one become one.
    pub(super) fn follow_merged_templates(&mut self, miner: &Miner) {
        let moved: Vec<PlaceKey> =
            self.places.keys().copied().filter(|key| miner.resolve(key.template) != key.template).collect();
        for key in moved {
            let Some(watch) = self.places.remove(&key) else { continue };
            let to = PlaceKey { template: miner.resolve(key.template), ..key };
            match self.places.get_mut(&to) {
                Some(other) => other.absorb(&watch),
                None => drop(self.places.insert(to, watch)),
            }
        }
    }
}

fn gather<'a>(
    windows: &mut BTreeMap<PlaceKey, PlaceWindow<'a>>,
    shape: &'a MergedShape,
    template: TemplateId,
    places: &'a ShapePlaces,
) {
    let draws = shape.count.saturating_sub(shape.unplaced);
    for (number, (place, unit)) in (0u32..).zip(&places.places) {
        let window =
            windows.entry(PlaceKey { template, place: *place }).or_insert_with(|| PlaceWindow::new(*unit));
        window.draws += draws;
        window.first = window.first.into_iter().chain([&shape.example]).min();
        if let Some(merged) = shape.places.get(&number) {
            window.add(merged);
        }
    }
    for (place, hash) in &places.words {
        let window = windows
            .entry(PlaceKey { template, place: *place })
            .or_insert_with(|| PlaceWindow::new(ParameterUnit::None));
        window.draws += shape.count;
        window.first = window.first.into_iter().chain([&shape.example]).min();
        window.seen.push((*hash, shape.count, "", &shape.example));
    }
}

impl<'a> PlaceWindow<'a> {
    fn new(unit: ParameterUnit) -> Self {
        let (seen, high, low) = (Vec::new(), Vec::new(), Vec::new());
        Self { unit, draws: 0, seen, overflow: false, high, highest: None, low, lowest: None, first: None }
    }

    fn add(&mut self, merged: &'a MergedPlace) {
        let seen = merged.values.iter();
        self.seen.extend(seen.map(|(hash, seen)| (*hash, seen.times, seen.value.as_str(), &seen.first)));
        self.overflow |= merged.overflow;
        let farther = |own: Option<&f64>, its: Option<&f64>, end: End| match (own, its) {
            (Some(own), Some(its)) => (its > own) == (end == End::High) && its != own,
            (own, _) => own.is_none(),
        };
        if farther(self.high.first(), merged.high.first(), End::High) {
            self.highest = merged.highest.as_ref();
        }
        if farther(self.low.first(), merged.low.first(), End::Low) {
            self.lowest = merged.lowest.as_ref();
        }
        merge(&mut self.high, &merged.high, End::High);
        merge(&mut self.low, &merged.low, End::Low);
    }
}

impl PlaceKey {
    fn series(self) -> String {
        format!("{}#{}.{}", pattern_id(self.template), self.place >> 4, self.place & 15)
    }
}
