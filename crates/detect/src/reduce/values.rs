//! The values that lines hold at the places of their shapes: what may be new or out of range is passed on, and no more.
//!
//! Of a place with few values each is passed on the first time and the second, of a quantity each that is among the
//! largest or the smallest so far. What was passed on is taken note of when its window is closed, in the order of
//! windows, so it follows from what the windows held and not from the order in which it came; and as whoever sees a
//! part of a place's values has a lower bar than whoever sees them all, nothing that matters over all partitions is held
//! back by one.

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
}

/// What a value has to pass to matter, as far as its window and those before it tell: all that most lines need to have
/// read of a place.
#[derive(Clone, Copy)]
struct Bar {
    /// Of a quantity: below and above these values.
    low: f64,
    high: f64,
    /// It is one.
    is_quantity: bool,
    /// Values are told apart.
    is_named: bool,
    kind: ParameterKind,
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

/// What a window holds of a place that may have to be passed on.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct PlaceWindow {
    /// Values that were not known, and how often each came: once or more.
    hashes: Vec<u64>,
    seen: Vec<Seen>,
    overflow: bool,
    high: Extremes,
    low: Extremes,
}

#[derive(Serialize, Deserialize)]
struct Seen {
    times: u8,
    value: Box<str>,
    first: Sighting,
}

#[derive(Default, Serialize, Deserialize)]
struct Extremes {
    /// The farthest out first.
    values: Vec<f64>,
    /// Of the farthest.
    first: Option<Sighting>,
}

/// A line that holds a value: of those the least.
#[derive(Serialize, Deserialize)]
struct Sighting {
    time: Timestamp,
    source: SourceId,
    line: Box<str>,
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
        into: &mut Vec<PlaceWindow>,
        (read, core): (&Read<'_>, &Core),
    ) -> bool {
        let Some(of_shape) = self.of_shapes.get_mut(shape as usize) else { return false };
        if usize::from(of_shape.marks) != parameters.len() {
            return false;
        }
        if of_shape.bars_of != Some(read.window()) {
            of_shape.set_bars(read.window(), into);
        }
        for (number, (bar, parameter)) in of_shape.bars.iter_mut().zip(parameters).enumerate() {
            if !bar.is_open() {
                let text = &content[parameter.start as usize..parameter.end as usize];
                bar.look_at(text, &of_shape.places[number], (into, number), (read, core));
            }
        }
        true
    }

    /// Passes on what matters of a shape's closed window, and takes note of it.
    pub(super) fn pass_on(
        &mut self,
        shape: ShapeId,
        start: Timestamp,
        windows: Vec<PlaceWindow>,
        core: &Core,
    ) -> Vec<proto::PlaceWindow> {
        let Some(of_shape) = self.of_shapes.get_mut(shape as usize) else { return Vec::new() };
        of_shape.bars_of = None;
        let places = of_shape.places.iter_mut().zip(windows).enumerate();
        places.filter_map(|(number, (place, window))| place.pass_on(number, start, window, core)).collect()
    }
}

/// The window of a place, made if need be.
fn at(windows: &mut Vec<PlaceWindow>, number: usize) -> &mut PlaceWindow {
    if windows.len() <= number {
        windows.resize_with(number + 1, PlaceWindow::default);
    }
    &mut windows[number]
}

fn week_of(window: Timestamp) -> u64 {
    window.nanos() / (WEEK * 1_000_000_000)
}

impl ShapePlaces {
    fn set_bars(&mut self, window: Timestamp, rows: &[PlaceWindow]) {
        self.bars_of = Some(window);
        let places = self.places.iter().enumerate();
        self.bars.clear();
        self.bars.extend(places.map(|(number, place)| Bar::of(place, window, rows.get(number))));
    }
}

