//! The values that lines hold at the places of their shapes: what may be new or out of range is passed on, and no more.
//!
//! Of a place with few values each is passed on the first time and the second, of a quantity each that is among the
//! largest or the smallest so far. What was passed on is taken note of when its window is closed, in the order of
//! windows, so it follows from what the windows held and not from the order in which it came; and as whoever sees a
//! part of a place's values has a lower bar than whoever sees them all, nothing that matters over all partitions is held
//! back by one.

use std::collections::BTreeMap;

use foreshock_model::{Timestamp, fingerprint64, proto};
use foreshock_stats::{
    End,
    range::{EXTREMES, merge},
    values::VALUES,
};
use foreshock_template::{Parameter, ParameterKind, marks, quantity};
use serde::{Deserialize, Serialize};

use super::{
    core::Core,
    logs::{Read, example},
    shapes::ShapeId,
    sources::SourceId,
};

/// Places of a shape that are looked at, the first.
const PLACES: usize = 16;
/// Lines of a window's shape that are kept before those no value names are dropped.
const MOST_LINES: usize = 2 * PLACES * VALUES;
/// A value is shown up to so many bytes.
const SHOWN_BYTES: usize = 80;
/// Ranges are learned anew every week, in seconds.
const WEEK: u64 = 7 * 86_400;

/// The places of all shapes, by [`ShapeId`].
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Places {
    of_shapes: Vec<ShapePlaces>,
}

#[derive(Default, Serialize, Deserialize)]
struct ShapePlaces {
    /// Parameters that a line has whose values can be told apart by their number.
    marks: u16,
    places: Box<[Place]>,
    /// What a value of the window that was counted in last has to pass to be looked at.
    #[serde(skip)]
    bars: Vec<Bar>,
    #[serde(skip)]
    bars_of: Option<Timestamp>,
    /// The latest of the lines that hold that window's farthest values: one that is as far out and later changes nothing.
    #[serde(skip)]
    newest: Timestamp,
}

/// What a value has to pass to matter, as far as its window and those before it tell: all that most lines need to have
/// read of a place. Small, and only of places where something may stand: a service's shapes have many, and each line
/// waits for those of its own to come from memory.
#[derive(Clone, Copy)]
struct Bar {
    /// Of a quantity: below and above these values.
    low: f64,
    high: f64,
    number: u8,
    kind: ParameterKind,
    /// It is a quantity.
    is_quantity: bool,
    /// Values are told apart.
    is_named: bool,
}

/// One place, as far as closed windows tell.
#[derive(Serialize, Deserialize)]
struct Place {
    kind: ParameterKind,
    /// Its values, until there are too many.
    named: Option<Known>,
    range: Option<Box<Range>>,
}

/// The values of a place that were passed on.
#[derive(Default, Serialize, Deserialize)]
struct Known {
    /// Sorted; the lowest bit says that it was passed on twice, and nothing more is to be said of it.
    values: Vec<u64>,
    twice: u16,
}

/// The extremes of a week.
#[derive(Default, Serialize, Deserialize)]
struct Range {
    week: u64,
    high: Vec<f64>,
    low: Vec<f64>,
}

/// What a window holds of a shape's places that may have to be passed on.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct PlaceWindows {
    places: Vec<PlaceWindow>,
    /// Lines that values were seen in: one mostly shows several that are new.
    lines: Vec<Sighting>,
}

#[derive(Default, Serialize, Deserialize)]
struct PlaceWindow {
    /// Values that were not known, and how often each came: once or more.
    hashes: Vec<u64>,
    seen: Vec<Seen>,
    overflow: bool,
    high: Extremes,
    low: Extremes,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Seen {
    times: u8,
    /// The first line that held it, and where it stands there; nowhere, if that is cut off.
    line: u32,
    from: u16,
    to: u16,
}

#[derive(Default, Serialize, Deserialize)]
struct Extremes {
    /// The farthest out first.
    values: Vec<f64>,
    /// Of the farthest.
    first: Option<Sighting>,
}

/// A line that holds a value: of those the least.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Sighting {
    time: Timestamp,
    source: SourceId,
    line: String,
}

