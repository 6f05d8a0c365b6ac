//! `foreshock run`: all services in one process until a signal; SIGHUP reads the configuration again.

use std::{
    env,
    io::{Write, stdout},
};

use anyhow::Context;
use tokio::runtime;
use tracing::info;

use super::{
    config, reload,
    signals::{Signal, Signals},
};
use crate::{
    cli::Place,
    system::{Addresses, System},
};

pub(super) fn run(place: &Place) -> anyhow::Result<()> {
    let config = config::load(place.config.as_deref())?;
    runtime().context("the threads could not be started")?.block_on(async {
        let mut signals = Signals::listen()?;
        let mut system = tokio::select! {
            system = System::start(config, &place.data_dir) => system?,
            () = signals.stop() => return Ok(()),
        };
        greet(&system.addresses)?;
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::HangUp => reload::run(&mut system, place.config.as_deref()).await,
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
    writeln!(out, "  OTLP/gRPC  http://{}", at.grpc)?;
    writeln!(out, "  OTLP/HTTP  http://{}", at.http)?;
    writeln!(out, "  console    http://{}", at.console)?;
    writeln!(out, "  metrics    http://{}/metrics", at.admin)?;
    writeln!(out, "Send it something (`-` is standard input; or files, with --follow as they grow):")?;
    writeln!(out, "  echo hello | {} ship --to http://{} --service me -", called(), at.grpc)?;
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
