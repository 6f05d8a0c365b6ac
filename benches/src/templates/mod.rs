//! How well and how fast raw lines are told apart, beside Drain3 on the same lines.
//!
//! What is timed is what a worker does with each line: read its format, take its shape, look the shape up, and learn
//! what was not met before. Lines are made before the clock starts; the clock is the thread's processor time.

mod drain3;
mod grouping;
mod growth;
mod lines;
mod reader;
mod synthetic;
mod systems;
mod vary;

use std::path::PathBuf;

/// What to measure.
#[derive(Clone, Debug)]
pub struct TemplatesOptions {
    /// Folder with one folder a Loghub system.
    pub loghub: PathBuf,
    /// Python that has Drain3; without it Foreshock is measured alone.
    pub python: Option<PathBuf>,
    /// The program that runs Drain3.
    pub peer: PathBuf,
    /// Lines of each system and of the mix.
    pub lines: usize,
    /// Lines that the memory is watched over; 0 to leave that out.
    pub memory_lines: u64,
}

/// Measures and prints, table by table.
pub fn run(options: &TemplatesOptions) -> anyhow::Result<()> {
    systems::run(options)?;
    growth::cost();
    growth::random_words();
    growth::memory(options.memory_lines)
}
