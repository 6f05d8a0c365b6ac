//! What a scan itself counts of the lines: how many, how many errors, and when, of all and of each shape.

use foreshock_detect::reduce::LineRead;
use foreshock_model::Timestamp;

use crate::{
    grid::{COLUMNS, Counts, Grid},
    story::ERROR,
};

/// Becoming wider more often than this at once, a grid loses what it showed: a time that does this is believed when the
/// next line's does so as well. One clock gone wrong, or a number misread, must not push all else into one column.
const LEAP: u32 = 4;

/// Counts over time of all lines and of each shape.
#[derive(Default)]
pub(crate) struct Tally {
    grid: Option<Grid>,
    lines: Series,
    errors: Series,
    /// By the number of the shape.
    shapes: Vec<ShapeTally>,
    /// A line far from the others in time, until the next one shows whether time has moved on.
    leaped: Option<LineRead>,
    span: Option<(Timestamp, Timestamp)>,
}

/// What was counted of one shape. Lines that continue an event are not counted.
#[derive(Clone, Default)]
pub(crate) struct ShapeTally {
    pub(crate) errors: u64,
    pub(crate) severity: u8,
    pub(crate) counts: Series,
}

/// Counts in columns; nothing is kept where there is nothing to count.
#[derive(Clone, Default)]
pub(crate) struct Series(Option<Box<Counts>>);

impl Series {
    fn add(&mut self, column: usize) {
        let counts = self.0.get_or_insert_with(|| Box::new([0; COLUMNS]));
        counts[column] = counts[column].saturating_add(1);
    }

    /// The counts, a column each.
    pub(crate) fn counts(&self) -> &[u32] {
        self.0.as_deref().map_or(&[0; COLUMNS], |counts| counts)
    }
}

impl Tally {
    pub(crate) fn add(&mut self, line: &LineRead) {
        let grid = *self.grid.get_or_insert_with(|| Grid::at(line.time));
        let leaps = grid.column(line.time).is_none() && grid.widenings(line.time) > LEAP;
        if leaps && line.continues {
            // The rest of an event shows nothing new.
            return self.place(line, false);
        }
        match self.leaped.take() {
            None if leaps => return self.leaped = Some(*line),
            Some(before) => self.place(&before, leaps),
            None => {}
        }
        self.place(line, true);
    }

    /// The end of the input.
    pub(crate) fn finish(&mut self) {
        if let Some(line) = self.leaped.take() {
            self.place(&line, true);
        }
    }

    fn place(&mut self, line: &LineRead, is_believed: bool) {
        let column = if is_believed { self.column(line.time) } else { None };
        let Some(column) = column.or_else(|| self.grid.map(|grid| grid.nearest(line.time))) else { return };
        self.lines.add(column);
        if line.continues {
            return;
        }
        let shape = line.shape as usize;
        if self.shapes.len() <= shape {
            self.shapes.resize_with(shape + 1, ShapeTally::default);
        }
        let tally = &mut self.shapes[shape];
        tally.counts.add(column);
        tally.severity = tally.severity.max(line.severity);
        if line.severity >= ERROR {
            tally.errors += 1;
            self.errors.add(column);
        }
        if is_believed {
            let (first, last) = self.span.unwrap_or((line.time, line.time));
            self.span = Some((first.min(line.time), last.max(line.time)));
        }
    }

    /// The column of a time, for which the grid is moved or made wider if need be.
    fn column(&mut self, time: Timestamp) -> Option<usize> {
        let grid = self.grid.as_mut()?;
        if let Some(moved) = grid.hold(time) {
            let series = self.shapes.iter_mut().map(|shape| &mut shape.counts);
            for Series(counts) in series.chain([&mut self.lines, &mut self.errors]) {
                counts.iter_mut().for_each(|counts| moved.fold(counts));
            }
        }
        grid.column(time)
    }

    pub(crate) fn grid(&self) -> Option<Grid> {
        self.grid
    }

    /// Times of the first and the last line.
    pub(crate) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.span
    }

    /// Every line, those that continue an event as well.
    pub(crate) fn lines(&self) -> &[u32] {
        self.lines.counts()
    }

    pub(crate) fn errors(&self) -> &[u32] {
        self.errors.counts()
    }

    /// By the number of the shape.
    pub(crate) fn shapes(&self) -> &[ShapeTally] {
        &self.shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u64, continues: bool) -> LineRead {
        LineRead { shape: 0, time: Timestamp::from_secs(1_700_000_000 + second), severity: 9, continues }
    }

    fn tally(lines: impl IntoIterator<Item = LineRead>) -> Tally {
        let mut tally = Tally::default();
        lines.into_iter().for_each(|line| tally.add(&line));
        tally.finish();
        tally
    }

    fn used(tally: &Tally) -> usize {
        tally.lines().iter().filter(|count| **count > 0).count()
    }

    const YEARS: u64 = 20 * 365 * 86_400;

    #[test]
    fn one_line_with_an_absurd_time_is_counted_and_does_not_push_the_others_together() {
        let minute = (0..600).map(|second| line(second, false));
        let odd = minute
            .clone()
            .chain([line(YEARS, false), line(YEARS, true)])
            .chain((600..900).map(|s| line(s, false)));
        let tally = tally(odd);
        assert_eq!(tally.lines().iter().sum::<u32>(), 902);
        assert!(used(&tally) > 25, "{}", used(&tally));
        assert_eq!(tally.span(), Some((line(0, false).time, line(899, false).time)));
    }

    #[test]
    fn time_that_moves_on_is_followed_also_at_the_very_end() {
        let gap =
            (0..600).map(|second| line(second, false)).chain([line(YEARS, false), line(YEARS + 1, false)]);
        let moved = tally(gap);
        assert_eq!((used(&moved), moved.lines().iter().sum::<u32>()), (2, 602));
        let last = tally((0..600).map(|second| line(second, false)).chain([line(YEARS, false)]));
        assert_eq!((used(&last), last.lines().iter().sum::<u32>()), (2, 601));
        assert_eq!(last.span().map(|(_, last)| last), Some(line(YEARS, false).time));
    }
}
