//! What one source's lines teach about the next.

use serde::{Deserialize, Serialize};

use super::{Format, Line, read, trim};
use crate::{
    Zone,
    recall::Watch,
    timestamp::{Around, DateOrder},
};

/// Dates of one order that make up for as many of another: a source that changes is believed after so many at most.
const MAX_SURE: u8 = 8;

/// What was learnt of one source's lines. Small: one lives in every source's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFormat {
    /// Of the line before.
    last: Format,
    lines: u64,
    timed: u64,
    levelled: u64,
    /// How its dates in numbers are written, as far as a date has shown, and how sure that is.
    order: Option<DateOrder>,
    sure: u8,
}

impl SourceFormat {
    /// Reads one line. `now_hint` is about now in Unix nanoseconds (receive time, or the time of the line before):
    /// it completes times without year or day; 0 where unknown. A time without a zone is UTC.
    pub fn parse<'a>(&mut self, line: &'a str, now_hint: u64) -> Line<'a> {
        self.parse_in(line, now_hint, &Zone::UTC)
    }

    /// The same, where a time without a zone is that of `zone`.
    pub fn parse_in<'a>(&mut self, line: &'a str, now_hint: u64, zone: &Zone) -> Line<'a> {
        let text = trim(line);
        let mut line = read(text, self.around(now_hint, zone), 0);
        line.text = text;
        self.note(&line);
        line
    }

    /// The same of a line without white space around it, while what it asks is taken down.
    pub(crate) fn parse_watched<'a>(
        &mut self,
        text: &'a str,
        now_hint: u64,
        zone: &Zone,
        watch: &Watch,
    ) -> Line<'a> {
        let around = self.around(now_hint, zone);
        let mut line = read(text, Around { watch: Some(watch), ..around }, 0);
        line.text = text;
        self.note(&line);
        line
    }

    pub(crate) fn around<'z>(&self, now_hint: u64, zone: &'z Zone) -> Around<'z> {
        Around { hint: now_hint, zone, order: self.order, alone: false, watch: None }
    }

    /// Learns from a line that was read.
    #[inline]
    pub(crate) fn note(&mut self, line: &Line<'_>) {
        self.last = line.format;
        self.lines += 1;
        self.timed += u64::from(line.time.is_some());
        self.levelled += u64::from(line.level.is_some());
        if let Some(order) = line.written.and_then(|written| written.shows) {
            self.learn_order(order);
        }
    }

    fn learn_order(&mut self, order: DateOrder) {
        if self.order == Some(order) {
            self.sure = (self.sure + 1).min(MAX_SURE);
        } else if self.sure > 1 {
            self.sure -= 1;
        } else {
            (self.order, self.sure) = (Some(order), 1);
        }
    }

    /// How the last line was read.
    pub fn format(&self) -> Format {
        self.last
    }

    /// Share of lines so far whose time was found; 0 before the first.
    pub fn timed_share(&self) -> f64 {
        self.timed as f64 / self.lines.max(1) as f64
    }

    /// Share of lines so far whose level was found; 0 before the first.
    pub fn levelled_share(&self) -> f64 {
        self.levelled as f64 / self.lines.max(1) as f64
    }
}