/// The line that is being taken in, and its number among the lines kept once it is one of them.
struct Current<'a> {
    read: &'a Read<'a>,
    core: &'a Core,
    /// Where the content begins in the line.
    content: usize,
    kept: Option<u32>,
    /// It may be shown for a value that is as far out as the farthest.
    may_tie: bool,
    /// A value of it is among the farthest.
    is_far: bool,
}

impl Places {
    /// Takes in a shape met for the first time.
    pub(super) fn add(&mut self, shape: ShapeId, text: &str) {
        if self.of_shapes.len() <= shape as usize {
            self.of_shapes.resize_with(shape as usize + 1, ShapePlaces::default);
        }
        let marks = marks(text);
        self.of_shapes[shape as usize] = ShapePlaces {
            marks: u16::try_from(marks.len()).unwrap_or(u16::MAX),
            places: marks.iter().take(PLACES).map(|mark| Place::new(mark.kind)).collect(),
            ..ShapePlaces::default()
        };
    }

    /// Takes in the values of a line that is not late. Returns whether its places could be told.
    pub(super) fn count(
        &mut self,
        shape: ShapeId,
        content: &str,
        parameters: &[Parameter],
        into: &mut PlaceWindows,
        (read, core): (&Read<'_>, &Core),
    ) -> bool {
        let Some(of_shape) = self.of_shapes.get_mut(shape as usize) else { return false };
        if usize::from(of_shape.marks) != parameters.len() {
            return false;
        }
        if of_shape.bars_of != Some(read.window()) {
            of_shape.set_bars(read.window(), &into.places);
        }
        let begins = (content.as_ptr() as usize).wrapping_sub(read.line().as_ptr() as usize);
        let may_tie = read.time() <= of_shape.newest;
        let mut current = Current { read, core, content: begins, kept: None, may_tie, is_far: false };
        let mut is_open = false;
        for bar in &mut of_shape.bars {
            if let Some(parameter) = parameters.get(usize::from(bar.number)) {
                bar.look_at(content, parameter, &of_shape.places, into, &mut current);
                is_open |= bar.is_open();
            }
        }
        if is_open {
            of_shape.bars.retain(|bar| !bar.is_open());
        }
        if current.is_far {
            of_shape.newest = of_shape.newest.max(read.time());
        }
        true
    }

    /// Passes on what matters of a shape's closed window, and takes note of it: its places, and the lines they name.
    pub(super) fn pass_on(
        &mut self,
        shape: ShapeId,
        start: Timestamp,
        window: PlaceWindows,
        core: &Core,
    ) -> (Vec<proto::PlaceWindow>, Vec<proto::Sighting>) {
        let Some(of_shape) = self.of_shapes.get_mut(shape as usize) else { return Default::default() };
        of_shape.bars_of = None;
        let PlaceWindows { places, lines } = window;
        let mut named = NamedLines { lines, to: BTreeMap::new(), passed_on: Vec::new() };
        let places = of_shape.places.iter_mut().zip(places).enumerate();
        let rows = places
            .filter_map(|(number, (place, window))| place.pass_on(number, start, window, &mut named, core))
            .collect();
        (rows, named.passed_on)
    }
}

/// Lines on their way: those that are named, each once.
struct NamedLines {
    lines: Vec<Sighting>,
    to: BTreeMap<u32, u32>,
    passed_on: Vec<proto::Sighting>,
}

impl NamedLines {
    fn name(&mut self, line: u32, core: &Core) -> u32 {
        let Self { lines, to, passed_on } = self;
        *to.entry(line).or_insert_with(|| {
            passed_on.extend(lines.get(line as usize).map(|line| line.clone().pass_on(core)));
            passed_on.len().saturating_sub(1) as u32
        })
    }
}

impl PlaceWindows {
    /// The window of a place, made if need be.
    fn at(&mut self, number: usize) -> &mut PlaceWindow {
        if self.places.len() <= number {
            self.places.resize_with(number + 1, PlaceWindow::default);
        }
        &mut self.places[number]
    }

