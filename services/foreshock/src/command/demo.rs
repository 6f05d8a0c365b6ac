//! `foreshock demo`: the simulated shop, sent to a receiver; without one the whole way is shown: Foreshock is started
//! on a temporary directory, and the incident is printed as it reaches a webhook.

mod receiver;
mod show;

use std::{
    fs,
    io::{IsTerminal, stdout},
    path::Path,
    time::Duration,
};

use anyhow::Context;
use foreshock_demo::{DriveOptions, Fault, Label, Progress, Shop, ShopOptions, Speed, drive, wall_clock};
use foreshock_shipper::{ClientOptions, OtlpClient};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::{run::runtime, signals::Signals};
use crate::{cli::Demo, outcome::Usage};

/// Simulated seconds a second of the show: two hours in under a minute.
const SHOW_SPEED: f64 = 150.0;

/// What is to be played.
struct Play {
    seed: u64,
    speed: Speed,
    length: Duration,
    fault: Option<Fault>,
}

pub(super) fn run(command: &Demo) -> anyhow::Result<()> {
    let play = play(command)?;
    let stay = command.stay || (command.to.is_none() && stdout().is_terminal());
    let labels = command.labels.as_deref();
    runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        match &command.to {
            Some(to) => tokio::select! {
                sent = send(&play, to, labels) => sent,
                _ = signals.next() => anyhow::bail!("the demo was ended by a signal"),
            },
            None => show::run(play, labels, stay, &mut signals).await,
        }
    })
}

fn play(command: &Demo) -> Result<Play, Usage> {
    let default_speed = if command.to.is_some() { Speed::Times(1.0) } else { Speed::Times(SHOW_SPEED) };
    let speed = command.speed.as_deref().map_or(Ok(default_speed), Speed::parse).map_err(Usage)?;
    let fault = match command.fault.as_str() {
        "none" => None,
        name => Some(Fault::parse(name).ok_or_else(|| {
            let names: Vec<&str> = Fault::ALL.into_iter().map(Fault::name).collect();
            Usage(format!("{name:?} is not a fault; these are: {}, none", names.join(", ")))
        })?),
    };
    if !(command.hours > 0.0 && command.hours <= 24.0 * 365.0) {
        return Err(Usage(format!("--hours {} can't be; take more than 0, at most 8760", command.hours)));
    }
    Ok(Play { seed: command.seed, speed, length: Duration::from_secs_f64(command.hours * 3600.0), fault })
}

impl Play {
    fn shop(&self) -> Shop {
        let mut options = ShopOptions::new(self.speed.start_at(wall_clock(), self.length));
        options.step = self.speed.step();
        options.fault = self.fault;
        Shop::new(self.seed, options)
    }

    fn options(&self) -> DriveOptions {
        DriveOptions { speed: self.speed, length: self.length }
    }
}

/// Plays to a receiver that somebody else runs.
async fn send(play: &Play, to: &str, labels: Option<&Path>) -> anyhow::Result<()> {
    let client = OtlpClient::new(&client_options(to))?;
    let mut shop = play.shop();
    let bar = live_line();
    let done =
        drive(&mut shop, &client, play.options(), |progress| bar.set_message(figures(progress))).await?;
    bar.finish_and_clear();
    println!("{}", figures(&done));
    write_labels(labels, done.label)
}

fn client_options(to: &str) -> ClientOptions {
    let mut options = ClientOptions::new(to);
    options.token = std::env::var("FORESHOCK_TOKEN").ok();
    options
}

/// A line that is written over on a terminal, and nothing elsewhere.
fn live_line() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_style(
        ProgressStyle::with_template("{spinner} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar
}

fn figures(progress: &Progress) -> String {
    format!(
        "{}  {} lines, {} points, {} spans accepted",
        clock(progress.simulated),
        HumanCount(progress.lines),
        HumanCount(progress.points),
        HumanCount(progress.spans)
    )
}

/// Date and time to the second.
fn clock(at: foreshock_model::Timestamp) -> String {
    let text = at.to_rfc3339();
    text.get(..19).unwrap_or(&text).replace('T', " ")
}

fn write_labels(file: Option<&Path>, label: Option<Label>) -> anyhow::Result<()> {
    let Some(file) = file else { return Ok(()) };
    let row = label.map(|label| format!("{}\n", label.to_csv())).unwrap_or_default();
    fs::write(file, format!("{}\n{row}", Label::CSV_HEADER))
        .with_context(|| format!("can't write the labels to {}", file.display()))
}
