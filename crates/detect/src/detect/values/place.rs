//! One place of a template: what its values are judged by.

use std::collections::BTreeMap;

use foreshock_model::{Finding, Kind, Severity, Timestamp, Window};
use foreshock_stats::{
    Beyond, End, News, PlaceValues, Tail, ValueRange, tail::beta_binomial_upper, values::VALUES,
};
use foreshock_template::{Miner, TemplateId};
use serde::{Deserialize, Serialize};

use super::{
    super::{
        ServiceKey,
        draft::{Draft, bar, evidence},
        merged::Example,
        news::NewsRate,
        patterns::shown,
    },
    ParameterUnit, PlaceKey, PlaceWindow,
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
/// Base windows of a day.
const WINDOWS_A_DAY: f64 = 8_640.0;

/// One place.
#[derive(Serialize, Deserialize)]
pub(super) struct PlaceWatch {
    pub(super) unit: ParameterUnit,
    values: PlaceValues,
    pub(super) range: ValueRange,
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

/// A finding about a place, still without its template's text.
pub(super) struct PlaceDraft {
    template: TemplateId,
    finding: Finding,
}

impl PlaceDraft {
    pub(super) fn finish(self, miner: &Miner) -> Finding {
        let mut finding = self.finding;
        finding.template = miner.render(self.template);
        finding.title = format!("{} ({})", finding.title, shown(&finding.template));
        finding
    }
}

impl PlaceWatch {
    pub(super) fn new(unit: ParameterUnit) -> Self {
        Self {
            unit,
            values: PlaceValues::default(),
            range: ValueRange::default(),
            week: 0,
            hour: Hour::default(),
        }
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        self.values.absorb(&other.values);
        self.range.absorb(&other.range);
        // What was few in each may not be so in both.
        self.hour = Hour { number: self.hour.number, ..Hour::default() };
    }

    pub(super) fn take(
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
        // Several shapes of the template may hold the same.
        let mut times_of: BTreeMap<u64, u64> = BTreeMap::new();
        for (hash, times, ..) in &seen.seen {
            *times_of.entry(*hash).or_default() += times;
        }
        let pairs: Vec<(u64, u64)> = times_of.into_iter().collect();
        let found = self.values.observe(seen.draws, &pairs, seen.overflow);
        self.hour.new += found.new;
        if found.opens {
            drafts.extend(self.judge_cardinality(key, place, window, seen.first));
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
    beta_binomial_upper(hour.new, draws, seen + 1.0, (hour.draws as f64 - seen).max(1.0))
}
