//! All stages on a bounded number of threads, each over the partitions that are ours.

use std::{
    future::{self, Future},
    sync::Arc,
    time::Duration,
};

use foreshock_detect::{
    Clock, DetectConfig, InputId, Stage, correlate::Correlate, detect::Detect, reduce::Reduce,
};
use foreshock_journal::{Journal, Partition, Stream, Turn};
use tokio::{
    runtime::{self, Runtime},
    task::JoinSet,
};
use tokio_util::{future::FutureExt as _, sync::CancellationToken};
use tracing::warn;

use crate::{
    Runner, Served, Views, WorkerConfig, WorkerError, WorkerMetrics, crew::Crew, lag::tell_of_lag,
    ticks::tick_quiet_partitions,
};

/// Threads for what waits: states to be loaded and saved, offsets to be asked for.
const WAITING: usize = 16;

/// What is needed to run the stages.
#[derive(Clone)]
struct Means {
    config: Arc<WorkerConfig>,
    detect: Arc<DetectConfig>,
    journal: Arc<dyn Journal>,
    metrics: Arc<WorkerMetrics>,
    views: Arc<Views<Detect>>,
}

/// Runs all stages over the partitions that are ours until `shutdown`, then commits and saves what there is. While
/// another process of our name serves, its states are followed; so they are again when it has taken our place.
///
/// Returns an error when one partition can't go on; the others have been stopped in order by then. Dropping the
/// future stops everything where it stands, as a crash would.
pub async fn run(
    config: WorkerConfig,
    detect: Arc<DetectConfig>,
    journal: Arc<dyn Journal>,
    shutdown: CancellationToken,
    metrics: Arc<WorkerMetrics>,
    views: Arc<Views<Detect>>,
) -> Result<(), WorkerError> {
    let threads = Threads::start(config.threads())?;
    let stands_by = config.standby;
    let means = Means { config: Arc::new(config), detect, journal, metrics, views };
    loop {
        let ended = serve_once(means.clone(), &threads, &shutdown).await;
        match ended {
            Err(error) if stands_by && error.is_replaced() && !shutdown.is_cancelled() => {
                warn!("{error}; it stands by from now on");
                means.metrics.forget_all();
            }
            ended => return ended,
        }
    }
}

/// From waiting for our turn to its end.
async fn serve_once(
    means: Means,
    threads: &Threads,
    shutdown: &CancellationToken,
) -> Result<(), WorkerError> {
    let grace = means.config.shutdown_grace();
    let mut stages = Stages {
        means,
        stop: shutdown.child_token(),
        abandon: CancellationToken::new(),
        our_turn: CancellationToken::new(),
        threads: threads.handle().clone(),
        tasks: JoinSet::new(),
    };
    stages.muster();

    let journal = Arc::clone(&stages.means.journal);
    // Given back when everything has ended.
    let mut turn: Option<Turn> = None;
    let mut waiting = journal.turn();
    let mut first_failure = None;
    let mut deadline = None;
    loop {
        tokio::select! {
            ours = &mut waiting, if turn.is_none() => match ours {
                Ok(ours) => {
                    turn = Some(ours);
                    stages.our_turn.cancel();
                }
                Err(source) => {
                    first_failure.get_or_insert(WorkerError::Turn(source));
                    turn = Some(Turn::for_ever());
                    stages.stop.cancel();
                }
            },
            () = lost(&mut turn), if first_failure.is_none() => {
                first_failure = Some(WorkerError::Replaced);
                stages.stop.cancel();
                stages.abandon.cancel();
            }
            ended = stages.tasks.join_next() => match ended {
                None => break,
                Some(ended) => {
                    if let Err(failure) = ended.unwrap_or_else(|error| Err(WorkerError::broken("the worker".to_owned(), error))) {
                        stages.stop.cancel();
                        first_failure.get_or_insert(failure);
                    }
                }
            },
            () = stages.stop.cancelled(), if deadline.is_none() => {
                deadline = Some(tokio::time::Instant::now() + grace);
            }
            () = async { tokio::time::sleep_until(deadline.unwrap_or_else(tokio::time::Instant::now)).await },
                if deadline.is_some() && !stages.abandon.is_cancelled() => stages.abandon.cancel(),
        }
    }
    // Leaving waits for the brokers.
    if tokio::task::spawn_blocking(move || drop(turn)).await.is_err() {
        warn!("our turn could not be given back in order");
    }
    first_failure.map_or(Ok(()), Err)
}

/// Returns when a turn that is ours is lost.
async fn lost(turn: &mut Option<Turn>) {
    match turn {
        Some(turn) => turn.lost().await,
        None => future::pending().await,
    }
}

/// What the stages' tasks share.
struct Stages {
    means: Means,
    stop: CancellationToken,
    abandon: CancellationToken,
    /// Cancelled when it is our turn to serve.
    our_turn: CancellationToken,
    tasks: JoinSet<Result<(), WorkerError>>,
    threads: runtime::Handle,
}

