//! The `foreshock` command: wiring, and words for people.

mod cli;
mod command;
mod config;
mod logging;
mod outcome;
mod system;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    logging::start(cli.log_format);
    outcome::exit_code(command::run(cli.command))
}
