//! What the runner and the metrics page want to know of a stage beyond what the stage itself needs.

use foreshock_detect::{Stage, correlate::Correlate, detect::Detect, reduce::Reduce};
use foreshock_model::Timestamp;

/// Figures of a stage's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The largest time the partition has come to.
    pub latest: Timestamp,
    /// Messages of sources that never came. Must be 0.
    pub holes: u64,
    /// Messages of sources that came again and were passed over.
    pub repeats: u64,
    /// Records behind the watermark.
    pub late: u64,
}

/// A stage that a runner can serve.
pub trait Served: Stage {
    /// Figures of the state at present. Cheap: read after each fetch.
    fn reading(&self) -> Reading {
        Reading::default()
    }

    /// Whether a person may want to hear of this output: then its latency is measured.
    fn is_news(_output: &Self::Output) -> bool {
        false
    }
}

impl Served for Reduce {}

impl Served for Detect {
    fn is_news(output: &Self::Output) -> bool {
        !output.findings.is_empty()
    }
}

impl Served for Correlate {}
