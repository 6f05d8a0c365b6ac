//! Kills a running Foreshock again and again under saturating load, and then looks whether anything is amiss.
//!
//! What is checked, from the journal that is left: every acknowledged record is there; every stage's messages are
//! those of an undisturbed run over the same entries, byte for byte, each once; final findings and incidents at the
//! close of windows are those of `foreshock replay` over the telemetry, ticks and skips alone; every incident that is due reached the
//! webhook, in order.

mod clocks;
pub mod kafka;
mod notifications;
mod outcome;
mod pressure;
mod records;
mod shop;
mod stages;
mod undisturbed;
mod verdict;
mod webhook;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use anyhow::Context as _;
use foreshock_demo::wall_clock;
use foreshock_detect::{Clock, DetectConfig};
use foreshock_journal::EmbeddedReader;
use tokio::time::{Instant, sleep, timeout};

use self::{
    outcome::{Examined, Outcome},
    pressure::{Pressure, Promise},
    shop::Opening,
    webhook::Webhook,
};
use crate::{
    aftermath::{ensure_room, metrics_page, settle, size, total},
    random::Random,
    remains::Remains,
    server::{self, Server, Start},
};
pub use clocks::{Clocks, Judged};
pub use verdict::Verdict;

/// Longest life of the server between its being up and its being killed, at least.
const LONGEST_LIFE: Duration = Duration::from_millis(2000);
/// On the live clock a run of many kills lasts about so long: services have to be known before anything can be found.
const LIVE_LENGTH: Duration = Duration::from_secs(200);
/// From so many kills on.
const MANY_KILLS: u64 = 20;
/// When the shop's fault begins then.
const LIVE_FAULT_AFTER: Duration = Duration::from_secs(110);
/// One start in so many is killed while it recovers.
const KILLED_EARLY: u64 = 5;
/// Latest moment of such a kill after the start.
const EARLY: Duration = Duration::from_millis(200);
/// Share of the journal's size that the load may fill, in percent: the rest is for what is sent again, and for stages.
const LOAD_PERCENT: u64 = 75;
/// Eight segment files of the default size: there are that many at most beyond what was written, in each volume the one that
/// is written and its spares; and the stages' own messages.
const FILES_BEYOND: u64 = 8 * (128 << 20);
/// What one kill takes, about: the shop's two hours are spread over the kills.
const A_KILL: Duration = Duration::from_millis(1800);
/// After the last kill everything has to be caught up with within this.
const PATIENCE: Duration = Duration::from_secs(600);

/// How to run.
#[derive(Clone, Debug)]
pub struct ChaosOptions {
    /// The `foreshock` program.
    pub program: PathBuf,
    /// An empty directory for the journal, the configuration and the server's log.
    pub directory: PathBuf,
    /// How often to kill.
    pub kills: u64,
    /// Decides the moments of the kills.
    pub seed: u64,
    /// Bytes of journal that the run may take.
    pub journal_bytes: u64,
    /// Where the stages take their time from: with `Live` ticks are part of the run, with `Event` the simulated
    /// shop's two hours go by and make incidents.
    pub clock: Clock,
}

