//! The services, each in processes of its own: who runs, who was taken away, who ended without having been told to.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use tokio::{
    sync::{Mutex as Held, OwnedMutexGuard},
    time::Instant,
};

use super::{disturbance::Disturbance, failover::FailOver};
use crate::{
    random::Random,
    server::{Server, Start},
};

/// What makes a worker a static member of its groups.
pub(super) const INSTANCE: &str = "FORESHOCK_JOURNAL__KAFKA__INSTANCE";

/// Two workers of one instance stand by for one another.
pub(super) const STANDBY: &str = "FORESHOCK_WORKER__STANDBY";

/// A process and how it is started.
pub(super) struct Post {
    pub(super) name: String,
    pub(super) how: Start,
    /// Where its metrics page is.
    pub(super) metrics: String,
    server: Option<Server>,
}

impl Post {
    pub(super) fn new(name: String, how: Start, metrics: String) -> Self {
        Self { name, how, metrics, server: None }
    }

    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        self.server = Some(Server::start(&self.how)?);
        Ok(())
    }

    /// The process that runs, to be ended or held.
    pub(super) fn take(&mut self) -> anyhow::Result<Server> {
        self.server.take().with_context(|| format!("{} does not run", self.name))
    }

    pub(super) fn server(&mut self) -> anyhow::Result<&mut Server> {
        self.server.as_mut().with_context(|| format!("{} does not run", self.name))
    }

    /// Whether it is a static member: its partitions wait for it for the session time, by design.
    pub(super) fn keeps_its_place(&self) -> bool {
        self.how.environment.iter().any(|(key, _)| *key == INSTANCE)
    }

    /// Its last words, where it has ended by itself.
    fn ended(&mut self) -> anyhow::Result<Option<String>> {
        match &mut self.server {
            Some(server) => server.ended(),
            None => Ok(None),
        }
    }
}

/// A post that one disturbance at a time may have.
pub(super) type Shared = Arc<Held<Post>>;

/// All processes, and what has become of the run so far.
pub(super) struct Fleet {
    pub(super) workers: Vec<Shared>,
    pub(super) ingests: Vec<Shared>,
    pub(super) notifies: Vec<Shared>,
    /// Where the workers' metrics pages are.
    pub(super) worker_pages: Vec<String>,
    pub(super) deaths: Mutex<Vec<String>>,
    pub(super) fail_overs: Mutex<Vec<FailOver>>,
    began: Instant,
    diary: Mutex<File>,
}

impl Fleet {
    pub(super) fn new(
        workers: Vec<Post>,
        ingests: Vec<Post>,
        notifies: Vec<Post>,
        diary: &Path,
    ) -> anyhow::Result<Self> {
        let shared =
            |posts: Vec<Post>| posts.into_iter().map(|post| Arc::new(Held::new(post))).collect::<Vec<_>>();
        Ok(Self {
            worker_pages: workers.iter().map(|post| post.metrics.clone()).collect(),
            workers: shared(workers),
            ingests: shared(ingests),
            notifies: shared(notifies),
            deaths: Mutex::default(),
            fail_overs: Mutex::default(),
            began: Instant::now(),
            diary: Mutex::new(File::create(diary).context("the diary")?),
        })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Shared> {
        self.ingests.iter().chain(&self.workers).chain(&self.notifies)
    }

    /// Writes down what happens and when, for whoever looks for a cause.
    pub(super) fn note(&self, what: &str) {
        let mut diary = self.diary.lock().unwrap_or_else(PoisonError::into_inner);
        // The run does not depend on it.
        let _ = writeln!(diary, "{:8.2} {what}", self.began.elapsed().as_secs_f64());
    }

    pub(super) fn begin(&self, disturbance: Disturbance, whom: &str) {
        self.note(&format!("{}: {whom}", disturbance.name()));
    }

    /// One of them that nothing is done to at present, or, where there is none, one of them when it is let go.
    pub(super) async fn any(&self, posts: &[Shared], random: &mut Random) -> OwnedMutexGuard<Post> {
        let first = random.below(posts.len() as u64) as usize;
        let in_turn = || posts.iter().cycle().skip(first).take(posts.len());
        for post in in_turn() {
            if let Ok(free) = Arc::clone(post).try_lock_owned() {
                return free;
            }
        }
        Arc::clone(&posts[first]).lock_owned().await
    }

    /// Notes who ended without having been told to, and starts it again, as whoever runs it in earnest would.
    pub(super) async fn look_after(&self) -> anyhow::Result<()> {
        for post in self.all() {
            let Ok(mut post) = post.try_lock() else { continue };
            self.look_after_one(&mut post)?;
        }
        Ok(())
    }

    /// The same of one that is about to be disturbed.
    pub(super) fn look_after_one(&self, post: &mut Post) -> anyhow::Result<()> {
        if let Some(words) = post.ended()? {
            self.note(&format!("{} ended by itself: {words}", post.name));
            let death = format!("{} ended by itself: {words}", post.name);
            self.deaths.lock().unwrap_or_else(PoisonError::into_inner).push(death);
            post.start()?;
        }
        Ok(())
    }
}
