//! Foreshock on a real Kafka of three brokers, each service in several processes, under load: processes and brokers
//! are killed, held and cut off, and then everything that is left is looked at.
//!
//! What is checked, from the topics: every acknowledged record is there; every stage's messages are those of an
//! undisturbed run over the same entries, byte for byte, each once; final findings and incidents at the close of
//! windows are those of `foreshock replay`; every incident that is due reached the webhook in its last revision. And
//! of the processes: none ended without having been told to, and none has missed a message.

mod disturb;
mod disturbance;
mod failover;
mod fleet;
mod verdict;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use anyhow::Context as _;
use foreshock_demo::wall_clock;
use foreshock_detect::{Clock, DetectConfig};
use foreshock_journal::{KafkaJournal, KafkaOptions};
use foreshock_kafka_testing::{Kafka, Listener, Options};
use tokio::{
    runtime::Handle,
    sync::Mutex as Held,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use self::{
    disturb::Stage,
    fleet::{Fleet, INSTANCE, Post, STANDBY},
};
use super::{
    outcome::{Examined, Outcome},
    pressure::{Pressure, Promise},
    settings,
    shop::Opening,
    webhook::Webhook,
};
use crate::{
    aftermath::{ensure_room, metrics_page, settle, size, total},
    random::Random,
    remains::Remains,
    server::{self, Start},
};
pub use disturbance::Disturbance;
pub use verdict::KafkaVerdict;

const BROKERS: u64 = 3;
/// The brokers' listener behind the network that can be cut.
const LISTENER: &str = "SERVICES";
const PREFIX: &str = "chaos-";
const INGESTS: usize = 2;
/// Two by themselves, and two that stand by for one another.
const WORKERS: usize = 4;
const BY_THEMSELVES: usize = 2;
const NOTIFIES: usize = 2;
const TELEMETRY_PARTITIONS: usize = 4;
const STAGE_PARTITIONS: usize = 4;
/// Of all stages: reduce over three streams, detect, correlate.
const SERVED: usize = 3 * TELEMETRY_PARTITIONS + 2 * STAGE_PARTITIONS;
/// Below which no session may be, by the brokers' defaults.
const SESSION_MS: u64 = 6000;
/// Of the workers: a held one is missed by the group for two reasons.
const MAX_POLL_MS: u64 = 10_000;
/// Share of the topics that the load may fill, in percent: the rest is for what is sent again, and for stages.
const LOAD_PERCENT: u64 = 75;
/// Bytes of a record with what is around it, about.
const RECORD_BYTES: u64 = 260;
/// How often more of the load is let out.
const PACE: Duration = Duration::from_millis(50);
/// One disturbance in so many begins while others are not over.
const OVERLAPPING: u64 = 3;
/// Time between one disturbance and the next, at most.
const PAUSE: Duration = Duration::from_secs(4);
/// What one takes, about: the shop's two hours are spread over them.
const ONE: Duration = Duration::from_secs(7);
/// When the shop's fault begins on the live clock.
const LIVE_FAULT_AFTER: Duration = Duration::from_secs(60);
/// In the end everything has to be caught up with within this.
const PATIENCE: Duration = Duration::from_secs(600);
/// When everything has to be served at first.
const START: Duration = Duration::from_secs(120);

/// How to run.
#[derive(Clone, Debug)]
pub struct KafkaChaosOptions {
    /// The `foreshock` program.
    pub program: PathBuf,
    /// Another build of it, to roll the workers to and back. `None`: a copy of the same.
    pub other: Option<PathBuf>,
    /// An empty directory for the configuration and the logs.
    pub directory: PathBuf,
    /// What is done, in this order.
    pub disturbances: Vec<Disturbance>,
    /// Decides to whom, when and for how long.
    pub seed: u64,
    /// Bytes that the topics may take, all copies together.
    pub topic_bytes: u64,
    /// Records a second.
    pub rate: u64,
    /// Where the stages take their time from.
    pub clock: Clock,
}

/// Disturbs so often, and says what was found. An error: the run itself could not be carried through.
pub async fn run(options: &KafkaChaosOptions) -> anyhow::Result<KafkaVerdict> {
    ensure_room(&options.directory, options.topic_bytes)?;
    let mut random = Random(options.seed);
    let webhook = Webhook::start().await?;
    let kafka = tokio::task::spawn_blocking(|| {
        Kafka::start(Options {
            brokers: BROKERS as usize,
            listeners: vec![Listener::proxied(LISTENER)],
            jvm: Some("-Xmx512m -Xms256m".into()),
            ..Options::default()
        })
    })
    .await??;
    let plain = kafka.bootstrap();
    let topics = kafka.log(1).ancestors().nth(2).map(Path::to_owned).context("the brokers' folder")?;
    let setup = Setup::new(options, &kafka.bootstrap_of(LISTENER), webhook.address)?;
    setup.make_topics()?;

    let stage = Arc::new(Stage {
        fleet: setup.fleet()?,
        kafka: Arc::new(Held::new(kafka)),
        programs: [options.program.clone(), setup.other.clone()],
        partitions: SERVED,
        log_partitions: TELEMETRY_PARTITIONS,
        begun: AtomicU64::new(0),
        ended: AtomicU64::new(0),
        rolls: AtomicU64::new(0),
    });
    for post in stage.fleet.all() {
        post.lock().await.start()?;
    }
    for post in stage.fleet.all() {
        post.lock().await.server()?.greeted().await?;
    }
    let served = timeout(START, failover::until_served(&stage.fleet.worker_pages, SERVED, Instant::now()));
    served.await.context("the partitions are not served")?.context("the partitions are not served")?;
    stage.fleet.note("everything is served");

    let time = Arc::new(AtomicU64::new(0));
    let count = u32::try_from(options.disturbances.len()).unwrap_or(u32::MAX);
    let opening = Opening {
        to: setup.ingests[0].clone(),
        seed: options.seed,
        clock: options.clock,
        within: ONE * count,
        live_fault_after: LIVE_FAULT_AFTER,
    };
    let shop = tokio::spawn(opening.run(Arc::clone(&time)));
    let pressure = Arc::new(Pressure::start(&setup.ingests, Promise::RefusedMayBeKept, Arc::clone(&time))?);
    let began = Instant::now();
    let pace = tokio::spawn(pace(Arc::clone(&pressure), options.rate, budget(options)));
    disturb_all(&stage, options, &mut random).await?;
    pace.abort();
    // Ended, whether it was aborted or not.
    let _ = pace.await;
    let pressure = Arc::into_inner(pressure).context("the load is still let out")?;
    let sent = pressure.stop().await?;
    match options.clock {
        Clock::Live => shop.abort(),
        Clock::Event => {
            timeout(PATIENCE, shop).await.context("the shop's telemetry was not taken in time")???
        }
    }
    let disturbing = began.elapsed();
    stage.fleet.note("no more is sent");

    let journal =
        KafkaJournal::open(KafkaOptions { prefix: PREFIX.into(), ..KafkaOptions::new(plain) }).await?;
    let remains = Remains::Kafka(journal, Handle::current());
    let settled = settle(&remains, PATIENCE).await;
    stage.fleet.look_after().await?;
    settled?;
    let settling = began.elapsed() - disturbing;
    stage.fleet.note("everything is caught up with");
    let (holes_told, source_repeats) = ending(&stage.fleet).await?;

    let (told, wrong_requests) = webhook.told();
    let config = DetectConfig { clock: options.clock, ..DetectConfig::default() };
    let how = setup.start("worker", String::new(), Vec::new());
    let topic_bytes = size(&topics);
    let checked = Instant::now();
    let outcome = tokio::task::spawn_blocking(move || -> anyhow::Result<Outcome> {
        let examined = Examined { remains: &remains, how: &how, config, sent: &sent, told: &told };
        Ok(Outcome { holes_told, wrong_requests, ..examined.outcome()? })
    })
    .await??;
    let mut disturbances = BTreeMap::new();
    options.disturbances.iter().for_each(|kind| *disturbances.entry(*kind).or_default() += 1);
    let fleet = &stage.fleet;
    let verdict = KafkaVerdict {
        clock: options.clock,
        disturbances,
        versions: [version(&options.program)?, version(&setup.other)?],
        deaths: fleet.deaths.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        fail_overs: fleet.fail_overs.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        source_repeats,
        topic_bytes,
        topic_limit: options.topic_bytes,
        disturbing,
        settling,
        checking: checked.elapsed(),
        outcome,
    };
    // The brokers are ended on a thread that may wait.
    tokio::task::spawn_blocking(move || drop(stage)).await?;
    Ok(verdict)
}

/// Bytes that the load may send.
fn budget(options: &KafkaChaosOptions) -> u64 {
    options.topic_bytes / BROKERS / 100 * LOAD_PERCENT
}

/// Lets the load out at a rate, and no more than the budget.
async fn pace(pressure: Arc<Pressure>, rate: u64, budget: u64) {
    let began = Instant::now();
    loop {
        let due = (began.elapsed().as_secs_f64() * (rate * RECORD_BYTES) as f64) as u64;
        pressure.allow(due.min(budget));
        sleep(PACE).await;
    }
}

/// One after the other, some of them while others are not over.
async fn disturb_all(
    stage: &Arc<Stage>,
    options: &KafkaChaosOptions,
    random: &mut Random,
) -> anyhow::Result<()> {
    let mut going_on = JoinSet::new();
    for (nth, disturbance) in options.disturbances.iter().enumerate() {
        if random.below(OVERLAPPING) > 0 {
            while let Some(ended) = going_on.join_next().await {
                ended??;
            }
        }
        sleep(random.up_to(PAUSE)).await;
        stage.fleet.look_after().await?;
        stage.begun.fetch_add(1, SeqCst);
        let (stage, own) = (Arc::clone(stage), Random(options.seed ^ ((nth as u64 + 1) << 32)));
        let disturbance = *disturbance;
        going_on.spawn(async move {
            let result = Arc::clone(&stage).disturb(disturbance, own).await;
            stage.ended.fetch_add(1, SeqCst);
            result
        });
    }
    while let Some(ended) = going_on.join_next().await {
        ended??;
    }
    Ok(())
}

/// What the metrics pages say in the end of holes and of repeats; then all are asked to end.
async fn ending(fleet: &Fleet) -> anyhow::Result<(u64, u64)> {
    let (mut holes, mut repeats) = (0, 0);
    for post in fleet.workers.iter().chain(&fleet.notifies) {
        let page = metrics_page(&post.lock().await.metrics).await?;
        // A worker that serves nothing at present has nothing to tell.
        holes += total(&page, "source_holes").unwrap_or(0);
        repeats += total(&page, "source_repeats").unwrap_or(0);
    }
    for post in fleet.all() {
        let mut post = post.lock().await;
        let status = post.take()?.terminate().await?;
        if !status.success() {
            let mut deaths = fleet.deaths.lock().unwrap_or_else(PoisonError::into_inner);
            deaths.push(format!("{} ended with {status} on SIGTERM", post.name));
        }
    }
    Ok((holes, repeats))
}

/// What a program calls itself.
fn version(program: &Path) -> anyhow::Result<String> {
    let output = Command::new(program).arg("version").output().context("the program's version")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// How everything is started.
struct Setup {
    program: PathBuf,
    other: PathBuf,
    config: PathBuf,
    directory: PathBuf,
    /// Where telemetry is taken.
    ingests: Vec<String>,
    ports: Vec<u16>,
}

impl Setup {
    fn new(
        options: &KafkaChaosOptions,
        brokers: &str,
        webhook: std::net::SocketAddr,
    ) -> anyhow::Result<Self> {
        let directory = options.directory.clone();
        let other = match &options.other {
            Some(other) => other.clone(),
            None => {
                let copy = directory.join("foreshock-again");
                fs::copy(&options.program, &copy).context("a copy of the program")?;
                copy
            }
        };
        // Not of the seed: two runs side by side would choose the same.
        let mut chance = Random(u64::from(webhook.port()) ^ wall_clock().nanos());
        let mut ports = Vec::new();
        while ports.len() < 2 * INGESTS + WORKERS + NOTIFIES {
            let port = server::free_port(&mut chance)?;
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        let ingests = ports[..INGESTS].iter().map(|port| format!("http://127.0.0.1:{port}")).collect();
        let config = directory.join("chaos.toml");
        let text = format!(
            "ingest.http_address = \"127.0.0.1:0\"\n\
             journal.kind = \"kafka\"\n\
             {}\
             [journal.kafka]\n\
             brokers = \"{brokers}\"\n\
             topic_prefix = \"{PREFIX}\"\n\
             telemetry_partitions = {TELEMETRY_PARTITIONS}\n\
             stage_partitions = {STAGE_PARTITIONS}\n\
             replication = {BROKERS}\n\
             min_insync_replicas = 2\n\
             session_timeout_ms = {SESSION_MS}\n\
             [journal.kafka.properties]\n\
             \"max.poll.interval.ms\" = \"{MAX_POLL_MS}\"\n",
            settings(options.clock, options.topic_bytes, webhook)
        );
        fs::write(&config, text).context("the configuration")?;
        Ok(Self { program: options.program.clone(), other, config, directory, ingests, ports })
    }

    fn make_topics(&self) -> anyhow::Result<()> {
        let output = Command::new(&self.program)
            .args(["topics", "apply", "--config"])
            .arg(&self.config)
            .output()
            .context("making the topics")?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "the topics could not be made: {said}");
        Ok(())
    }

    fn start(
        &self,
        service: &'static str,
        name: String,
        mut environment: Vec<(&'static str, String)>,
    ) -> Start {
        environment.push(("FORESHOCK_LOG", "info".into()));
        Start {
            program: self.program.clone(),
            service,
            config: self.config.clone(),
            data_dir: None,
            environment,
            log: self.directory.join(format!("{name}.log")),
        }
    }

    /// The processes, not started yet. The last two workers are one static member of their groups between them.
    fn fleet(&self) -> anyhow::Result<Fleet> {
        let mut ports = self.ports[INGESTS..].iter();
        let mut post = |service: &'static str, nth: usize, mut environment: Vec<(&'static str, String)>| {
            let port = ports.next().context("a port")?;
            environment.push(("FORESHOCK_ADMIN__ADDRESS", format!("127.0.0.1:{port}")));
            let name = format!("{service}-{nth}");
            let how = self.start(service, name.clone(), environment);
            anyhow::Ok(Post::new(name, how, format!("http://127.0.0.1:{port}/metrics")))
        };
        let ingests: anyhow::Result<Vec<Post>> = (0..INGESTS)
            .map(|nth| {
                let address = format!("127.0.0.1:{}", self.ports[nth]);
                post("ingest", nth, vec![("FORESHOCK_INGEST__GRPC_ADDRESS", address)])
            })
            .collect();
        let workers: anyhow::Result<Vec<Post>> = (0..WORKERS)
            .map(|nth| {
                let mut environment = Vec::new();
                if nth >= BY_THEMSELVES {
                    environment.push((INSTANCE, "worker-pair".into()));
                    environment.push((STANDBY, "true".into()));
                }
                post("worker", nth, environment)
            })
            .collect();
        let notifies: anyhow::Result<Vec<Post>> =
            (0..NOTIFIES).map(|nth| post("notify", nth, Vec::new())).collect();
        Fleet::new(workers?, ingests?, notifies?, &self.directory.join("diary"))
    }
}
