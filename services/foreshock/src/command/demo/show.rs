//! The whole way in one command: a fresh Foreshock, the shop, the fault, the incident at a webhook and on the console.

mod driver;
mod page;

use std::{collections::BTreeMap, io, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, anyhow, bail};
use foreshock_detect::Clock;
use foreshock_model::{Id, Incident, Severity};
use foreshock_worker::LagReport;
use indicatif::{HumanCount, ProgressBar};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use self::driver::Driver;
use super::{Play, figures, live_line, receiver::Receiver, write_labels};
use crate::{
    command::{config, signals::Signals},
    config::Config,
    system::{Services, System},
};

/// After the last telemetry the incident may take so long to arrive.
const PATIENCE: Duration = Duration::from_secs(15);
/// What is told of one incident within so long is one piece of news.
const SETTLES_IN: Duration = Duration::from_millis(1500);
/// How often the line of figures is written.
const REFRESH: Duration = Duration::from_millis(250);

/// Runs the show. Fails where a fault was played and nobody was paged. With `stay` what was started stays up after
/// the page, until a signal.
pub(super) async fn run(
    play: Play,
    labels: Option<&Path>,
    stay: bool,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let directory = Directory::make()?;
    let receiver = Receiver::start().await?;
    let config = configuration(&play, &receiver)?;
    let system = tokio::select! {
        system = System::start(config, &directory.0, Services::ALL) => system.map_err(explain)?,
        _ = signals.next() => return Err(interrupted()),
    };
    let (Some((grpc, _)), Some(console)) = (system.addresses.otlp, system.addresses.console) else {
        bail!("the show needs every service")
    };
    greet(&play, grpc, console, system.addresses.admin);
    let mut show = Show::begin(play, system, (grpc, console), receiver, stay)?;
    let shown = tokio::select! {
        shown = show.until_the_page(labels) => shown,
        _ = signals.next() => Err(interrupted()),
    };
    let shown = match shown {
        Ok(()) if stay => show.stay(signals).await,
        other => other,
    };
    let stopped = tokio::select! {
        stopped = show.end() => stopped,
        _ = signals.next() => Err(anyhow!("the demo was ended before its services had stopped")),
    };
    // A service that failed is the reason for whatever else did not come about.
    stopped.and(shown)
}

/// What runs during the show.
struct Show {
    system: System,
    console: SocketAddr,
    receiver: Receiver,
    driver: Driver,
    /// The newest state of every incident that was delivered.
    delivered: BTreeMap<Id, Incident>,
    line: ProgressBar,
    fault: Option<foreshock_demo::Fault>,
}

impl Show {
    fn begin(
        play: Play,
        system: System,
        (grpc, console): (SocketAddr, SocketAddr),
        receiver: Receiver,
        stay: bool,
    ) -> anyhow::Result<Self> {
        let fault = play.fault;
        let driver = Driver::start(play, &format!("http://{grpc}"), stay)?;
        Ok(Self { system, console, receiver, driver, delivered: BTreeMap::new(), line: live_line(), fault })
    }

    /// Waits for the page that the fault leads to, or without a fault for the end of the run, and prints it.
    async fn until_the_page(&mut self, labels: Option<&Path>) -> anyhow::Result<()> {
        let page = self.page().await;
        let last = self.live();
        self.line.suspend(|| println!("{last}"));
        let page = page?;
        let label = self.driver.progress().label;
        write_labels(labels, label)?;
        let console = self.console;
        match (page, self.fault) {
            (Some(incident), _) => {
                self.line.suspend(|| page::print(&incident, label, console));
                Ok(())
            }
            (None, None) => {
                let quiet = format!("A quiet run: {} incidents, nobody was paged.", self.delivered.len());
                self.line.suspend(|| println!("{quiet}"));
                Ok(())
            }
            (None, Some(fault)) => {
                let delivered = self.delivered.values();
                self.line.suspend(|| delivered.for_each(|incident| page::print(incident, label, console)));
                bail!("the fault {} was played and nobody was paged", fault.name())
            }
        }
    }

