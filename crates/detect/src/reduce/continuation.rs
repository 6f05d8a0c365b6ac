//! Placeholder until the template crate has it.
use serde::{Deserialize, Serialize};

#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Continuation {
    hash: u64,
}

impl Continuation {
    pub(super) fn continues(&mut self, line: &str) -> bool {
        line.starts_with("\tat ") || line.starts_with("    at ")
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.hash
    }
}