    /// Takes in a value of a place that may be new.
    fn note(
        &mut self,
        number: usize,
        hash: u64,
        (from, to): (u32, u32),
        known: &Known,
        current: &mut Current<'_>,
    ) {
        let place = self.at(number);
        let at = place.hashes.iter().position(|seen| *seen == hash);
        if at.is_none() && place.hashes.len() + usize::from(known.twice) >= VALUES {
            // With those that are known now there will be too many, whatever else is known by then.
            (place.hashes, place.seen) = (Vec::new(), Vec::new());
            place.overflow = true;
            return;
        }
        let line = match at.map(|at| &mut place.seen[at]) {
            Some(seen) => {
                seen.times = 2;
                let first = seen.line;
                if !self.lines[first as usize].is_after(current.read, current.core) {
                    return;
                }
                self.keep(current)
            }
            None => self.keep(current),
        };
        let cut = |at: u32| u16::try_from(current.content + at as usize).unwrap_or(u16::MAX);
        let place = &mut self.places[number];
        let times = at.map_or(1, |_| 2);
        let seen = Seen { times, line, from: cut(from), to: cut(to) };
        match at {
            Some(at) => place.seen[at] = seen,
            None => {
                place.hashes.push(hash);
                place.seen.push(seen);
            }
        }
    }

    /// Keeps the current line.
    fn keep(&mut self, current: &mut Current<'_>) -> u32 {
        if let Some(kept) = current.kept {
            return kept;
        }
        if self.lines.len() >= MOST_LINES {
            self.drop_unnamed();
        }
        let kept = self.lines.len() as u32;
        self.lines.push(Sighting::of(current.read));
        current.kept = Some(kept);
        kept
    }

    /// Drops lines that no value names any more.
    fn drop_unnamed(&mut self) {
        let mut lines = std::mem::take(&mut self.lines);
        let mut moved: BTreeMap<u32, u32> = BTreeMap::new();
        for seen in self.places.iter_mut().flat_map(|place| &mut place.seen) {
            let next = moved.len() as u32;
            let to = *moved.entry(seen.line).or_insert(next);
            if to == next {
                self.lines.push(std::mem::take(&mut lines[seen.line as usize]));
            }
            seen.line = to;
        }
    }
}

fn week_of(window: Timestamp) -> u64 {
    window.nanos() / (WEEK * 1_000_000_000)
}

impl ShapePlaces {
    fn set_bars(&mut self, window: Timestamp, rows: &[PlaceWindow]) {
        self.bars_of = Some(window);
        let farthest = rows.iter().flat_map(|row| [&row.high.first, &row.low.first]).flatten();
        self.newest = farthest.map(|line| line.time).max().unwrap_or_default();
        let bars = (0u8..).zip(&self.places).map(|(number, place)| {
            let row = rows.get(usize::from(number));
            Bar::of(number, place, window, row)
        });
        self.bars.clear();
        self.bars.extend(bars.filter(|bar| !bar.is_open()));
    }
}

impl Bar {
    fn of(number: u8, place: &Place, window: Timestamp, row: Option<&PlaceWindow>) -> Self {
        let mut bar = Self {
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            number,
            is_quantity: place.range.is_some(),
            is_named: place.named.is_some() && !row.is_some_and(|row| row.overflow),
            kind: place.kind,
        };
        if let Some(range) = place.range.as_ref().filter(|range| range.week == week_of(window)) {
            bar.high = range.high.get(EXTREMES - 1).copied().unwrap_or(bar.high);
            bar.low = range.low.get(EXTREMES - 1).copied().unwrap_or(bar.low);
        }
        if let Some(row) = row {
            bar.raise(row);
        }
        bar
    }

    /// After a row has taken up a value.
    fn raise(&mut self, row: &PlaceWindow) {
        self.high = row.high.last().map_or(self.high, |last| last.max(self.high));
        self.low = row.low.last().map_or(self.low, |last| last.min(self.low));
    }

    /// Whether anything may stand there.
    fn is_open(&self) -> bool {
        !(self.is_quantity || self.is_named)
    }

