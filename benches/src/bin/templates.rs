//! Prints how well and how fast raw lines are told apart, beside Drain3.

use std::path::PathBuf;

use clap::Parser;
use foreshock_benches::templates::{self, TemplatesOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Groups and times raw lines of ten systems and of a mix made up here, one core.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Folder with a folder for each system of Loghub.
    #[arg(long, default_value = "../shared/data/loghub")]
    loghub: PathBuf,
    /// A Python that has Drain3.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The program that runs Drain3.
    #[arg(long, default_value = "benches/templates/drain3_lines.py")]
    peer: PathBuf,
    /// Lines of each row.
    #[arg(long, default_value_t = 200_000)]
    lines: usize,
    /// Lines that the memory is watched over; 0 leaves that out.
    #[arg(long, default_value_t = 100_000_000)]
    memory_lines: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    anyhow::ensure!((2_000..=10_000_000).contains(&arguments.lines), "--lines must be from 2000 to 10000000");
    templates::run(&TemplatesOptions {
        loghub: arguments.loghub,
        python: arguments.python,
        peer: arguments.peer,
        lines: arguments.lines,
        memory_lines: arguments.memory_lines,
    })
}