    /// The first page from after the fault began, as it stands when nothing newer has come for a moment.
    async fn page(&mut self) -> anyhow::Result<Option<Incident>> {
        let mut give_up_at = None;
        loop {
            tokio::select! {
                Some(incident) = self.receiver.incidents.recv() => {
                    let paged = pages(&incident);
                    // A page from before the fault is a false one: it is shown at the end if no right one comes.
                    let began =
                        self.driver.progress().label.is_some_and(|label| incident.updated_at >= label.starts);
                    let id = incident.id;
                    self.delivered.insert(id, incident);
                    if paged && began {
                        self.settle().await;
                        return Ok(self.delivered.get(&id).cloned());
                    }
                }
                ended = self.driver.ended() => ended?,
                () = self.system.failure() => bail!("a service failed"),
                () = sleep(REFRESH) => self.line.set_message(self.live()),
            }
            if self.driver.has_played() {
                let at = *give_up_at.get_or_insert_with(|| Instant::now() + PATIENCE);
                if Instant::now() >= at {
                    return Ok(None);
                }
            }
        }
    }

    /// Takes what is delivered until nothing newer has come for a moment.
    async fn settle(&mut self) {
        let until = Instant::now() + SETTLES_IN;
        while let Ok(Some(newer)) = timeout_at(until, self.receiver.incidents.recv()).await {
            self.take(newer);
        }
    }

    /// Keeps the newest state. Whether it is the first that pages.
    fn take(&mut self, incident: Incident) -> bool {
        let held = self.delivered.get(&incident.id);
        if held.is_some_and(|held| held.revision > incident.revision) {
            return false;
        }
        let news = pages(&incident) && !held.is_some_and(pages);
        self.delivered.insert(incident.id, incident);
        news
    }

    /// Stays until a signal, or until a service fails. Prints what else pages.
    async fn stay(&mut self, signals: &mut Signals) -> anyhow::Result<()> {
        let console = self.console;
        self.line.suspend(|| {
            println!("The console stays at http://{console}/ until Ctrl-C; the shop goes on at real time.");
        });
        self.driver.slow_down();
        loop {
            tokio::select! {
                _ = signals.next() => return Ok(()),
                () = self.system.failure() => bail!("a service failed"),
                ended = self.driver.ended() => ended?,
                Some(incident) = self.receiver.incidents.recv() => {
                    let id = incident.id;
                    if self.take(incident) {
                        self.settle().await;
                        let label = self.driver.progress().label;
                        if let Some(incident) = self.delivered.get(&id) {
                            self.line.suspend(|| page::print(incident, label, console));
                        }
                    }
                }
                () = sleep(REFRESH) => self.line.set_message(self.live()),
            }
        }
    }

    async fn end(self) -> anyhow::Result<()> {
        self.line.finish_and_clear();
        drop(self.driver);
        self.system.stop().await
    }

    /// Records in, patterns, series, lag.
    fn live(&self) -> String {
        let report = LagReport::now(&self.system.figures.worker, self.system.journal.as_ref());
        let sum = |read: fn(&foreshock_worker::PartitionLag) -> u64| {
            report.partitions.iter().map(read).sum::<u64>()
        };
        format!(
            "{}; {} patterns, {} series, {} entries behind",
            figures(&self.driver.progress()),
            HumanCount(sum(|lag| lag.figures.patterns)),
            HumanCount(sum(|lag| lag.figures.series)),
            HumanCount(sum(|lag| lag.offsets)),
        )
    }
}

fn pages(incident: &Incident) -> bool {
    incident.severity == Severity::Critical && !incident.provisional
}

fn interrupted() -> anyhow::Error {
    anyhow!("the demo was ended by a signal before its page")
}

/// An address that is taken is most often another Foreshock's.
fn explain(error: anyhow::Error) -> anyhow::Error {
    let taken = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::AddrInUse);
    if taken {
        return anyhow!(
            "{error}. The demo starts a Foreshock of its own: stop the one that runs already, or show it the shop: \
             foreshock demo --to http://127.0.0.1:4317"
        );
    }
    error
}

/// The defaults with the environment over them, and what the show needs.
fn configuration(play: &Play, receiver: &Receiver) -> anyhow::Result<Config> {
    let mut config = config::load(None)?;
    config.detect.clock = Clock::Event;
    // What the shop says of one step comes in any order: a step must fit into what a window waits for.
    config.detect.allowed_lateness_seconds = 2 * play.speed.step().as_secs() as u32;
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

fn greet(play: &Play, grpc: SocketAddr, console: SocketAddr, admin: SocketAddr) {
    println!("Foreshock is up, for the demo, on a temporary directory.");
    println!("  console    http://{console}/");
    println!("  OTLP/gRPC  http://{grpc}");
    println!("  metrics    http://{admin}/metrics");
    let fault = play.fault.map_or("nothing goes wrong", |fault| fault.name());
    println!(
        "A simulated shop sends its telemetry at {} real time. After an hour of its time: {fault}.",
        play.speed
    );
    println!();
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
