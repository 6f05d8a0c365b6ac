//! Raw line -> template id as a worker does it, and the clock.

use foreshock_template::{KnownShapes, Learned, Miner, MinerLimits, Reader, SourceFormat, TemplateId, Zone};
use rustix::time::{ClockId, clock_gettime};

use super::lines::Lines;

/// Shapes remembered in front of the miner: the worker's own default.
pub(super) const SHAPES: usize = 65_536;

/// About when the lines were written, for times without a year.
const HINT: u64 = 1_700_000_000_000_000_000;

/// One source's lines to template ids.
pub(super) struct Source {
    format: SourceFormat,
    reader: Reader,
    pub(super) known: KnownShapes,
}

impl Source {
    pub(super) fn new(limits: MinerLimits) -> Self {
        Self {
            format: SourceFormat::default(),
            reader: Reader::new(),
            known: KnownShapes::new(Miner::new(limits), SHAPES),
        }
    }

    /// The same without what was remembered of other lines.
    #[inline]
    pub(super) fn read_in_full(&mut self, line: &str) -> Learned {
        let line = self.format.parse(line, HINT);
        let shape = self.reader.shape_of(line.content);
        self.known.template_of(shape.hash, |text| self.reader.write_tokens(text))
    }

    #[inline]
    pub(super) fn read(&mut self, line: &str) -> Learned {
        let line = self.reader.parse(&mut self.format, line, HINT, &Zone::UTC);
        let shape = self.reader.shape(&line);
        self.known.template_of(shape.hash, |text| self.reader.write_tokens(text))
    }

    /// The canonical texts of the lines' shapes.
    pub(super) fn texts<'a>(&mut self, lines: impl Iterator<Item = &'a str>) -> Lines {
        lines
            .map(|line| {
                let line = self.reader.parse(&mut self.format, line, HINT, &Zone::UTC);
                self.reader.shape(&line);
                let mut text = String::new();
                self.reader.write_tokens(&mut text);
                text
            })
            .collect()
    }

    /// Each line's template as it stands behind the last.
    pub(super) fn read_all<'a>(&mut self, lines: impl Iterator<Item = &'a str>) -> Vec<TemplateId> {
        let ids: Vec<_> = lines.map(|line| self.read(line).template).collect();
        ids.into_iter().map(|id| self.known.miner().resolve(id)).collect()
    }
}

/// Runs of a timed stretch; the middle one counts.
const RUNS: usize = 3;

/// How fast lines were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speed {
    /// Lines a second of one core, from cold: nothing was learned before.
    pub(super) lines_a_second: f64,
    /// The same where each line is read in full.
    pub(super) in_full: f64,
    /// Share of lines that were like one before but for their digits.
    pub(super) recalled: f64,
}

/// Reads lines as a worker does, and each in full.
pub(super) fn speed(lines: &Lines, limits: MinerLimits) -> Speed {
    let count = lines.len() as f64;
    let mut recalled = 0u64;
    let mut source = Source::new(limits);
    for line in lines.iter() {
        source.read(line);
        recalled += u64::from(source.reader.has_recalled());
    }
    let lines_a_second = count
        / middle(|| {
            let mut source = Source::new(limits);
            seconds_of(|| {
                for line in lines.iter() {
                    std::hint::black_box(source.read(line));
                }
            })
        });
    let in_full = count
        / middle(|| {
            let mut source = Source::new(limits);
            seconds_of(|| {
                for line in lines.iter() {
                    std::hint::black_box(source.read_in_full(line));
                }
            })
        });
    Speed { lines_a_second, in_full, recalled: recalled as f64 / count }
}

fn middle(run: impl FnMut() -> f64) -> f64 {
    let mut seconds: Vec<f64> = std::iter::repeat_with(run).take(RUNS).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[RUNS / 2]
}

/// Processor time of this thread: other processes don't spoil the figure.
pub(super) fn seconds_of(work: impl FnOnce()) -> f64 {
    let start = thread_seconds();
    work();
    thread_seconds() - start
}

fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
