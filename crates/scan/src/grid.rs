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
}

/// How columns of a grid went into those of a wider one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Widened {
    from: Grid,
    to: Grid,
}

impl Grid {
    /// The narrowest grid that holds a time.
    pub(crate) fn at(time: Timestamp) -> Self {
        Self { first: time.nanos() >> NARROWEST, shift: NARROWEST }
    }

    /// The column of a time, if it lies within.
    pub(crate) fn column(self, time: Timestamp) -> Option<usize> {
        let column = (time.nanos() >> self.shift).checked_sub(self.first)?;
        usize::try_from(column).ok().filter(|column| *column < COLUMNS)
    }

    /// The column at the end that lies nearest to a time outside.
    pub(crate) fn nearest(self, time: Timestamp) -> usize {
        self.column(time).unwrap_or(if time < self.start(0) { 0 } else { COLUMNS - 1 })
    }

    /// Times the columns have to become twice as wide for `time` to lie within.
    pub(crate) fn widenings(self, time: Timestamp) -> u32 {
        let wide = self.widened(time);
        wide.shift - self.shift
    }

    /// Makes the columns wider until `time` lies within.
    pub(crate) fn widen(&mut self, time: Timestamp) -> Option<Widened> {
        let to = self.widened(time);
        let from = std::mem::replace(self, to);
        (from != to).then_some(Widened { from, to })
    }

    fn widened(self, time: Timestamp) -> Self {
        let last = self.first + COLUMNS as u64 - 1;
        let mut wide = self;
        loop {
            let by = wide.shift - self.shift;
            let at = time.nanos() >> wide.shift;
            let (first, last) = ((self.first >> by).min(at), (last >> by).max(at));
            if last - first < COLUMNS as u64 {
                // Where the columns stay as wide they stay where they are.
                return if wide.shift == self.shift && self.column(time).is_some() {
                    self
                } else {
                    Self { first, ..wide }
                };
            }
            wide.shift += 1;
        }
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

impl Widened {
    /// Moves counts from the narrow columns into the wide ones.
    pub(crate) fn fold(self, counts: &mut Counts) {
        let mut wide = [0u32; COLUMNS];
        let by = self.to.shift - self.from.shift;
        for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let at = ((self.from.first + column as u64) >> by).saturating_sub(self.to.first);
            let at = usize::try_from(at).unwrap_or(COLUMNS - 1).min(COLUMNS - 1);
            wide[at] = wide[at].saturating_add(*count);
        }
        *counts = wide;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_widens_both_ways_and_loses_no_count() {
        let base = 1_700_000_000_000_000_000u64;
        let times = [0i64, 5_000_000, 90_000_000_000, -40_000_000_000, 86_400_000_000_000, -3_600_000_000_000];
        let mut grid = Grid::at(Timestamp(base));
        let mut counts = [0u32; COLUMNS];
        for (seen, offset) in times.iter().enumerate() {
            let time = Timestamp(base.saturating_add_signed(*offset));
            if let Some(widened) = grid.widen(time) {
                widened.fold(&mut counts);
            }
            counts[grid.column(time).expect("it was widened")] += 1;
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
        let widened = grid.widen(Timestamp::MAX).expect("wider");
        let mut counts = [1u32; COLUMNS];
        widened.fold(&mut counts);
        assert_eq!(counts.iter().sum::<u32>(), COLUMNS as u32);
        assert_eq!((grid.column(Timestamp(0)), grid.column(Timestamp::MAX)), (Some(0), Some(COLUMNS - 1)));
    }
}
