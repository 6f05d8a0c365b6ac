//! Tells people of incidents: reads the incidents stream, sends each incident to the receivers of the routes that
//! want it, and writes what became of it to the deliveries stream.
//!
//! What holds:
//! 1. At least once, across a crash at any moment: the committed offset of the incidents stream passes an entry only
//!    in the batch that records that every route has what it says, or something newer, or gave it up. A repeat
//!    carries the same `Idempotency-Key`.
//! 2. In order for each incident and route: one request at a time, always the newest revision.
//! 3. An incident that can't be delivered holds up no other: requests are bounded a route, retries end.
//! 4. What was told is not told again after a restart, except to receivers that forget (Alertmanager).

mod alertmanager;
mod backoff;
mod client;
mod config;
mod courier;
mod duration_text;
mod error;
mod metrics;
mod outbox;
mod recover;
mod secret;
mod sender;
mod shift;
mod sources;
mod trial;
mod webhook;

use std::sync::Arc;

pub use config::{Alertmanager, Config, Retry, Route, Webhook};
pub use courier::CONSUMER;
pub use error::NotifyError;
use foreshock_journal::Journal;
pub use metrics::{LATENCY_BOUNDS_MS, Latency, Metrics, RouteMetrics};
pub use secret::SecretRef;
use sender::Sender;
use tokio_util::sync::CancellationToken;
pub use trial::trial;

/// Runs until `shutdown`, then lets requests under way end (up to 5 s) and records them. Where several run, each tells
/// of the incidents of its share of the partitions.
///
/// `metrics` has to be made from the same configuration. Fails at once where the configuration can't be run, later
/// only where the journal fails for good.
pub async fn run(
    config: Config,
    journal: Arc<dyn Journal>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) -> Result<(), NotifyError> {
    let senders = senders(&config)?;
    shift::run(&config, &senders, &journal, &metrics, shutdown).await
}

/// Whether [`run`] could start with this configuration: every problem, or the first client that could not be made.
pub fn check(config: &Config) -> Result<(), NotifyError> {
    senders(config).map(drop)
}

/// A sender for each route, in their order.
fn senders(config: &Config) -> Result<Vec<Arc<Sender>>, NotifyError> {
    let problems = config.problems();
    if !problems.is_empty() {
        return Err(NotifyError::Config(problems));
    }
    let sender = |route: &Route| {
        Sender::new(route, &config.console_url)
            .map(Arc::new)
            .map_err(|reason| NotifyError::Client { route: route.name.clone(), reason })
    };
    config.routes.iter().map(sender).collect()
}
