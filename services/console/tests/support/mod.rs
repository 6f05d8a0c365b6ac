//! What the tests of the console share.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

pub mod browser;
pub mod http;
pub mod sample;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use foreshock_console::{
    BudgetRow, Config, Console, ConsoleError, ForecastsRow, Insight, KindBudgetRow, Metrics, PatternRow,
    SeriesRow, WhatIf,
};
use foreshock_journal::Journal;
use foreshock_model::{ServiceName, Tenant, Timestamp};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

pub struct Running {
    pub address: SocketAddr,
    pub journal: Arc<dyn Journal>,
    pub metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ConsoleError>>,
    _folder: TempDir,
}

impl Running {
    /// A console on a port of its own, over a journal in which `before` has happened.
    pub async fn start(config: Config, before: impl AsyncFnOnce(&dyn Journal)) -> Self {
        Self::with(config, None, before).await
    }

    /// The same, with somebody who answers what-ifs.
    pub async fn with(
        config: Config,
        what_if: Option<Arc<dyn WhatIf>>,
        before: impl AsyncFnOnce(&dyn Journal),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = sample::journal(folder.path());
        before(journal.as_ref()).await;
        let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..config };
        let console = Console::bind(config).await.unwrap();
        let address = console.address();
        let metrics = Arc::new(Metrics::default());
        let shutdown = CancellationToken::new();
        let worker = Arc::new(Worker);
        let serve = console.serve(journal.clone(), worker, what_if, metrics.clone(), shutdown.clone());
        let task = tokio::spawn(serve);
        Self { address, journal, metrics, shutdown, task, _folder: folder }
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        timeout(Duration::from_secs(10), self.task).await.expect("it ends").unwrap().unwrap();
        self.journal.close().await;
    }
}

struct Worker;

impl Insight for Worker {
    fn patterns(&self, tenant: &Tenant, limit: usize) -> Vec<PatternRow> {
        let row = PatternRow {
            id: "p1".into(),
            template: "charge <*> failed".into(),
            service: "payment".into(),
            count: 12,
            share: 0.25,
            first_seen: Timestamp::from_secs(1),
            last_seen: Timestamp::from_secs(2),
            examples: vec![format!("of {tenant}")],
        };
        vec![row; limit.min(3)]
    }

    fn series(&self, _: &Tenant, service: Option<&ServiceName>, _: usize) -> Vec<SeriesRow> {
        vec![SeriesRow {
            service: service.cloned().unwrap_or("payment".into()),
            name: "system.memory.utilization".into(),
            attributes: Default::default(),
            unit: "1".into(),
            last_value: Some(0.5),
            last_seen: Some(Timestamp::from_secs(3)),
            learned: true,
            forecasts: Some(ForecastsRow { judged: 12, right: 9, within: 10 }),
        }]
    }

    fn budget(&self, tenant: &Tenant) -> Option<BudgetRow> {
        let kind = KindBudgetRow { tests_a_week: 5e5, calibration: 0.5, page: 5.4, warn: 3.9 };
        (tenant.as_str() == "acme").then(|| BudgetRow {
            pages_a_week: 2.0,
            paged_a_week: 0.5,
            tests_a_week: 1e6,
            page: 5.7,
            warn: 4.2,
            kinds: [(foreshock_model::Kind::Spike, kind)].into(),
        })
    }
}