/// How a stage is served: the messages it puts out, the stage before it and what that reads, and how it is made.
struct Plan<S, N> {
    inputs: &'static [Stream],
    output: Stream,
    before: Option<(&'static str, &'static [Stream])>,
    new: N,
    views: Option<Arc<Views<S>>>,
}

impl Stages {
    /// Starts the crews of the stages, the ticker, and the watch over lag.
    fn muster(&mut self) {
        let partitions = self.means.journal.partitions(Stream::Summaries);
        let telemetry = Arc::clone(&self.means.journal);
        self.stage(Plan {
            inputs: &Stream::TELEMETRY,
            output: Stream::Summaries,
            before: None,
            new: move |config, input: InputId, sources, outputs| {
                // As many as there are by now: a stream of telemetry may have grown.
                let stream = Stream::parse(&input.stream);
                let partitions = stream.map_or(0, |stream| telemetry.partitions(stream));
                Reduce::new(config, input, sources, outputs).one_of(partitions)
            },
            views: None,
        });
        self.stage(Plan {
            inputs: &[Stream::Summaries],
            output: Stream::Findings,
            before: Some((Reduce::NAME, &Stream::TELEMETRY)),
            new: move |config, input, sources, outputs| {
                Detect::new(config, input, sources, outputs).one_of(partitions)
            },
            views: Some(Arc::clone(&self.means.views)),
        });
        self.stage(Plan {
            inputs: &[Stream::Findings],
            output: Stream::Incidents,
            before: Some((Detect::NAME, &[Stream::Summaries])),
            new: Correlate::new,
            views: None,
        });

        let Means { config, detect, journal, metrics, .. } = self.means.clone();
        let stop = self.stop.clone();
        // On the event clock the past is read at any speed: how old it is says nothing.
        if detect.clock == Clock::Live {
            self.beside(tell_of_lag(config, Arc::clone(&journal), Arc::clone(&metrics), stop.clone()));
        }
        self.beside(tick_quiet_partitions(detect, journal, metrics, stop));
    }

    /// Runs beside the crews, once it is our turn.
    fn beside(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let (stop, our_turn) = (self.stop.clone(), self.our_turn.clone());
        let in_turn = async move {
            if our_turn.cancelled().with_cancellation_token(&stop).await.is_some() {
                work.await;
            }
            Ok(())
        };
        self.tasks.spawn_on(in_turn, &self.threads);
    }

    /// The crew of one stage.
    fn stage<S: Served, N>(&mut self, plan: Plan<S, N>)
    where
        N: Fn(Arc<DetectConfig>, InputId, Vec<InputId>, u16) -> S + Send + Sync + 'static,
    {
        let crew = Crew {
            stage: S::NAME,
            inputs: plan.inputs,
            journal: Arc::clone(&self.means.journal),
            metrics: Arc::clone(&self.means.metrics),
            threads: self.threads.clone(),
            stop: self.stop.clone(),
            abandon: self.abandon.clone(),
            our_turn: self.our_turn.clone(),
        };
        let (config, detect) = (Arc::clone(&self.means.config), Arc::clone(&self.means.detect));
        let (journal, metrics) = (Arc::clone(&self.means.journal), Arc::clone(&self.means.metrics));
        let new = move |input: Partition| {
            let id = InputId { stream: input.stream.name().to_owned(), partition: input.index };
            // As many as there are by now: a stream of telemetry may have grown.
            let sources = plan.before.map_or_else(Vec::new, |(_, streams)| inputs_of(&*journal, streams));
            let outputs = journal.partitions(plan.output);
            let stage = (plan.new)(Arc::clone(&detect), id, sources.clone(), outputs);
            let mut runner = Runner::new(
                stage,
                input,
                plan.output,
                Arc::clone(&journal),
                Arc::clone(&config),
                Arc::clone(&metrics),
            );
            if let Some((before, _)) = plan.before {
                let hold_up = Duration::from_secs(detect.hold_up_seconds.into());
                runner = runner.giving_up(before, &sources, hold_up);
            }
            if let Some(views) = &plan.views {
                runner = runner.seen_through(Arc::clone(views));
            }
            runner
        };
        self.tasks.spawn_on(crew.work(new), &self.threads);
    }
}

fn inputs_of(journal: &dyn Journal, streams: &[Stream]) -> Vec<InputId> {
    let of = |stream: &Stream| {
        let name = stream.name();
        (0..journal.partitions(*stream)).map(move |partition| InputId { stream: name.to_owned(), partition })
    };
    streams.iter().flat_map(of).collect()
}

/// The threads that run the partitions, apart from those that receive: detection that lags must not hold up ingest.
struct Threads(Option<Runtime>);

impl Threads {
    fn start(count: usize) -> Result<Self, WorkerError> {
        runtime::Builder::new_multi_thread()
            .worker_threads(count)
            .max_blocking_threads(count + WAITING)
            .thread_name("stages")
            .enable_time()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(WorkerError::Threads)
    }

    fn handle(&self) -> &runtime::Handle {
        self.0.as_ref().expect("taken in drop alone").handle()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
