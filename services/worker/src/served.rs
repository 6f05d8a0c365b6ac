//! What the runner and the metrics page want to know of a stage beyond what the stage itself needs.

use foreshock_detect::{Fared, Folds, Spending, Stage, correlate::Correlate, detect::Detect, reduce::Reduce};
use foreshock_model::{Tenant, Timestamp};

/// Figures of a stage's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The largest time the partition has come to.
    pub latest: Timestamp,
    /// Messages of sources that never came. Must be 0.
    pub holes: u64,
    /// Messages of sources that came again and were passed over.
    pub repeats: u64,
}

/// What a stage holds in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Instances (resources) told apart.
    pub instances: u64,
    /// Log patterns.
    pub patterns: u64,
    /// Metric series.
    pub series: u64,
    /// How forecasts of what is used up have fared.
    pub forecasts: Fared,
    /// What went over a limit so far.
    pub folds: Folds,
}

/// A stage that a runner can serve.
pub trait Served: Stage {
    /// Figures of the state at present. Cheap: read after each fetch.
    fn reading(&self) -> Reading {
        Reading::default()
    }

    /// How much the state holds. Read once a second.
    fn sizes(&self) -> Sizes {
        Sizes::default()
    }

    /// How each tenant's alert budget stands, of at most so many. Read once a second.
    fn spending(&self, _at_most: usize) -> Vec<(Tenant, Spending)> {
        Vec::new()
    }

    /// Whether a person may want to hear of this output: then its latency is measured.
    fn is_news(_output: &Self::Output) -> bool {
        false
    }
}

impl Served for Reduce {
    fn reading(&self) -> Reading {
        Reading { latest: self.watermark().latest(), ..Reading::default() }
    }

    fn sizes(&self) -> Sizes {
        Sizes { instances: self.sources() as u64, folds: *self.folds(), ..Sizes::default() }
    }
}

impl Served for Detect {
    fn reading(&self) -> Reading {
        let holes = self.holes();
        Reading { latest: self.closed(), holes: holes.holes(), repeats: holes.repeats() }
    }

    fn sizes(&self) -> Sizes {
        Sizes {
            patterns: self.pattern_count() as u64,
            series: self.series_count() as u64,
            forecasts: self.forecasts(),
            folds: *self.folds(),
            ..Sizes::default()
        }
    }

    fn is_news(output: &Self::Output) -> bool {
        !output.findings.is_empty()
    }
}

impl Served for Correlate {
    fn reading(&self) -> Reading {
        let holes = self.holes();
        Reading { holes: holes.holes(), repeats: holes.repeats(), ..Reading::default() }
    }

    fn spending(&self, at_most: usize) -> Vec<(Tenant, Spending)> {
        self.spending().take(at_most).map(|(tenant, spending)| (tenant.clone(), spending)).collect()
    }
}
