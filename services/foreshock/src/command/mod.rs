//! What each command does: reads its arguments, calls a library, prints.

mod config;
mod journal;
mod run;

use std::io::{Write, stdout};

use clap::CommandFactory;

use crate::cli::{Cli, Command};

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(place) => run::run(&place),
        Command::Journal(journal) => journal::run(journal),
        Command::Config(config) => config::run(config),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "foreshock", &mut stdout());
            Ok(())
        }
        Command::Version => Ok(writeln!(stdout(), "foreshock {}", env!("CARGO_PKG_VERSION"))?),
        Command::Ship(_) | Command::Demo(_) => anyhow::bail!("not yet"),
    }
}
