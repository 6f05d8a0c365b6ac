//! Counts over time in a fixed number of columns, whatever the time they span: all series share one grid, whose columns
//! become twice as wide whenever a time lies beyond it.

use std::time::Duration;

use foreshock_model::Timestamp;

/// Columns of a grid.
pub(crate) const COLUMNS: usize = 64;

/// The narrowest columns are 2^20 ns, about a millisecond.
const NARROWEST: u32 = 20;

/// Counts of one thing, a column each.
pub(crate) type Counts = [u32; COLUMNS];

/// Where the columns lie: column `i` holds the times whose number, less its lowest `shift` bits, is `first + i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    first: u64,
    shift: u32,
    /// The numbers of the lowest and the highest column that hold something.
    low: u64,
    high: u64,
}

/// How columns of a grid went into those of another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    from: Grid,
    to: Grid,
}

impl Grid {
    /// The narrowest grid that holds a time.
    pub(crate) fn at(time: Timestamp) -> Self {
        let first = time.nanos() >> NARROWEST;
        Self { first, shift: NARROWEST, low: first, high: first }
    }

    /// The column of a time, if it lies within.
    pub(crate) fn column(self, time: Timestamp) -> Option<usize> {
        let column = (time.nanos() >> self.shift).checked_sub(self.first)?;
        usize::try_from(column).ok().filter(|column| *column < COLUMNS)
    }

    /// The column that holds something and lies nearest to a time outside.
    pub(crate) fn nearest(self, time: Timestamp) -> usize {
        let number = (time.nanos() >> self.shift).clamp(self.low, self.high);
        usize::try_from(number.saturating_sub(self.first)).unwrap_or(0).min(COLUMNS - 1)
    }

    /// Times the columns have to become twice as wide for `time` to lie within.
    pub(crate) fn widenings(self, time: Timestamp) -> u32 {
        self.with(time).shift - self.shift
    }

    /// Makes the columns wider, or moves them, until `time` lies within, and takes it in.
    pub(crate) fn hold(&mut self, time: Timestamp) -> Option<Moved> {
        let to = self.with(time);
        let from = std::mem::replace(self, to);
        (from.first != to.first || from.shift != to.shift).then_some(Moved { from, to })
    }

    fn with(self, time: Timestamp) -> Self {
        let mut with = self;
        let number = time.nanos() >> with.shift;
        with.low = with.low.min(number);
        with.high = with.high.max(number);
        while with.high - with.low >= COLUMNS as u64 {
            with.shift += 1;
            with.low >>= 1;
            with.high >>= 1;
        }
        // Where they can stay, they do.
        let first = self.first >> (with.shift - self.shift);
        let stay = first <= with.low && with.high < first + COLUMNS as u64;
        with.first = if stay { first } else { with.low };
        with
    }

    /// Where a column begins.
    pub(crate) fn start(self, column: usize) -> Timestamp {
        Timestamp((self.first + column as u64).checked_shl(self.shift).unwrap_or(u64::MAX))
    }

    /// How long a column lasts.
    pub(crate) fn width(self) -> Duration {
        Duration::from_nanos(1u64.checked_shl(self.shift).unwrap_or(u64::MAX))
    }
}

impl Moved {
    /// Where what was in a column is now.
    pub(crate) fn place(self, column: usize) -> usize {
        let by = self.to.shift - self.from.shift;
        let at = ((self.from.first + column as u64) >> by).saturating_sub(self.to.first);
        usize::try_from(at).unwrap_or(COLUMNS - 1).min(COLUMNS - 1)
    }

    /// Moves counts from the columns before into those of now.
    pub(crate) fn fold(self, counts: &mut Counts) {
        let mut moved = [0u32; COLUMNS];
        for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let at = self.place(column);
            moved[at] = moved[at].saturating_add(*count);
        }
        *counts = moved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_grows_both_ways_and_loses_no_count() {
        let base = 1_700_000_000_000_000_000u64;
        let times =
            [0i64, 5_000_000, 90_000_000_000, -40_000_000_000, 86_400_000_000_000, -3_600_000_000_000];
        let mut grid = Grid::at(Timestamp(base));
        let mut counts = [0u32; COLUMNS];
        for (seen, offset) in times.iter().enumerate() {
            let time = Timestamp(base.saturating_add_signed(*offset));
            if let Some(moved) = grid.hold(time) {
                moved.fold(&mut counts);
            }
            counts[grid.column(time).expect("it is held")] += 1;
            assert_eq!(counts.iter().sum::<u32>(), seen as u32 + 1);
        }
        for offset in times {
            let time = Timestamp(base.saturating_add_signed(offset));
            let column = grid.column(time).expect("within");
            assert!(counts[column] > 0, "{offset} is not where it was");
            assert!(grid.start(column) <= time && time < grid.start(column).plus(grid.width()));
        }
        let used = grid.column(Timestamp(base + 86_400_000_000_000)).expect("within")
            - grid.column(Timestamp(base - 3_600_000_000_000)).expect("within");
        assert!(used >= COLUMNS / 2 - 1, "{used} columns hold the whole span");
    }

    #[test]
    fn times_at_both_ends_of_time_fit_into_one_grid() {
        let mut grid = Grid::at(Timestamp(0));
        let moved = grid.hold(Timestamp::MAX).expect("wider");
        let mut counts = [1u32; COLUMNS];
        moved.fold(&mut counts);
        assert_eq!(counts.iter().sum::<u32>(), COLUMNS as u32);
        assert_eq!((grid.column(Timestamp(0)), grid.column(Timestamp::MAX)), (Some(0), Some(COLUMNS - 1)));
    }
}
