//! A run on each clock, for the commands.

use std::{
    fmt::Display,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::ValueEnum;
use foreshock_detect::Clock;

/// Where the stages take their time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Clocks {
    /// One run on each.
    Both,
    /// Receive times and ticks.
    Live,
    /// The records' own times.
    Event,
}

/// What came of a run.
pub trait Judged: Display {
    /// What is wrong, one sentence each; nothing when all is well.
    fn faults(&self) -> Vec<String>;
    /// Incidents that the webhook had to be told of.
    fn incidents_due(&self) -> u64;
}

impl Clocks {
    /// Which ones.
    pub fn each(self) -> &'static [Clock] {
        match self {
            Self::Both => &[Clock::Event, Clock::Live],
            Self::Live => &[Clock::Live],
            Self::Event => &[Clock::Event],
        }
    }

    /// Runs on each, with the number of the run and a directory for it, and prints what came of it. Without `keep` what a
    /// run leaves is removed.
    pub fn run<V: Judged>(
        self,
        keep: Option<&Path>,
        mut run: impl FnMut(usize, Clock, PathBuf) -> anyhow::Result<V>,
    ) -> anyhow::Result<ExitCode> {
        let mut is_well = true;
        for (part, clock) in self.each().iter().enumerate() {
            let temporary = tempfile::tempdir().context("a directory for the run")?;
            let directory = match keep {
                Some(keep) => keep.join(part.to_string()),
                None => temporary.path().to_owned(),
            };
            std::fs::create_dir_all(&directory)?;
            let verdict = run(part, *clock, directory)?;
            println!("{verdict}");
            is_well &= verdict.faults().is_empty();
            if *clock == Clock::Event && verdict.incidents_due() == 0 {
                println!(
                    "WRONG: no incident came of the shop's failure: notifications were not put to the test"
                );
                is_well = false;
            }
        }
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
