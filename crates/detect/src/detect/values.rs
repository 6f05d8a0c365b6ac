//! The values that a service's lines hold: a number out of range, a value never seen in its place, a place that had few
//! values and has many.

use std::collections::BTreeMap;

use foreshock_model::{Finding, Kind, Severity, Timestamp, Window};
use foreshock_stats::{Beyond, End, News, PlaceValues, Tail, ValueRange, range::merge, values::VALUES};
use foreshock_template::{Mark, Miner, ParameterKind, TemplateId};
use serde::{Deserialize, Serialize};

use super::{
    ServiceKey,
    draft::{Draft, bar, evidence, number, span},
    merged::{Example, MergedPlace, MergedShape},
    news::NewsRate,
    patterns::{pattern_id, shown},
    report::Report,
};

/// A number out of range matters from so many times the range's end.
const FAR: f64 = 2.0;
/// A new value less surprising than this is none to tell of: where one draw in a hundred brings one, they come.
const NEW_VALUE_SURPRISE: f64 = 2.0;
/// A place that had up to so many values an hour ago had few.
const FEW: usize = VALUES / 4;
/// And must have been seen so often then.
const FEW_DRAWS: u64 = 1_000;
/// Ranges are learned anew every week.
const WEEK_NANOS: u64 = 7 * 86_400 * 1_000_000_000;
const HOUR_NANOS: u64 = 3_600_000_000_000;
/// Windows over which the number of tests is smoothed.
const TESTS_MEMORY: f64 = 360.0;
/// Base windows of a day.
const WINDOWS_A_DAY: f64 = 8_640.0;
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

/// One place.
#[derive(Serialize, Deserialize)]
struct PlaceWatch {
    unit: ParameterUnit,
    values: PlaceValues,
    range: ValueRange,
    week: u64,
    hour: Hour,
}

/// A place as the present hour found it.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Hour {
    number: u64,
    distinct: usize,
    draws: u64,
    was_learned: bool,
    /// Values never seen since.
    new: u64,
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
        if let Some(merged) = shape.places.get(&number) {
            window.add(merged);
        }
    }
    for (place, hash) in &places.words {
        let window = windows
            .entry(PlaceKey { template, place: *place })
            .or_insert_with(|| PlaceWindow::new(ParameterUnit::None));
        window.draws += shape.count;
        window.seen.push((*hash, shape.count, "", &shape.example));
    }
}