    #[inline]
    fn look_at(
        &mut self,
        content: &str,
        parameter: &Parameter,
        places: &[Place],
        rows: &mut PlaceWindows,
        current: &mut Current<'_>,
    ) {
        let text = &content.as_bytes()[parameter.start as usize..parameter.end as usize];
        let number = usize::from(self.number);
        if self.is_quantity
            && let Some(value) = quantity(self.kind, text)
            && value > 0.0
        {
            // The first values are at both ends. Of lines that hold the farthest value the least is shown.
            if value > self.high || (value == self.high && current.may_tie) {
                let row = rows.at(number);
                row.high.note(value, End::High, current);
                self.raise(row);
            }
            if value < self.low || (value == self.low && current.may_tie) {
                let row = rows.at(number);
                row.low.note(value, End::Low, current);
                self.raise(row);
            }
        }
        if self.is_named
            && let Some(known) = places.get(number).and_then(|place| place.named.as_ref())
        {
            let hash = fingerprint64(text) & !1;
            if !known.is_passed_on(hash) {
                rows.note(number, hash, (parameter.start, parameter.end), known, current);
                self.is_named = !rows.at(number).overflow;
            }
        }
    }
}

impl Place {
    fn new(kind: ParameterKind) -> Self {
        use ParameterKind::{
            Duration, Email, Hex, Host, Id, Ip, Number, Path, Size, Text, Time, Url, Uuid, Value, Version,
        };
        let (is_quantity, is_name) = match kind {
            Number | Value => (true, true),
            Duration | Size => (true, false),
            Version | Ip | Host | Hex | Path | Url | Email | Id | Text => (false, true),
            Uuid | Time => (false, false),
        };
        Self { kind, named: is_name.then(Known::default), range: is_quantity.then(Box::default) }
    }

    fn pass_on(
        &mut self,
        number: usize,
        start: Timestamp,
        window: PlaceWindow,
        lines: &mut NamedLines,
        core: &Core,
    ) -> Option<proto::PlaceWindow> {
        let mut row = proto::PlaceWindow { place: number as u32, ..Default::default() };
        if let Some(known) = &mut self.named {
            let news: Vec<(u64, Seen)> = window.hashes.into_iter().zip(window.seen).collect();
            row.overflow = window.overflow || known.is_too_many(&news);
            if row.overflow {
                self.named = None;
            } else {
                let values = news.into_iter();
                row.values =
                    values.filter_map(|(hash, seen)| known.pass_on(hash, seen, lines, core)).collect();
            }
        }
        if let Some(range) = &mut self.range {
            range.turn(week_of(start));
            (row.high, row.highest) = window.high.pass_on(&mut range.high, End::High, core);
            (row.low, row.lowest) = window.low.pass_on(&mut range.low, End::Low, core);
        }
        let says = row.overflow || !(row.values.is_empty() && row.high.is_empty() && row.low.is_empty());
        says.then_some(row)
    }
}

impl Known {
    /// As in a binary search. Hashes lie evenly: a value is near where its own points to, and that is mostly all of
    /// the table that has to come from memory.
    fn find(&self, hash: u64) -> Result<usize, usize> {
        let hash_at = |at: usize| self.values[at] & !1;
        let length = self.values.len();
        let mut at = ((u128::from(hash) * length as u128) >> 64) as usize;
        while at > 0 && hash_at(at - 1) >= hash {
            at -= 1;
        }
        while at < length && hash_at(at) < hash {
            at += 1;
        }
        if at < length && hash_at(at) == hash { Ok(at) } else { Err(at) }
    }

    fn is_passed_on(&self, hash: u64) -> bool {
        self.find(hash).is_ok_and(|at| self.values[at] & 1 == 1)
    }

    /// Whether these are more than can be told apart, with those that are known.
    fn is_too_many(&self, news: &[(u64, Seen)]) -> bool {
        let new = news.iter().filter(|(hash, _)| self.find(*hash).is_err()).count();
        self.values.len() + new > VALUES
    }