impl Bar {
    fn of(place: &Place, window: Timestamp, row: Option<&PlaceWindow>) -> Self {
        let mut bar = Self {
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
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

    /// After a row has taken up a value. Of lines that hold the same value the least is shown, so one that is as far out
    /// as those of the row is looked at again.
    fn raise(&mut self, row: &PlaceWindow) {
        if let Some(last) = row.high.values.get(EXTREMES - 1) {
            self.high = self.high.max(last.next_down());
        }
        if let Some(last) = row.low.values.get(EXTREMES - 1) {
            self.low = self.low.min(last.next_up());
        }
    }

    /// Whether anything may stand there.
    fn is_open(&self) -> bool {
        !(self.is_quantity || self.is_named)
    }

    #[inline]
    fn look_at(
        &mut self,
        text: &str,
        place: &Place,
        (rows, number): (&mut Vec<PlaceWindow>, usize),
        (read, core): (&Read<'_>, &Core),
    ) {
        if self.is_quantity
            && let Some(value) = quantity(self.kind, text)
            && value > 0.0
        {
            // The first values are at both ends.
            if value > self.high {
                let row = at(rows, number);
                row.high.note(value, End::High, read, core);
                self.raise(row);
            }
            if value < self.low {
                let row = at(rows, number);
                row.low.note(value, End::Low, read, core);
                self.raise(row);
            }
        }
        if self.is_named
            && let Some(known) = &place.named
        {
            let hash = fingerprint64(text.as_bytes()) & !1;
            if !known.is_passed_on(hash) {
                let row = at(rows, number);
                row.note(hash, text, known, read, core);
                self.is_named = !row.overflow;
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
        core: &Core,
    ) -> Option<proto::PlaceWindow> {
        let mut row = proto::PlaceWindow { place: number as u32, ..Default::default() };
        if let Some(known) = &mut self.named {
            row.overflow = window.overflow;
            let news = window.hashes.into_iter().zip(window.seen);
            row.values = news.filter_map(|(hash, seen)| known.pass_on(hash, seen, core)).collect();
            if row.overflow || known.values.len() > VALUES {
                self.named = None;
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
    fn find(&self, hash: u64) -> Result<usize, usize> {
        self.values.binary_search_by_key(&hash, |value| value & !1)
    }

    fn is_passed_on(&self, hash: u64) -> bool {
        self.find(hash).is_ok_and(|at| self.values[at] & 1 == 1)
    }

    fn pass_on(&mut self, hash: u64, seen: Seen, core: &Core) -> Option<proto::SeenValue> {
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
        let (times, value, first) = (times.into(), seen.value.into(), Some(seen.first.pass_on(core)));
        Some(proto::SeenValue { hash, times, value, first })
    }
}

impl Range {
    fn turn(&mut self, week: u64) {
        if week != self.week {
            *self = Self { week, ..Self::default() };
        }
    }
}

impl PlaceWindow {
    fn note(&mut self, hash: u64, text: &str, known: &Known, read: &Read<'_>, core: &Core) {
        if let Some(at) = self.hashes.iter().position(|seen| *seen == hash) {
            let seen = &mut self.seen[at];
            seen.times = seen.times.saturating_add(1).min(2);
            seen.first.note(read, core);
        } else if self.hashes.len() + usize::from(known.twice) >= VALUES {
            // With those that are known now there will be too many, whatever else is known by then.
            (self.hashes, self.seen) = (Vec::new(), Vec::new());
            self.overflow = true;
        } else {
            self.hashes.push(hash);
            let value = &text[..text.floor_char_boundary(SHOWN_BYTES)];
            self.seen.push(Seen { times: 1, value: value.into(), first: Sighting::of(read) });
        }
    }
}

impl Extremes {
    fn note(&mut self, value: f64, end: End, read: &Read<'_>, core: &Core) {
        let beyond = |one: f64, other: f64| if end == End::High { one > other } else { one < other };
        match (self.values.first(), &mut self.first) {
            (Some(first), Some(sighting)) if !beyond(value, *first) => {
                if value == *first {
                    sighting.note(read, core);
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
        Self { time: read.time(), source: read.source(), line: example(read.line()).into() }
    }

    /// Of two lines the least is kept, as where detect merges partitions.
    fn note(&mut self, read: &Read<'_>, core: &Core) {
        if read.time() > self.time {
            return;
        }
        let instance = |source| &*core.sources.source(source).instance;
        let other = (read.time(), example(read.line()), instance(read.source()));
        if other < (self.time, &*self.line, instance(self.source)) {
            *self = Self::of(read);
        }
    }

    fn pass_on(self, core: &Core) -> proto::Sighting {
        proto::Sighting {
            time: self.time.nanos(),
            line: self.line.into(),
            instance: core.sources.source(self.source).instance.to_string(),
        }
    }
}
