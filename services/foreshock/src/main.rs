//! The `foreshock` command: wiring, and words for people.

mod cli;
mod command;
mod config;
mod logging;
mod outcome;
mod replay;
mod system;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    // What is printed for people is not to be torn apart by what services say of themselves.
    let usual = if matches!(cli.command, cli::Command::Run(_)) { "info" } else { "warn" };
    logging::start(cli.log_format, usual);
    outcome::exit_code(command::run(cli.command))
}