/// Kills so often, and says what was found. An error: the run itself could not be carried through.
pub async fn run(options: &ChaosOptions) -> anyhow::Result<Verdict> {
    let began = Instant::now();
    let journal_limit = options.journal_bytes.max(budget(options) + FILES_BEYOND);
    ensure_room(&options.directory, journal_limit)?;
    let mut random = Random(options.seed);
    let webhook = Webhook::start().await?;
    // Not of the seed: two runs side by side would choose the same.
    let chance = u64::from(webhook.address.port()) ^ wall_clock().nanos();
    let grpc_port = server::free_port(&mut Random(chance))?;
    let how = prepare(options, grpc_port, &webhook)?;
    let journal = options.directory.join("data/journal");
    let remains = Remains::Embedded(journal.clone());
    let to = format!("http://127.0.0.1:{grpc_port}");

    let time = Arc::new(AtomicU64::new(0));
    let opening = Opening {
        to: to.clone(),
        seed: options.seed,
        clock: options.clock,
        within: A_KILL * u32::try_from(options.kills).unwrap_or(u32::MAX),
        live_fault_after: LIVE_FAULT_AFTER,
    };
    let shop = tokio::spawn(opening.run(Arc::clone(&time)));
    let pressure = Pressure::start(&[to], Promise::RefusedIsNotKept, Arc::clone(&time))?;
    let budget = budget(options);
    let mut slowest_start = Duration::ZERO;
    let mut server = Server::start(&how)?;
    for kill in 0..options.kills {
        let started = Instant::now();
        pressure.allow(budget / options.kills * (kill + 1));
        if kill > 0 && random.below(KILLED_EARLY) == 0 {
            // Into the recovery: what it says by then does not matter.
            if let Ok(greeted) = timeout(random.up_to(EARLY), server.greeted()).await {
                greeted?;
            }
        } else {
            server.greeted().await?;
            slowest_start = slowest_start.max(started.elapsed());
            sleep(random.up_to(longest_life(options))).await;
        }
        server.kill().await?;
        server = Server::start(&how)?;
        tracing::info!(kill = kill + 1, acknowledged = pressure.acknowledged(), "killed");
    }
    server.greeted().await?;
    let sent = pressure.stop().await?;
    match options.clock {
        Clock::Live => shop.abort(),
        Clock::Event => {
            timeout(PATIENCE, shop).await.context("the shop's telemetry was not taken in time")???
        }
    }
    settle(&remains, PATIENCE).await?;
    let holes_told = total(&metrics_page(server.admin()?).await?, "source_holes")?;
    let status = server.terminate().await?;
    anyhow::ensure!(status.success(), "the server ended with {status} on SIGTERM");
    let killing = began.elapsed();

    let (told, wrong_requests) = webhook.told();
    let config = DetectConfig { clock: options.clock, ..DetectConfig::default() };
    let (kills, clock) = (options.kills, options.clock);
    tokio::task::spawn_blocking(move || {
        let examined = Examined { remains: &remains, how: &how, config, sent: &sent, told: &told };
        let outcome = Outcome { holes_told, wrong_requests, ..examined.outcome()? };
        let damaged_frames = EmbeddedReader::open(&journal)?.damaged_frames();
        let verdict = Verdict {
            clock,
            kills,
            journal_bytes: size(&journal),
            journal_limit,
            killing,
            checking: began.elapsed() - killing,
            slowest_start,
            damaged_frames,
            outcome,
        };
        Ok(verdict)
    })
    .await?
}

/// Lives are of random length up to this, half of it in the mean.
fn longest_life(options: &ChaosOptions) -> Duration {
    match options.clock {
        Clock::Live if options.kills >= MANY_KILLS => {
            LONGEST_LIFE.max(2 * LIVE_LENGTH / u32::try_from(options.kills).unwrap_or(u32::MAX))
        }
        Clock::Live | Clock::Event => LONGEST_LIFE,
    }
}

/// Bytes that the load may send.
fn budget(options: &ChaosOptions) -> u64 {
    options.journal_bytes / 100 * LOAD_PERCENT
}

/// The server's configuration, as TOML.
fn prepare(options: &ChaosOptions, grpc_port: u16, webhook: &Webhook) -> anyhow::Result<Start> {
    let text = format!(
        "ingest.grpc_address = \"127.0.0.1:{grpc_port}\"\n\
         ingest.http_address = \"127.0.0.1:0\"\n\
         console.listen = \"127.0.0.1:0\"\n\
         admin.address = \"127.0.0.1:0\"\n\
         {}",
        settings(options.clock, options.journal_bytes, webhook.address)
    );
    Start::system(&options.program, &options.directory, &text)
}

/// What every run sets, as TOML that tables may follow: nothing is removed, states are saved often, and one webhook is
/// told of everything and soon again.
fn settings(clock: Clock, bytes: u64, webhook: SocketAddr) -> String {
    // The stages' part may not be less than two segments, nor the telemetry's.
    let retention = bytes.max(1 << 30);
    let clock = verdict::clock_name(clock);
    format!(
        "journal.retention_bytes = {retention}\n\
         detect.clock = \"{clock}\"\n\
         worker.snapshot_seconds = 3\n\
         worker.snapshot_input_mib = 32\n\
         worker.snapshot_percent = 20\n\
         notify.retry.first = \"50ms\"\n\
         notify.retry.longest = \"1s\"\n\
         [[notify.routes]]\n\
         name = \"chaos\"\n\
         webhook.url = \"http://{webhook}/\"\n"
    )
}
