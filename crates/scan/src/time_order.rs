//! Points of a long table in the order of their times, in bounded memory: runs are sorted, laid on disk, and merged.
//!
//! A long table often has one series after the other, and time never goes back.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
};

use foreshock_model::Timestamp;

/// Points sorted in memory: 24 MB.
const RUN_POINTS: usize = 1 << 20;
const POINT_BYTES: usize = 24;

/// One value; service and series by number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LongPoint {
    pub(crate) time: Timestamp,
    pub(crate) service: u32,
    pub(crate) series: u32,
    pub(crate) value: f64,
}

/// Takes points in any order.
#[derive(Default)]
pub(crate) struct TimeOrder {
    run: Vec<LongPoint>,
    laid: Vec<File>,
}

impl TimeOrder {
    pub(crate) fn push(&mut self, point: LongPoint) -> io::Result<()> {
        self.run.push(point);
        if self.run.len() == RUN_POINTS {
            self.lay()?;
        }
        Ok(())
    }

    fn lay(&mut self) -> io::Result<()> {
        // Of equal times as they came.
        self.run.sort_by_key(|point| point.time);
        let mut out = BufWriter::new(tempfile::tempfile()?);
        for point in self.run.drain(..) {
            out.write_all(&point.to_bytes())?;
        }
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.laid.push(file);
        Ok(())
    }

    /// No more come: gives them in the order of time.
    pub(crate) fn finish(mut self) -> io::Result<Ordered> {
        self.run.sort_by_key(|point| point.time);
        let mut ordered = Ordered { runs: Vec::new(), next: BinaryHeap::new(), last: self.run.into_iter() };
        ordered.runs.extend(self.laid.into_iter().map(|file| BufReader::with_capacity(64 * 1024, file)));
        for run in 0..=ordered.runs.len() {
            ordered.refill(run)?;
        }
        Ok(ordered)
    }
}

/// Points in the order of time; of equal times as they came.
pub(crate) struct Ordered {
    runs: Vec<BufReader<File>>,
    /// The run that stayed in memory; it came last.
    last: std::vec::IntoIter<LongPoint>,
    /// The next point of each run.
    next: BinaryHeap<Reverse<Next>>,
}

#[derive(PartialEq)]
struct Next {
    run: usize,
    point: LongPoint,
}

impl Eq for Next {}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.point.time, self.run).cmp(&(other.point.time, other.run))
    }
}

impl Ordered {
    /// The time of the next point.
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        self.next.peek().map(|Reverse(next)| next.point.time)
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<LongPoint>> {
        let Some(Reverse(next)) = self.next.pop() else { return Ok(None) };
        self.refill(next.run)?;
        Ok(Some(next.point))
    }

    fn refill(&mut self, run: usize) -> io::Result<()> {
        let point = match self.runs.get_mut(run) {
            Some(file) => {
                let mut bytes = [0; POINT_BYTES];
                match file.read_exact(&mut bytes) {
                    Ok(()) => Some(LongPoint::from_bytes(bytes)),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
                    Err(error) => return Err(error),
                }
            }
            None => self.last.next(),
        };
        self.next.extend(point.map(|point| Reverse(Next { run, point })));
        Ok(())
    }
}

impl LongPoint {
    fn to_bytes(self) -> [u8; POINT_BYTES] {
        let mut bytes = [0; POINT_BYTES];
        bytes[..8].copy_from_slice(&self.time.nanos().to_le_bytes());
        bytes[8..16].copy_from_slice(&self.value.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.service.to_le_bytes());
        bytes[20..].copy_from_slice(&self.series.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; POINT_BYTES]) -> Self {
        let [eight, value, names] = [0, 8, 16].map(|at| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(part)
        });
        Self {
            time: Timestamp(eight),
            value: f64::from_bits(value),
            service: names as u32,
            series: (names >> 32) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_many_runs_come_in_the_order_of_time_and_then_as_they_came() {
        let mut order = TimeOrder::default();
        let point = |series: u32, t: u64| LongPoint {
            time: Timestamp(t),
            service: 7,
            series,
            value: f64::from(series) + t as f64,
        };
        for series in 0..30 {
            (0..100).for_each(|t| order.push(point(series, t * 5)).expect("memory"));
            if series % 7 == 6 {
                order.lay().expect("disk");
            }
        }
        let mut ordered = order.finish().expect("disk");
        let all: Vec<LongPoint> = std::iter::from_fn(|| ordered.next().expect("disk")).collect();
        let expected: Vec<LongPoint> = (0..100)
            .flat_map(|t| (0..30).map(move |series| (series, t)))
            .map(|(s, t)| point(s, t * 5))
            .collect();
        assert_eq!(all, expected);
    }
}