impl<'a> PlaceWindow<'a> {
    fn new(unit: ParameterUnit) -> Self {
        let (seen, high, low) = (Vec::new(), Vec::new(), Vec::new());
        Self { unit, draws: 0, seen, overflow: false, high, highest: None, low, lowest: None }
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

/// A finding about a place, still without its template's text.
struct PlaceDraft {
    template: TemplateId,
    finding: Finding,
}

impl PlaceDraft {
    fn finish(self, miner: &Miner) -> Finding {
        let mut finding = self.finding;
        finding.template = miner.render(self.template);
        finding.title = format!("{} ({})", finding.title, shown(&finding.template));
        finding
    }
}

impl PlaceWatch {
    fn new(unit: ParameterUnit) -> Self {
        Self {
            unit,
            values: PlaceValues::default(),
            range: ValueRange::default(),
            week: 0,
            hour: Hour::default(),
        }
    }

    fn absorb(&mut self, other: &Self) {
        self.values.absorb(&other.values);
        self.range.absorb(&other.range);
        // What was few in each may not be so in both.
        self.hour = Hour { number: self.hour.number, ..Hour::default() };
    }

    fn take(
        &mut self,
        key: &ServiceKey,
        place: PlaceKey,
        seen: &PlaceWindow<'_>,
        window: Window,
        news: &mut NewsRate,
        tests: f64,
    ) -> Vec<PlaceDraft> {
        let mut drafts = Vec::new();
        if self.unit != ParameterUnit::None {
            let week = window.start.nanos() / WEEK_NANOS;
            if self.week != week {
                self.range.turn();
                self.week = week;
            }
            let bar = bar(2.0 * tests * WINDOWS_A_DAY);
            for (end, extremes, line) in
                [(End::High, &seen.high, seen.highest), (End::Low, &seen.low, seen.lowest)]
            {
                let Some(value) = extremes.first() else { continue };
                let beyond = self.range.judge(end, *value, seen.draws);
                let is_told = |beyond: &Beyond| {
                    let far = if end == End::High { value / beyond.nearest } else { beyond.nearest / value };
                    far >= FAR && beyond.tail.surprise() >= bar
                };
                if let Some(beyond) = beyond.filter(is_told) {
                    drafts.push(self.out_of_range(key, place, window, (*value, &beyond), line));
                }
            }
            self.range.learn(seen.draws, &seen.high, &seen.low);
        }
        self.turn_hour(window.start);
        // Where quantities stand that take many values, the next one is judged by its size alone.
        let distinct = self.values.distinct();
        let first = seen
            .seen
            .iter()
            .filter(|(hash, ..)| !self.values.knows(*hash))
            .map(|seen| (seen.3, seen.2))
            .min();
        let pairs: Vec<(u64, u64)> = seen.seen.iter().map(|(hash, times, ..)| (*hash, *times)).collect();
        let found = self.values.observe(seen.draws, &pairs, seen.overflow);
        self.hour.new += found.new;
        if found.opens {
            drafts.extend(self.judge_cardinality(key, place, window, first.map(|first| first.0)));
        } else if found.tail.surprise() >= NEW_VALUE_SURPRISE
            && drafts.is_empty()
            && (self.range.values() == 0 || distinct <= FEW)
            && news.is_told()
        {
            let before = (distinct, self.values.draws() - seen.draws);
            drafts.extend(first.map(|first| self.new_value(key, place, window, (&found, before), first)));
        }
        drafts
    }

    fn turn_hour(&mut self, window: Timestamp) {
        let number = window.nanos() / HOUR_NANOS;
        if self.hour.number != number {
            self.hour = Hour {
                number,
                distinct: self.values.distinct(),
                draws: self.values.draws(),
                was_learned: self.values.learned().is_ready(),
                new: 0,
            };
        }
    }

    fn draft(
        &self,
        key: &ServiceKey,
        place: PlaceKey,
        draft: Draft<'_>,
        line: Option<&Example>,
    ) -> PlaceDraft {
        let mut finding = draft.finish();
        finding.labels.insert("unit".to_owned(), self.unit.name().to_owned());
        finding.evidence.extend(line.map(|line| evidence(key, line)));
        PlaceDraft { template: place.template, finding }
    }

    fn out_of_range(
        &self,
        key: &ServiceKey,
        place: PlaceKey,
        window: Window,
        (value, beyond): (f64, &Beyond),
        line: Option<&Example>,
    ) -> PlaceDraft {
        let show = |value| self.unit.show(value);
        let draft = Draft {
            key,
            kind: Kind::ParameterValue,
            series: &place.series(),
            window,
            tail: beyond.tail,
            effect: value / beyond.nearest,
            observed: value,
            expected: beyond.usual,
            severity: Severity::Warning,
            title: format!(
                "{} writes a number out of range: {}; {} to {} are usual",
                key.1,
                show(value),
                show(beyond.usual.0),
                show(beyond.usual.1)
            ),
        };
        self.draft(key, place, draft, line)
    }

    fn new_value(
        &self,
        key: &ServiceKey,
        place: PlaceKey,
        window: Window,
        (found, (distinct, draws)): (&News, (usize, u64)),
        (line, value): (&Example, &str),
    ) -> PlaceDraft {
        let what = match (value, found.new) {
            ("", 1) => "a word".to_owned(),
            (value, 1) => shown(value),
            (_, new) => format!("{new} values"),
        };
        let draft = Draft {
            key,
            kind: Kind::NewValue,
            series: &place.series(),
            window,
            tail: found.tail,
            effect: found.new as f64,
            observed: found.new as f64,
            expected: (0.0, 0.0),
            severity: Severity::Info,
            title: format!(
                "{} writes {what} never seen in a place that held one of {distinct} others {draws} times",
                key.1
            ),
        };
        self.draft(key, place, draft, Some(line))
    }

    /// A place that had few values an hour ago, and now has more than can be told apart.
    fn judge_cardinality(
        &self,
        key: &ServiceKey,
        place: PlaceKey,
        window: Window,
        line: Option<&Example>,
    ) -> Option<PlaceDraft> {
        let hour = &self.hour;
        if !hour.was_learned || hour.distinct > FEW || hour.draws < FEW_DRAWS {
            return None;
        }
        let draws = (self.values.draws() - hour.draws).max(hour.new);
        let tail = chance_of(hour, draws);
        let draft = Draft {
            key,
            kind: Kind::Cardinality,
            series: &place.series(),
            window,
            tail,
            effect: (VALUES + 1) as f64 / hour.distinct.max(1) as f64,
            observed: (VALUES + 1) as f64,
            expected: (hour.distinct as f64, hour.distinct as f64),
            severity: Severity::Warning,
            title: format!(
                "{} writes more than {VALUES} values in a place that held one of {} an hour ago",
                key.1, hour.distinct
            ),
        };
        Some(self.draft(key, place, draft, line))
    }
}

/// P(so many values never seen among `draws`), if one of those before was as likely to be.
fn chance_of(hour: &Hour, draws: u64) -> Tail {
    let seen = hour.distinct as f64;
    foreshock_stats::tail::beta_binomial_upper(
        hour.new,
        draws,
        seen + 1.0,
        (hour.draws as f64 - seen).max(1.0),
    )
}

impl PlaceKey {
    fn series(self) -> String {
        format!("{}#{}.{}", pattern_id(self.template), self.place >> 4, self.place & 15)
    }
}
