//! The stage detect.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use foreshock_model::proto;

use crate::{DetectConfig, Input, InputId, Outputs, RestoreError, Stage};

/// The stage detect over one input partition.
pub struct Detect {
    _config: Arc<DetectConfig>,
}

impl Detect {
    /// Empty state.
    pub fn new(config: Arc<DetectConfig>, _input: InputId, _sources: Vec<InputId>, _outputs: u16) -> Self {
        Self { _config: config }
    }
}

impl Stage for Detect {
    const NAME: &'static str = "detect";
    const STATE_VERSION: u32 = 1;
    type Output = proto::Findings;

    fn apply(&mut self, _input: Input<'_>, _out: &mut Outputs<Self::Output>) {}

    fn save(&self, _to: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn restore(&mut self, _from: &mut dyn Read) -> Result<(), RestoreError> {
        Ok(())
    }
}
