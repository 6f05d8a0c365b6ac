//! The stage reduce.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use foreshock_model::proto;

use crate::{DetectConfig, Input, InputId, Outputs, RestoreError, Stage};

/// The stage reduce over one input partition.
pub struct Reduce {
    _config: Arc<DetectConfig>,
}

impl Reduce {
    /// Empty state.
    pub fn new(config: Arc<DetectConfig>, _input: InputId, _sources: Vec<InputId>, _outputs: u16) -> Self {
        Self { _config: config }
    }
}

impl Stage for Reduce {
    const NAME: &'static str = "reduce";
    const STATE_VERSION: u32 = 1;
    type Output = proto::Summaries;

    fn apply(&mut self, _input: Input<'_>, _out: &mut Outputs<Self::Output>) {}

    fn save(&self, _to: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn restore(&mut self, _from: &mut dyn Read) -> Result<(), RestoreError> {
        Ok(())
    }
}
