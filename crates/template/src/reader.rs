//! Raw line -> line and shape, at the price of what is new in it.

use crate::{
    Line, Parameter, Shape, Shaper, SourceFormat, Zone,
    recall::{Known, MAX_LINE_BYTES, Place, Reading, Recall, Skeleton, SkeletonHash, Watch},
};

/// Reads lines of any sources, and remembers how lines that differ in their digits only are read. What it remembers
/// changes nothing but the time that a line takes, so it is no state: one a thread.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    shaper: Shaper,
    recall: Recall,
    skeleton: Skeleton,
    watch: Watch,
    last: Last,
    worth: Worth,
}

/// Whether remembering is worth its while: of a stream whose lines have little in common hardly any is found.
#[derive(Clone, Copy, Debug)]
struct Worth {
    /// Lines until the next look at how many were found.
    left: u16,
    found: u16,
    /// Only some lines are looked for.
    rests: bool,
    /// Lines found, less what taking lines down costs.
    credit: u16,
}

/// Lines looked for from one look to the next.
const LOOK_LINES: u16 = 256;
/// Fewer found than one in so many is not worth it.
const WORTH_ONE_IN: u16 = 2;
/// While resting, one line in so many is looked for.
const RESTING_ONE_IN: u16 = 8;
/// What taking a line down costs, in lines found.
const KEEP_COST: u16 = 8;
/// Credit at the start, and at most.
const MAX_CREDIT: u16 = 16_384;

impl Default for Worth {
    fn default() -> Self {
        Self { left: LOOK_LINES, found: 0, rests: false, credit: MAX_CREDIT }
    }
}

impl Worth {
    /// Whether the next line is to be looked for.
    #[inline]
    fn is_due(&mut self) -> bool {
        self.left -= 1;
        if self.left == 0 {
            let looked = if self.rests { LOOK_LINES / RESTING_ONE_IN } else { LOOK_LINES };
            *self = Self { left: LOOK_LINES, found: 0, rests: self.found < looked / WORTH_ONE_IN, ..*self };
        }
        !self.rests || self.left.is_multiple_of(RESTING_ONE_IN)
    }

    #[inline]
    fn found(&mut self) {
        self.found += 1;
        self.credit = (self.credit + 1).min(MAX_CREDIT);
    }

    /// Whether a line may be taken down.
    fn may_keep(&mut self) -> bool {
        let left = self.credit.checked_sub(KEEP_COST);
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }
}

/// What the last line was to [`Recall`].
#[derive(Clone, Copy, Debug, Default)]
enum Last {
    #[default]
    New,
    Read(Place),
    /// It is being taken down.
    Watched(SkeletonHash),
}

impl Reader {
    /// A reader that has read nothing.
    pub fn new() -> Self {
        Self { shaper: Shaper::new(), ..Self::default() }
    }

    /// Reads one line of a source, as [`SourceFormat::parse_in`] does.
    pub fn parse<'a>(
        &mut self,
        source: &mut SourceFormat,
        line: &'a str,
        now_hint: u64,
        zone: &Zone,
    ) -> Line<'a> {
        let text = crate::format::trim(line);
        self.last = Last::New;
        if text.len() <= MAX_LINE_BYTES && self.worth.is_due() {
            match self.recall(text) {
                Known::Read(place) => {
                    let reading = self.recall.get(place);
                    if let Some(line) = reading.and_then(|r| r.line(text, source.around(now_hint, zone))) {
                        self.last = Last::Read(place);
                        self.worth.found();
                        source.note(&line);
                        return line;
                    }
                }
                Known::Seen(hash) if self.worth.may_keep() => {
                    self.last = Last::Watched(hash);
                    self.watch.begin(text, self.skeleton.hex_words());
                    return source.parse_watched(text, now_hint, zone, &self.watch);
                }
                Known::Seen(_) | Known::New => {}
            }
        }
        source.parse_in(text, now_hint, zone)
    }

    #[inline]
    fn recall(&mut self, text: &str) -> Known {
        let digits = SkeletonHash::of(self.skeleton.read(text.as_bytes()), false);
        if let Some(place) = self.recall.find(digits) {
            return Known::Read(place);
        }
        let Some(hex) = self.skeleton.read_hex(text.as_bytes()) else { return self.recall.see(digits) };
        let hex = SkeletonHash::of(hex, true);
        match self.recall.find(hex) {
            Some(place) => Known::Read(place),
            None => self.recall.see(hex),
        }
    }

    /// The shape of the content of the line that was parsed last.
    pub fn shape(&mut self, line: &Line<'_>) -> Shape {
        match self.last {
            Last::Read(place) => {
                if let Some(reading) = self.recall.get(place) {
                    return reading.shape;
                }
            }
            Last::Watched(hash) => {
                let shape = self.shaper.shape_watched(line.content, &self.watch);
                let (text, parameters) = (self.shaper.text(), self.shaper.parameters());
                if let Some(reading) = Reading::of(line, shape, text, parameters, &self.watch) {
                    self.recall.keep(hash, reading);
                }
                self.last = Last::New;
                return shape;
            }
            Last::New => {}
        }
        self.shaper.shape(line.content)
    }

    /// The shape of a content by itself, as [`Shaper::shape`] tells it; the last shape from then on.
    pub fn shape_of(&mut self, content: &str) -> Shape {
        self.last = Last::New;
        self.shaper.shape(content)
    }

    /// Appends the canonical text of the last shape, as [`Shaper::write_tokens`] does.
    pub fn write_tokens(&self, out: &mut String) {
        match self.reading() {
            Some(reading) => out.push_str(&String::from_utf8_lossy(&reading.text)),
            None => self.shaper.write_tokens(out),
        }
    }

    /// The parameters of the last shape, as [`Shaper::parameters`] tells them.
    pub fn parameters(&self) -> &[Parameter] {
        self.reading().map_or_else(|| self.shaper.parameters(), |reading| &reading.parameters)
    }

    /// Whether the last line was like one read before, but for its digits.
    pub fn has_recalled(&self) -> bool {
        matches!(self.last, Last::Read(_))
    }

    fn reading(&self) -> Option<&Reading> {
        match self.last {
            Last::Read(place) => self.recall.get(place),
            Last::New | Last::Watched(_) => None,
        }
    }
}
