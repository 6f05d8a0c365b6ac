//! The console: an HTTP API over incidents and findings, a stream of events, and a plain page. People's feedback is the one
//! thing that it adds to the journal; what another configuration would find it has told by whoever can run the stages again.
//!
//! What holds: memory is bounded by configuration; a client that does not read is let go; what comes from logs
//! reaches a browser as text alone; a page of somebody else's can't reach it through a name of its own.

mod api;
mod body;
mod config;
mod error;
mod events;
mod feedback;
mod guard;
mod insight;
mod metrics;
mod page;
mod query;
mod server;
mod stall;
mod tail;
mod view;
mod wall;
mod what_if;

use std::{net::SocketAddr, sync::Arc};

pub use config::Config;
pub use error::ConsoleError;
use foreshock_journal::{Journal, JournalError};
pub use insight::{BudgetRow, ForecastsRow, Insight, KindBudgetRow, NoInsight, PatternRow, SeriesRow};
pub use metrics::Metrics;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;
pub use what_if::{WhatIf, WhatIfAnswer, WhatIfError, WhatIfQuestion, WhatIfTotals};

/// A console that listens and does not answer yet.
pub struct Console {
    config: Config,
    listener: TcpListener,
    address: SocketAddr,
}

impl Console {
    /// Checks the configuration and takes the address.
    pub async fn bind(config: Config) -> Result<Self, ConsoleError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(ConsoleError::Config(problems));
        }
        let failed = |source| ConsoleError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { config, listener, address })
    }

    /// Where it listens; of port 0 the one it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown`, or until the journal fails for good. Without a `what_if` nobody is told what another
    /// configuration would find.
    pub async fn serve(
        self,
        journal: Arc<dyn Journal>,
        insight: Arc<dyn Insight>,
        what_if: Option<Arc<dyn WhatIf>>,
        metrics: Arc<Metrics>,
        shutdown: CancellationToken,
    ) -> Result<(), ConsoleError> {
        let shown = Arc::new(tail::Shown::new(view::View::new(self.config.clone())));
        let mut tails = JoinSet::new();
        for tail in tail::start(journal.as_ref(), &shown).await? {
            tails.spawn(tail.follow(journal.clone(), shown.clone()));
        }
        let desk = what_if::Desk::new(what_if, self.config.longest_what_if());
        let api = api::Api {
            what_if: desk.clone(),
            shown,
            journal,
            insight,
            metrics,
            stream_clients: Arc::new(Semaphore::new(self.config.stream_clients)),
            shutdown: shutdown.clone(),
        };
        let router = api::router(api, self.config.hosts.clone().into());
        let server = server::serve(self.listener, router, self.config.connections, shutdown.clone());
        let ended = tokio::select! {
            () = server => Ok(()),
            Some(ended) = tails.join_next() => match ended {
                Ok(Err(JournalError::Closed)) if shutdown.is_cancelled() => Ok(()),
                Ok(ended) => ended.map_err(ConsoleError::from),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            },
        };
        // Whichever way it ended, the requests under way went with the server.
        desk.close().await;
        ended
    }
}

/// Binds and serves.
pub async fn run(
    config: Config,
    journal: Arc<dyn Journal>,
    insight: Arc<dyn Insight>,
    what_if: Option<Arc<dyn WhatIf>>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) -> Result<(), ConsoleError> {
    Console::bind(config).await?.serve(journal, insight, what_if, metrics, shutdown).await
}
