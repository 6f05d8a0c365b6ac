//! Raw line -> line and shape, at the price of what is new in it.

use crate::{
    Line, Parameter, Shape, Shaper, SourceFormat, Zone,
    recall::{
        ContentReading, Known, MAX_LINE_BYTES, Outline, Place, Reading, Recall, Skeleton, SkeletonHash,
        Watch, Worth,
    },
};

/// Reads lines of any sources, and remembers how lines that differ in their digits only are read. What it remembers
/// changes nothing but the time that a line takes, so it is no state: one a thread.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    shaper: Shaper,
    recall: Recall<Reading>,
    skeleton: Skeleton,
    worth: Worth,
    contents: Recall<ContentReading>,
    outline: Outline,
    worth_of_contents: Worth,
    /// Of the last content, where it was recalled.
    parameters: Vec<Parameter>,
    watch: Watch,
    last: Last,
}

/// What the last line was to [`Recall`].
#[derive(Clone, Copy, Debug, Default)]
enum Last {
    #[default]
    New,
    Read(Place),
    /// Its content was read before.
    Content(Place),
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
                    self.recall.keep(hash, Some(reading));
                }
                self.last = Last::New;
                return shape;
            }
            Last::Content(_) | Last::New => {}
        }
        self.shape_by_outline(line.content)
    }

    /// The shape of a content, whatever the length of its numbers if one like it was read before.
    fn shape_by_outline(&mut self, content: &str) -> Shape {
        if content.len() > MAX_LINE_BYTES || !self.worth_of_contents.is_due() {
            return self.shaper.shape(content);
        }
        let Some(hash) = self.outline.read(content.as_bytes()) else { return self.shaper.shape(content) };
        if let Some(place) = self.contents.find(hash) {
            if let Some(reading) = self.contents.get(place)
                && reading.is_of(content, &self.outline)
            {
                reading.parameters(&self.outline, &mut self.parameters);
                self.worth_of_contents.found();
                self.last = Last::Content(place);
                return reading.shape;
            }
        } else if matches!(self.contents.see(hash), Known::Seen(_)) && self.worth_of_contents.may_keep() {
            self.watch.begin_content(content, &self.outline);
            let shape = self.shaper.shape_watched(content, &self.watch);
            let (text, parameters) = (self.shaper.text(), self.shaper.parameters());
            let reading = ContentReading::of(shape, text, parameters, self.watch.content());
            // Kept too where there is none, so as not to be asked for again.
            self.contents.keep(hash, reading);
            return shape;
        }
        self.shaper.shape(content)
    }

    /// The shape of a content by itself, as [`Shaper::shape`] tells it; the last shape from then on.
    pub fn shape_of(&mut self, content: &str) -> Shape {
        self.last = Last::New;
        self.shaper.shape(content)
    }

    /// Appends the canonical text of the last shape, as [`Shaper::write_tokens`] does.
    pub fn write_tokens(&self, out: &mut String) {
        let text = match self.last {
            Last::Read(place) => self.recall.get(place).map(|reading| &reading.text),
            Last::Content(place) => self.contents.get(place).map(|reading| &reading.text),
            Last::New | Last::Watched(_) => None,
        };
        match text {
            Some(text) => out.push_str(&String::from_utf8_lossy(text)),
            None => self.shaper.write_tokens(out),
        }
    }

    /// The parameters of the last shape, as [`Shaper::parameters`] tells them.
    pub fn parameters(&self) -> &[Parameter] {
        match self.last {
            Last::Read(place) => self.recall.get(place).map_or(&[], |reading| &reading.parameters),
            Last::Content(_) => &self.parameters,
            Last::New | Last::Watched(_) => self.shaper.parameters(),
        }
    }

    /// Whether the last line was like one read before, but for its digits.
    pub fn has_recalled(&self) -> bool {
        matches!(self.last, Last::Read(_))
    }

    /// Whether the shape that was asked for last is that of a content read before, but for its numbers.
    pub fn has_recalled_shape(&self) -> bool {
        matches!(self.last, Last::Read(_) | Last::Content(_))
    }
}
