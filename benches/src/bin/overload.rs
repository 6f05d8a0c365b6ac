//! Sends Foreshock twice what it can take, and says whether it stayed within its memory and kept every promise.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Parser;
use foreshock_benches::overload::{self, OverloadOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Least journal that shows anything.
const LEAST_BYTES: u64 = 100_000_000;

/// Overloads `foreshock run` until so many bytes of journal are written; exit code 1 if anything is off.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The program.
    #[arg(long, default_value = "target/release/foreshock")]
    foreshock: PathBuf,
    /// Bytes of journal to write, at most.
    #[arg(long, default_value_t = 20_000_000_000)]
    bytes: u64,
    /// Connections to send over.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Where to leave journal, configuration and log; without it they are removed.
    #[arg(long)]
    keep: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    anyhow::ensure!(arguments.bytes >= LEAST_BYTES, "--bytes must be at least {LEAST_BYTES}");
    anyhow::ensure!((1..=512).contains(&arguments.connections), "--connections must be from 1 to 512");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let temporary = tempfile::tempdir().context("a directory for the journal")?;
    let directory = arguments.keep.unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&directory)?;
    let options = OverloadOptions {
        program: arguments.foreshock,
        directory,
        journal_bytes: arguments.bytes,
        connections: arguments.connections,
    };
    let verdict = runtime.block_on(overload::run(&options))?;
    println!("{verdict}");
    Ok(if verdict.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
