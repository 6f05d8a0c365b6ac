//! How odd each value of one series is, until a watch of whole series takes its place.

use foreshock_stats::Level;

/// Surprise that scores a half.
const HALF: f64 = 6.0;

/// One series, fed value by value.
pub(crate) struct SeriesWatch {
    level: Level,
}

/// What one value is worth.
pub(crate) struct Watched {
    score: f64,
}

impl Watched {
    /// From 0 to 1, higher is odder.
    pub(crate) fn score(&self) -> f64 {
        self.score
    }
}

impl SeriesWatch {
    pub(crate) fn new() -> Self {
        Self { level: Level::default() }
    }

    pub(crate) fn observe(&mut self, _secs: f64, value: f64) -> Watched {
        let surprise = self.level.observe(value).surprise();
        Watched { score: surprise / (surprise + HALF) }
    }
}
