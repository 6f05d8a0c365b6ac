//! The whole way in one command: a fresh Foreshock, the shop, the fault, the incident at a webhook.

mod page;

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::Context;
use foreshock_demo::{Progress, drive};
use foreshock_detect::Clock;
use foreshock_model::{Incident, Severity};
use foreshock_shipper::OtlpClient;
use foreshock_worker::LagReport;
use indicatif::HumanCount;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use super::{Play, client_options, clock, figures, live_line, receiver::Receiver, write_labels};
use crate::{
    config::Config,
    system::{Addresses, System},
};

/// After the last telemetry the incident may take so long to arrive.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs the show. Fails where a fault was played and nobody was paged.
pub(super) async fn run(play: &Play, labels: Option<&Path>) -> anyhow::Result<()> {
    let directory = Directory::make()?;
    let mut receiver = Receiver::start().await?;
    let system = System::start(config(&receiver)?, &directory.0).await?;
    greet(play, &system.addresses);

    let client = OtlpClient::new(&client_options(&format!("http://{}", system.addresses.grpc)))?;
    let (told, mut progress) = watch::channel(Progress::default());
    let mut shop = play.shop();
    let driven = drive(&mut shop, &client, play.options(), |progress| {
        // Nobody looks any more once the show is over.
        let _ = told.send(*progress);
    });
    tokio::pin!(driven);

    let line = live_line();
    let mut delivered = BTreeMap::new();
    let mut sent = None;
    let mut give_up_at = None;
    let paged = loop {
        tokio::select! {
            done = &mut driven, if sent.is_none() => {
                sent = Some(done?);
                give_up_at = Some(Instant::now() + PATIENCE);
            }
            Some(incident) = receiver.incidents.recv() => {
                let pages = incident.severity == Severity::Critical && !incident.provisional;
                // A page from before the fault is a false one: it is shown at the end if no right one comes.
                let began = progress.borrow().label.is_some_and(|label| incident.updated_at >= label.starts);
                delivered.insert(incident.id, incident.clone());
                if pages && began {
                    break Some(settle(incident, &mut receiver).await);
                }
            }
            () = system.failure() => break None,
            () = sleep(Duration::from_millis(250)) => line.set_message(live(&progress.borrow_and_update(), &system)),
        }
        if give_up_at.is_some_and(|at| Instant::now() >= at) {
            break None;
        }
    };
    let last = live(&progress.borrow_and_update(), &system);
    line.finish_and_clear();
    println!("{last}");
    let label = progress.borrow().label;
    write_labels(labels, label)?;
    match (&paged, play.fault) {
        (Some(incident), _) => {
            page::print(incident, label);
            println!("Delivered to http://{} as a webhook would get it.", receiver.address);
        }
        (None, None) => println!("A quiet run: {} incidents, nobody was paged.", delivered.len()),
        (None, Some(fault)) => {
            for incident in delivered.values() {
                page::print(incident, label);
            }
            eprintln!("The fault {} was played and nobody was paged.", fault.name());
        }
    }
    system.stop().await?;
    if paged.is_none() && play.fault.is_some() {
        anyhow::bail!("the demo ended without a page");
    }
    Ok(())
}

/// The incident as it stands when nothing newer of it has come for a moment.
async fn settle(mut incident: Incident, receiver: &mut Receiver) -> Incident {
    let until = Instant::now() + Duration::from_millis(1500);
    while let Ok(Some(newer)) = timeout_at(until, receiver.incidents.recv()).await {
        if newer.id == incident.id && newer.revision > incident.revision {
            incident = newer;
        }
    }
    incident
}

fn config(receiver: &Receiver) -> anyhow::Result<Config> {
    let mut config = Config::default();
    config.detect.clock = Clock::Event;
    config.journal.telemetry_partitions = 2;
    config.journal.stage_partitions = 2;
    let route = json!({
        "name": "demo",
        "min_severity": "info",
        "webhook": { "url": format!("http://{}/", receiver.address) },
    });
    config.notify.routes.push(serde_json::from_value(route).context("the demo's route")?);
    Ok(config)
}

fn greet(play: &Play, at: &Addresses) {
    println!("Foreshock is up, for the demo, on a temporary directory.");
    println!("  OTLP/gRPC  http://{}", at.grpc);
    println!("  console    http://{}", at.console);
    println!("  metrics    http://{}/metrics", at.admin);
    let fault = play.fault.map_or("nothing goes wrong", |fault| fault.name());
    println!(
        "A simulated shop sends its telemetry at {} real time. After an hour of its time: {fault}.",
        play.speed
    );
    println!();
}

/// Records in, patterns, series, lag.
fn live(progress: &Progress, system: &System) -> String {
    let report = LagReport::now(&system.figures.worker, system.journal.as_ref()).unwrap_or_default();
    let sum =
        |read: fn(&foreshock_worker::PartitionLag) -> u64| report.partitions.iter().map(read).sum::<u64>();
    format!(
        "{}; {} patterns, {} series, {} entries behind",
        figures(progress),
        HumanCount(sum(|lag| lag.figures.patterns)),
        HumanCount(sum(|lag| lag.figures.series)),
        HumanCount(sum(|lag| lag.offsets)),
    )
}

/// A directory that goes with its owner.
struct Directory(std::path::PathBuf);

impl Directory {
    fn make() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("foreshock-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("can't make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("{} could not be removed: {error}", self.0.display());
        }
    }
}

/// The time of day at which something is seen, for people.
fn seen_at(at: foreshock_model::Timestamp) -> String {
    clock(at)
}
