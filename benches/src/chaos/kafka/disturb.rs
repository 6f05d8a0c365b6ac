//! Does what a disturbance is, and brings back what it took away.

use std::{
    path::PathBuf,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use anyhow::Context as _;
use foreshock_kafka_testing::Kafka;
use tokio::{
    sync::{Mutex as Held, OwnedMutexGuard},
    time::{Instant, sleep, timeout},
};

use super::{
    LISTENER,
    disturbance::Disturbance,
    failover::{Cause, FailOver, until_committed, until_served},
    fleet::{Fleet, Post},
};
use crate::random::Random;

/// What was killed is away for less than this.
const AWAY: Duration = Duration::from_secs(4);
/// A held worker is held for so long at least: longer than its session and its max.poll.interval.
const HELD_WORKER: Duration = Duration::from_secs(12);
const HELD_BROKER: Duration = Duration::from_secs(10);
/// The network is away for less than this.
const NETWORK: Duration = Duration::from_secs(12);
/// A worker that was rolled is waited for so long.
const GREETING: Duration = Duration::from_secs(60);

/// What all disturbances share.
pub(super) struct Stage {
    pub(super) fleet: Fleet,
    pub(super) kafka: Arc<Held<Kafka>>,
    /// The builds that workers are rolled to, in turn.
    pub(super) programs: [PathBuf; 2],
    /// Partitions of all stages together, and of the logs.
    pub(super) partitions: usize,
    pub(super) log_partitions: usize,
    /// Disturbances that have begun, and that are over.
    pub(super) begun: AtomicU64,
    pub(super) ended: AtomicU64,
    pub(super) rolls: AtomicU64,
}

impl Stage {
    /// One disturbance, from its beginning until what it took away is back.
    pub(super) async fn disturb(
        self: Arc<Self>,
        disturbance: Disturbance,
        mut random: Random,
    ) -> anyhow::Result<()> {
        let random = &mut random;
        match disturbance {
            Disturbance::WorkerKilled => {
                self.kill(disturbance, &self.fleet.workers, Some(Cause::WorkerKilled), random).await
            }
            Disturbance::IngestKilled => self.kill(disturbance, &self.fleet.ingests, None, random).await,
            Disturbance::NotifyKilled => self.kill(disturbance, &self.fleet.notifies, None, random).await,
            Disturbance::WorkerStopped => self.stop_worker(disturbance, random).await,
            Disturbance::WorkerHeld => self.hold_worker(disturbance, random).await,
            Disturbance::WorkersRolled => self.roll(disturbance).await,
            Disturbance::BrokerKilled | Disturbance::BrokerRestarted | Disturbance::BrokerHeld => {
                self.broker(disturbance, random).await
            }
            Disturbance::NetworkCut | Disturbance::NetworkStalled => self.network(disturbance, random).await,
        }
        .with_context(|| format!("{disturbance:?}"))
    }

    async fn free(
        &self,
        posts: &[super::fleet::Shared],
        random: &mut Random,
    ) -> anyhow::Result<OwnedMutexGuard<Post>> {
        let mut post = self.fleet.any(posts, random).await;
        self.fleet.look_after_one(&mut post)?;
        Ok(post)
    }

    async fn kill(
        self: &Arc<Self>,
        disturbance: Disturbance,
        posts: &[super::fleet::Shared],
        cause: Option<Cause>,
        random: &mut Random,
    ) -> anyhow::Result<()> {
        let mut post = self.free(posts, random).await?;
        self.fleet.begin(disturbance, &post.name);
        post.take()?.kill().await?;
        let alone = self.alone().filter(|_| !post.keeps_its_place());
        let served = cause.map(|cause| tokio::spawn(Arc::clone(self).measure(cause, Instant::now(), alone)));
        sleep(random.up_to(AWAY)).await;
        post.start()?;
        self.fleet.note(&format!("{} is started again", post.name));
        drop(post);
        if let Some(served) = served {
            served.await?;
        }
        Ok(())
    }

    async fn stop_worker(
        self: &Arc<Self>,
        disturbance: Disturbance,
        random: &mut Random,
    ) -> anyhow::Result<()> {
        let mut post = self.free(&self.fleet.workers, random).await?;
        self.fleet.begin(disturbance, &post.name);
        let (began, alone) = (Instant::now(), self.alone());
        self.end(&mut post).await?;
        // Before it has ended its page still says that it serves.
        let alone = alone.filter(|_| !post.keeps_its_place());
        let served = tokio::spawn(Arc::clone(self).measure(Cause::WorkerStopped, began, alone));
        sleep(random.up_to(AWAY)).await;
        post.start()?;
        self.fleet.note(&format!("{} is started again", post.name));
        drop(post);
        served.await?;
        Ok(())
    }

    /// SIGTERM; anything but an end in order is a fault of its own.
    async fn end(&self, post: &mut Post) -> anyhow::Result<()> {
        let began = Instant::now();
        let status = post.take()?.terminate().await?;
        self.fleet.note(&format!("{} ended with {status} after {:?}", post.name, began.elapsed()));
        if !status.success() {
            let mut deaths = self.fleet.deaths.lock().unwrap_or_else(PoisonError::into_inner);
            deaths.push(format!("{} ended with {status} on SIGTERM", post.name));
        }
        Ok(())
    }

    async fn hold_worker(&self, disturbance: Disturbance, random: &mut Random) -> anyhow::Result<()> {
        let mut post = self.free(&self.fleet.workers, random).await?;
        self.fleet.begin(disturbance, &post.name);
        post.server()?.hold()?;
        sleep(HELD_WORKER + random.up_to(AWAY)).await;
        post.server()?.go_on()?;
        self.fleet.note(&format!("{} goes on", post.name));
        Ok(())
    }

    async fn roll(&self, disturbance: Disturbance) -> anyhow::Result<()> {
        let turn = self.rolls.fetch_add(1, SeqCst) + 1;
        let program = &self.programs[turn as usize % 2];
        self.fleet.begin(disturbance, &program.display().to_string());
        for post in &self.fleet.workers {
            let mut post = Arc::clone(post).lock_owned().await;
            self.fleet.look_after_one(&mut post)?;
            self.end(&mut post).await?;
            post.how.program.clone_from(program);
            post.start()?;
            // The next one when this one is up.
            timeout(GREETING, post.server()?.greeted()).await.context("a rolled worker is not up")??;
        }
        Ok(())
    }

    async fn broker(self: &Arc<Self>, disturbance: Disturbance, random: &mut Random) -> anyhow::Result<()> {
        let kafka = Arc::clone(&self.kafka).lock_owned().await;
        let broker = 1 + random.below(kafka.brokers() as u64) as usize;
        self.fleet.begin(disturbance, &format!("broker {broker}"));
        match disturbance {
            Disturbance::BrokerKilled => {
                let kafka = blocking(kafka, move |kafka| kafka.kill(broker)).await?;
                let served =
                    tokio::spawn(Arc::clone(self).measure(Cause::BrokerKilled, Instant::now(), self.alone()));
                sleep(random.up_to(AWAY) + AWAY).await;
                let kafka = blocking(kafka, move |kafka| kafka.restart(broker)).await?;
                self.fleet.note(&format!("broker {broker} is back"));
                drop(kafka);
                served.await?;
            }
            Disturbance::BrokerRestarted => {
                blocking(kafka, move |kafka| kafka.restart(broker)).await?;
                self.fleet.note(&format!("broker {broker} is back"));
            }
            _ => {
                let kafka = blocking(kafka, move |kafka| kafka.stop(broker)).await?;
                sleep(HELD_BROKER).await;
                blocking(kafka, move |kafka| kafka.resume(broker)).await?;
                self.fleet.note(&format!("broker {broker} goes on"));
            }
        }
        Ok(())
    }

    async fn network(&self, disturbance: Disturbance, random: &mut Random) -> anyhow::Result<()> {
        let kafka = self.kafka.lock().await;
        let proxy = kafka.proxy(LISTENER);
        self.fleet.begin(disturbance, "between the services and all brokers");
        if disturbance == Disturbance::NetworkCut {
            proxy.cut();
        } else {
            proxy.stall();
        }
        sleep(random.up_to(NETWORK)).await;
        proxy.restore();
        self.fleet.note("the network is back");
        Ok(())
    }

    /// How many disturbances have begun, where only the latest of them is not over.
    fn alone(&self) -> Option<u64> {
        let begun = self.begun.load(SeqCst);
        (begun - self.ended.load(SeqCst) <= 1).then_some(begun)
    }

    /// `alone`: so many disturbances had begun and were over but for this one.
    async fn measure(self: Arc<Self>, cause: Cause, began: Instant, alone: Option<u64>) {
        let pages = &self.fleet.worker_pages;
        let took = match cause {
            Cause::BrokerKilled => until_committed(pages, self.log_partitions, began).await,
            Cause::WorkerKilled | Cause::WorkerStopped => until_served(pages, self.partitions, began).await,
        };
        let alone = alone.is_some_and(|begun| begun == self.begun.load(SeqCst));
        self.fleet.note(&format!("after {cause:?} everything was served again in {took:?}, alone: {alone}"));
        let mut fail_overs = self.fleet.fail_overs.lock().unwrap_or_else(PoisonError::into_inner);
        fail_overs.push(FailOver { cause, took, alone });
    }
}

/// Does something to the brokers on a thread that may wait.
async fn blocking(
    mut kafka: OwnedMutexGuard<Kafka>,
    act: impl FnOnce(&mut Kafka) -> Result<(), foreshock_kafka_testing::Error> + Send + 'static,
) -> anyhow::Result<OwnedMutexGuard<Kafka>> {
    tokio::task::spawn_blocking(move || {
        act(&mut kafka)?;
        Ok(kafka)
    })
    .await?
}
