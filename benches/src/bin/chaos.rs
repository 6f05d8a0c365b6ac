//! Kills Foreshock at random moments under saturating load, and says what was lost: it should be nothing.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use foreshock_benches::chaos::{self, ChaosOptions, Clocks};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Kills `foreshock run` again and again under saturating load; exit code 1 if anything is off afterwards.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The program.
    #[arg(long, default_value = "target/release/foreshock")]
    foreshock: PathBuf,
    /// How often to kill it.
    #[arg(long, default_value_t = 100)]
    kills: u64,
    /// Decides the moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Gigabytes of journal that all of it may take.
    #[arg(long, default_value_t = 20)]
    journal_gb: u64,
    /// Where the stages take their time from.
    #[arg(long, value_enum, default_value = "both")]
    clock: Clocks,
    /// Where to leave journal, configuration and log; without it they are removed.
    #[arg(long)]
    keep: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let parts = arguments.clock.each().len() as u64;
    anyhow::ensure!(arguments.kills >= parts, "--kills must be at least {parts}");
    anyhow::ensure!(arguments.journal_gb > 0, "--journal-gb must be above 0");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    arguments.clock.run(arguments.keep.as_deref(), |part, clock, directory| {
        let options = ChaosOptions {
            program: arguments.foreshock.clone(),
            directory,
            kills: arguments.kills / parts + u64::from((part as u64) < arguments.kills % parts),
            seed: arguments.seed + part as u64,
            journal_bytes: arguments.journal_gb * 1_000_000_000 / parts,
            clock,
        };
        runtime.block_on(chaos::run(&options))
    })
}
