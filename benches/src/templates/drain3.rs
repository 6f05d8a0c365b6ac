//! Drain3 in Python, on the same lines.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::Context as _;

use super::{TemplatesOptions, grouping::Grouping};

pub(super) struct Drain3 {
    python: PathBuf,
    program: PathBuf,
}

/// What Drain3 made of lines.
pub(super) struct Peer {
    pub(super) grouping: Option<Grouping>,
    pub(super) lines_a_second: f64,
}

impl Drain3 {
    /// `None`, and says so, where no Python with Drain3 was named.
    pub(super) fn new(options: &TemplatesOptions) -> Option<Self> {
        let Some(python) = &options.python else {
            println!("SKIPPED: no Python with Drain3 (--python), Foreshock is measured alone\n");
            return None;
        };
        Some(Self { python: python.clone(), program: options.peer.clone() })
    }

    /// Groups `lines`, where there are events to compare with, and times it on `timed`, from cold.
    pub(super) fn run<'a>(
        &self,
        lines: &[&str],
        events: Option<&[String]>,
        timed: impl Iterator<Item = &'a str>,
    ) -> anyhow::Result<Peer> {
        let grouping = match events {
            Some(events) => Some(Grouping::of(&self.ask(lines.iter().copied())?.0, events)),
            None => None,
        };
        let timed: Vec<&str> = timed.collect();
        let (_, seconds) = self.ask(timed.iter().copied())?;
        Ok(Peer { grouping, lines_a_second: timed.len() as f64 / seconds })
    }

    /// The cluster of each line at the end of the input, and the seconds of processor time it took.
    fn ask<'a>(&self, lines: impl Iterator<Item = &'a str>) -> anyhow::Result<(Vec<u64>, f64)> {
        let mut input = tempfile::NamedTempFile::new()?;
        for line in lines {
            input.write_all(line.as_bytes())?;
            input.write_all(b"\n")?;
        }
        input.flush()?;
        let output = Command::new(&self.python)
            .arg(&self.program)
            .arg(input.path())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("{} can't be started", self.python.display()))?;
        anyhow::ensure!(output.status.success(), "{} ended with {}", self.program.display(), output.status);
        let text = String::from_utf8(output.stdout)?;
        let (seconds, clusters) = text.split_once('\n').context("Drain3 said nothing")?;
        let clusters = clusters.lines().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        Ok((clusters, seconds.parse()?))
    }
}
