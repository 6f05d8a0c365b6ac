//! The services of a process, all of them or some: started in the order of a record's way, stopped in the same order.

mod admin;
mod exposition;
mod insight;
mod reload;
mod what_if;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use foreshock_console::Console;
use foreshock_ingest::{Ingest, IngestMetrics, Reload};
use foreshock_journal::{EmbeddedJournal, Journal, KafkaJournal};
use foreshock_worker::{Views, WorkerMetrics};
use tokio::{
    runtime::Handle,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::{
    admin::Admin,
    insight::StageInsight,
    reload::{Current, Reloads},
    what_if::StageWhatIf,
};
use crate::config::{Config, Kind};

/// Nothing of a shutdown may take longer than this in all, beyond what each service's own limits are.
const LONGEST_STOP: Duration = Duration::from_secs(60);

/// Where the services listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    /// OTLP over gRPC and over HTTP, where telemetry is taken.
    pub(crate) otlp: Option<(SocketAddr, SocketAddr)>,
    pub(crate) console: Option<SocketAddr>,
    pub(crate) admin: SocketAddr,
}

/// The figures of all services.
#[derive(Clone)]
pub(crate) struct Figures {
    pub(crate) ingest: Arc<IngestMetrics>,
    pub(crate) worker: Arc<WorkerMetrics>,
    pub(crate) notify: Arc<Current<foreshock_notify::Metrics>>,
    pub(crate) console: Arc<foreshock_console::Metrics>,
    pub(crate) reloads: Arc<Reloads>,
}

/// Which services a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Services {
    pub(crate) ingest: bool,
    pub(crate) worker: bool,
    pub(crate) notify: bool,
    pub(crate) console: bool,
}

impl Services {
    const NONE: Self = Self { ingest: false, worker: false, notify: false, console: false };
    pub(crate) const ALL: Self = Self { ingest: true, worker: true, notify: true, console: true };
    pub(crate) const INGEST: Self = Self { ingest: true, ..Self::NONE };
    pub(crate) const WORKER: Self = Self { worker: true, ..Self::NONE };
    pub(crate) const NOTIFY: Self = Self { notify: true, ..Self::NONE };
    pub(crate) const CONSOLE: Self = Self { console: true, ..Self::NONE };
}

/// The running services.
pub(crate) struct System {
    pub(crate) addresses: Addresses,
    pub(crate) figures: Figures,
    pub(crate) journal: Arc<dyn Journal>,
    /// What the services run with.
    in_force: Config,
    rules: Option<Reload>,
    ingest: Option<Service>,
    worker: Option<Service>,
    notify: Option<Service>,
    console: Option<Service>,
    admin: Service,
    /// Cancelled when a service ended by itself.
    failed: CancellationToken,
}

/// Where the journal lies in the data directory.
pub(crate) fn journal_directory(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}

impl System {
    /// Opens the journal and starts the services. What fails here ends what was started.
    pub(crate) async fn start(config: Config, data_dir: &Path, services: Services) -> anyhow::Result<Self> {
        let figures = Figures {
            ingest: Arc::new(IngestMetrics::new()),
            worker: Arc::new(WorkerMetrics::default()),
            notify: Arc::new(Current::new(foreshock_notify::Metrics::new(&config.notify))),
            console: Arc::default(),
            reloads: Arc::new(Reloads::started()),
        };
        let in_force = config.clone();
        let failed = CancellationToken::new();
        // First of all, so that whoever asks while the journal recovers gets an answer.
        let admin = Admin::bind(config.admin.address, figures.clone()).await?;
        let state = admin.state();
        let admin_address = admin.address();
        let admin = Service::start("admin", &failed, |stop| admin.run(stop));

        let journal = open_journal(&config, services, data_dir).await?;
        state.opened(Arc::clone(&journal));

        let ingest = match services.ingest {
            true => {
                let (journal, figures) = (Arc::clone(&journal), Arc::clone(&figures.ingest));
                Some(Ingest::bind(&config.ingest, &config.tenants, journal, figures).await?)
            }
            false => None,
        };
        let console = match services.console {
            true => Some(Console::bind(config.console.clone()).await?),
            false => None,
        };
        let detect = Arc::new(config.stages());
        let views = Arc::new(Views::default());
        let otlp = match &ingest {
            Some(ingest) => Some((
                ingest.grpc_address().context("the address of OTLP/gRPC")?,
                ingest.http_address().context("the address of OTLP/HTTP")?,
            )),
            None => None,
        };
        let addresses =
            Addresses { otlp, console: console.as_ref().map(Console::address), admin: admin_address };
        let console = console.map(|console| {
            let (journal, metrics) = (Arc::clone(&journal), Arc::clone(&figures.console));
            let (detect, worker) = (Arc::clone(&views), Arc::clone(&figures.worker));
            let insight = Arc::new(StageInsight { detect, figures: worker });
            let what_if = Arc::new(StageWhatIf {
                in_force: in_force.clone(),
                journal: Arc::clone(&journal),
                runtime: Handle::current(),
            });
            Service::start("console", &failed, |stop| async move {
                Ok(console.serve(journal, insight, Some(what_if), metrics, stop).await?)
            })
        });
        let worker = services.worker.then(|| {
            let config = config.worker;
            let (journal, metrics) = (Arc::clone(&journal), Arc::clone(&figures.worker));
            Service::start("worker", &failed, |stop| async move {
                Ok(foreshock_worker::run(config, detect, journal, stop, metrics, views).await?)
            })
        });
        let notify = services.notify.then(|| notify(config.notify, &journal, &figures, &failed));
        let rules = ingest.as_ref().map(Ingest::reload);
        let ingest = ingest.map(|ingest| {
            Service::start("ingest", &failed, |stop| async move { Ok(ingest.run(stop).await?) })
        });
        Ok(Self {
            addresses,
            figures,
            journal,
            in_force,
            rules,
            ingest,
            worker,
            notify,
            console,
            admin,
            failed,
        })
    }

