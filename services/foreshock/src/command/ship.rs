//! `foreshock ship`: files or standard input to a receiver.

use std::{
    env,
    path::{Path, PathBuf},
};

use foreshock_shipper::{ClientError, ClientOptions, Input, ShipError, ShipOptions, ship};

use super::{run::runtime, signals::Signals};
use crate::{cli::Ship, outcome::Usage};

pub(super) fn run(command: Ship) -> anyhow::Result<()> {
    let input = |file: PathBuf| if file == Path::new("-") { Input::Stdin } else { Input::File(file) };
    let inputs: Vec<Input> = command.files.into_iter().map(input).collect();
    let mut client = ClientOptions::new(command.to);
    // A secret is not an argument: arguments show in the list of processes.
    client.token = env::var("FORESHOCK_TOKEN").ok();
    let mut options = ShipOptions::new(client, inputs);
    options.follow = command.follow;
    options.service = command.service;
    options.checkpoint_dir = Some(command.state_dir.unwrap_or_else(default_state));
    runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let report = ship(options, signals.stop()).await.map_err(|error| match error {
            ShipError::Client(ClientError::Address { .. }) => Usage(error.to_string()).into(),
            error => anyhow::Error::from(error),
        })?;
        eprintln!("{}{}", accepted(report.lines), trouble(&report));
        if report.refused + report.rejected > 0 {
            anyhow::bail!("the receiver did not keep {} lines", report.refused + report.rejected);
        }
        Ok(())
    })
}

fn accepted(lines: u64) -> String {
    match lines {
        0 => "0 lines accepted; what was sent earlier is not sent again".to_owned(),
        1 => "1 line accepted".to_owned(),
        lines => format!("{lines} lines accepted"),
    }
}

fn trouble(report: &foreshock_shipper::ShipReport) -> String {
    [(report.cut, "cut at 1 MiB"), (report.invalid_utf8, "with bytes that are no UTF-8")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!(", {count} {what}"))
        .collect()
}

/// Where a user's programs keep their state.
fn default_state() -> PathBuf {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(home);
    state.unwrap_or_else(env::temp_dir).join("foreshock/ship")
}
