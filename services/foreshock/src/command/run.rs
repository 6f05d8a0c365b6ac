//! `foreshock run`: all services in one process; `foreshock ingest` and so on: one of them. Until a signal; SIGHUP reads the configuration again.

use std::{
    env,
    io::{Write, stdout},
    path::Path,
};

use anyhow::Context;
use tokio::runtime;
use tracing::{info, warn};

use super::{
    config, reload,
    signals::{Signal, Signals},
};
use crate::{
    cli::{Alone, Place},
    config::{Config, Kind},
    outcome::Usage,
    system::{Addresses, Services, System},
};

pub(super) fn run(place: &Place) -> anyhow::Result<()> {
    let config = config::load(place.config.as_deref())?;
    serve(config, place.config.as_deref(), &place.data_dir, Services::ALL)
}

/// One service by itself, which only a journal that others reach makes sense of.
pub(super) fn alone(command: &Alone, services: Services) -> anyhow::Result<()> {
    let config = config::load(command.config.as_deref())?;
    if config.journal.kind != Kind::Kafka {
        return Err(Usage(
            "a service by itself needs a journal that others reach: set journal.kind = \"kafka\", or use `foreshock run`"
                .into(),
        )
        .into());
    }
    serve(config, command.config.as_deref(), Path::new("."), services)
}

fn serve(config: Config, file: Option<&Path>, data_dir: &Path, services: Services) -> anyhow::Result<()> {
    runtime().context("the threads could not be started")?.block_on(async {
        let mut signals = Signals::listen()?;
        let mut system = tokio::select! {
            system = System::start(config, data_dir, services) => system?,
            () = signals.stop() => return Ok(()),
        };
        if let Err(error) = greet(&system.addresses) {
            warn!("what was to be printed was not: {error}");
        }
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::HangUp => reload::run(&mut system, file).await,
                    Signal::Stop => {
                        info!("stopping; a second signal ends at once");
                        break;
                    }
                },
                () = system.failure() => break,
            }
        }
        tokio::select! {
            stopped = system.stop() => stopped,
            () = signals.stop() => std::process::exit(1),
        }
    })
}

/// The threads of everything but the stages.
pub(super) fn runtime() -> std::io::Result<runtime::Runtime> {
    runtime::Builder::new_multi_thread().enable_all().thread_name("services").build()
}

fn greet(at: &Addresses) -> std::io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "Foreshock is up.")?;
    if let Some((grpc, http)) = at.otlp {
        writeln!(out, "  OTLP/gRPC  http://{grpc}")?;
        writeln!(out, "  OTLP/HTTP  http://{http}")?;
    }
    if let Some(console) = at.console {
        writeln!(out, "  console    http://{console}")?;
    }
    writeln!(out, "  metrics    http://{}/metrics", at.admin)?;
    if let Some((grpc, _)) = at.otlp {
        writeln!(out, "Send it something (`-` is standard input; or files, with --follow as they grow):")?;
        writeln!(out, "  echo hello | {} ship --to http://{grpc} --service me -", called())?;
    }
    out.flush()
}

/// How this program is called from any directory.
fn called() -> String {
    let on_the_path = env::args().next().is_none_or(|name| !name.contains('/'));
    match env::current_exe() {
        Ok(program) if !on_the_path => program.display().to_string(),
        _ => "foreshock".to_owned(),
    }
}