    /// Waits until a service ends by itself, which none should.
    pub(crate) async fn failure(&self) {
        self.failed.cancelled().await;
    }

    /// Stops in order: nothing more is taken, what was taken is processed as far as it has come and saved, what
    /// is to be told is told, the journal is closed. Returns the first failure there was.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let Self { journal, ingest, worker, notify, console, mut admin, .. } = self;
        let in_order = async {
            let mut first = Ok(());
            for mut service in [ingest, worker, notify, console].into_iter().flatten() {
                let name = service.name;
                if let Err(failure) = service.stop().await {
                    error!(service = name, "{failure:#}");
                    first = first.and(Err(failure));
                }
            }
            journal.close().await;
            first.and(admin.stop().await)
        };
        match tokio::time::timeout(LONGEST_STOP, in_order).await {
            Ok(result) => result,
            Err(_) => {
                warn!("the shutdown was cut short; what was acknowledged is on the journal");
                Err(anyhow!(
                    "the shutdown took longer than {LONGEST_STOP:?}; see the log for the service that held it up"
                ))
            }
        }
    }
}

/// The journal of the configuration, once it can be used.
async fn open_journal(
    config: &Config,
    services: Services,
    data_dir: &Path,
) -> anyhow::Result<Arc<dyn Journal>> {
    let Config { journal: config, worker, .. } = config;
    if config.kind == Kind::Kafka {
        let mut options = config.kafka.options(config.queue_bytes).map_err(anyhow::Error::msg)?;
        options.standby = services.worker && worker.standby;
        return Ok(KafkaJournal::open(options).await?);
    }
    let directory = journal_directory(data_dir);
    fs::create_dir_all(&directory).map_err(|source| {
        let said = format!(
            "can't make the directory {}: {source}; make it writable or give another --data-dir",
            directory.display()
        );
        anyhow::Error::new(source).context(said)
    })?;
    let options = config.options(&directory);
    let journal = tokio::task::spawn_blocking(move || EmbeddedJournal::open(options))
        .await
        .context("opening the journal broke off")?
        .with_context(|| format!("can't open the journal in {}", directory.display()))?;
    Ok(journal)
}

/// Starts notify with the figures that stand for it.
fn notify(
    config: foreshock_notify::Config,
    journal: &Arc<dyn Journal>,
    figures: &Figures,
    failed: &CancellationToken,
) -> Service {
    let (journal, metrics) = (Arc::clone(journal), figures.notify.get());
    Service::start("notify", failed, |stop| async move {
        Ok(foreshock_notify::run(config, journal, metrics, stop).await?)
    })
}

/// One service and how to stop it.
struct Service {
    name: &'static str,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Service {
    /// Starts it; `failed` is cancelled when it ends without having been told to.
    fn start<F, R>(name: &'static str, failed: &CancellationToken, run: F) -> Self
    where
        F: FnOnce(CancellationToken) -> R,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let (running, failed, stopped) = (run(stop.clone()), failed.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let mut inner = JoinSet::new();
            inner.spawn(running);
            let result = match inner.join_next().await {
                Some(Ok(result)) => result.with_context(|| format!("{name} ended")),
                Some(Err(panic)) => Err(anyhow!("{name} broke off: {panic}")),
                None => Ok(()),
            };
            let result = match result {
                Ok(()) if !stopped.is_cancelled() => Err(anyhow!("{name} ended by itself")),
                other => other,
            };
            if result.is_err() {
                failed.cancel();
            }
            info!(service = name, "stopped");
            result
        });
        Self { name, stop, task }
    }

    /// Ends it; once.
    async fn stop(&mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        (&mut self.task).await.with_context(|| format!("{} broke off", self.name))?
    }
}
