//! What each command does: reads its arguments, calls a library, prints.

mod bar;
mod config;
mod demo;
mod explain;
mod journal;
mod observe;
mod reload;
mod replay;
mod run;
mod scan;
mod ship;
mod signals;
mod topics;

use std::io::{Write, stdout};

use clap::CommandFactory;

use crate::{
    cli::{Cli, Command},
    system::Services,
};

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(place) => run::run(&place),
        Command::Ingest(alone) => run::alone(&alone, Services::INGEST),
        Command::Worker(alone) => run::alone(&alone, Services::WORKER),
        Command::Notify(alone) => run::alone(&alone, Services::NOTIFY),
        Command::Console(alone) => run::alone(&alone, Services::CONSOLE),
        Command::Topics(topics) => topics::run(&topics),
        Command::Ship(ship) => ship::run(ship),
        Command::Demo(demo) => demo::run(&demo),
        Command::Scan(scan) => scan::run(&scan),
        Command::Explain(explain) => explain::run(&explain),
        Command::Replay(replay) => replay::run(&replay),
        Command::Journal(journal) => journal::run(journal),
        Command::Config(config) => config::run(config),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "foreshock", &mut stdout());
            Ok(())
        }
        Command::Version => Ok(writeln!(stdout(), "foreshock {}", env!("CARGO_PKG_VERSION"))?),
    }
}
