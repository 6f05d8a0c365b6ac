//! All partitions of all stages on a bounded number of threads.

use std::{collections::HashMap, sync::Arc, time::Duration};

use foreshock_detect::{
    Clock, DetectConfig, InputId, Stage, correlate::Correlate, detect::Detect, reduce::Reduce, words_of_panic,
};
use foreshock_journal::{Journal, Partition, Stream};
use tokio::{
    runtime::{self, Runtime},
    task::{Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Runner, Served, Views, WorkerConfig, WorkerError, WorkerMetrics, lag::tell_of_lag,
    ticks::tick_quiet_partitions,
};

/// Runs all stages over all partitions until `shutdown`, then commits and saves what there is.
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
    let grace = config.shutdown_grace();
    let mut crew = Crew {
        config: Arc::new(config),
        detect,
        journal,
        metrics,
        views,
        stop: shutdown.child_token(),
        abandon: CancellationToken::new(),
        threads,
        tasks: JoinSet::new(),
        names: HashMap::new(),
    };
    crew.muster();

    let mut first_failure = None;
    let mut deadline = None;
    loop {
        tokio::select! {
            ended = crew.tasks.join_next_with_id() => match ended {
                None => break,
                Some(ended) => {
                    if let Err(failure) = crew.ended(ended) {
                        crew.stop.cancel();
                        first_failure.get_or_insert(failure);
                    }
                }
            },
            () = crew.stop.cancelled(), if deadline.is_none() => {
                deadline = Some(tokio::time::Instant::now() + grace);
            }
            () = async { tokio::time::sleep_until(deadline.unwrap_or_else(tokio::time::Instant::now)).await },
                if deadline.is_some() && !crew.abandon.is_cancelled() => crew.abandon.cancel(),
        }
    }
    first_failure.map_or(Ok(()), Err)
}

/// The tasks and what they share.
struct Crew {
    config: Arc<WorkerConfig>,
    detect: Arc<DetectConfig>,
    journal: Arc<dyn Journal>,
    metrics: Arc<WorkerMetrics>,
    views: Arc<Views<Detect>>,
    stop: CancellationToken,
    abandon: CancellationToken,
    tasks: JoinSet<Result<(), WorkerError>>,
    names: HashMap<Id, String>,
    threads: Threads,
}

impl Crew {
    /// Starts a task for each stage and partition, the ticker, and the watch over lag.
    fn muster(&mut self) {
        let views = Arc::clone(&self.views);
        let telemetry = self.inputs(&Stream::TELEMETRY);
        let summaries = self.inputs(&[Stream::Summaries]);
        let partitions = self.journal.partitions(Stream::Summaries);
        for stream in Stream::TELEMETRY {
            let partitions = self.journal.partitions(stream);
            self.stage(
                stream,
                Stream::Summaries,
                ("", &[]),
                |config, input, sources, outputs| {
                    Reduce::new(config, input, sources, outputs).one_of(partitions)
                },
                None,
            );
        }
        self.stage(
            Stream::Summaries,
            Stream::Findings,
            (Reduce::NAME, &telemetry),
            |config, input, sources, outputs| Detect::new(config, input, sources, outputs).one_of(partitions),
            Some(&views),
        );
        self.stage(Stream::Findings, Stream::Incidents, (Detect::NAME, &summaries), Correlate::new, None);

        let (detect, journal) = (Arc::clone(&self.detect), Arc::clone(&self.journal));
        let (metrics, stop) = (Arc::clone(&self.metrics), self.stop.clone());
        let ticker = async move {
            tick_quiet_partitions(detect, journal, metrics, stop).await;
            Ok(())
        };
        let handle = self.tasks.spawn_on(ticker, self.threads.handle());
        self.names.insert(handle.id(), "the ticker".to_owned());
        // On the event clock the past is read at any speed: how old it is says nothing.
        if self.detect.clock == Clock::Live {
            let (config, journal) = (Arc::clone(&self.config), Arc::clone(&self.journal));
            let (metrics, stop) = (Arc::clone(&self.metrics), self.stop.clone());
            let lag_watch = async move {
                tell_of_lag(config, journal, metrics, stop).await;
                Ok(())
            };
            let handle = self.tasks.spawn_on(lag_watch, self.threads.handle());
            self.names.insert(handle.id(), "the watch over lag".to_owned());
        }
    }

    fn inputs(&self, streams: &[Stream]) -> Vec<InputId> {
        let of = |stream: &Stream| {
            let name = stream.name();
            (0..self.journal.partitions(*stream))
                .map(move |partition| InputId { stream: name.to_owned(), partition })
        };
        streams.iter().flat_map(of).collect()
    }

    /// One runner for each partition of `input`; `sources` are the stage before and its partitions.
    fn stage<S: Served>(
        &mut self,
        input: Stream,
        output: Stream,
        (before, sources): (&'static str, &[InputId]),
        new: impl Fn(Arc<DetectConfig>, InputId, Vec<InputId>, u16) -> S,
        views: Option<&Views<S>>,
    ) {
        let outputs = self.journal.partitions(output);
        for index in 0..self.journal.partitions(input) {
            let id = InputId { stream: input.name().to_owned(), partition: index };
            let stage = new(Arc::clone(&self.detect), id, sources.to_vec(), outputs);
            let mut runner = Runner::new(
                stage,
                Partition::new(input, index),
                output,
                Arc::clone(&self.journal),
                Arc::clone(&self.config),
                Arc::clone(&self.metrics),
            );
            if !sources.is_empty() {
                let hold_up = Duration::from_secs(self.detect.hold_up_seconds.into());
                runner = runner.giving_up(before, sources, hold_up);
            }
            if let Some(views) = views {
                runner = runner.seen_through(views);
            }
            let task = runner.serve(self.stop.clone(), self.abandon.clone());
            let handle = self.tasks.spawn_on(task, self.threads.handle());
            self.names.insert(handle.id(), format!("stage {} of {input:?} partition {index}", S::NAME));
        }
    }

    /// What a task came to.
    fn ended(&mut self, ended: Result<(Id, Result<(), WorkerError>), JoinError>) -> Result<(), WorkerError> {
        match ended {
            Ok((_, result)) => result,
            Err(error) => {
                let task = self.names.remove(&error.id()).unwrap_or_else(|| "a task".to_owned());
                let reason = match error.try_into_panic() {
                    Ok(panic) => words_of_panic(&*panic),
                    Err(error) => error.to_string(),
                };
                Err(WorkerError::Broken { task, reason })
            }
        }
    }
}

/// The threads that run the partitions, apart from those that receive: detection that lags must not hold up ingest.
struct Threads(Option<Runtime>);

impl Threads {
    fn start(count: usize) -> Result<Self, WorkerError> {
        runtime::Builder::new_multi_thread()
            .worker_threads(count)
            .max_blocking_threads(count + 2)
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