    fn pass_on(
        &mut self,
        hash: u64,
        seen: Seen,
        lines: &mut NamedLines,
        core: &Core,
    ) -> Option<proto::SeenValue> {
        let times = match self.find(hash) {
            Ok(at) if self.values[at] & 1 == 1 => return None,
            Ok(at) => {
                self.values[at] |= 1;
                self.twice += 1;
                1
            }
            Err(at) => {
                self.values.insert(at, hash | u64::from(seen.times > 1));
                self.twice += u16::from(seen.times > 1);
                seen.times
            }
        };
        let line = lines.lines.get(seen.line as usize).map_or("", |line| line.line.as_str());
        let value = line.get(usize::from(seen.from)..usize::from(seen.to)).unwrap_or("");
        let value = value[..value.floor_char_boundary(SHOWN_BYTES)].to_owned();
        Some(proto::SeenValue { hash, times: times.into(), value, line: lines.name(seen.line, core) })
    }
}

impl Range {
    fn turn(&mut self, week: u64) {
        if week != self.week {
            *self = Self { week, ..Self::default() };
        }
    }
}

impl Extremes {
    /// The last of the values, where one more would push it out.
    fn last(&self) -> Option<f64> {
        self.values.get(EXTREMES - 1).copied()
    }

    fn note(&mut self, value: f64, end: End, current: &mut Current<'_>) {
        current.is_far = true;
        let (read, core) = (current.read, current.core);
        let beyond = |one: f64, other: f64| if end == End::High { one > other } else { one < other };
        match (self.values.first(), &mut self.first) {
            (Some(first), Some(sighting)) => {
                if beyond(value, *first) || (value == *first && sighting.is_after(read, core)) {
                    sighting.set(read);
                }
            }
            _ => self.first = Some(Sighting::of(read)),
        }
        if self.values.len() >= EXTREMES {
            if self.values.last().is_some_and(|last| !beyond(value, *last)) {
                return;
            }
            self.values.pop();
        }
        let at = self.values.partition_point(|known| !beyond(value, *known));
        self.values.insert(at, value);
    }

    /// What of it is among the extremes of the week, and takes it up there.
    fn pass_on(self, week: &mut Vec<f64>, end: End, core: &Core) -> (Vec<f64>, Option<proto::Sighting>) {
        let mut values = self.values;
        if let Some(last) = week.get(EXTREMES - 1) {
            values.retain(|value| if end == End::High { *value > *last } else { *value < *last });
        }
        merge(week, &values, end);
        let first = self.first.filter(|_| !values.is_empty());
        (values, first.map(|first| first.pass_on(core)))
    }
}

impl Sighting {
    fn of(read: &Read<'_>) -> Self {
        Self { time: read.time(), source: read.source(), line: example(read.line()).to_owned() }
    }

    /// Becomes another, in the space it has: a counter is at its highest with every line.
    fn set(&mut self, read: &Read<'_>) {
        (self.time, self.source) = (read.time(), read.source());
        self.line.clear();
        self.line.push_str(example(read.line()));
    }

    /// Of two lines the least is kept, as where detect merges partitions: whether that is the other.
    fn is_after(&self, read: &Read<'_>, core: &Core) -> bool {
        if read.time() != self.time {
            return read.time() < self.time;
        }
        let instance = |source| &*core.sources.source(source).instance;
        (example(read.line()), instance(read.source())) < (self.line.as_str(), instance(self.source))
    }

    fn pass_on(self, core: &Core) -> proto::Sighting {
        proto::Sighting {
            time: self.time.nanos(),
            line: self.line,
            instance: core.sources.source(self.source).instance.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_value_is_found_as_by_halves_wherever_the_hashes_lie() {
        let even: Vec<u64> = (0..VALUES as u64).map(|n| fingerprint64(&n.to_le_bytes()) & !1).collect();
        let crowded: Vec<u64> = (0..VALUES as u64).map(|n| n * 2).chain([u64::MAX - 1]).collect();
        for mut values in [Vec::new(), vec![u64::MAX - 1], even, crowded] {
            values.sort_unstable();
            let known = Known { values: values.clone(), twice: 0 };
            let near = values.iter().flat_map(|hash| [*hash, hash.wrapping_add(2), hash.wrapping_sub(2)]);
            for hash in near.chain([0, 1 << 63, u64::MAX - 1]) {
                assert_eq!(known.find(hash), values.binary_search(&hash), "{hash:x}");
            }
        }
    }
}
